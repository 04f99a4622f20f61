#!/usr/bin/env bash
# The feature files and the recorded answers, against the real programs over HTTP.
set -euo pipefail
cargo build --locked --quiet --bin backdrop-read --bin backdrop-write
cargo test --package backdrop-features --locked --quiet
