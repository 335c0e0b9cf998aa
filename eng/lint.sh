#!/usr/bin/env bash
# Checks formatting, the chart and the shell scripts.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

dotnet format whitespace OptOperator.sln --verify-no-changes
eng/helm.sh >/dev/null
.cache/tools/helm lint charts/opt-operator
for script in eng/*.sh bench/*.sh .ci/run; do bash -n "$script"; done
if command -v shellcheck >/dev/null; then shellcheck -x eng/*.sh bench/*.sh .ci/run; fi
