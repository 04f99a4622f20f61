#!/usr/bin/env bash
# Unit, property and conformance tests of the crates.
set -euo pipefail
cargo test --workspace --exclude backdrop-features --locked --quiet
