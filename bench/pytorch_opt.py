#!/usr/bin/env python3
"""Eager PyTorch training of an OPT on random tokens, for the speed comparison: the usual modules, torch.optim.AdamW, clip_grad_norm_.

--parallel ddp|fsdp: one rank of a Gloo group that torchrun's variables describe (RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT); the batch is split.
Prints the seconds of every step after the warm-up, one a line (rank 0 only). Needs python3-torch only.
"""
import argparse
import datetime
import os
import time

import torch
import torch.nn as nn
import torch.nn.functional as F


class Block(nn.Module):
    def __init__(self, width, heads, dropout):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, h, mask):
        batch, length, width = h.shape
        q, k, v = self.qkv(self.norm1(h)).view(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-1, -2) * (width // self.heads) ** -0.5 + mask
        weights = F.dropout(F.softmax(scores, dim=-1), self.dropout)
        mixed = (weights @ v).transpose(1, 2).reshape(batch, length, width)
        h = h + F.dropout(self.out(mixed), self.dropout)
        return h + F.dropout(self.fc2(F.relu(self.fc1(self.norm2(h)))), self.dropout)


class Opt(nn.Module):
    def __init__(self, args):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(args.vocabulary, args.width), nn.Embedding(args.length + 2, args.width)
        self.blocks = nn.ModuleList(Block(args.width, args.heads, args.dropout) for _ in range(args.layers))
        self.norm = nn.LayerNorm(args.width)
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, std=0.006)

    def forward(self, ids):
        length = ids.shape[1]
        mask = torch.full((length, length), float("-inf")).triu(1)
        h = self.tokens(ids) + self.positions(torch.arange(2, length + 2))
        for block in self.blocks:
            h = block(h, mask)
        return self.norm(h) @ self.tokens.weight.T


def data_parallel(model, how):
    """The model as every rank holds it, and what clips its gradient."""
    if how == "none":
        return model, lambda: nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    torch.distributed.init_process_group("gloo", timeout=datetime.timedelta(minutes=5))
    if how == "ddp":
        wrapped = nn.parallel.DistributedDataParallel(model)
        return wrapped, lambda: nn.utils.clip_grad_norm_(wrapped.parameters(), 1.0)
    from torch.distributed.fsdp import FullyShardedDataParallel
    from torch.distributed.fsdp.wrap import ModuleWrapPolicy
    wrapped = FullyShardedDataParallel(model, auto_wrap_policy=ModuleWrapPolicy({Block}), use_orig_params=True, device_id=torch.device("cpu"))
    return wrapped, lambda: wrapped.clip_grad_norm_(1.0)


def main():
    parser = argparse.ArgumentParser()
    for name, default in (("layers", 4), ("width", 256), ("heads", 4), ("vocabulary", 50272), ("length", 512), ("batch", 8), ("steps", 6), ("warmup", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--parallel", choices=["none", "ddp", "fsdp"], default="none")
    args = parser.parse_args()
    rank, world = (0, 1) if args.parallel == "none" else (int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))
    torch.manual_seed(1)
    model, clip = data_parallel(Opt(args), args.parallel)
    torch.manual_seed(2 + rank)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
    for step in range(args.warmup + args.steps):
        block = torch.randint(3, args.vocabulary, (args.batch // world, args.length + 1))
        start = time.monotonic()
        optimizer.zero_grad(set_to_none=True)
        logits = model(block[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), block[:, 1:].flatten())
        loss.backward()
        clip()
        optimizer.step()
        loss.item()
        if step >= args.warmup and rank == 0:
            print(f"{time.monotonic() - start:.6f}", flush=True)


if __name__ == "__main__":
    main()
