#!/usr/bin/env bash
# Writes crds/ and the chart's copy from the API types.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

mkdir -p crds charts/opt-operator/crds
bin/opt-operator crds >crds/opttrainingjobs.yaml
cp crds/opttrainingjobs.yaml charts/opt-operator/crds/
