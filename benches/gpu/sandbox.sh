#!/bin/sh
# What a job in the sandbox has to show on a machine with a GPU, in one call: `benches/gpu/sandbox.sh GRADUS OUT`. check.sh calls it
# (`--only sandbox`); it needs neither network nor Rust, and PyTorch only for what says so.
#
# Everything is looked at before it is asked for: where a step cannot be tried (no root, no user namespaces, no PyTorch, one GPU), the line says
# why and the script goes on. Exit code: 1 if something was tried and went wrong. Under OUT: host.txt, doctor.txt, plan.json, a log for each
# step, ioctls.txt (commands that were made, with those that seccomp/gpu.toml does not have), summary.txt.
#
# With GRADUS_DRY_RUN=1 the driver is a folder of files: device nodes of /dev/null under its names, and the stand-in for the management
# library that GRADUS_NVML_STUB names (tests/nvml-stub builds it: OUT_DIR/current/libnvidia-ml.so.1).
set -u
gradus=$1 out=$2
case $gradus in /*) ;; *) gradus=$PWD/$gradus ;; esac
here=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$out"; out=$(cd "$out" && pwd)
work=$(mktemp -d) steps=$out/summary.txt failed=0
: >"$steps"
export GRADUS_STATE_DIR="$work/gpus"
root=/
# Commands that have to do with GPUs are told where the driver is.
sandbox() {
    command=$1
    shift
    case $command in
        run | gc) "$gradus" sandbox "$command" --state "$work/state" --driver-root "$root" "$@" ;;
        *) "$gradus" sandbox "$command" --state "$work/state" "$@" ;;
    esac
}
clean() {
    for job in mid-allocation; do sandbox kill --grace 0s "$job" >/dev/null 2>&1; done
    sandbox gc --outputs >/dev/null 2>&1
    rm -rf "$work"
}
trap clean EXIT
trap 'exit 1' HUP INT TERM
say() { printf '%-34s %-8s %s\n' "$1" "$2" "${3:-}" | tee -a "$steps"; }
skip() { say "$1" skipped "$2"; }
# step NAME SECONDS COMMAND...: its output goes to a log of its own.
step() {
    name=$1 limit=$2; shift 2
    step_log="$out/$(echo "$name" | tr -c 'a-z0-9\n' -).log"
    timeout -k 5 "$limit" "$@" >"$step_log" 2>&1; code=$?
    if [ $code = 0 ]; then say "$name" passed; return 0; fi
    say "$name" failed "exit $code: $(tail -n 1 "$step_log" | cut -c1-200)"; failed=1; return 1
}

if [ -n "${GRADUS_DRY_RUN:-}" ]; then
    [ "$(id -u)" = 0 ] || { skip sandbox "the dry run makes device nodes, which takes root"; exit 0; }
    [ -f "${GRADUS_NVML_STUB:-}" ] || { skip sandbox "GRADUS_NVML_STUB names no stand-in for the management library"; exit 0; }
    root=$work/driver version=580.95.05 libraries=$work/driver/usr/lib/x86_64-linux-gnu
    mkdir -p "$root/proc/driver/nvidia/gpus/0000:1a:00.0" "$root/dev" "$libraries" "$root/usr/bin"
    echo "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  $version  Release Build" >"$root/proc/driver/nvidia/version"
    printf 'GPU UUID: \t GPU-00000001-aaaa-bbbb-cccc-000000000000\nBus Location: \t 0000:1a:00.0\nDevice Minor: \t 3\n' \
        >"$root/proc/driver/nvidia/gpus/0000:1a:00.0/information"
    printf 'Character devices:\n  1 nvidia\n120 nvidia-uvm\n\nBlock devices:\n' >"$root/proc/devices"
    mknod -m 666 "$root/dev/nvidia3" c 1 3; mknod -m 666 "$root/dev/nvidiactl" c 1 255; mknod -m 666 "$root/dev/nvidia-uvm" c 120 0
    for library in libcuda libnvidia-ptxjitcompiler; do echo "$library" >"$libraries/$library.so.$version"; done
    cp "$GRADUS_NVML_STUB" "$libraries/libnvidia-ml.so.$version"
    for library in libcuda libnvidia-ml; do ln -s "$library.so.$version" "$libraries/$library.so.1"; done
    printf 'gpu\nminor 3\n' >"$libraries/scenario"
    printf '#!/bin/sh\necho "no GPU: the driver is files"\n' >"$root/usr/bin/nvidia-smi"; chmod 755 "$root/usr/bin/nvidia-smi"
fi

# What this machine is, before anything is concluded from what does not work.
{
    id; uname -a; cat /proc/self/cgroup; cat "$root/proc/driver/nvidia/version" "$root/proc/devices"
    ls -l "$root"/dev/nvidia* "$root"/dev/nvidia-caps 2>&1
    for file in "$root"/proc/driver/nvidia/gpus/*/information "$root/proc/driver/nvidia/params"; do echo "== $file"; cat "$file"; done
    head -n 20 "$root/proc/driver/nvidia-caps/mig-minors"
    echo "== user namespaces"; unshare -Ur true && echo yes
    cat /proc/sys/user/max_user_namespaces /proc/sys/kernel/unprivileged_userns_clone /proc/sys/kernel/apparmor_restrict_unprivileged_userns
    grep -E 'Cap(Eff|Bnd)|NoNewPrivs|Seccomp' /proc/self/status
    ls -l /run/nvidia-persistenced /run/nvidia-fabricmanager /tmp/nvidia-mps
} >"$out/host.txt" 2>&1
step doctor 60 sh -c '"$1" sandbox doctor --state "$2" --driver-root "$3"' - "$gradus" "$work/state" "$root"
cp "$out/doctor.log" "$out/doctor.txt" 2>/dev/null
step gpus 30 sh -c '"$1" sandbox gpus --state "$2" --driver-root "$3" --json' - "$gradus" "$work/state" "$root"
gpu=$(sed -n 's/^ *"uuid": "\(GPU-[^"]*\)".*/\1/p' "$out/gpus.log" | head -n 1)
[ -n "$gpu" ] || { skip jobs "no GPU is shown: $(tail -n 1 "$out/gpus.log" | cut -c1-200)"; exit $failed; }
count=$(grep -c '"uuid": "GPU-' "$out/gpus.log")

# Which root jobs are tried on: the machine's own, so that its PyTorch is there.
plain="--rootfs / --memory 16GiB --pids 4096 --shm 1GiB --disk 2GiB --scratch memory --best-effort --time 90s --env HOME=/tmp"
# shellcheck disable=SC2086
step plan 30 sh -c '"$1" sandbox run --state "$2" --driver-root "$3" --dry-run $4 --gpu "$5" -- true >"$6"' - \
    "$gradus" "$work/state" "$root" "$plain" "$gpu" "$out/plan.json"
# job NAME SECONDS OPTIONS COMMAND...: as a job with the GPU.
job() {
    job_name=$1 limit=$2 options=$3; shift 3
    # shellcheck disable=SC2086
    step "$job_name" "$limit" "$gradus" sandbox run --state "$work/state" --driver-root "$root" $plain --gpu "$gpu" $options -- "$@"
}
if ! job "a job starts" 60 "--json $out/started.json" sh -c 'ls -l /dev /proc/driver/nvidia /usr/local/nvidia/lib64; echo $LD_LIBRARY_PATH'; then
    # What the machine refuses (namespaces, layers on its kind of root) is a finding: 125 is the host's fault. Others are failures.
    if [ $code = 125 ]; then skip jobs "this machine starts no jobs: a-job-starts.log and doctor.txt say why"; failed=0; fi
    exit $failed
fi
job "nvidia-smi inside" 60 "" nvidia-smi

torch=
if [ -n "${GRADUS_DRY_RUN:-}" ]; then skip PyTorch "no GPU"
elif python3 -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then torch=1
else skip PyTorch "not installed, or it finds no GPU outside the sandbox either"; fi
if [ -n "$torch" ]; then
    cat >"$work/one.py" <<'END'
import torch
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(1024, 4096), torch.nn.GELU(), torch.nn.Linear(4096, 1024)).cuda().bfloat16()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
data = torch.randn(512, 1024, device="cuda", dtype=torch.bfloat16)
for step in range(50):
    loss = torch.nn.functional.mse_loss(model(data), data)
    loss.backward(); optimizer.step(); optimizer.zero_grad()
torch.cuda.synchronize()
pinned = torch.empty(64 << 20, dtype=torch.uint8, pin_memory=True).cuda(non_blocking=True)
torch.cuda.synchronize()
print("loss", loss.item(), torch.cuda.get_device_name(), torch.cuda.device_count(), "GPU visible")
END
    cat >"$work/two.py" <<'END'
import os, sys, torch, torch.distributed as dist, torch.multiprocessing as mp
def work(rank, world):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29517")
    torch.cuda.set_device(rank % torch.cuda.device_count())
    dist.init_process_group("nccl", rank=rank, world_size=world)
    x = torch.ones(1 << 20, device="cuda") * (rank + 1)
    dist.all_reduce(x)
    assert x[0].item() == world * (world + 1) / 2, x[0].item()
    dist.destroy_process_group()
if __name__ == "__main__":
    mp.spawn(work, (2,), nprocs=2)
    print("all-reduce of two processes is right")
END
    chmod 755 "$work"; chmod 644 "$work"/*.py
    step "PyTorch outside" 90 python3 "$work/one.py"
    job "PyTorch inside" 120 "--input $work/one.py:/tmp/one.py" python3 /tmp/one.py
    if [ "$count" -ge 2 ]; then
        other=$(sed -n 's/^ *"uuid": "\(GPU-[^"]*\)".*/\1/p' "$out/gpus.log" | sed -n 2p)
        step "NCCL outside" 120 python3 "$work/two.py"
        job "NCCL inside" 120 "--gpu $other --input $work/two.py:/tmp/two.py" python3 /tmp/two.py
    else skip NCCL "it wants two GPUs, here is one"; fi

    # Commands that are made, against those that the policy has: outside, so that a refusal hides none.
    strace=$(command -v strace || echo "$(dirname "$gradus")/strace")
    if [ -x "$strace" ]; then
        step "ioctls outside" 180 "$strace" -f -qq -X raw -e trace=ioctl -o "$work/ioctls" python3 "$work/one.py"
        sed -n 's/.*ioctl(\(0x\)\{0,1\}[0-9a-f]*, \(0x[0-9a-f]*\|[0-9]*\),.*/\2/p' "$work/ioctls" | sort | uniq -c | sort -rn >"$work/numbers"
        # Of type F only the lower 16 bits count, as in the policy.
        awk '/^call = /{ of_ioctl = /"ioctl"/ } of_ioctl' "$here/sandbox/seccomp/gpu.toml" "$here/sandbox/seccomp/trainer.toml" |
            sed -n 's/.*is = \[\([^]]*\)\].*/\1/p' | tr -d ' ' | tr , '\n' >"$work/known"
        while read -r times number; do
            value=$(printf '%d' "$number") low=$(printf '%d' $((number & 0xffff))) state="NOT IN THE POLICY"
            while read -r known; do
                known=$((known))
                if [ "$known" = "$value" ] || { [ $((known >> 8)) = 70 ] && [ "$known" = "$low" ]; }; then state=known; break; fi
            done <"$work/known"
            printf '%8s  0x%08x  %s\n' "$times" "$value" "$state"
        done <"$work/numbers" >"$out/ioctls.txt"
        say "ioctls of PyTorch" passed "$(grep -c known "$out/ioctls.txt") known, $(grep -c NOT "$out/ioctls.txt") not in the policy: ioctls.txt"
    else skip ioctls "strace is not there"; fi

    # SIGKILL in the middle of allocating: how long until nothing of it is on the GPU.
    cat >"$work/allocate.py" <<'END'
import torch
keep = []
while True:
    keep.append(torch.empty(256 << 20, dtype=torch.uint8, device="cuda"))
    if len(keep) > 200: keep = []
END
    chmod 644 "$work/allocate.py"
    # shellcheck disable=SC2086
    sandbox run --name mid-allocation --detach $plain --gpu "$gpu" --input "$work/allocate.py:/tmp/allocate.py" -- python3 /tmp/allocate.py >/dev/null 2>&1
    sleep 8
    sandbox inspect mid-allocation >"$out/allocating.json" 2>&1
    init=$(sed -n 's/^ *"init": \([0-9]*\).*/\1/p' "$out/allocating.json" | head -n 1)
    if [ -n "$init" ] && kill -9 "$init" 2>/dev/null; then
        for _ in $(seq 40); do
            sandbox inspect mid-allocation >"$out/killed.json" 2>&1
            grep -qE '"seen": "(returned|quarantined)"' "$out/killed.json" && break
            sleep 1
        done
        after=$(sed -n 's/^ *"after_ms": \([0-9]*\).*/\1/p' "$out/killed.json" | tail -n 1)
        if [ -n "$after" ]; then say "killed while allocating" passed "the GPU was at its baseline $after ms after the end"
        else say "killed while allocating" failed "the GPU did not come back: killed.json"; failed=1; fi
    else say "killed while allocating" failed "the job did not run: allocating.json"; failed=1; fi
    # And the limit: more than granted ends the job.
    # shellcheck disable=SC2086
    sandbox run $plain --gpu "$gpu" --gpu-memory 4GiB --json "$out/limit.json" --input "$work/allocate.py:/tmp/allocate.py" -- python3 /tmp/allocate.py >"$out/limit.log" 2>&1
    if grep -q '"kind": "gpu_memory"' "$out/limit.json" 2>/dev/null; then say "limit of GPU memory" passed "ended as gpu_memory: limit.json"
    else say "limit of GPU memory" failed "see limit.json, limit.log"; failed=1; fi
fi
step "nothing is left" 30 sh -c '! "$1" sandbox gpus --state "$2" --driver-root "$3" | grep -E "held|quarantine"' - "$gradus" "$work/state" "$root"
exit $failed
