#!/usr/bin/env bash
# Builds everything in Release: the native shim, the solution, and bin/opt-* at the repository root.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

eng/build-native.sh
[ -d artifacts/bin/Operator ] || say "build the programs: some minutes the first time"
dotnet build OptOperator.sln -c Release -v q -nologo -consoleLoggerParameters:NoSummary "$@"

mkdir -p bin
ln -sfn ../artifacts/bin/Operator/release/opt-operator bin/opt-operator
ln -sfn ../artifacts/bin/Trainer/release/opt-trainer bin/opt-trainer
ln -sfn ../artifacts/bin/LocalCluster/release/opt-local bin/opt-local
ln -sfn ../artifacts/bin/KubectlOpt/release/kubectl-opt bin/kubectl-opt
