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
# Test binaries that run kernels on a device, named by cargo; none is no failure here, check.sh says so.
for package in gradus-kernels gradus-evaluators; do
    # shellcheck disable=SC2086
    cargo test --locked $flag -p "$package" --test device --no-run --message-format=json 2>/dev/null |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | while read -r binary; do strip -o "$out/$package-device" "$binary"; done
done
size=$(du -sk "$out" | cut -f1)
echo "$out: $size KiB"
[ "$size" -le 61440 ] || { echo "more than 60 MiB: what is carried has to fit 64 MiB" >&2; exit 1; }
