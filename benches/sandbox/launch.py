#!/usr/bin/env python3
"""Times how long sandboxes take to run a program that does nothing, as whole processes, in turn.

    benches/sandbox/launch.py target/release/gradus [RUNS] [target/release/examples/supervisor]

With the example of the sandbox's library (cargo build --release -p gradus-sandbox --example supervisor) also what a supervisor that lives long
waits for: there the process is not in the time, and the next watcher waits for its job.

As root, with bubblewrap, runc, crun as far as they are there, and /bin/busybox. Prints least, median and ninth decile in ms, the ratio of
medians, and processor time of all processes of a run. gradus runs with everything on: its limits, both filters, landlock; bubblewrap has
namespaces alone, runc and crun what `runc spec` writes. Nothing is left.
"""
import json, os, resource, shutil, subprocess, sys, tempfile, time

gradus, runs = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 200
folder = tempfile.mkdtemp(prefix="gradus-launch-")
root = f"{folder}/rootfs"
for name in ("bin", "proc", "dev", "sys", "tmp"):
    os.makedirs(f"{root}/{name}")
shutil.copy("/bin/busybox", f"{root}/bin/busybox")
os.symlink("busybox", f"{root}/bin/true")
commands = {"fork, exec": [f"{root}/bin/busybox", "true"]}
commands["gradus"] = [gradus, "sandbox", "--state", f"{folder}/state", "run", "--rootfs", root, "--scratch", "memory", "--", "/bin/true"]
if shutil.which("bwrap"):
    commands["bubblewrap"] = ["bwrap", "--unshare-all", "--bind", root, "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "/bin/true"]
for engine in ("runc", "crun"):
    if not shutil.which(engine):
        continue
    bundle = f"{folder}/{engine}"
    os.makedirs(bundle)
    subprocess.run([engine, "spec"], cwd=bundle, check=True)
    spec = json.load(open(f"{bundle}/config.json"))
    spec["process"].update(args=["/bin/true"], terminal=False)
    spec["root"] = {"path": root, "readonly": True}
    json.dump(spec, open(f"{bundle}/config.json", "w"))
    run = [engine, "run", "--bundle", bundle, "launch"]
    if engine == "crun":  # it refuses hosts that have both versions of control groups, unless the second is out of sight
        run = ["unshare", "-m", "sh", "-c", 'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"', "sh", *run]
    commands[engine] = run


def once(command):
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{command}: exit code {done.returncode}: {done.stderr.decode()[:400]}")
    return 1e3 * wall, 1e3 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


supervisor = None
if len(sys.argv) > 3:
    command = [sys.argv[3], f"{folder}/library", root, "/bin/true"]
    supervisor = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)


def once_in_library(_):
    supervisor.stdin.write("\n")
    answer = supervisor.stdout.readline()
    if "Exited { code: 0 }" not in answer:
        sys.exit(f"supervisor: {answer!r}")
    return float(answer.split()[0]), 0.0


once_of = {name: once for name in commands}
if supervisor:
    commands["in a process"] = None
    once_of["in a process"] = once_in_library
times = {name: [] for name in commands}
try:
    for name, command in commands.items():
        once_of[name](command)
    for _ in range(runs):
        for name, command in commands.items():
            times[name].append(once_of[name](command))
finally:
    if supervisor:
        supervisor.stdin.close()
        supervisor.wait()
    subprocess.run([gradus, "sandbox", "--state", f"{folder}/state", "gc"], stdout=subprocess.DEVNULL)
    shutil.rmtree(folder)
middle = {name: sorted(wall for wall, _ in values)[runs // 2] for name, values in times.items()}
print(f"{'':12} {'least':>8} {'median':>8} {'p90':>8} {'gradus/it':>10}   processor time, median")
for name, values in times.items():
    walls, cpus = sorted(wall for wall, _ in values), sorted(cpu for _, cpu in values)
    ratio = middle["gradus"] / middle[name]
    print(f"{name:12} {walls[0]:8.2f} {middle[name]:8.2f} {walls[runs * 9 // 10]:8.2f} {ratio:10.2f}   {cpus[runs // 2]:.2f}")
