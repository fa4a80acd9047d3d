#!/usr/bin/env python3
"""What a job that prints as fast as it can costs its watcher.

    benches/sandbox/flood.py target/release/gradus [SECONDS]

What is offered and read with other throttles: `cargo test -p gradus-sandbox --test attacks -- --ignored --nocapture figures_of_floods`.

As root, with /bin/busybox. The job writes 64 KiB at a time and never stops; its output is kept at the rate that a job is granted, so it waits
for most of the time. Prints what the job would print without a watcher, what was kept, and the watcher's processor time. Nothing is left.
"""
import json, os, shutil, subprocess, sys, tempfile, time

gradus, seconds = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 30
folder = tempfile.mkdtemp(prefix="gradus-flood-")
root, state = f"{folder}/rootfs", f"{folder}/state"
for name in ("bin", "proc", "dev", "sys", "tmp"):
    os.makedirs(f"{root}/{name}")
shutil.copy("/bin/busybox", f"{root}/bin/busybox")
flood = ["/bin/busybox", "dd", "if=/dev/zero", "bs=64k", "count=1000000000"]

offered = subprocess.Popen(flood, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
total, until = 0, time.perf_counter() + 2
while time.perf_counter() < until:
    total += len(os.read(offered.stdout.fileno(), 1 << 20))
offered.kill()
offered.wait()
print(f"offered, to a reader that keeps nothing: {total / 2 / 1e9:.2f} GB/s")

try:
    sandbox = [gradus, "sandbox", "--state", state]
    subprocess.run([*sandbox, "run", "--rootfs", root, "--scratch", "memory", "--log", "1TiB", "--detach", "--name", "flood", "--", *flood],
                   check=True, stdout=subprocess.DEVNULL)
    watcher = json.loads(open(f"{state}/jobs/flood/journal").readline())["watcher"]

    def cpu():
        fields = open(f"/proc/{watcher}/schedstat").read().split()
        return int(fields[0]) / 1e9

    before, begun = cpu(), time.perf_counter()
    time.sleep(seconds)
    used, wall = cpu() - before, time.perf_counter() - begun
    resident = next(line for line in open(f"/proc/{watcher}/status") if line.startswith("VmRSS"))
    subprocess.run([*sandbox, "kill", "flood", "--grace", "0s"], check=True)
    kept = sum(os.path.getsize(f"{state}/jobs/flood/{name}") for name in os.listdir(f"{state}/jobs/flood") if name.startswith("log."))
    ended = [json.loads(line) for line in open(f"{state}/jobs/flood/journal") if '"ended"' in line]
    printed = ended[-1]["usage"]["log_bytes"] if ended else 0
    print(f"in {wall:.1f} s: {used:.3f} s of a processor, {100 * used / wall:.2f} %; {printed / wall / 1e6:.1f} MB/s read, {kept / 2**20:.1f} MiB kept; "
          f"{' '.join(resident.split())}")
finally:
    subprocess.run([*sandbox, "gc"], stdout=subprocess.DEVNULL)
    shutil.rmtree(folder)
