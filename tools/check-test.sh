#!/usr/bin/env bash
# Unit, property and conformance tests of the crates; those of storage on both engines, those of signing in
# with a provider that is not ours as well.
set -euo pipefail
tools/install-oidc-provider.sh
BACKDROP_TEST_OIDC_PROVIDER=$PWD/target/oidc-provider \
    tools/with-mongodb.sh cargo test --workspace --exclude backdrop-features --locked --quiet
