#!/bin/bash
# Compiles one kernel for every target: nvcc for sm_80 and sm_90a with a resource report (where CUDA_HOME is set), and the host compiler with the
# emulator's headers. Usage: kernels/check_kernel.sh kernels/src/FAMILY/kernel.cu
set -eu
here=$(cd "$(dirname "$0")" && pwd)
file=$1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
architectures="80 90a"
case $file in *_sm90.cu) architectures=90a ;; esac
if [ -n "${CUDA_HOME:-}" ]; then
  for a in $architectures; do
    echo "== sm_$a"
    "$CUDA_HOME/bin/nvcc" -gencode=arch=compute_$a,code=sm_$a -O3 -std=c++17 -I "$here/include" -Xptxas -v -cubin -o "$out/k.cubin" "$file" 2>&1 |
      grep -v "Compile time\|gmem" || true
    [ -f "$out/k.cubin" ] || { echo "sm_$a: failed"; exit 1; }
    rm "$out/k.cubin"
  done
else
  echo "CUDA_HOME is not set: nvcc is skipped"
fi
echo "== emulator"
"${CXX:-g++}" -std=c++20 -O2 -fPIC -Wall -Wno-unknown-pragmas -Wno-unused-function -I "$here/shim/include" -I "$here/include" \
  -x c++ -c "$file" -o "$out/k.o"
echo "ok"
