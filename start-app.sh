#!/usr/bin/env bash
# Builds and starts Backdrop on the embedded store.
#
#   ./start-app.sh              both apps, with a sample bucket on the first start, and a sign-in service
#   ./start-app.sh read 3038    the read app on that port
#   ./start-app.sh write 3039   the write app on that port
#   ./start-app.sh signon 3040  the sign-in service for development on that port
set -euo pipefail
cd "$(dirname "$0")"

usage() {
    sed -n '2,7s/^# \{0,1\}//p' "$0"
    exit "$1"
}

build() {
    tools/install-build-tools.sh
    local binaries=() app
    for app in "$@"; do
        binaries+=(--bin "backdrop-$app")
    done
    cargo build --release --locked --quiet "${binaries[@]}"
}

# The bucket "flights", with its token in a file that only its owner can read; a test user may see it.
make_sample_bucket() {
    local write=target/release/backdrop-write
    if $write bucket show flights >/dev/null 2>&1; then
        return
    fi
    mkdir -p data
    (umask 077 && $write bucket create flights --data-group sample --data-type flights \
        --raw-queries-allowed 2>/dev/null | tail -n 1 >data/flights.token)
    $write user grant olive@example.org flights >/dev/null 2>&1
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

In a browser the addresses of 2 and 3 are pages, with a form for other questions.
A whole file of records goes in with tools/load.py; the README has an example.

The pages for people are at $write_url/_user; $sign_in

EOF
}

# Unless people sign in elsewhere, they do at the service for development.
set_sign_in() {
    if [ -n "${BACKDROP_OAUTH_BASE_URL:-}" ] || grep -qs '^oauth_base_url' "${BACKDROP_CONFIG:-backdrop.toml}"; then
        sign_in="they sign in where oauth_base_url says."
        return
    fi
    local url=http://127.0.0.1:3040
    target/release/backdrop-signon --port 3040 &
    pids+=($!)
    wait_for "$url" "$!"
    export BACKDROP_OAUTH_BASE_URL=$url BACKDROP_OAUTH_CLIENT_ID=backdrop BACKDROP_OAUTH_CLIENT_SECRET=dev-secret
    sign_in="sign in there as a test user: Ann manages everything, Olive has the bucket flights."
}

start_all() {
    local read_port=${BACKDROP_READ_PORT:-3038} write_port=${BACKDROP_WRITE_PORT:-3039}
    read_url=http://127.0.0.1:$read_port write_url=http://127.0.0.1:$write_port
    pids=()
    trap 'kill -TERM "${pids[@]}" 2>/dev/null; wait' EXIT
    trap 'exit 0' INT TERM
    make_sample_bucket
    set_sign_in
    target/release/backdrop-write --port "$write_port" &
    pids+=($!)
    target/release/backdrop-read --port "$read_port" &
    pids+=($!)
    wait_for "$write_url" "${pids[-2]}"
    wait_for "$read_url" "${pids[-1]}"
    print_commands
    # Ends when any of them does.
    wait -n "${pids[@]}"
}

case "${1:-all}" in
    all) build read write signon && start_all ;;
    read | write | signon)
        build "$1"
        exec "target/release/backdrop-$1" ${2:+--port "$2"}
        ;;
    -h | --help) usage 0 ;;
    *) usage 1 >&2 ;;
esac
