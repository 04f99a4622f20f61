#!/usr/bin/env bash
# Clippy has nothing to say, in programs and tests.
set -euo pipefail
cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
