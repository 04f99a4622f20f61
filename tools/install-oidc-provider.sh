#!/usr/bin/env bash
# Makes sure that the OpenID provider of the tests is there: oidc-provider from npm, in target/.
set -euo pipefail

version=9.13.3
folder="$(cd "$(dirname "$0")/.." && pwd)/target/oidc-provider"
grep -qs "\"version\": \"$version\"" "$folder/node_modules/oidc-provider/package.json" && exit

missing=()
command -v node >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "please install: ${missing[*]}" >&2
        exit 1
    fi
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
fi
mkdir -p "$folder"
npm install --prefix "$folder" --no-save --no-audit --no-fund --ignore-scripts --silent "oidc-provider@$version"
