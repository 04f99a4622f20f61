#!/usr/bin/env bash
# Measures Backdrop and its peers on the same data: builds the apps, installs the peers, runs all of it
# and prints the results as Markdown.
#
#   bench/run.sh                                            everything; takes an hour or so
#   bench/run.sh --records 1000000 --only queries,ingest    some of it; --help lists what there is
#   bench/run.sh --output bench/RESULTS.md                  also writes the results there, and keeps the notes
#
# DuckDB comes from PyPI into target/bench. PostgreSQL is Debian's, and installed if it is missing and this
# is root. MongoDB is measured where there is a mongod in the PATH, or a server in BACKDROP_BENCH_MONGODB_URL.
# Loaded databases stay in target/bench for the next run; delete them to load them again.
set -euo pipefail
here=$(pwd)
cd "$(dirname "$0")/.."

target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
folder=$target/bench
venv=$folder/venv
requirements=bench/peers/requirements.txt
mkdir -p "$folder"

install_python_peers() {
    if cmp -s "$requirements" "$venv/requirements.txt"; then
        return
    fi
    echo "installing the peers' packages into target/bench" >&2
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
    cp "$requirements" "$venv/requirements.txt"
}

# Only the programs are wanted: Debian makes and starts a server of its own unless a policy says otherwise.
install_postgresql() {
    if command -v postgres >/dev/null || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; then
        return
    fi
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "PostgreSQL is missing: install it, or leave it out with --peers duckdb,duckdb2" >&2
        return
    fi
    local policy=/usr/sbin/policy-rc.d
    if ! [ -e $policy ]; then
        trap 'rm -f /usr/sbin/policy-rc.d' RETURN
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod +x $policy
    fi
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends postgresql >/dev/null
}

tools/install-build-tools.sh
cargo build --release --locked --quiet -p backdrop-read -p backdrop-write -p backdrop-bench --bins
install_python_peers
install_postgresql
program=$target/release/backdrop-bench
cd "$here"
exec "$program" "$@"
