#!/bin/sh
# Runs the whole batch life cycle of the official Python SDKs against our sandbox: upload, create,
# poll, download, list, cancel, delete, and a refusal or two; and chat through four of them.
#     scripts/sdk-check.sh [target/release/batchctl]
set -eu
cd "$(dirname "$0")/.."
binary=${1:-target/release/batchctl}
[ -x "$binary" ] || { echo "sdk-check: no program at $binary; cargo build --release" >&2; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

export PYTHONDONTWRITEBYTECODE=1
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
    openai==3.54.0 zai-sdk==0.2.3 anthropic==2.12.0 google-genai==3.4.0
"$work/venv/bin/python" scripts/sdk-check.py "$binary" "$work/state"
