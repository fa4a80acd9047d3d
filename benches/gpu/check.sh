#!/bin/sh
# Everything that a GPU has to answer, in one call, without network or Rust:
#
#     benches/gpu/check.sh [--only STEP,STEP] [--seconds N] [--results DIR] [--archive FILE] [--dry-run] [PACK=benches/gpu/pack]
#
# PACK is what benches/gpu/pack.sh made, or a folder with a binary `gradus`. Paths are relative to the repository.
#
# Steps, what is worth most first; --only runs some: doctor tests kernels eval profile sanitizer example transformers peers sandbox. Each has
# a time limit; one that fails is recorded and the others go on. Every test, and every family that is measured, has a process of its own:
# what breaks a context breaks no other. Tests of far:: take most of the memory and run one at a time, after the others. A test that says
# SKIPPED is listed as that. After a time-out among tests or kernels (the GPU may hang) eval and profile are left out.
#
# Results go to a folder, --results, by default benches/runs/<date>-<gpu>/: log.txt, a folder per step, summary.txt, summary.json, and
# figures.md: each bar beside what was measured. A bar that is missed fails no step. After every step --archive FILE (.tgz) is that folder
# anew, 16 MB at most, and summary.txt, figures.md and log.txt lie beside it: whenever the call is ended, what was done is there.
#
# --seconds N ends the call by itself after N seconds: steps get what is left, and the rest says "no time", which is no failure.
# Models are written to $GRADUS_MODELS and stay there; by default /dev/shm/gradus-models if 22 GB are free there, else /tmp/gradus-models.
# --dry-run runs the same steps on the emulated driver, whose folder is $GRADUS_SHIM_DIR, at tiny sizes, and says what it leaves out.
# Exit code: 1 if a step failed.
#
# A machine that is had for 900 s in all, 600 s a call, takes two calls; pack.sh sees to the 64 MiB that travel there, and of $OUT, which comes
# back, four files are used. Each start (about 30 s) counts; a second call within seconds has none.
#
#     benches/gpu/check.sh --seconds 540 --archive "$OUT/results.tgz" --only doctor,tests,kernels,eval,profile,sanitizer,example
#     benches/gpu/check.sh --seconds 420 --archive "$OUT/results.tgz" --only transformers,peers,sandbox
#
# Expected seconds of the first, 400: unpack 5, doctor 3, tests 50, kernels 50, eval 120 (20 GB of models are written), profile 100, sanitizer 70,
# example 2. Of the second, 355: unpack 5, 0.5b of ours 10, transformers 95, kernels 45 (peers are held against the same card), peers 120,
# sandbox 80. Where less than 460 s of the 900 are left for the second, its N is what is left less 40. Known are 109 s for doctor, example,
# kernels, tests and sanitizer on an H100 (benches/runs/2026-11-27-h100); the rest is estimated.
set -u
started=$(date +%s)
cd "$(dirname "$0")/../.."
all="doctor tests kernels eval profile sanitizer example transformers peers sandbox"
called="$*" dry= only= seconds= results= archive=
usage() { echo "$1" >&2; exit 2; }
while :; do
    case ${1:-} in
    --dry-run) dry=1; shift; continue ;;
    --only | --seconds | --results | --archive) [ -n "${2:-}" ] || usage "$1 wants a value" ;;
    -*) usage "there is no option $1" ;;
    *) break ;;
    esac
    case $1 in
    --only)
        only=,$2,
        for wanted in $(echo "$2" | tr , ' '); do
            case " $all " in *" $wanted "*) ;; *) usage "there is no step $wanted: $all" ;; esac
        done
        ;;
    --seconds) seconds=$2; case $2 in *[!0-9]*) usage "--seconds wants a whole number" ;; esac ;;
    --results) results=$2 ;;
    --archive) archive=$2 ;;
    esac
    shift 2
done
pack=${1:-benches/gpu/pack}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
if [ ! -e "$pack/gradus" ] && [ -f "$pack/pack.tar.xz" ]; then
    mkdir "$work/pack"
    if command -v xz >/dev/null; then xz -dc "$pack/pack.tar.xz" | tar -xf - -C "$work/pack"
    else python3 -c 'import sys, tarfile; tarfile.open(sys.argv[1], "r:xz").extractall(sys.argv[2])' "$pack/pack.tar.xz" "$work/pack"; fi || exit 1
    pack=$work/pack
fi
gradus=$pack/gradus
[ -x "$gradus" ] || usage "neither $pack/pack.tar.xz nor $pack/gradus is there: benches/gpu/pack.sh makes the first"
if [ -n "$dry" ]; then
    [ -f "${GRADUS_SHIM_DIR:-}/libcuda.so.1" ] || usage "GRADUS_SHIM_DIR must be the folder of the emulated libcuda.so.1"
    export LD_LIBRARY_PATH="$GRADUS_SHIM_DIR" GRADUS_DEVICE=emulated
    gpu=emulated
else
    # cuBLASLt, which products are compared with, comes with PyTorch where there is no toolkit.
    if ! ldconfig -p 2>/dev/null | grep -q libcublasLt; then
        library=$(timeout 30 find / \( -path /proc -o -path /sys -o -path /dev \) -prune -o -name 'libcublasLt.so.1[23]' -print 2>/dev/null | sort | tail -n 1)
        [ -z "$library" ] || export LD_LIBRARY_PATH="$(dirname "$library")${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
    fi
    gpu=$(timeout 15 nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -1 | tr ' A-Z' '-a-z' | tr -cd 'a-z0-9-')
fi
results=${results:-benches/runs/$(date +%F)-${gpu:-no-gpu}}
mkdir -p "$results" && results=$(cd "$results" && pwd) || exit 1
# The archive would have itself in it.
if [ -n "$archive" ]; then
    mkdir -p "$(dirname "$archive")" && beside=$(cd "$(dirname "$archive")" && pwd) || exit 1
    case $beside/ in "$results"/*) usage "$archive lies in $results, of which it is made" ;; esac
fi
log=$results/log.txt steps=$results/summary.txt
for file in "$log" "$steps"; do printf '== %s: check.sh %s\n' "$(date -u +%FT%TZ)" "$called" >>"$file"; done
failed=0 hung= phase= passed=0 faults=0 untimely=0 skipped=0 untested=0

# note NAME STATE [MORE]: a line of the summary.
note() {
    case $2 in passed) passed=$((passed + 1)) ;; failed | timeout) faults=$((faults + 1)) failed=1 ;; "no time") untimely=$((untimely + 1)) ;; skipped) skipped=$((skipped + 1)) ;; esac
    printf '%-28s %-8s %s\n' "$1" "$2" "${3:-}" | tee -a "$steps"
}
skip() { note "$1" skipped "$2"; }
# Writes figures and the archive anew.
archive_max=${ARCHIVE_MAX:-16000000}
renew() {
    if command -v python3 >/dev/null; then
        if timeout 20 python3 benches/gpu/figures.py "$results" >"$work/figures" 2>>"$log"; then cp "$work/figures" "$results/figures.md"; else rm -f "$results/figures.md"; fi
    fi
    [ -n "$archive" ] || return 0
    rm -f "$results/left-out.txt"; : >"$work/without"
    # Should it be too large, it is without the largest files.
    for most in '' 4096 1024 256 64 16 4; do
        if [ -n "$most" ]; then
            (cd "$results/.." && find "${results##*/}" -type f -size +"$most"k ! -name summary.txt ! -name figures.md) >"$work/without"
            cp "$work/without" "$results/left-out.txt"
        fi
        tar -C "$results/.." -X "$work/without" -czf "$archive.new" "${results##*/}" 2>>"$log" || { echo "tar made no archive" >>"$log"; break; }
        if [ "$(wc -c <"$archive.new")" -le "$archive_max" ]; then mv "$archive.new" "$archive"; break; fi
    done
    rm -f "$archive.new"
    { cat "$steps"; [ ! -s "$results/left-out.txt" ] || { echo "left out of the archive, which has $archive_max bytes at most:"; cat "$results/left-out.txt"; }; } >"$work/summary.txt"
    tail -c 15000000 "$log" >"$work/log.txt"
    cp "$results/figures.md" "$work/figures.md" 2>/dev/null || : >"$work/figures.md"
    for file in summary.txt log.txt figures.md; do cp "$work/$file" "$beside/$file.new" && mv "$beside/$file.new" "$beside/$file"; done
}
# Seconds for a step of at most $1: what is left, but for those in which results are written.
limited() {
    if [ -z "$seconds" ]; then echo "$1"; return; fi
    left=$((seconds - 15 - ($(date +%s) - started)))
    if [ "$left" -lt "$1" ]; then echo "$left"; else echo "$1"; fi
}
# step NAME SECONDS COMMAND...: runs it, records how it ended.
step() {
    step_name=$1 step_most=$2 step_limit=$(limited "$2"); shift 2
    if [ "$step_limit" -lt 5 ]; then note "$step_name" "no time"; return; fi
    printf '\n== %s: %s\n' "$step_name" "$*" >>"$log"
    step_begun=$(date +%s)
    timeout -k 5 "$step_limit" "$@" >>"$log" 2>&1; step_code=$?
    case $step_code in 0) step_state=passed ;; 124 | 137) step_state=timeout ;; *) step_state=failed ;; esac
    if [ $step_state = timeout ]; then
        if [ "$step_limit" -lt "$step_most" ]; then step_state="no time"
        else case $phase in tests | kernels) hung="after a time-out of $step_name" ;; esac; fi
    fi
    note "$step_name" "$step_state" "$(printf '%4s s  exit %s' "$(($(date +%s) - step_begun))" "$step_code")"
    renew
}
# wanted STEP: whether it is to run; it is what follows.
wanted() { case "$only" in '' | *,"$1",*) phase=$1; return 0 ;; *) return 1 ;; esac; }
has_peer=
peer() {
    if [ -z "$has_peer" ]; then
        if timeout 60 python3 -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then has_peer=yes; else has_peer=no; fi
    fi
    [ $has_peer = yes ]
}

# one BINARY FOLDER UNTIL SECONDS TEST: a test alone; what is not plainly passed has a line in a file of the folder.
cat >"$work/one" <<'END'
found() { printf '%s%s\n' "$test" "${2:+: $2}" >>"$folder/$1"; }
binary=$1 folder=$2 limit=$(($3 - $(date +%s))) most=$4 test=$5
said=$folder/$(printf %s "$test" | tr : _).txt
if [ "$limit" -lt 1 ]; then found NO-TIME; exit 0; fi
# Where three hang, all will.
if [ "$(cat "$folder/TIME-OUT" 2>/dev/null | wc -l)" -ge 3 ]; then found NOT-RUN "three others hung"; exit 0; fi
[ "$limit" -lt "$most" ] || limit=$most
timeout -k 2 "$limit" "$binary" --exact "$test" --nocapture >"$said" 2>&1; code=$?
case $code in
0)
    if grep -q SKIPPED "$said"; then found SKIPPED "$(grep -o 'SKIPPED.*' "$said" | sed 's/SKIPPED:* *//' | head -n 1)"
    elif ! grep -q 'test result: ok\. 1 passed' "$said"; then found SKIPPED "$(tail -n 1 "$said")"; fi
    ;;
124 | 137) if [ "$limit" -lt "$most" ]; then found NO-TIME; else found TIME-OUT; tail -n 25 "$said"; fi ;;
*) found FAILED "exit $code"; echo "FAILED: $test"; tail -n 25 "$said" ;;
esac
END
# tests NAME BINARY TEXT FOLDER: every test whose name has the text in it, each alone, as many at a time as there are processors but eight.
tests() {
    tests_name=$1 binary=$2 text=$3 to=$4 tests_limit=$(limited 180)
    if [ "$tests_limit" -lt 5 ]; then note "$tests_name" "no time"; return; fi
    printf '\n== tests: %s\n' "$tests_name" >>"$log"
    tests_begun=$(date +%s)
    rm -rf "$to"; mkdir -p "$to"
    timeout 20 "$binary" --list "$text" 2>>"$log" | sed -n 's/: test$//p' >"$to/list"
    count=$(wc -l <"$to/list")
    if [ "$count" = 0 ]; then note "$tests_name" failed "no test has \"$text\" in its name"; return; fi
    workers=$(nproc); [ "$workers" -le 8 ] || workers=8
    most=20; [ -z "$dry" ] || most=120
    # Those of far:: want most of the memory, and look whether it is free before they take it.
    grep -v '^far::' "$to/list" | xargs -P "$workers" -I{} sh "$work/one" "$binary" "$to" $((tests_begun + tests_limit)) $most {} >>"$log" 2>&1
    grep '^far::' "$to/list" | xargs -P 1 -I{} sh "$work/one" "$binary" "$to" $((tests_begun + tests_limit)) $most {} >>"$log" 2>&1
    tests_state=passed
    [ ! -e "$to/NO-TIME" ] || tests_state="no time"
    [ ! -e "$to/FAILED" ] || tests_state=failed
    [ ! -e "$to/TIME-OUT" ] || { tests_state=timeout hung="after a time-out of $tests_name"; }
    [ ! -e "$to/SKIPPED" ] || untested=$((untested + $(wc -l <"$to/SKIPPED")))
    tally="$count tests"
    for kind in FAILED TIME-OUT NOT-RUN NO-TIME SKIPPED; do [ ! -e "$to/$kind" ] || tally="$tally, $(wc -l <"$to/$kind") $kind"; done
    note "$tests_name" "$tests_state" "$(printf '%4s s  %s' "$(($(date +%s) - tests_begun))" "$tally")"
    for kind in FAILED TIME-OUT NOT-RUN NO-TIME SKIPPED; do
        [ ! -e "$to/$kind" ] || sort "$to/$kind" | sed "s/^/    $kind /" | cut -c1-200 | tee -a "$steps" "$log"
    done
    renew
}

kernels() {
    mkdir -p "$results/kernels"
    if [ -n "$dry" ]; then sizes="--tiny --seconds 0 --samples 3"; else sizes="--seconds 0.2"; fi
    for families in linear cross_entropy kl attention rms_norm,layer_norm,add_normed,rope,activation,embedding,gather,dora_scale; do
        name=${families%%,*}
        # shellcheck disable=SC2086
        step "kernels $name" 60 "$gradus" bench kernels --device cuda:0 $sizes --only "$families" --json "$results/kernels/$name.json" --svg "$results/kernels/$name.svg"
    done
}
# Kilobytes that are free at $1, and those that models there have.
room() { mkdir -p "$1" 2>/dev/null && echo $(($(df -Pk "$1" | awk 'NR == 2 { print $4 }') + $(du -sk "$1" | cut -f1))) || echo 0; }
models=${GRADUS_MODELS:-}
# Where models are written to, once it is asked for.
place_models() {
    if [ -z "$models" ]; then
        models=/dev/shm/gradus-models
        [ "$(room $models)" -ge 22000000 ] || { rmdir $models 2>/dev/null; models=/tmp/gradus-models; }
    fi
    mkdir -p "$models"
    note models "$models" "room for $(($(room "$models") / 1000000)) GB, 20 are needed"
}
# model NAME SECONDS SHAPE ROWS ARGUMENTS...: a whole model, rows of 1,024 tokens.
model() {
    model=$1 limit=$2 shape=$3 rows=$4; shift 4
    step "eval $model" "$limit" "$gradus" bench eval --device cuda:0 --shape "$shape" --rows "$rows" --tokens 1024 --memory 32GiB \
        --dir "$models/$shape" --json "$results/eval/$model.json" "$@"
}
half_b() { model 0.5b 40 0.5b 512 --repeat 3; }

if wanted doctor; then
    if [ -n "$dry" ]; then skip nvidia-smi "no GPU"; else step nvidia-smi 20 nvidia-smi -q; fi
    step doctor 30 "$gradus" doctor
fi
if wanted tests; then
    # Once with the kernels of this GPU, once with those of compute capability 8.0.
    for portable in '' 1; do
        for which in gradus-kernels-device: gradus-evaluators:gpu; do
            binary=$pack/${which%%:*} name="${which%%:*}${portable:+ portable}"
            if [ ! -x "$binary" ]; then skip "$name" "not in the pack"; continue; fi
            export CARGO_MANIFEST_DIR="$PWD/evaluators"
            [ -z "$portable" ] || export GRADUS_PORTABLE_KERNELS=1
            tests "$name" "$binary" "${which#*:}" "$results/tests${portable:+-portable}/${which%%:*}"
        done
    done
    unset GRADUS_PORTABLE_KERNELS CARGO_MANIFEST_DIR
fi
if wanted kernels; then kernels; fi
if wanted eval; then
    mkdir -p "$results/eval"
    if [ -n "$dry" ]; then
        step eval 60 "$gradus" bench eval --device cuda:0 --shape tiny --rows 2 --tokens 17 --json "$results/eval/model.json"
        step "eval candidates" 60 "$gradus" bench eval --device cuda:0 --shape tiny --rows 2 --tokens 17 --candidates 4 --rank 16 --json "$results/eval/candidates.json"
    elif [ -n "$hung" ]; then skip eval "$hung"
    else
        place_models
        half_b
        model 1.5b 50 1.5b 512 --repeat 3
        model 8b-few 90 8b 64 --repeat 2
        model 8b 90 8b 256 --repeat 2
        for candidates in 1 8 32; do model "0.5b-$candidates" 60 0.5b 64 --repeat 2 --candidates "$candidates" --rank 16; done
    fi
fi
if wanted profile; then
    if [ -n "$dry" ]; then skip profile "no GPU"
    elif [ -n "$hung" ]; then skip profile "$hung"
    elif ! command -v ncu >/dev/null; then skip profile "Nsight Compute is not installed"
    else
        mkdir -p "$results/profile"
        [ -n "$models" ] || place_models
        # Every kernel of a run with its time, then the sections of those that matter most; without peaks, whose product would be seen first.
        step "profile eval" 90 sh -c 'ncu --clock-control none --metrics gpu__time_duration.sum --csv "$1" bench eval --no-peaks --device cuda:0 --shape 0.5b \
            --rows 128 --tokens 1024 --memory 32GiB --dir "$2/0.5b" >"$3.csv"; awk -f benches/gpu/by_kernel.awk "$3.csv" | sort -rn >"$3.txt"; test -s "$3.txt"' - \
            "$gradus" "$models" "$results/profile/eval"
        for what in "linear linear:8192x4096x4096" "attention attention:32x8x128,lengths=4*2048" "attention attention:14x2x64,lengths=16*512" "head_kl kl:4096x151936x896" \
            "head_kl kl:16384x131072x4096,shared" "linear linear:8192x28672x4096,gate=silu"; do
            kernel=${what%% *} shape=${what#* }
            step "profile $kernel" 40 sh -c 'ncu --clock-control none --set full -k "regex:$2" -c 1 "$1" bench kernels --no-peaks --device cuda:0 --shape "$3" --seconds 0 --samples 1 >"$4"' - \
                "$gradus" "$kernel" "$shape" "$results/profile/$(echo "$shape" | tr -c 'a-z0-9\n' -).txt"
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
        # Blocks that go from work to work, which no tiny shape has.
        for tool in memcheck racecheck; do
            if [ ! -x "$pack/gradus-kernels-device" ]; then skip "$tool persistent" "not in the pack"; continue; fi
            step "$tool persistent" 60 compute-sanitizer --tool "$tool" --error-exitcode 9 "$pack/gradus-kernels-device" persistent:: --test-threads=1
        done
    fi
fi
if wanted example; then step example "${dry:+3}60" "$gradus" eval --quiet --device cuda:0 --json "$results/example.json"; fi
if wanted transformers; then
    if [ -n "$dry" ]; then skip transformers "no GPU"
    elif ! peer; then skip transformers "no PyTorch with CUDA"
    else
        mkdir -p "$results/eval"
        [ -n "$models" ] && [ -d "$models" ] || place_models
        # Ours in the same call, unless it has been.
        [ -s "$results/eval/0.5b.json" ] && [ -f "$models/0.5b/ids.json" ] || half_b
        for mode in bs1 batch chunked packed; do
            step "transformers $mode" 60 sh -c 'python3 benches/peers/hf_eval.py "$1/0.5b" --dtype bf16 --device cuda --mode "$2" --rows 64 --batch 16 >"$3"' - \
                "$models" "$mode" "$results/eval/transformers-$mode.json"
        done
        step "transformers in bf16" 90 python3 tests/golden/llm/bf16.py tests/golden/llm "$results/bf16.json"
    fi
fi
if wanted peers; then
    if [ -n "$dry" ]; then skip peers "no GPU"
    elif ! peer; then skip peers "no PyTorch with CUDA"
    else
        mkdir -p "$results/peers"
        case "$only" in '' | *,kernels,*) ;; *) kernels ;; esac
        for name in linear cross_entropy attention rms_norm; do
            ours=$results/kernels/$name.json theirs=$results/peers/$name
            [ -s "$ours" ] || { skip "peers $name" "kernels left no result"; continue; }
            rm -f "$theirs.json"
            step "peers $name" 90 python3 benches/peers/gpu_peers.py "$ours" "$theirs.json"
            # Ratios, not a verdict: a slower peer is no failure.
            [ ! -s "$theirs.json" ] || step "compare $name" 20 sh -c '"$1" bench compare "$2" "$3.json" --tolerance 1e9 >"$3.txt"' - "$gradus" "$ours" "$theirs"
        done
    fi
fi
# Jobs on the GPU: what it finds is in its own summary too. The dry run needs root and GRADUS_NVML_STUB, and says so.
if wanted sandbox; then step sandbox 420 env ${dry:+GRADUS_DRY_RUN=1} benches/gpu/sandbox.sh "$gradus" "$results/sandbox"; fi

renew
if ! command -v python3 >/dev/null; then skip figures "no Python"
elif [ -s "$results/figures.md" ]; then note figures passed
else note figures failed "log.txt says why"; fi
line="$passed passed, $faults failed, $untimely without time, $skipped skipped; $untested tests SKIPPED; $(($(date +%s) - started)) s"
echo "$line" | tee -a "$steps"
sed 's/[\\"]/\\&/g' "$steps" | awk 'BEGIN { print "[" } { printf "%s\"%s\"", (NR > 1 ? ",\n" : ""), $0 } END { print "\n]" }' >"$results/summary.json"
renew
[ -n "$dry" ] || cat "$results/figures.md" 2>/dev/null
exit $failed
