#!/bin/sh
# Holds workbooks against LibreOffice (Debian: libreoffice-calc-nogui): the fixture goes through
# batchctl, LibreOffice opens what came out, and both say the same in the user's own columns.
# usage: scripts/xlsx-check.sh [path of batchctl]
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
batchctl=${1:-$root/target/debug/batchctl}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$root/fixtures/tables/workbook.xlsx" "$work/in.xlsx"
cd "$work"
HOME=$work XDG_DATA_HOME=$work/data XDG_CONFIG_HOME=$work/config "$batchctl" workflow in.xlsx out.xlsx \
    --provider sandbox --input-column note --prompt '=1+1 {note}' --progress none --quiet
# Every sheet as CSV, values and not what a locale shows of them.
filter='csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,false,false,false,false,-1'
soffice --headless --convert-to "$filter" --outdir seen in.xlsx out.xlsx >/dev/null
python3 - "$work/seen" <<'EOF'
import csv, pathlib, re, sys
seen = pathlib.Path(sys.argv[1])
# LibreOffice shows a moment by the cell's format; ours is always ISO.
iso = lambda cell: re.sub(r"^(\d\d)/(\d\d)/(\d{4}) ", r"\3-\1-\2 ", cell)
read = lambda name: [[iso(c) for c in r] for r in csv.reader(open(seen / name, encoding="utf-8")) if any(r)]
given, out = read("in-评论 2026.csv"), read("out-评论 2026.csv")
assert len(given) == len(out), (len(given), len(out))
for before, after in zip(given, out):
    assert before == after[: len(before)], (before, after)
assert out[1][len(given[0])].startswith("[sandbox] =1+1 "), out[1]
print(f"{len(out)} rows are the same in LibreOffice, answers are texts")
EOF
