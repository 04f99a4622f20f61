#!/usr/bin/env bash
# The documentation builds, and every link in it leads somewhere.
set -euo pipefail
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked --quiet
