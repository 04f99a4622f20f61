#!/usr/bin/env bash
# Unit, property and conformance tests of the crates; those of storage on both engines.
set -euo pipefail
tools/with-mongodb.sh cargo test --workspace --exclude backdrop-features --locked --quiet
