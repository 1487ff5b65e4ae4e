#!/bin/sh
# Kills the program at every passage of every crash point of a 40-row, 3-shard job with images, and
# at sampled pairs; makes its file operations fail; takes along what was not synced. Each time it
# goes on until the job is over and checks P1 to P5 on the sandbox's bill and the written table. A
# second job asks rows again whose answers are not as wanted (--reask).
#     scripts/crash-test.sh [--all] [--seed N] [--jobs N] [target/release/batchctl]
# Without --all, pairs, failures and power losses are samples; the seed that draws them is printed.
set -eu
cd "$(dirname "$0")/.."
export PYTHONDONTWRITEBYTECODE=1
exec python3 scripts/crash_test.py "$@"
