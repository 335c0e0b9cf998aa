#!/usr/bin/env python3
"""Training speed of opt-trainer beside eager PyTorch on the same libtorch, same model, same threads: interleaved rounds, paired ratios.

  trainer_speed.py [--model 10m|tiny|125m] [--batch N] [--rounds N] [--steps N] [--warmup N] [--workers N] [--activation-checkpointing none|full] [--trainer PATH]

Prints one JSON line a model: tokens/s of both (medians over steps and rounds), the median of the paired ratios and their range.
"""
import argparse
import hashlib
import json
import os
import random
import statistics
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
MODELS = {
    "tiny": dict(layers=2, width=64, heads=4, vocabulary=50264, length=128, batch=8),
    "10m": dict(layers=4, width=256, heads=4, vocabulary=50272, length=512, batch=8),
    "125m": dict(layers=12, width=768, heads=12, vocabulary=50272, length=512, batch=2),
}


def write_corpus(path, vocabulary, tokens):
    data = struct.pack(f"<{tokens}H", *random.Random(1).choices(range(3, vocabulary), k=tokens))
    with open(f"{path}.bin", "wb") as file:
        file.write(data)
    with open(f"{path}.idx", "wb") as file:
        file.write(struct.pack("<2q", 0, tokens))
    with open(f"{path}.json", "w", encoding="utf-8") as file:
        json.dump(dict(version=1, vocabularyDigest="random", vocabularySize=vocabulary, endOfDocument=2, tokens=tokens, documents=1, bytesDigest=hashlib.sha256(data).hexdigest()), file)


def write_config(path, corpus, m, steps, checkpointing):
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"""model: {{layers: {m['layers']}, hiddenSize: {m['width']}, heads: {m['heads']}, vocabSize: {m['vocabulary']}, maxPositions: {m['length']}, dropout: 0.1}}
data: {{root: {os.path.dirname(corpus)}, train: [{{path: {os.path.basename(corpus)}}}]}}
training: {{batchTokens: {m['batch'] * m['length']}, sequenceLength: {m['length']}, precision: fp32, microBatchSequences: {m['batch']}, activationCheckpointing: {checkpointing}, learningRate: {{peak: 0.001}}}}
maxSteps: {steps}
""")


def ours(trainer, config, workers, warmup, folder, environment):
    steps = os.path.join(folder, "steps.jsonl")
    subprocess.run([trainer, "train", "--config", config, "--workers", str(workers), "--steps-out", steps, "--quiet", "--device", "cpu"], check=True, env=environment)
    with open(steps, encoding="utf-8") as file:
        return [json.loads(line)["seconds"] for line in file][warmup:]


def theirs(m, steps, warmup, environment):
    arguments = [f"--{name}={value}" for name, value in m.items()]
    done = subprocess.run(["/usr/bin/python3", os.path.join(HERE, "pytorch_opt.py"), *arguments, f"--steps={steps}", f"--warmup={warmup}"], check=True, stdout=subprocess.PIPE, env=environment)
    return [float(line) for line in done.stdout.split()]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=MODELS, action="append")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--batch", type=int, help="sequences a step")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--activation-checkpointing", choices=["none", "full"], default="none")
    parser.add_argument("--trainer", default=os.path.join(HERE, "..", "bin", "opt-trainer"))
    args = parser.parse_args()
    if subprocess.run(["/usr/bin/python3", "-c", "import torch"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        sys.exit("trainer_speed: python3-torch is not installed: apt-get install python3-torch")
    warmup = args.warmup
    cores = os.cpu_count() or 1
    environment = dict(os.environ, OMP_NUM_THREADS=str(max(1, cores // args.workers)), OPENBLAS_NUM_THREADS=str(max(1, cores // args.workers)))
    whole = dict(os.environ, OMP_NUM_THREADS=str(cores), OPENBLAS_NUM_THREADS=str(cores))
    for name in args.model or ["10m"]:
        m = dict(MODELS[name], batch=args.batch or MODELS[name]["batch"])
        with tempfile.TemporaryDirectory() as folder:
            corpus, config = os.path.join(folder, "random"), os.path.join(folder, "train.yaml")
            write_corpus(corpus, m["vocabulary"], 40 * m["batch"] * (m["length"] + 1))
            write_config(config, corpus, m, args.steps + warmup, args.activation_checkpointing)
            rounds = [(statistics.median(ours(args.trainer, config, args.workers, warmup, folder, environment)), statistics.median(theirs(m, args.steps, warmup, whole))) for _ in range(args.rounds)]
        tokens = m["batch"] * m["length"]
        ratios = sorted(b / a for a, b in rounds)
        print(json.dumps(dict(bench="trainer-speed", model=name, workers=args.workers, activationCheckpointing=args.activation_checkpointing,
                              trainerTokensPerSecond=round(tokens / statistics.median(a for a, _ in rounds), 1), pytorchTokensPerSecond=round(tokens / statistics.median(b for _, b in rounds), 1),
                              ratio=round(statistics.median(ratios), 3), ratioRange=[round(ratios[0], 3), round(ratios[-1], 3)], rounds=args.rounds, steps=args.steps)), flush=True)


if __name__ == "__main__":
    main()
