#!/bin/sh
# Everything that a GPU has to answer, in one call: `benches/gpu/check.sh [--dry-run] [--only STEP,STEP] [PACK=benches/gpu/pack]`. Needs
# neither network nor Rust.
#
# Each step has a time limit; one that fails is recorded and the others go on. Every test, and every family that is measured, has a process
# of its own: what breaks a context breaks no other. Results go to $OUT (default benches/runs/<date>-<gpu>/): log.txt, a folder per step,
# summary.json, summary.txt, and figures.md: each bar beside what was measured. A bar that is missed fails no step.
# --only runs some of: doctor tests example kernels eval profile peers sanitizer sandbox. Where a machine can be had for ten minutes at a
# time, `--only doctor,kernels,eval,profile,peers` and `--only tests,example,sanitizer,sandbox` each fit.
# Models are written to $GRADUS_MODELS (default /dev/shm/gradus-models, 20 GB) and stay there.
# --dry-run runs the same steps on the emulated driver, whose folder is $GRADUS_SHIM_DIR, at tiny sizes, and says what it leaves out.
# Exit code: 1 if a step failed.
set -u
cd "$(dirname "$0")/../.."
dry= only=
while :; do
    case ${1:-} in
    --dry-run) dry=1; shift ;;
    --only)
        only=,$2,
        for wanted in $(echo "$2" | tr , ' '); do
            case " doctor tests example kernels peers eval profile sanitizer sandbox " in *" $wanted "*) ;; *) echo "there is no step $wanted" >&2; exit 2 ;; esac
        done
        shift 2
        ;;
    *) break ;;
    esac
done
pack=${1:-benches/gpu/pack}
gradus=$pack/gradus
[ -x "$gradus" ] || { echo "$gradus is not there: benches/gpu/pack.sh makes it" >&2; exit 2; }
if [ -n "$dry" ]; then
    [ -f "${GRADUS_SHIM_DIR:-}/libcuda.so.1" ] || { echo "GRADUS_SHIM_DIR must be the folder of the emulated libcuda.so.1" >&2; exit 2; }
    export LD_LIBRARY_PATH="$GRADUS_SHIM_DIR" GRADUS_DEVICE=emulated
    gpu=emulated
else
    # cuBLASLt, which products are compared with, comes with PyTorch where there is no toolkit.
    if ! ldconfig -p 2>/dev/null | grep -q libcublasLt; then
        library=$(find / -name 'libcublasLt.so.1[23]' -not -path '/proc/*' 2>/dev/null | sort | tail -n 1)
        [ -z "$library" ] || export LD_LIBRARY_PATH="$(dirname "$library")${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
    fi
    gpu=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -1 | tr ' A-Z' '-a-z' | tr -cd 'a-z0-9-')
fi
OUT=${OUT:-benches/runs/$(date +%F)-${gpu:-no-gpu}}
mkdir -p "$OUT"
log=$OUT/log.txt steps=$OUT/summary.txt
: >"$log"; : >"$steps"
failed=0

# step NAME SECONDS COMMAND...: runs it, records how it ended.
step() {
    step_name=$1 step_limit=$2; shift 2
    printf '\n== %s: %s\n' "$step_name" "$*" >>"$log"
    step_begun=$(date +%s)
    timeout -k 5 "$step_limit" "$@" >>"$log" 2>&1; step_code=$?
    case $step_code in 0) step_state=passed ;; 124 | 137) step_state=timeout failed=1 ;; *) step_state=failed failed=1 ;; esac
    printf '%-28s %-8s %4s s  exit %s\n' "$step_name" "$step_state" "$(($(date +%s) - step_begun))" "$step_code" | tee -a "$steps"
}
skip() { printf '%-28s skipped  %s\n' "$1" "$2" | tee -a "$steps"; }
wanted() { case "$only" in '' | *,"$1",*) return 0 ;; *) return 1 ;; esac; }
peer() { python3 -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' 2>/dev/null; }

# tests BINARY TEXT FOLDER: every test whose name has the text in it, each alone, as many at a time as there are processors but eight.
tests() {
    binary=$1 text=$2 to=$3/$(basename "$1")
    rm -rf "$to"
    mkdir -p "$to"
    "$binary" --list "$text" 2>/dev/null | sed -n 's/: test$//p' >"$to.list"
    [ -s "$to.list" ] || { echo "no test of $binary has $text in its name"; return 1; }
    workers=$(nproc); [ "$workers" -le 8 ] || workers=8
    xargs -P "$workers" -I{} sh -c 'name=$(echo "$3" | tr : _); timeout -k 2 60 "$1" --exact "$3" --nocapture >"$2/$name.txt" 2>&1 ||
        { echo "FAILED ($?): $3"; tail -n 25 "$2/$name.txt"; touch "$2/failed"; }' - "$binary" "$to" {} <"$to.list"
    echo "$(wc -l <"$to.list") tests"
    [ ! -e "$to/failed" ]
}

if wanted doctor; then
    if [ -n "$dry" ]; then skip nvidia-smi "no GPU"; else step nvidia-smi 20 nvidia-smi -q; fi
    step doctor 30 "$gradus" doctor
fi
if wanted tests; then
    # Once with the kernels of this GPU, once with those of compute capability 8.0.
    for portable in '' 1; do
        for which in gradus-kernels-device: gradus-evaluators:gpu; do
            binary=$pack/${which%%:*} name="${which%%:*}${portable:+ portable}"
            if [ ! -x "$binary" ]; then skip "$name" "not in the pack"
            elif [ -n "$dry" ]; then skip "$name" "cargo test runs it on the emulator"
            else
                printf '\n== tests: %s\n' "$name" >>"$log"
                GRADUS_PORTABLE_KERNELS=$portable CARGO_MANIFEST_DIR=$PWD/evaluators tests "$binary" "${which#*:}" "$OUT/tests${portable:+-portable}" >>"$log" 2>&1 &&
                    state=passed || state=failed failed=1
                printf '%-28s %-8s\n' "$name" "$state" | tee -a "$steps"
            fi
        done
    done
fi
if wanted tests && [ -z "$dry" ] && peer; then step "transformers in bf16" 90 python3 tests/golden/llm/bf16.py tests/golden/llm "$OUT/bf16.json"; fi
if wanted example; then step example 60 "$gradus" eval --quiet --device cuda:0 --json "$OUT/example.json"; fi
if wanted kernels; then
    mkdir -p "$OUT/kernels"
    if [ -n "$dry" ]; then sizes="--tiny --seconds 0 --samples 3"; else sizes="--seconds 0.2"; fi
    for families in linear cross_entropy kl attention rms_norm,layer_norm,add_normed,rope,activation,embedding,gather,dora_scale; do
        name=${families%%,*}
        # shellcheck disable=SC2086
        step "kernels $name" 60 "$gradus" bench kernels --device cuda:0 $sizes --only "$families" --json "$OUT/kernels/$name.json" --svg "$OUT/kernels/$name.svg"
    done
fi
if wanted peers; then
    if [ -n "$dry" ]; then skip peers "no GPU"
    elif ! peer; then skip peers "no PyTorch with CUDA"
    else
        mkdir -p "$OUT/peers"
        for ours in "$OUT"/kernels/*.json; do
            [ -s "$ours" ] || { skip peers "kernels left no result"; continue; }
            name=$(basename "$ours" .json)
            step "peers $name" 90 python3 benches/peers/gpu_peers.py "$ours" "$OUT/peers/$name.json"
            # Ratios, not a verdict: a slower peer is no failure.
            step "compare $name" 20 sh -c '"$1" bench compare "$2" "$3" --tolerance 1e9 >"$4"' - "$gradus" "$ours" "$OUT/peers/$name.json" "$OUT/peers/$name.txt"
        done
    fi
fi
models=${GRADUS_MODELS:-/dev/shm/gradus-models}
# model NAME SECONDS SHAPE ROWS ARGUMENTS...: a whole model, rows of 1,024 tokens.
model() {
    model=$1 limit=$2 shape=$3 rows=$4; shift 4
    step "eval $model" "$limit" "$gradus" bench eval --device cuda:0 --shape "$shape" --rows "$rows" --tokens 1024 --memory 32GiB \
        --dir "$models/$shape" --json "$OUT/eval/$model.json" "$@"
}
if wanted eval; then
    mkdir -p "$OUT/eval"
    if [ -n "$dry" ]; then
        step eval 60 "$gradus" bench eval --device cuda:0 --shape tiny --rows 2 --tokens 17 --json "$OUT/eval/model.json"
        step "eval candidates" 60 "$gradus" bench eval --device cuda:0 --shape tiny --rows 2 --tokens 17 --candidates 4 --rank 16 --json "$OUT/eval/candidates.json"
    else
        mkdir -p "$models"
        model 0.5b 40 0.5b 512 --repeat 3
        model 1.5b 50 1.5b 512 --repeat 3
        model 8b-few 60 8b 64 --repeat 2
        model 8b 90 8b 256 --repeat 2
        for candidates in 1 8 32; do model "0.5b-$candidates" 60 0.5b 64 --repeat 2 --candidates "$candidates" --rank 16; done
        if peer; then
            # The same rows as the last run of ours.
            for mode in bs1 batch chunked packed; do
                step "eval transformers $mode" 60 sh -c 'python3 benches/peers/hf_eval.py "$1/0.5b" --dtype bf16 --device cuda --mode "$2" --batch 16 >"$3"' - \
                    "$models" "$mode" "$OUT/eval/transformers-$mode.json"
            done
        fi
    fi
fi
if wanted profile; then
    if [ -n "$dry" ]; then skip profile "no GPU"
    elif ! command -v ncu >/dev/null; then skip profile "Nsight Compute is not installed"
    else
        mkdir -p "$OUT/profile" "$models"
        # Every kernel of a run with its time, then the sections of those that matter most.
        step "profile eval" 90 sh -c 'ncu --clock-control none --metrics gpu__time_duration.sum --csv "$1" bench eval --device cuda:0 --shape 0.5b \
            --rows 128 --tokens 1024 --memory 32GiB --dir "$2/0.5b" >"$3.csv"; awk -f benches/gpu/by_kernel.awk "$3.csv" | sort -rn >"$3.txt"; test -s "$3.txt"' - \
            "$gradus" "$models" "$OUT/profile/eval"
        for what in "linear linear:8192x4096x4096" "attention attention:32x8x128,lengths=4*2048" "attention attention:14x2x64,lengths=16*512" "head_kl kl:4096x151936x896"; do
            kernel=${what%% *} shape=${what#* }
            step "profile $kernel" 40 sh -c 'ncu --clock-control none --set full -k "regex:$2" -c 1 "$1" bench kernels --device cuda:0 --shape "$3" --seconds 0 --samples 1 >"$4"' - \
                "$gradus" "$kernel" "$shape" "$OUT/profile/$(echo "$shape" | tr -c 'a-z0-9\n' -).txt"
        done
    fi
fi
if wanted sanitizer; then
    if [ -n "$dry" ]; then skip sanitizer "no GPU"
    elif ! command -v compute-sanitizer >/dev/null; then skip sanitizer "compute-sanitizer is not installed"
    else
        for tool in memcheck racecheck initcheck synccheck; do
            step "$tool" 60 compute-sanitizer --tool "$tool" --error-exitcode 9 "$gradus" bench kernels --device cuda:0 --tiny --seconds 0 --samples 1
        done
    fi
fi
# Jobs on the GPU: what it finds is in its own summary too. The dry run needs root and GRADUS_NVML_STUB, and says so.
if wanted sandbox; then step sandbox 420 env ${dry:+GRADUS_DRY_RUN=1} benches/gpu/sandbox.sh "$gradus" "$OUT/sandbox"; fi
if command -v python3 >/dev/null; then step figures 20 sh -c 'benches/gpu/figures.py "$1" >"$1/figures.md"' - "$OUT"; else skip figures "no Python"; fi
awk 'BEGIN { print "[" } { printf "%s\"%s\"", (NR > 1 ? ",\n" : ""), $0 } END { print "\n]" }' "$steps" >"$OUT/summary.json"
exit $failed
