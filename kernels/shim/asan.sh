#!/bin/bash
# Runs the emulator's own cases, or a test binary of the workspace, with AddressSanitizer and UndefinedBehaviorSanitizer.
#   kernels/shim/asan.sh                          the emulator's primitives, and that an access past shared memory is reported
#   kernels/shim/asan.sh -p PACKAGE --test NAME   cargo test with these arguments on a sanitized driver, in a target folder of its own
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cxx=${CXX:-g++}
if [ $# -gt 0 ]; then
  export GRADUS_SHIM_SANITIZE=1 GRADUS_DEVICE=emulated ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1
  export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$here/../../target}/asan
  cargo test --no-run "$@"
  runner="env LD_PRELOAD=$("$cxx" -print-file-name=libasan.so):$("$cxx" -print-file-name=libubsan.so)"
  export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER=$runner
  exec cargo test "$@"
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"$cxx" -std=c++20 -O1 -g1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -fno-strict-aliasing \
  -Wno-unknown-pragmas -pthread -I "$here/include" -I "$here/../include" -x c++ "$here/tests/primitives.cu" "$here"/emulator/*.cpp -o "$out/primitives"
export ASAN_OPTIONS=detect_leaks=0
for order in forward reverse; do
  for name in mma wgmma edge masks copy_without_wait load_without_wait stale_shared; do
    "$out/primitives" $name $order > "$out/log" 2>&1 || { echo "$name, $order:"; tail -40 "$out/log"; exit 1; }
  done
  if "$out/primitives" past_the_end $order > "$out/log" 2>&1 || ! grep -q "AddressSanitizer" "$out/log"; then
    echo "past_the_end, $order: the write past dynamic shared memory was not reported"; exit 1
  fi
done
echo "the emulator's cases pass with sanitizers"
