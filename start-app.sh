#!/usr/bin/env bash
# Builds and starts Backdrop on the embedded store.
#
#   ./start-app.sh              both apps, with a sample bucket on the first start
#   ./start-app.sh read 3038    the read app on that port
#   ./start-app.sh write 3039   the write app on that port
set -euo pipefail
cd "$(dirname "$0")"

usage() {
    sed -n '2,6s/^# \{0,1\}//p' "$0"
    exit "$1"
}

build() {
    tools/install-build-tools.sh
    cargo build --release --locked --quiet --bin backdrop-read --bin backdrop-write
}

# The bucket "flights", with its token in a file that only its owner can read.
make_sample_bucket() {
    local write=target/release/backdrop-write
    if $write bucket show flights >/dev/null 2>&1; then
        return
    fi
    mkdir -p data
    (umask 077 && $write bucket create flights --data-group sample --data-type flights \
        --raw-queries-allowed 2>/dev/null | tail -n 1 >data/flights.token)
}

wait_for() {
    local url=$1 pid=$2
    for _ in $(seq 150); do
        if curl -sf -o /dev/null "$url/_status"; then
            return
        fi
        if ! kill -0 "$pid" 2>/dev/null; then
            echo "the app at $url ended at its start" >&2
            exit 1
        fi
        sleep 0.1
    done
    echo "the app at $url did not answer within 15 s" >&2
    exit 1
}

print_commands() {
    cat <<EOF

Backdrop is up: it writes at $write_url and reads at $read_url. Ctrl-C stops it.

1. Store a record:
curl -H "Authorization: Bearer \$(cat data/flights.token)" -H 'Content-Type: application/json' -d '{"_timestamp": "2001-01-01T06:55:00Z", "origin": "LAX", "destination": "BNA", "delay": -19}' $write_url/flights

2. Read the latest records:
curl '$read_url/flights?sort_by=_timestamp:descending&limit=3'

3. Read the average delay by month and origin:
curl '$read_url/flights?group_by=origin&period=month&collect=delay:mean&start_at=2001-01-01T00:00:00Z&end_at=2001-04-01T00:00:00Z'

A whole file of records goes in with tools/load.py; the README has an example.

EOF
}

start_both() {
    local read_port=${BACKDROP_READ_PORT:-3038} write_port=${BACKDROP_WRITE_PORT:-3039}
    read_url=http://127.0.0.1:$read_port write_url=http://127.0.0.1:$write_port
    make_sample_bucket
    target/release/backdrop-write --port "$write_port" &
    local write_pid=$!
    target/release/backdrop-read --port "$read_port" &
    local read_pid=$!
    trap 'kill -TERM $write_pid $read_pid 2>/dev/null; wait' EXIT
    trap 'exit 0' INT TERM
    wait_for "$write_url" "$write_pid"
    wait_for "$read_url" "$read_pid"
    print_commands
    # Ends when either app does.
    wait -n "$write_pid" "$read_pid"
}

case "${1:-both}" in
    both) build && start_both ;;
    read | write)
        build
        exec "target/release/backdrop-$1" ${2:+--port "$2"}
        ;;
    -h | --help) usage 0 ;;
    *) usage 1 >&2 ;;
esac
