#!/bin/sh
# Sends a table as 5,000 files of one request each to a sandbox whose queue of prompt tokens holds
# 20 of them, and tells how long it takes, how much memory the client holds, and how often it asks.
# Every row must come back answered and paid once. Waits are many times shorter than real ones.
#     scripts/many-shards.sh [--shards 5000] [--at-once 20] [--unknown] [target/release/batchctl]
# With --unknown the client is not told the limit and learns it from the first refusal.
set -eu
cd "$(dirname "$0")/.."
export PYTHONDONTWRITEBYTECODE=1
exec "${PYTHON:-python3}" scripts/many_shards.py "$@"
