#!/usr/bin/env bash
# `make run`: the whole system on this machine. Starts the embedded control plane and the operator, trains examples/opt-tiny.yaml,
# breaks a worker and a node on the way, and shows what happened. STORE=azurite keeps the checkpoints in Azurite, KEEP=1 the cluster after the end.
# GRACE: how long a node is silent until it is NotReady.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

STORE="${STORE:-directory}"
MANIFEST="${MANIFEST:-}"
RUN="$ROOT/artifacts/run"

eng/corpus.sh
rm -rf "$RUN"
mkdir -p "$RUN/checkpoints"

case "$STORE" in
directory) MANIFEST="${MANIFEST:-examples/opt-tiny.yaml}" ;;
azurite)
    MANIFEST="${MANIFEST:-examples/opt-tiny-azurite.yaml}"
    say "start Azurite on 127.0.0.1:10000"
    node "$CACHE/npm/node_modules/azurite/dist/src/blob/main.js" --silent --skipApiVersionCheck --disableTelemetry \
        --location "$RUN/azurite" --blobHost 127.0.0.1 --blobPort 10000 >"$RUN/azurite.log" 2>&1 &
    AZURITE=$!
    trap 'kill "$AZURITE" 2>/dev/null || true' EXIT
    for _ in $(seq 50); do
        kill -0 "$AZURITE" 2>/dev/null || { cat "$RUN/azurite.log" >&2; fail "Azurite did not start; is port 10000 taken?"; }
        (exec 3<>/dev/tcp/127.0.0.1/10000) 2>/dev/null && break
        sleep 0.2
    done
    ;;
*) fail "STORE=$STORE is not known; use STORE=directory or STORE=azurite" ;;
esac

bin/opt-local run "$MANIFEST" \
    --operator bin/opt-operator --crds crds --nodes 3 --accelerators-per-node 1 \
    --image opt-trainer:local=bin/opt-trainer \
    --host-path /var/lib/opt/data="$CACHE/corpus" --host-path /var/lib/opt/checkpoints="$RUN/checkpoints" \
    --state-dir "$RUN/cluster" --node-monitor-grace-period "${GRACE:-20s}" --kill-worker-at 0.33 --fail-node-at 0.66 \
    --dashboard-port "${DASHBOARD_PORT:-8090}" ${KEEP:+--keep} "$@"
[ "$STORE" != directory ] || echo "  store        $RUN/checkpoints (the pods' /checkpoints)"
