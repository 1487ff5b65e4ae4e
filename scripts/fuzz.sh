#!/bin/sh
# Gives changed bytes to everything that reads what others wrote: the record scanner and the table
# formats, result lines, JSON in answers, templates, configuration. Each for SECONDS (20), two at a
# time; a failure prints the round that makes it again. Slower than a fuzzer that looks at coverage,
# but it needs nothing beyond the stable toolchain.
#     scripts/fuzz.sh [SECONDS]
set -eu
cd "$(dirname "$0")/.."
export BATCHCTL_FUZZ_SECONDS="${1:-20}"
cargo test --lib -- fuzzed --test-threads=2 --nocapture
