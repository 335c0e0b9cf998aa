#!/usr/bin/env python3
"""What saving costs a training that goes on: its stall, and how much longer steps take while a save is written in the background.

  save_cost.py [--model 10m|tiny|125m] [--batch N] [--rounds N] [--steps N] [--warmup N] [--every N] [--trainer PATH]

Interleaved rounds of the same run with and without saves to a folder every N steps. Prints one JSON line: seconds of a step without saves, the stall of a save,
its share of training with a save every minute (no automatic interval is shorter), and the steps' inflation (medians over steps; median and range of the paired ratios).
"""
import argparse
import json
import os
import statistics
import tempfile

from trainer_speed import HERE, MODELS, records, threads, write_config, write_corpus

SHORTEST_INTERVAL = 60   # seconds between saves that checkpoint.every: auto never falls below


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=MODELS, default="10m")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--every", type=int, default=2)
    parser.add_argument("--trainer", default=os.path.join(HERE, "..", "bin", "opt-trainer"))
    args = parser.parse_args()
    m = dict(MODELS[args.model], batch=args.batch)
    plain, inflation, stalls = [], [], []
    for number in range(args.rounds):
        with tempfile.TemporaryDirectory() as folder:
            corpus, bare, saving = (os.path.join(folder, name) for name in ("random", "bare.yaml", "saving.yaml"))
            write_corpus(corpus, m["vocabulary"], 40 * m["batch"] * (m["length"] + 1))
            for config in (bare, saving):
                write_config(config, corpus, dict(m, micro=m["batch"]), args.steps + args.warmup, "none")
            with open(saving, "a", encoding="utf-8") as file:
                file.write(f"checkpoint: {{store: {{directory: {{path: {folder}/store}}}}, every: {{steps: {args.every}}}, keep: {{last: 2}}}}\n")
            without, with_saves = (records(args.trainer, config, 1, folder, threads(1))[args.warmup:] for config in (bare, saving))
        alone = statistics.median(r["seconds"] for r in without)
        plain.append(alone)
        # The stall has a row of its own: what is left is what the background takes from computing.
        inflation.append(statistics.median(r["seconds"] - r["timing"].get("checkpointStall", 0) for r in with_saves) / alone)
        stalls += [r["timing"]["checkpointStall"] for r in with_saves if r["timing"].get("checkpointStall", 0) > 0]
    stall = statistics.median(stalls)
    print(json.dumps(dict(bench="save-cost", model=args.model, secondsOfAStep=round(statistics.median(plain), 3), everySteps=args.every, saves=len(stalls), stallSeconds=round(stall, 4),
                          stallShareAtTheShortestInterval=round(stall / SHORTEST_INTERVAL, 6), inflation=round(statistics.median(inflation), 3), inflationRange=[round(min(inflation), 3), round(max(inflation), 3)])))


if __name__ == "__main__":
    main()
