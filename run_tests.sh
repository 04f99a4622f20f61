#!/usr/bin/env bash
# Every check, in the order in which a failure is cheapest to learn of. CI runs this and nothing
# else. With names as arguments, only those: ./run_tests.sh fmt clippy
set -euo pipefail
cd "$(dirname "$0")"

checks=("$@")
if [ ${#checks[@]} -eq 0 ]; then
    checks=(fmt clippy doc test features replicate fuzz deny)
fi

tools/install-build-tools.sh
for check in "${checks[@]}"; do
    echo "== $check"
    "tools/check-$check.sh"
done
echo "== all checks passed: ${checks[*]}"
