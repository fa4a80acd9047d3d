#!/bin/sh
# Builds what check.sh needs on a machine without Rust into one folder: `benches/gpu/pack.sh [DIR=benches/gpu/pack]`. With `--debug` in
# front, what the debug profile has built. Fails above 60 MiB.
set -eu
cd "$(dirname "$0")/../.."
profile=release flag=--release
[ "${1:-}" != --debug ] || { profile=debug flag=; shift; }
out=${1:-benches/gpu/pack}
target=${CARGO_TARGET_DIR:-target}
# shellcheck disable=SC2086
cargo build --locked $flag -p gradus
mkdir -p "$out"
strip -o "$out/gradus" "$target/$profile/gradus"
# The tests that run kernels: those of the device, and of evaluations on GPUs.
binary() {
    # shellcheck disable=SC2086
    cargo test --locked $flag "$@" --no-run --message-format=json 2>/dev/null | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1
}
strip -o "$out/gradus-kernels-device" "$(binary -p gradus-kernels --test device)"
strip -o "$out/gradus-evaluators" "$(binary -p gradus-evaluators --lib)"
# Where jobs are tried, the commands that the driver is given are counted with it.
if strace=$(command -v strace); then cp "$strace" "$out/strace"; fi
size=$(du -sk "$out" | cut -f1)
echo "$out: $size KiB"
[ "$size" -le 61440 ] || { echo "more than 60 MiB: what is carried has to fit 64 MiB" >&2; exit 1; }
