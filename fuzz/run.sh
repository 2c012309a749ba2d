#!/bin/sh
# Runs every fuzz target for some seconds: fuzz/run.sh SECONDS [TARGET...]
#
# Starts from the committed corpora and leaves them as they are; new inputs go to a temporary
# directory. Ends with an error as soon as a target fails; the input is then in
# fuzz/artifacts/TARGET/. FUZZ_TARGET_DIR says where to build (default fuzz/target).
set -eu

seconds=${1:?usage: fuzz/run.sh SECONDS [TARGET...]}
shift
cd "$(dirname "$0")/.."

if ! command -v cargo-fuzz >/dev/null; then
    cargo install cargo-fuzz --version 0.13.2 --locked
fi
if [ $# -eq 0 ]; then
    set -- $(cd fuzz/corpus && ls)
fi

# The sanitizers are not in stable Rust; this takes them from the installed compiler all the same.
export RUSTC_BOOTSTRAP=1
# Link-time optimisation costs minutes here and finds nothing.
export CARGO_PROFILE_RELEASE_LTO=off
build="--fuzz-dir fuzz --target-dir ${FUZZ_TARGET_DIR:-fuzz/target} --features libfuzzer"
found=$(mktemp -d)
trap 'rm -rf "$found"' EXIT

for target; do
    mkdir -p "$found/$target"
    echo "== $target"
    # shellcheck disable=SC2086
    cargo fuzz run $build "$target" "$found/$target" "fuzz/corpus/$target" -- \
        -max_total_time="$seconds" -rss_limit_mb=1024 -timeout=10 -verbosity=0 -print_final_stats=1
done
