#!/usr/bin/env bash
# The feature files and the recorded answers, against the real programs over HTTP, on both engines;
# and what is stored when the write app is killed, or the connection to a server breaks.
set -euo pipefail
tools/install-browser.sh
cargo build --locked --quiet --bin backdrop-read --bin backdrop-write --bin backdrop-signon

test=(cargo test --package backdrop-features --locked --quiet)
echo "-- features on SQLite"
BACKDROP_TEST_ENGINE=sqlite "${test[@]}" --test features --test recorded --test crashes --test faults
echo "-- features on MongoDB"
BACKDROP_TEST_ENGINE=mongodb tools/with-mongodb.sh "${test[@]}" --test features --test recorded --test interruptions
