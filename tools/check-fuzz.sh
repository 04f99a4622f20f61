#!/usr/bin/env bash
# Each fuzz target for a fixed number of inputs; for longer, give the number: check-fuzz.sh 10000000
# Coverage counters are a matter of LLVM flags, so this needs no nightly compiler.
set -euo pipefail
cd fuzz

runs=${1:-100000}
host=$(rustc -vV | sed -n 's/^host: //p')
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
RUSTFLAGS=$(echo $RUSTFLAGS)
# With a target named, the flags are not those of build scripts and macros.
cargo build --release --locked --quiet --target "$host" --target-dir ../target/fuzz

for target in targets/*.rs; do
    name=$(basename "$target" .rs)
    corpus=../target/fuzz/corpus/$name
    mkdir -p "$corpus"
    max_len=512
    if [ "$name" = upload ]; then
        # No chance makes a workbook, so it starts from some.
        cp ../write/tests/fixtures/*.xls* "$corpus"
        max_len=8192
    fi
    "../target/fuzz/$host/release/$name" -runs="$runs" -max_len="$max_len" -timeout=10 -seed=1 -verbosity=0 \
        -artifact_prefix="../target/fuzz/" "$corpus" || {
        echo "fuzz target $name failed; the input is in target/fuzz" >&2
        exit 1
    }
    echo "$name: $runs inputs"
done
