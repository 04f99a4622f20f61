#!/usr/bin/env bash
# Makes sure that what a build needs is there: cargo, a C compiler (for SQLite), curl.
set -euo pipefail

if ! command -v cargo >/dev/null; then
    echo "cargo is missing: install Rust 1.95 or newer with rustup" >&2
    exit 1
fi

missing=()
command -v cc >/dev/null || missing+=(gcc libc6-dev)
command -v curl >/dev/null || missing+=(curl)
if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "please install: ${missing[*]}" >&2
        exit 1
    fi
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y "${missing[@]}" >/dev/null
fi
