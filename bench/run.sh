#!/usr/bin/env bash
# `make bench`: prints the measurements as JSON lines while they are made, then as a table. Only some: bench/run.sh trainer|system|checkpoints|replay|faults|divergence|kubernetes|scale.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../eng/common.sh"

RESULTS="$ROOT/artifacts/bench.jsonl"
: >"$RESULTS"

trainer() { # tokens/s beside eager PyTorch on the same libtorch: interleaved rounds, medians of paired ratios
    for model in tiny 10m; do /usr/bin/python3 bench/trainer_speed.py --model "$model" --trainer bin/opt-trainer; done
    /usr/bin/python3 bench/trainer_speed.py --model tiny --workers 2 --trainer bin/opt-trainer
}

system() { # apply to first step, SIGKILL to training again, what the operator costs
    dotnet run --project bench/System -c Release
}

checkpoints() { # stall, transfers beside the Azure SDK and cp, restores from each tier; what saves cost a training that goes on
    dotnet run --project bench/Checkpoints -c Release
    /usr/bin/python3 bench/save_cost.py --trainer bin/opt-trainer
}

replay() { # OPT-175B's failures under the planner: ETTR and its breakdown, seeds, rates, spares, sensitivity
    dotnet run --project bench/opt-replay -c Release -- --svg artifacts/opt-replay.svg
}

kubernetes() { # list and watch beside curl, events through informer and controller, the API server's rates, job start on simulated nodes
    dotnet run --project bench/Kubernetes.Bench -c Release
}

scale() { # one job of 2,048 nodes, 64 of them lost at once; 100 jobs of 124 nodes until 100,000 reconciles: what the operator costs. Agents listen on every address: a network of its own where that is allowed
    local alone=() part
    if unshare -rn true 2>/dev/null; then alone=(unshare -rn sh -c 'ip link set lo up && exec "$@"' --); fi
    dotnet build bench/Kubernetes.Bench -c Release -v q -nologo >&2
    for part in scale-nodes scale-jobs; do "${alone[@]}" dotnet artifacts/bin/Kubernetes.Bench/release/opt-bench-kubernetes.dll "$part"; done
}

faults() { # each fault on real processes, 20 times: time to the next optimizer step, median and worst; CONTINUE=1 keeps the rounds that were made before
    local fault attempt
    [ -n "${CONTINUE:-}" ] || rm -rf artifacts/faults
    for fault in worker-kill worker-stop straggler agent-kill node-kill node-cut operator-kill worker-throttle worker-stop-tested; do
        echo "faults: $fault" >&2
        for attempt in 1 2 3; do # a round that fails ends the program; what was made is kept
            if dotnet run --project bench/Faults -c Release -- "$fault" "${TIMES:-20}"; then break; fi
        done
    done
}

divergence() { # four real divergences on local workers, with policies, without, in Shadow: how each ended, seconds from onset to training; pictures in artifacts/divergence
    eng/corpus.sh
    mkdir -p artifacts/divergence
    OPT_SOAK=1 OPT_PICTURES="$ROOT/artifacts/divergence" dotnet artifacts/bin/EndToEnd/release/Opt.EndToEnd.dll -class '*DivergenceTests'
}

[ $# -gt 0 ] || set -- trainer system kubernetes scale checkpoints replay faults divergence
for what in "$@"; do
    say "$what"
    "$what" | tee -a "$RESULTS"
done

say "summary ($(nproc) processors: $(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2 | xargs))"
/usr/bin/python3 - "$RESULTS" <<'P'
import json, sys
for line in open(sys.argv[1]):
    if line.startswith("{"):
        figure = json.loads(line)
        name = figure.pop("name", figure.pop("bench", ""))
        print(f"  {name:48}", "  ".join(f"{k} {v}" for k, v in figure.items()))
P
