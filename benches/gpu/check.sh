#!/bin/sh
# Everything that a GPU has to answer, in one call: `benches/gpu/check.sh [--dry-run] [PACK=benches/gpu/pack]`. Needs neither network nor Rust.
#
# Each step has a time limit; a step that fails is recorded and the others go on. Results go to $OUT (default
# benches/runs/<date>-<gpu>/): log.txt, kernels.json, kernels.svg, peers.json, compare.txt, summary.json, summary.txt.
# --dry-run runs the same steps on the emulated driver, whose folder is $GRADUS_SHIM_DIR, at tiny sizes, and says what it leaves out.
# Exit code: 1 if a step failed.
set -u
cd "$(dirname "$0")/../.."
dry=; [ "${1:-}" != --dry-run ] || { dry=1; shift; }
pack=${1:-benches/gpu/pack}
gradus=$pack/gradus
[ -x "$gradus" ] || { echo "$gradus is not there: benches/gpu/pack.sh makes it" >&2; exit 2; }
if [ -n "$dry" ]; then
    [ -f "${GRADUS_SHIM_DIR:-}/libcuda.so.1" ] || { echo "GRADUS_SHIM_DIR must be the folder of the emulated libcuda.so.1" >&2; exit 2; }
    export LD_LIBRARY_PATH="$GRADUS_SHIM_DIR" GRADUS_DEVICE=emulated
    gpu=emulated
else
    gpu=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -1 | tr ' A-Z' '-a-z' | tr -cd 'a-z0-9-')
fi
OUT=${OUT:-benches/runs/$(date +%F)-${gpu:-no-gpu}}
mkdir -p "$OUT"
log=$OUT/log.txt steps=$OUT/summary.txt
: >"$log"; : >"$steps"
failed=0

# step NAME SECONDS COMMAND...: runs it, records how it ended.
step() {
    name=$1 limit=$2; shift 2
    printf '\n== %s: %s\n' "$name" "$*" >>"$log"
    begun=$(date +%s)
    timeout -k 5 "$limit" "$@" >>"$log" 2>&1; code=$?
    case $code in 0) state=passed ;; 124 | 137) state=timeout failed=1 ;; *) state=failed failed=1 ;; esac
    printf '%-22s %-8s %4s s  exit %s\n' "$name" "$state" "$(($(date +%s) - begun))" "$code" | tee -a "$steps"
}
skip() { printf '%-22s skipped  %s\n' "$1" "$2" | tee -a "$steps"; }
peer() { python3 -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' 2>/dev/null; }

if [ -n "$dry" ]; then skip nvidia-smi "no GPU"; else step nvidia-smi 20 nvidia-smi -q; fi
step doctor 30 "$gradus" doctor
for package in gradus-kernels gradus-evaluators; do
    if [ ! -x "$pack/$package-device" ]; then skip "$package-device" "not in the pack"
    elif [ -n "$dry" ]; then skip "$package-device" "cargo test runs it on the emulator"
    else step "$package-device" 90 "$pack/$package-device"; fi
done
if [ -n "$dry" ]; then sizes="--tiny --seconds 0 --samples 3"; else sizes="--seconds 0.5"; fi
# shellcheck disable=SC2086
step kernels 120 "$gradus" bench kernels --device cuda:0 $sizes --json "$OUT/kernels.json" --svg "$OUT/kernels.svg"
if [ -n "$dry" ]; then skip peers "no GPU"
elif ! peer; then skip peers "no PyTorch with CUDA"
elif [ ! -s "$OUT/kernels.json" ]; then skip peers "kernels left no result"
else
    step peers 120 python3 benches/peers/gpu_peers.py "$OUT/kernels.json" "$OUT/peers.json"
    # Ratios, not a verdict: a slower peer is no failure.
    step compare 20 sh -c '"$1" bench compare "$2" "$3" --tolerance 1e9 >"$4"' - "$gradus" "$OUT/kernels.json" "$OUT/peers.json" "$OUT/compare.txt"
fi
skip eval "bench eval measures the CPU only so far"
if [ -n "$dry" ]; then skip sanitizer "no GPU"
elif ! command -v compute-sanitizer >/dev/null; then skip sanitizer "compute-sanitizer is not installed"
else
    for tool in memcheck racecheck initcheck synccheck; do
        step "$tool" 60 compute-sanitizer --tool "$tool" --error-exitcode 9 "$gradus" bench kernels --device cuda:0 --tiny --seconds 0 --samples 1
    done
fi
awk 'BEGIN { print "[" } { printf "%s{\"step\": \"%s\", \"state\": \"%s\"}", (NR > 1 ? ",\n" : ""), $1, $2 } END { print "\n]" }' "$steps" >"$OUT/summary.json"
# What is carried back is at most 16 MiB a file.
[ "$(wc -c <"$log")" -le 16000000 ] || { tail -c 16000000 "$log" >"$log.end"; mv "$log.end" "$log"; }
exit $failed
