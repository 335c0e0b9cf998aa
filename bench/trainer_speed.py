#!/usr/bin/env python3
"""Training speed of opt-trainer beside eager PyTorch on the same libtorch, same model, same threads: interleaved rounds, paired ratios.

  trainer_speed.py [--peer none|ddp|fsdp]... [--model 10m|tiny|125m] [--batch N] [--rounds N] [--steps N] [--warmup N] [--workers N] [--activation-checkpointing none|full] [--trainer PATH]

--peer says how PyTorch runs: in one process with all threads (none), or as DDP or FSDP in as many processes as we have workers.
Prints one JSON line a model and peer: tokens/s of both (medians over steps and rounds), the median of the paired ratios and their range.
"""
import argparse
import hashlib
import json
import os
import random
import socket
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
training: {{batchTokens: {m['batch'] * m['length']}, sequenceLength: {m['length']}, precision: fp32, microBatchSequences: {m['micro']}, activationCheckpointing: {checkpointing}, learningRate: {{peak: 0.001}}}}
maxSteps: {steps}
""")


def records(trainer, config, workers, folder, environment):
    """The step records of one run."""
    steps = os.path.join(folder, "steps.jsonl")
    subprocess.run([trainer, "train", "--config", config, "--workers", str(workers), "--steps-out", steps, "--quiet", "--device", "cpu"], check=True, env=environment)
    with open(steps, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def ours(trainer, config, workers, warmup, folder, environment):
    return [record["seconds"] for record in records(trainer, config, workers, folder, environment)][warmup:]


def theirs(m, peer, world, steps, warmup):
    world = 1 if peer == "none" else world
    command = ["/usr/bin/python3", os.path.join(HERE, "pytorch_opt.py"), *[f"--{name}={value}" for name, value in m.items()], f"--steps={steps}", f"--warmup={warmup}", f"--parallel={peer}"]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    # Debian's build has no libuv, which 2.6 would use for its store.
    group = dict(threads(world), WORLD_SIZE=str(world), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), USE_LIBUV="0")
    ranks = [subprocess.Popen(command, stdout=subprocess.PIPE, env=dict(group, RANK=str(rank))) for rank in range(world)]
    lines = [rank.communicate()[0] for rank in ranks]
    if any(rank.returncode != 0 for rank in ranks):
        sys.exit(f"trainer_speed: PyTorch ({peer}) ended with {[rank.returncode for rank in ranks]}")
    return [float(line) for line in lines[0].split()]


def threads(processes):
    share = str(max(1, (os.cpu_count() or 1) // processes))
    return dict(os.environ, OMP_NUM_THREADS=share, OPENBLAS_NUM_THREADS=share, OMP_WAIT_POLICY=os.environ.get("OMP_WAIT_POLICY", "passive"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=MODELS, action="append")
    parser.add_argument("--peer", choices=["none", "ddp", "fsdp"], action="append")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--batch", type=int, help="sequences a step")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--activation-checkpointing", choices=["none", "full"], default="none")
    parser.add_argument("--trainer", default=os.path.join(HERE, "..", "bin", "opt-trainer"))
    args = parser.parse_args()
    probe = subprocess.run(["/usr/bin/python3", "-c", "import torch; print(torch.__version__)"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    if probe.returncode != 0:
        sys.exit("trainer_speed: python3-torch is not installed: apt-get install python3-torch")
    torch_version = probe.stdout.strip()
    peers = args.peer or ["none"]
    for name in args.model or ["10m"]:
        m = dict(MODELS[name], batch=args.batch or MODELS[name]["batch"])
        with tempfile.TemporaryDirectory() as folder:
            corpus, config = os.path.join(folder, "random"), os.path.join(folder, "train.yaml")
            write_corpus(corpus, m["vocabulary"], 40 * m["batch"] * (m["length"] + 1))
            write_config(config, corpus, dict(m, micro=m["batch"] // args.workers), args.steps + args.warmup, args.activation_checkpointing)
            rounds = []
            for _ in range(args.rounds):
                mine = statistics.median(ours(args.trainer, config, args.workers, args.warmup, folder, threads(args.workers)))
                rounds.append((mine, {peer: statistics.median(theirs(m, peer, args.workers, args.steps, args.warmup)) for peer in peers}))
        tokens = m["batch"] * m["length"]
        for peer in peers:
            ratios = sorted(theirs[peer] / mine for mine, theirs in rounds)
            print(json.dumps(dict(bench="trainer-speed", model=name, workers=args.workers, activationCheckpointing=args.activation_checkpointing, pytorch=torch_version, peer=peer,
                                  trainerTokensPerSecond=round(tokens / statistics.median(mine for mine, _ in rounds), 1), pytorchTokensPerSecond=round(tokens / statistics.median(theirs[peer] for _, theirs in rounds), 1),
                                  ratio=round(statistics.median(ratios), 3), ratioRange=[round(ratios[0], 3), round(ratios[-1], 3)], rounds=args.rounds, steps=args.steps)), flush=True)


if __name__ == "__main__":
    main()
