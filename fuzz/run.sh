#!/bin/sh
# Runs one fuzz target for some seconds, or shows that it finds its planted bug.
#
#   fuzz/run.sh TARGET SECONDS            fuzz; exit 0 if nothing was found
#   fuzz/run.sh TARGET SECONDS --canary   exit 0 if the planted bug was found
#
# The corpus grows in fuzz/corpus/TARGET, findings go to fuzz/artifacts/TARGET; fuzz/seeds/TARGET is what a new corpus starts with.
# Works with a stable compiler: coverage comes from LLVM's own pass. FUZZ_TARGET_DIR moves the build.
set -eu
target=$1 seconds=$2 mode=${3:-}
here=$(cd "$(dirname "$0")" && pwd)
build=${FUZZ_TARGET_DIR:-$here/target}
features="" corpus=$here/corpus/$target
case $target in
data_file | chat_template | audit_file | results_file | subnet | rule_set | tournament | repo_response) features=tasks ;;
chain) features=chain ;;
job_log) features=sandbox ;;
oci_config) features=oci ;;
dockerfile | dockerignore | layer | image_json) features=image ;;
registry_text | git_object | git_pack) features=fetch ;;
egress_head | client_hello) features=egress ;;
esac
if [ "$mode" = --canary ]; then
    features="$features,canary" corpus=$(mktemp -d) artifacts=$(mktemp -d)
    trap 'rm -rf "$corpus" "$artifacts"' EXIT
else
    artifacts=$here/artifacts/$target
fi
seeds=$here/seeds/$target
# Rule sets have to be whole, so the embedded ones are the seeds.
[ "$target" = rule_set ] && seeds=$here/../tasks/rules
mkdir -p "$corpus" "$artifacts"
cover="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters"
cover="$cover -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing"
triple=$(rustc -vV | sed -n 's/^host: //p')
# A target triple keeps the flags away from build scripts; one directory per feature set keeps both builds warm.
(cd "$here" && RUSTFLAGS="$cover" CARGO_TARGET_DIR="$build" cargo build --quiet --release --target "$triple" --bin "$target" --features "$features")
dict=$here/seeds/$target.dict
set -- -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -artifact_prefix="$artifacts/" -print_final_stats=1 -use_value_profile=1
[ -f "$dict" ] && set -- "$@" -dict="$dict"
log=$artifacts/log
if "$build/$triple/release/$target" "$@" "$corpus" "$seeds" >"$log" 2>&1; then found=no; else found=yes; fi
if ! grep -aq '^stat::number_of_executed_units' "$log"; then
    echo "$target: it did not run at all" >&2
    tail -n 5 "$log" >&2
    exit 2
fi
grep -aE '^stat::|^SUMMARY|DONE|panicked' "$log" | tail -n 12 || true
if [ "$mode" = --canary ]; then
    if [ $found = yes ] && grep -aq canary "$log"; then echo "$target: the planted bug was found"; exit 0; fi
    echo "$target: the planted bug was NOT found in $seconds s" >&2
    exit 1
fi
echo "$target: $(find "$corpus" -type f | wc -l) inputs in the corpus, findings: $found"
[ $found = no ]
