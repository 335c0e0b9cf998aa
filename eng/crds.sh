#!/usr/bin/env bash
# Writes crds/ and the chart's copy from the API types.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

dotnet build tests/Api.Tests -c Release -v q -nologo
UPDATE_GOLDEN=1 dotnet artifacts/bin/Api.Tests/release/Opt.Api.Tests.dll -noColor -class Opt.Api.Tests.CrdTests >/dev/null
cp crds/*.yaml charts/opt-operator/crds/
git status --short crds charts/opt-operator/crds
