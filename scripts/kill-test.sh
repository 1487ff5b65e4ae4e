#!/bin/sh
# Kills the program from outside (kill -9) at 200 random moments of 40-row, 3-shard jobs with
# images, goes on until each job is over, and checks the sandbox's bill and the written tables.
# With --now 160-row jobs by calls: no row with an answer on disk is asked again.
#     scripts/kill-test.sh [--now] [--kills N] [--seed N] [--jobs N] [target/release/batchctl]
# Takes five minutes at most. The moments are drawn from the seed that is printed; what they
# strike depends on the machine, too.
set -eu
cd "$(dirname "$0")/.."
export PYTHONDONTWRITEBYTECODE=1
exec python3 scripts/kill_test.py "$@"
