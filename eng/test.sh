#!/usr/bin/env bash
# Runs every test project and ends with "N passed, N failed, N skipped". Usage: eng/test.sh [PROJECT]... (default: all)
# OPT_SOAK=1 makes the seeded tests run their full sets.
set -uo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

ALL="Layout Api.Tests Planning.Tests Kubernetes.Tests LocalCluster.Tests Operator.Tests Torch.Tests Trainer.Tests Scenarios EndToEnd"
LOGS="$ROOT/artifacts/test-logs"
mkdir -p "$LOGS"
passed=0 failed=0 skipped=0

for project in ${@:-$ALL}; do
    started=$SECONDS
    log="$LOGS/$project.log"
    timeout "${TEST_TIMEOUT:-900}" dotnet "artifacts/bin/$project/release/Opt.$project.dll" -noColor >"$log" 2>&1
    rc=$?
    summary=$(grep -oE 'Total: [0-9]+, Errors: [0-9]+, Failed: [0-9]+, Skipped: [0-9]+' "$log" | tail -1)
    read -r total errors bad skip <<<"$(grep -oE '[0-9]+' <<<"$summary" | tr '\n' ' ')"
    bad=$((${bad:-0} + ${errors:-0}))
    if [ -z "$summary" ] || { [ $rc -ne 0 ] && [ $bad -eq 0 ]; }; then # crashed or ran out of time: that is one failure
        bad=$((bad + 1)) total=$((${total:-0} + 1))
    fi
    passed=$((passed + total - bad - skip)) failed=$((failed + bad)) skipped=$((skipped + ${skip:-0}))
    printf '%-20s %4d passed, %d failed, %d skipped, %d s\n' "$project" $((total - bad - ${skip:-0})) "$bad" "${skip:-0}" $((SECONDS - started))
    if [ "$bad" -gt 0 ]; then
        grep -E '\[FAIL\]' -A 12 "$log" | head -120
        grep -q '\[FAIL\]' "$log" || tail -30 "$log"
    fi
    grep -E '\[SKIP\]' -A 1 "$log" || true
done

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
