#!/usr/bin/env python3
"""OPT in plain PyTorch, for comparison: the same weights and the same tokens, an independent implementation.

  opt_reference.py logits --model FOLDER --tokens 2,5,7,... --output FILE     logits of one sequence, little-endian float32
  opt_reference.py gradients --model FOLDER --data NAME --length N --batch N --output FILE
                                                                              of the mean loss of the first batch: by name, little-endian float32
  opt_reference.py train  --model FOLDER --data NAME --length N --batch N --steps N --lr X --clip X
                          --beta1 X --beta2 X --eps X --weight-decay X         one loss (nats per token) a line, no dropout

FOLDER is a Hugging Face OPT folder in float32; NAME a tokenised corpus read in file order. Needs python3-torch only.
"""
import argparse
import json
import math
import struct
import sys

import torch
import torch.nn.functional as F

NAME = "model.decoder."


def read_safetensors(path):
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] != "F32":
            sys.exit(f"{path}: {name} is {entry['dtype']}, F32 is expected")
        begin, end = entry["data_offsets"]
        flat = torch.frombuffer(bytearray(data[8 + length + begin:8 + length + end]), dtype=torch.float32)
        tensors[name] = flat.reshape(entry["shape"])
    return tensors


class Opt(torch.nn.Module):
    """The released 350M (post-norm, narrow embedding) and all the others (pre-norm)."""

    def __init__(self, folder):
        super().__init__()
        with open(f"{folder}/config.json", encoding="utf-8") as file:
            self.config = json.load(file)
        weights = read_safetensors(f"{folder}/model.safetensors")
        self.p = torch.nn.ParameterDict({k.replace(".", "/"): torch.nn.Parameter(v) for k, v in weights.items()})

    def __getitem__(self, name):
        return self.p[(NAME + name).replace(".", "/")]

    def has(self, name):
        return (NAME + name).replace(".", "/") in self.p

    def linear(self, x, name):
        return F.linear(x, self[name + ".weight"], self[name + ".bias"])

    def norm(self, x, name):
        return F.layer_norm(x, x.shape[-1:], self[name + ".weight"], self[name + ".bias"], 1e-5)

    def attention(self, x, layer):
        batch, length, width = x.shape
        heads = self.config["num_attention_heads"]
        size = width // heads

        def split(name):
            return self.linear(x, f"{layer}.self_attn.{name}_proj").view(batch, length, heads, size).transpose(1, 2)

        scores = split("q") @ split("k").transpose(-1, -2) / math.sqrt(size)
        mask = torch.full((length, length), -math.inf).triu(1)
        mixed = F.softmax(scores + mask, dim=-1) @ split("v")
        return self.linear(mixed.transpose(1, 2).reshape(batch, length, width), f"{layer}.self_attn.out_proj")

    def feed_forward(self, x, layer):
        return self.linear(F.relu(self.linear(x, f"{layer}.fc1")), f"{layer}.fc2")

    def forward(self, ids):
        pre = self.config["do_layer_norm_before"]
        h = F.embedding(ids, self["embed_tokens.weight"], padding_idx=1)
        if self.has("project_in.weight"):
            h = F.linear(h, self["project_in.weight"])
        h = h + self["embed_positions.weight"][2:2 + ids.shape[1]]
        for index in range(self.config["num_hidden_layers"]):
            layer = f"layers.{index}"
            if pre:
                h = h + self.attention(self.norm(h, f"{layer}.self_attn_layer_norm"), layer)
                h = h + self.feed_forward(self.norm(h, f"{layer}.final_layer_norm"), layer)
            else:
                h = self.norm(h + self.attention(h, layer), f"{layer}.self_attn_layer_norm")
                h = self.norm(h + self.feed_forward(h, layer), f"{layer}.final_layer_norm")
        if self.has("final_layer_norm.weight"):
            h = self.norm(h, "final_layer_norm")
        if self.has("project_out.weight"):
            h = F.linear(h, self["project_out.weight"])
        return h @ self["embed_tokens.weight"].T


class MetaseqAdam:
    """metaseq's Adam: p -= lr wd p, then p -= lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps); everything decays."""

    def __init__(self, parameters, lr, beta1, beta2, eps, weight_decay):
        self.parameters = list(parameters)
        self.lr, self.beta1, self.beta2, self.eps, self.weight_decay = lr, beta1, beta2, eps, weight_decay
        self.m = [torch.zeros_like(p) for p in self.parameters]
        self.v = [torch.zeros_like(p) for p in self.parameters]
        self.t = 0

    @torch.no_grad()
    def step(self):
        self.t += 1
        size = self.lr * math.sqrt(1 - self.beta2 ** self.t) / (1 - self.beta1 ** self.t)
        for p, m, v in zip(self.parameters, self.m, self.v):
            m.mul_(self.beta1).add_(p.grad, alpha=1 - self.beta1)
            v.mul_(self.beta2).addcmul_(p.grad, p.grad, value=1 - self.beta2)
            p.mul_(1 - self.lr * self.weight_decay)
            p.addcdiv_(m, v.sqrt().add_(self.eps), value=-size)


def samples(name, length, batch, steps):
    """Blocks of length + 1 tokens in file order, cut without overlap; round again at the end."""
    with open(f"{name}.bin", "rb") as file:
        data = file.read()
    tokens = torch.frombuffer(bytearray(data), dtype=torch.int16).to(torch.int64) & 0xFFFF
    blocks = tokens[:tokens.numel() // (length + 1) * (length + 1)].view(-1, length + 1)
    for step in range(steps):
        yield blocks[(torch.arange(batch) + step * batch) % blocks.shape[0]]


def gradients(model, args):
    block = next(samples(args.data, args.length, args.batch, 1))
    F.cross_entropy(model(block[:, :-1]).flatten(0, 1), block[:, 1:].flatten()).backward()
    with open(args.output, "wb") as file:
        for name in sorted(model.p.keys()):
            file.write(model.p[name].grad.contiguous().numpy().tobytes())


def train(model, args):
    optimizer = MetaseqAdam(model.parameters(), args.lr, args.beta1, args.beta2, args.eps, args.weight_decay)
    for block in samples(args.data, args.length, args.batch, args.steps):
        for p in model.parameters():
            p.grad = None
        logits = model(block[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), block[:, 1:].flatten())
        loss.backward()
        norm = math.sqrt(sum(float(p.grad.double().square().sum()) for p in model.parameters()))
        if norm > args.clip > 0:
            for p in model.parameters():
                p.grad.mul_(args.clip / norm)
        optimizer.step()
        print(f"{loss.item():.9g} {norm:.9g}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["logits", "gradients", "train"])
    parser.add_argument("--model", required=True)
    parser.add_argument("--tokens")
    parser.add_argument("--output")
    parser.add_argument("--data")
    for name, kind in (("length", int), ("batch", int), ("steps", int), ("lr", float), ("clip", float), ("beta1", float), ("beta2", float), ("eps", float), ("weight-decay", float)):
        parser.add_argument(f"--{name}", type=kind)
    args = parser.parse_args()
    torch.manual_seed(0)
    model = Opt(args.model)
    if args.what == "train":
        return train(model, args)
    if args.what == "gradients":
        return gradients(model, args)
    with torch.no_grad():
        logits = model(torch.tensor([[int(t) for t in args.tokens.split(",")]]))
    with open(args.output, "wb") as file:
        file.write(logits.contiguous().numpy().tobytes())


if __name__ == "__main__":
    main()
