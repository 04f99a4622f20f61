#!/usr/bin/env bash
# Dependencies: licences, duplicates, sources, and known vulnerabilities.
set -euo pipefail

version=0.20.2
tools=target/tools
if [ "$("$tools/bin/cargo-deny" --version 2>/dev/null)" != "cargo-deny $version" ]; then
    cargo install --quiet --locked --root "$tools" --target-dir target/tools-build --version "$version" cargo-deny
fi
deny() {
    "$tools/bin/cargo-deny" --locked "$@"
}

deny check bans licenses sources
# The list of vulnerabilities is a repository elsewhere; without a way to it this one check cannot
# be made, and says so.
if deny fetch db >/dev/null 2>&1; then
    deny check advisories
else
    echo "NOT CHECKED: advisories (their database cannot be reached from here)"
fi
