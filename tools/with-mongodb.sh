#!/usr/bin/env bash
# Runs a command with a MongoDB server for tests: tools/with-mongodb.sh cargo test -p backdrop-common
# The server is the one in BACKDROP_TEST_MONGODB_URL (mongodb://HOST:PORT, no database), or else one
# that is installed into target/ and runs until the command ends. It is a tool of the tests only.
set -euo pipefail

if [ $# -eq 0 ]; then
    echo "usage: tools/with-mongodb.sh COMMAND [ARGUMENT…]" >&2
    exit 2
fi
# Also when another with-mongodb.sh runs this one.
if [ -n "${BACKDROP_TEST_MONGODB_URL:-}" ]; then
    exec "$@"
fi

version=0.7.0b3
folder="$(cd "$(dirname "$0")/.." && pwd)/target/mongodb-server"
venv=$folder/venv
mkdir -p "$folder"

# From PyPI, which has the server for every machine that we build on.
install() {
    if "$venv/bin/python" -c "import importlib.metadata as m; exit(m.version('SecantusDB') != '$version')" 2>/dev/null; then
        return
    fi
    if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
        if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
            echo "please install: python3 python3-venv" >&2
            return 1
        fi
        apt-get -qq update
        DEBIAN_FRONTEND=noninteractive apt-get -qq install -y python3 python3-venv >/dev/null
    fi
    echo "installing SecantusDB $version into target/mongodb-server" >&2
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --only-binary SecantusDB "SecantusDB==$version"
}
# One at a time, and the lock is not handed on to what is started below.
(
    flock 9
    install
) 9>"$folder/lock"

run=$(mktemp -d "$folder/run-XXXXXX")
log=$run/log
: >"$log"
server=
command=

show_log() {
    echo "the end of the MongoDB server's log:" >&2
    tail -n 40 "$log" >&2
}
clean_up() {
    for group in $command $server; do
        kill -TERM -- "-$group" 2>/dev/null || true
        wait "$group" 2>/dev/null || true
    done
    rm -rf "$run"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# The server and the command each have a process group of their own (`set -m`), so that they end as a
# whole, and only when they are told to from here.
set -m
"$venv/bin/secantusd-py" --port 0 --storage-path "$run/data" --log-level INFO --enable-test-commands </dev/null >"$log" 2>&1 &
server=$!
set +m

# Whether it answers; waits for that for half a second at most.
answers() {
    port=$(sed -n 's/.*listening on 127\.0\.0\.1:\([0-9]*\).*/\1/p' "$log")
    "$venv/bin/python" - "${port:-0}" 2>/dev/null <<'PYTHON'
import sys, time
from pymongo import MongoClient
port = int(sys.argv[1])
if port == 0:
    time.sleep(0.1)
    sys.exit(1)
MongoClient("127.0.0.1", port, serverSelectionTimeoutMS=500).admin.command("hello")
PYTHON
}
deadline=$((SECONDS + 60))
until answers; do
    if ! kill -0 "$server" 2>/dev/null || [ $SECONDS -ge $deadline ]; then
        echo "the MongoDB server for tests does not answer" >&2
        show_log
        exit 1
    fi
done

export BACKDROP_TEST_MONGODB_URL="mongodb://127.0.0.1:$port"
set -m
"$@" <&0 &
command=$!
set +m
status=0
wait "$command" || status=$?
command=
if [ "$status" -ne 0 ]; then
    kill -0 "$server" 2>/dev/null || echo "the MongoDB server for tests has ended by itself" >&2
    show_log
fi
exit "$status"
