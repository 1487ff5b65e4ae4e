#!/bin/sh
# Holds workbooks against LibreOffice (Debian: libreoffice-calc-nogui): LibreOffice writes a
# workbook of awkward cells, which goes through batchctl together with the fixture; LibreOffice
# opens what came out and says the same in every one of the user's own cells.
# usage: scripts/xlsx-check.sh [path of batchctl]
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
batchctl=${1:-$root/target/debug/batchctl}
command -v soffice >/dev/null || {
    echo "installing LibreOffice" >&2
    apt-get install -y --no-install-recommends libreoffice-calc-nogui >/dev/null
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$root/fixtures/tables/workbook.xlsx" "$work/fixture.xlsx"
cp "$root/scripts/xlsx_check.py" "$work/check.py"
cd "$work"
export HOME="$work" XDG_DATA_HOME="$work/data" XDG_CONFIG_HOME="$work/config"
python3 check.py make awkward.fods
soffice --headless --convert-to xlsx awkward.fods >/dev/null
run() {
    status=0
    "$batchctl" workflow "$@" --provider sandbox --progress none --quiet || status=$?
    # A row whose cell is empty is skipped, and that is exit 3.
    [ $status -eq 0 ] || [ $status -eq 3 ] || exit $status
}
run fixture.xlsx fixture-out.xlsx --input-column note --prompt '=1+1 {note}'
run awkward.xlsx awkward-out.xlsx --input-column text --prompt '=1+1 {text}'
run awkward.xlsx second-out.xlsx --sheet other --input-column words --prompt '=1+1 {words}'
run awkward.xlsx awkward-out.csv --input-column text --prompt '=1+1 {text}'
# Answers that are lists become rows in a workbook too.
run awkward.xlsx exploded-out.xlsx --input-column text --explode --json-fields name,n:number
# Every sheet as CSV, once as its cells are shown and once their values.
for shown in true false; do
    filter="csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,false,$shown,false,false,-1"
    soffice --headless --convert-to "$filter" --outdir "seen-$shown" fixture.xlsx awkward.xlsx \
        fixture-out.xlsx awkward-out.xlsx second-out.xlsx exploded-out.xlsx >/dev/null
done
python3 check.py compare
