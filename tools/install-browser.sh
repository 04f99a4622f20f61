#!/usr/bin/env bash
# Makes sure that what the scenarios in a browser need is there: Chromium with its driver, and axe-core
# in target/, which looks for what keeps people from using a page.
set -euo pipefail

axe_core=4.14.1
folder="$(cd "$(dirname "$0")/.." && pwd)/target/axe-core"
package=$folder/node_modules/axe-core/package.json

missing=()
[ -x /usr/bin/chromium ] || missing+=(chromium)
[ -x /usr/bin/chromedriver ] || missing+=(chromium-driver)
if ! grep -qs "\"version\": \"$axe_core\"" "$package"; then
    command -v npm >/dev/null || missing+=(npm)
fi
if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "please install: ${missing[*]}" >&2
        exit 1
    fi
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
fi

if ! grep -qs "\"version\": \"$axe_core\"" "$package"; then
    mkdir -p "$folder"
    npm install --prefix "$folder" --no-save --no-audit --no-fund --ignore-scripts --silent "axe-core@$axe_core"
fi
