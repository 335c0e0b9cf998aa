#!/usr/bin/env bash
# Runs every test project and ends with "N passed, N failed, N skipped". Usage: eng/test.sh [PROJECT]... (default: all)
# OPT_SOAK=1 makes the seeded tests run their full sets. EndToEnd, which waits half of its time, runs beside the others.
# A test that fails runs once more by itself: one that passes then counts as passed, and is printed as unstable with how it failed, which is a bug to mend.
# What failed stands once more, short, above the last line: the end is what people see first.
set -uom pipefail # m: what runs in the background must hear of SIGINT, and has a process group of its own
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

ALL="Layout Api.Tests Planning.Tests Kubernetes.Tests LocalCluster.Tests Operator.Tests Torch.Tests Trainer.Tests Scenarios EndToEnd"
LOGS="$ROOT/artifacts/test-logs"
mkdir -p "$LOGS"
rm -f "$LOGS"/*.counts "$LOGS"/*.why

# run LOG ARGS...: the tests of $project; sets total, bad and skip.
run() {
    local log=$1 summary errors
    shift
    timeout "${TEST_TIMEOUT:-900}" dotnet "artifacts/bin/$project/release/Opt.$project.dll" -noColor "$@" >"$log" 2>&1 </dev/null &
    running=$!
    wait "$running"
    rc=$?
    summary=$(grep -oE 'Total: [0-9]+, Errors: [0-9]+, Failed: [0-9]+, Skipped: [0-9]+' "$log" | tail -1)
    read -r total errors bad skip <<<"$(grep -oE '[0-9]+' <<<"$summary" | tr '\n' ' ')"
    bad=$((${bad:-0} + ${errors:-0})) total=$((${total:-0})) skip=$((${skip:-0}))
    if [ -z "$summary" ] || { [ $rc -ne 0 ] && [ $bad -eq 0 ]; }; then # crashed or ran out of time: that is one failure
        bad=$((bad + 1)) total=$((total + 1))
    fi
}

# why LOG: the failed tests of LOG, each with the first lines of what it said; for a run that crashed or hung, how it ended.
why() {
    if grep -q '\[FAIL\]' "$1"; then
        grep -E '\[FAIL\]' -A 6 "$1" | sed -E 's/^ +//' | cut -c1-240 | head -40
    else
        echo "$project ended with exit code $rc and no failed test:"
        tail -8 "$1" | cut -c1-240
    fi
}

failed_methods() { grep -oE '^ +Opt\.[A-Za-z0-9_.]+.* \[FAIL\]' "$1" | grep -oE 'Opt\.[A-Za-z0-9_.]+' | sort -u; }

# again LOG: runs the failed tests of LOG once more (all of the project where it crashed) and forgets the failures if all pass now. Many at once are no accident: they stay failures.
again() {
    local log=$1 first=$bad first_total=$total first_skip=$skip method methods=()
    while read -r method; do methods+=(-method "$method"); done < <(failed_methods "$log")
    [ ${#methods[@]} -le 6 ] && [ "$rc" -ne 124 ] || return 0 # at most three tests; 124: it ran out of time
    why "$log" >"$log.first"
    run "$log.again" "${methods[@]}"
    if [ "$bad" -eq 0 ] && [ "$total" -gt 0 ]; then
        echo "unstable: failed once, passed when run again:"
        cat "$log.first"
        [ ${#methods[@]} -eq 0 ] && return 0
    else
        bad=$first
    fi
    total=$first_total skip=$first_skip
}

# one: the tests of $project, what failed once more; prints how that went, and leaves its counts and failures in files.
one() {
    local started=$SECONDS log="$LOGS/$project.log"
    run "$log"
    [ "$bad" -eq 0 ] || again "$log"
    echo $((total - bad - skip)) "$bad" "$skip" >"$LOGS/$project.counts"
    printf '%-20s %4d passed, %d failed, %d skipped, %d s\n' "$project" $((total - bad - skip)) "$bad" "$skip" $((SECONDS - started))
    if [ "$bad" -gt 0 ]; then
        why "$log" >"$LOGS/$project.why"
        grep -E '\[FAIL\]' -A 12 "$log" | head -120
        grep -q '\[FAIL\]' "$log" || tail -30 "$log"
    fi
    grep -E '\[SKIP\]' -A 1 "$log" || true
}

# lane PROJECT...: one after the other; what a project has to say is printed in one piece.
lane() {
    local running=""
    trap 'kill "$running" 2>/dev/null; exit 143' TERM
    for project in "$@"; do
        one >"$LOGS/$project.said"
        flock "$LOGS" cat "$LOGS/$project.said"
    done
}

projects=" ${*:-$ALL} " lanes=()
lane ${projects/ EndToEnd / } &
lanes+=($!)
[[ $projects != *" EndToEnd "* ]] || { lane EndToEnd & lanes+=($!); }
trap 'trap - INT TERM; kill "${lanes[@]}" 2>/dev/null; wait; exit 130' INT TERM
wait

read -r passed failed skipped counted <<<"$(cat "$LOGS"/*.counts | awk '{ p += $1; f += $2; s += $3 } END { print p + 0, f + 0, s + 0, NR }')"
failed=$((failed + $(wc -w <<<"$projects") - counted)) # a project that left no counts did not run to its end
if [ "$failed" -gt 0 ]; then
    echo "what failed:"
    cat "$LOGS"/*.why
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
