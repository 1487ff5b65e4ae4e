#!/bin/sh
# Refreshes the list of prices in the program, src/cost/prices.json, from the price file inside the
# Python package litellm, and says what changed. Entries kept by hand (zhipu, in CNY from its own
# page) stay as they are. A batch price that would get lost stops it: nothing is written then.
#     scripts/refresh-prices.sh [--check] [--version X.Y.Z] [--add PROVIDER/MODEL]... [--allow PROVIDER/MODEL]...
# --check writes nothing; --add takes a model in; --allow lets its batch price go; --new lists what
# is not carried. Read the diff, and look at the vendors' pages, before committing it.
set -eu
cd "$(dirname "$0")/.."
package=litellm
count=$#
while [ "$count" -gt 0 ]; do
    argument=$1; shift; count=$((count - 1))
    if [ "$argument" = --version ]; then
        package="litellm==$1"; shift; count=$((count - 1))
    else
        set -- "$@" "$argument"
    fi
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
export PYTHONDONTWRITEBYTECODE=1
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps "$package"
"$work/venv/bin/python" scripts/refresh-prices.py "$@"
