#!/usr/bin/env bash
# tools/replicate-db.sh over a real sshd on loopback, with stand-ins for the programs that it calls, and
# from end to end with the real ones and a MongoDB server.
set -euo pipefail

# Only the program is wanted: Debian starts a new service unless a policy says otherwise.
install_sshd() {
    local policy=/usr/sbin/policy-rc.d
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "please install: openssh-client openssh-server" >&2
        exit 1
    fi
    if ! [ -e $policy ]; then
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod +x $policy
    fi
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
        openssh-client openssh-server >/dev/null
}

for program in ssh ssh-keygen sshd; do
    PATH=$PATH:/usr/sbin command -v $program >/dev/null || { install_sshd && break; }
done
cargo build --locked --quiet --bin backdrop-write
BACKDROP_TEST_WRITE=$(realpath "${CARGO_TARGET_DIR:-target}/debug/backdrop-write")
export BACKDROP_TEST_WRITE
PYTHONDONTWRITEBYTECODE=1 tools/with-mongodb.sh python3 -m unittest discover --quiet --start-directory tools/tests
