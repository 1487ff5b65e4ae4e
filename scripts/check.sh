#!/bin/sh
# Everything a change must pass: format, lints, tests, documentation. Run from anywhere.
#     scripts/check.sh
set -eu
cd "$(dirname "$0")/.."

if ! command -v cargo >/dev/null 2>&1; then
    echo "check: cargo is not in PATH; install Rust 1.90 or later (https://rustup.rs)" >&2
    exit 2
fi

# Each step is named with the seconds since the start.
start=$(date +%s)
step() {
    printf '\n== %s, at %s s\n' "$1" "$(($(date +%s) - start))" >&2
}

step format
cargo fmt --all --check

step lints
cargo clippy --all-targets --locked -- -D warnings

# The same words as in the README.
step tests
cargo test

step documentation
RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --locked
