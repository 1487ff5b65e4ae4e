#!/bin/sh
# Times `batchctl convert` and `merge` beside what people would write themselves in Python, and
# beside cp, on generated tables. Only the ratios of one run are worth anything.
# A busy machine spoils the times; the ratios of cpu seconds hold even then. The peers orjson and
# DuckDB take part where PYTHON has them (python3 -m venv v && v/bin/pip install orjson duckdb).
# With tiktoken there, and its vocabulary in TIKTOKEN_CACHE_DIR where it cannot fetch it, the tokens
# a second of `estimate` are held against it.
# Last, calls a second of `workflow --now` against the sandbox, and what a call costs, beside aiohttp and
# the openai SDK's async client, where PYTHON has them; no figure includes the sandbox's own processor time.
#     [PYTHON=v/bin/python] scripts/bench.sh [--rows 1000000] [--images 2000] [--tokens 1000000]
#         [--calls 50000] [--rounds 3] [target/release/batchctl]
# Needs about 4 GB in TMPDIR (put it on tmpfs to measure the program and not the disk; not below
# /dev, from which no image is taken).
set -eu
cd "$(dirname "$0")/.."
export PYTHONDONTWRITEBYTECODE=1
exec "${PYTHON:-python3}" scripts/bench.py "$@"
