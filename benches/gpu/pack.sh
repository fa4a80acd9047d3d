#!/bin/sh
# Builds what check.sh needs on a machine without Rust into one file: `benches/gpu/pack.sh [DIR=benches/gpu/pack]` makes DIR/pack.tar.xz. With
# `--debug` in front, of what the debug profile has built.
#
# The repository travels with it: fails if pack, tracked files and untracked ones that git does not ignore are more than 64 MiB together.
# Needs `xz`, or Python with lzma.
set -eu
cd "$(dirname "$0")/../.."
profile=release flag=--release
[ "${1:-}" != --debug ] || { profile=debug flag=; shift; }
out=${1:-benches/gpu/pack}
target=${CARGO_TARGET_DIR:-target}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/pack"
# shellcheck disable=SC2086
cargo build --locked $flag -p gradus
strip -o "$work/pack/gradus" "$target/$profile/gradus"
# The tests that run kernels: those of the device, and of evaluations on GPUs.
binary() {
    # shellcheck disable=SC2086
    cargo test --locked $flag "$@" --no-run --message-format=json 2>/dev/null | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1
}
strip -o "$work/pack/gradus-kernels-device" "$(binary -p gradus-kernels --test device)"
strip -o "$work/pack/gradus-evaluators" "$(binary -p gradus-evaluators --lib)"
# Where jobs are tried, the commands that the driver is given are counted with it.
if strace=$(command -v strace); then cp "$strace" "$work/pack/strace"; fi

# One dictionary for all: the binaries have the same kernels in them.
if command -v xz >/dev/null; then tar -C "$work/pack" -cf - . | xz -9 -T1 >"$work/pack.tar.xz"
else python3 -c 'import sys, tarfile; tarfile.open(sys.argv[1], "w:xz", preset=9).add(sys.argv[2], ".")' "$work/pack.tar.xz" "$work/pack"; fi
mkdir -p "$out"
# What earlier versions left here would travel, too.
rm -f "$out/gradus" "$out/gradus-kernels-device" "$out/gradus-evaluators" "$out/strace"
mv "$work/pack.tar.xz" "$out/pack.tar.xz"

bytes() { xargs -0 -r stat -c %s -- 2>/dev/null | awk '{ sum += $1 } END { printf "%d", sum }'; }
mib() { awk -v bytes="$1" 'BEGIN { printf "%.1f MiB", bytes / 1048576 }'; }
binaries=$(du -sb "$work/pack" | cut -f1) packed=$(stat -c %s "$out/pack.tar.xz")
tracked=$(git ls-files -z | bytes) untracked=$(git ls-files -z --others --exclude-standard | bytes)
all=$((packed + tracked + untracked))
said="$(mib "$all") travel: $out/pack.tar.xz $(mib "$packed") (binaries of $(mib "$binaries")), tracked files $(mib "$tracked"), untracked ones $(mib "$untracked")"
[ "$all" -le $((64 << 20)) ] || { echo "64 MiB at most can travel; $said" >&2; exit 1; }
echo "$said"
