#!/usr/bin/env python3
"""Runs the sandbox's tests on another kernel: Linux 6.1 in a virtual machine, with version 2 of control groups alone.

    sandbox/vm/check.py [--keep FOLDER] [arguments of cargo, such as --locked --workspace]

What it is for and what it needs is in README.md beside it. Where the kernel or a tool cannot be had, it says so and ends with code 0.
"""
import glob, json, os, re, resource, shutil, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
REPOSITORY = os.path.dirname(os.path.dirname(HERE))
KERNEL = r"^linux-image-6\.1\.0-[0-9]+-cloud-amd64$"
MODULES = ("overlay", "loop", "quota_v2", "vsock", "fuse")
# Programs that the tests start, with the package that has them.
TOOLS = {"qemu-system-x86_64": "qemu-system-x86", "busybox": "busybox-static", "mkfs.ext4": "e2fsprogs", "strip": "binutils"}
# Programs that wait for a disk most of the time: they run beside the others.
WAITING = {"io"}
# It takes less than half of that with other work beside it, and a fifth alone.
SECONDS_MAX = 150


class Missing(Exception):
    """Something that this host does not give."""


def said(*command, **options):
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, **options)
    except subprocess.TimeoutExpired:
        raise Missing(f"{' '.join(command)}: no end after 300 s") from None
    if done.returncode:
        raise Missing(f"{' '.join(command)}: {done.stdout.strip()[-300:]}")
    return done.stdout


def tools():
    absent = [package for tool, package in TOOLS.items() if not shutil.which(tool)]
    if not absent:
        return
    if os.geteuid() or not shutil.which("apt-get"):
        raise Missing(f"install {' '.join(absent)}")
    quiet = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    said("apt-get", "update", "-qq")
    said("apt-get", "install", "-y", "-qq", "--no-install-recommends", *absent, env=quiet)


def kernel(cache):
    """The newest such kernel's files: unpacked, not installed, and kept."""
    found = sorted(glob.glob(f"{cache}/linux-image-*"))
    if found:
        return found[-1]
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise Missing("a Debian kernel comes by apt-get and dpkg-deb")
    search = lambda: [line.split()[0] for line in said("apt-cache", "search", "--names-only", KERNEL).splitlines()]
    names = search()
    if not names and os.geteuid() == 0:
        said("apt-get", "update", "-qq")
        names = search()
    if not names:
        raise Missing("apt knows no kernel 6.1 for the cloud: Debian 12 has it")
    name = max(names, key=lambda name: int(name.split("-")[3]))
    os.makedirs(cache, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        said("apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", name, cwd=folder)
        said("dpkg-deb", "-x", glob.glob(f"{folder}/*.deb")[0], f"{folder}/files")
        os.rename(f"{folder}/files", f"{cache}/{name}")
    return f"{cache}/{name}"


def modules(files):
    """Modules' files, each behind those that it needs."""
    order = []

    def add(name):
        path = next(iter(glob.glob(f"{files}/lib/modules/*/kernel/**/{name}.ko", recursive=True)), None)
        if path is None:
            raise Missing(f"the kernel has no module {name}")
        needs = re.search(rb"\0depends=([^\0]*)\0", b"\0" + open(path, "rb").read())
        for other in filter(None, needs.group(1).decode().split(",")):
            add(other)
        if path not in order:
            order.append(path)

    for name in MODULES:
        add(name)
    return order


def built(cargo_arguments):
    """Test programs by name, and the hostile program that they run inside."""
    messages = subprocess.run(
        ["cargo", "test", "--no-run", "--quiet", "--message-format=json", *(cargo_arguments or ["--locked", "-p", "gradus-jail", "-p", "gradus-sandbox"])],
        cwd=REPOSITORY, stdout=subprocess.PIPE, check=True).stdout
    programs = {}
    for message in map(json.loads, messages.splitlines()):
        if message.get("executable") and "/sandbox" in message["manifest_path"]:
            programs[message["target"]["name"]] = message["executable"]
    deps = os.path.dirname(programs["attacks"])
    folder = os.path.join(os.path.dirname(deps), "probe")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CARGO_TARGET") and name != "CARGO_ENCODED_RUSTFLAGS"}
    target = "x86_64-unknown-linux-gnu"
    subprocess.run(
        ["cargo", "build", "--quiet", "--locked", "--release", "--target", target, "--target-dir", folder],
        cwd=f"{REPOSITORY}/sandbox/probe", check=True,
        env=dict(clean, RUSTFLAGS="-C target-feature=+crt-static", CARGO_PROFILE_RELEASE_PANIC="abort", CARGO_PROFILE_RELEASE_STRIP="symbols"))
    return programs, f"{folder}/{target}/release/gradus-probe"


def copy_program(path, root, name, stripped=False):
    """A program, at `name` in the machine's root, and the libraries that it is linked to, where they are here."""
    target = f"{root}/{name}"
    shutil.copy(path, target)
    if stripped:
        subprocess.run(["strip", target], check=True)
    linked = subprocess.run(["ldd", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    for library in re.findall(r"(/\S+) \(0x", linked):
        os.makedirs(os.path.dirname(root + library), exist_ok=True)
        shutil.copy(library, root + library)


def make_root(root, files, plan):
    for folder in ("bin", "sbin", "etc", "proc", "sys", "dev", "tmp", "data", "root", "tests", "modules"):
        os.makedirs(f"{root}/{folder}")
    copy_program(shutil.which("busybox"), root, "bin/busybox")
    for applet in said("busybox", "--list").split():
        os.path.exists(f"{root}/bin/{applet}") or os.symlink("busybox", f"{root}/bin/{applet}")
    copy_program(os.path.realpath(shutil.which("mkfs.ext4")), root, "sbin/mkfs.ext4")
    open(f"{root}/etc/passwd", "w").write("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n")
    for number, path in enumerate(modules(files)):
        shutil.copy(path, f"{root}/modules/{number}-{os.path.basename(path)}")
    programs, probe = plan["programs"], plan["probe"]
    for name in {name for name, _ in plan["tests"]}:
        copy_program(programs[name], root, f"tests/{name}", stripped=True)
    shutil.copy(probe, f"{root}/tests/probe")
    shutil.copy(f"{HERE}/init", f"{root}/init")
    with open(f"{root}/tests/plan", "w") as script:
        script.write("export GRADUS_PROBE=/tests/probe GRADUS_TEST_EMULATED=1\n")
        names = list(dict.fromkeys(name for name, _ in plan["tests"]))
        for name in sorted(names, key=lambda name: name not in WAITING):
            tests = " ".join(test for program, test in plan["tests"] if program == name)
            run = f"(echo 0 > /sys/fs/cgroup/service/leaf/cgroup.procs; exec /tests/{name} --test-threads=2 --show-output --exact {tests})"
            if name in WAITING:
                script.write(f"{run} > /tests/said-{name} 2>&1 &\n")
                continue
            script.write(f"echo '== program {name}'\n")
            script.write(f"{run} 2>&1\n")
            script.write("echo '== seconds' $(cut -d' ' -f1 /proc/uptime)\n")
        script.write("wait\n")
        for name in filter(WAITING.__contains__, names):
            script.write(f"echo '== program {name}'; cat /tests/said-{name}\n")


def boot(files, folder, console):
    root, data = f"{folder}/root.img", f"{folder}/data.img"
    common = ["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1,nodiscard"]
    subprocess.run([*common, "-O", "^has_journal", "-d", f"{folder}/root", root, "256M"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([*common, "-O", "quota,project", "-E", "quotatype=prjquota", data, "1G"], check=True, stdout=subprocess.DEVNULL)
    disks = [part for name in ("root", "data") for part in ("-drive", f"file={folder}/{name}.img,if=none,id={name},format=raw,cache=unsafe", "-device", f"nvme,drive={name},serial={name}")]
    # `no_timer_check`: an emulated processor is too slow for the kernel's test of its timer.
    append = "console=ttyS0 quiet panic=-1 root=/dev/nvme0n1 rw rootwait init=/init cgroup_no_v1=all mitigations=off no_timer_check"
    command = ["qemu-system-x86_64", "-machine", "q35", "-cpu", "max", "-accel", "tcg,thread=multi", "-m", "1024", "-smp", "2", "-nodefaults",
               "-no-user-config", "-nographic", "-no-reboot", "-serial", "stdio", *disks, "-kernel", glob.glob(f"{files}/boot/vmlinuz-*")[0], "-append", append]
    with open(console, "w") as out:
        try:
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, timeout=SECONDS_MAX)
        except subprocess.TimeoutExpired:
            print(f"the machine was stopped after {SECONDS_MAX} s")


def judge(text, tests):
    """What is wrong with the console's text."""
    wrong = []
    text = text.replace("\r", "")
    if not re.search(r"^== kernel 6\.1\.\S+, controllers (?=.*\bmemory\b)(?=.*\bpids\b)(?=.*\bcpu\b)(?=.*\bcpuset\b)(?=.*\bio\b)", text, re.M):
        wrong.append("no kernel 6.1 with every controller of version 2 came up")
    if not re.search(r"^== mounts left: 0, groups left: 0, files left: 0$", text, re.M):
        wrong.append("something was left: " + " ".join(re.findall(r"^== mounts left.*", text, re.M)))
    if not re.search(r"^== end", text, re.M):
        wrong.append("it did not reach its end")
    wrong += re.findall(r"^== failed: .*", text, re.M)
    wrong += [f"the kernel: {line}" for line in re.findall(r"^.*(?:BUG:|Oops|Call Trace|WARNING: CPU).*", text, re.M)]
    parts = re.split(r"^== program (\S+)$", text, flags=re.M)
    said_by = dict(zip(parts[1::2], parts[2::2]))
    for program, test in tests:
        part = said_by.get(program, "")
        end = re.search(rf"^test {re.escape(test)} \.\.\. (.*)$", part, re.M)
        printed = re.search(rf"^---- {re.escape(test)} stdout ----\n(.*?)(?=^----|^successes:|^failures:|\Z)", part, re.M | re.S)
        if not end or not end.group(1).endswith("ok"):
            wrong.append(f"{program} {test}: {end.group(1) if end else 'did not run'}")
        elif re.search(r"skipped", end.group(1) + (printed.group(1) if printed else ""), re.I):
            wrong.append(f"{program} {test}: {printed.group(1).strip() if printed else end.group(1)}")
    if re.search(r"^(?:.*\bSKIPPED\b.*)$", text, re.M):
        wrong += ["something was skipped: " + line for line in re.findall(r"^.*\bSKIPPED\b.*$", text, re.M)]
    return list(dict.fromkeys(wrong))


def main():
    arguments = sys.argv[1:]
    keep = None
    if arguments[:1] == ["--keep"]:
        keep, arguments = os.path.abspath(arguments[1]), arguments[2:]
    lines = [line.split() for line in open(f"{HERE}/tests.txt") if line.strip() and not line.startswith("#")]
    tests = [(program, test) for program, test in lines]
    target = os.path.join(REPOSITORY, os.environ.get("CARGO_TARGET_DIR", "target"))
    try:
        tools()
        files = kernel(f"{target}/vm")
        module_files = modules(files)
    except (Missing, OSError) as missing:
        print(f"SKIPPED: no virtual machine: {missing}")
        return 0
    programs, probe = built(arguments)
    unknown = {program for program, _ in tests} - set(programs)
    if unknown:
        print(f"tests.txt names programs that are not built: {sorted(unknown)}")
        return 1
    with tempfile.TemporaryDirectory(prefix="gradus-vm-") as folder:
        make_root(f"{folder}/root", files, {"programs": programs, "probe": probe, "tests": tests})
        console = f"{folder}/console"
        begun, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        boot(files, folder, console)
        seconds, now = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
        processor = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
        text = open(console, errors="replace").read()
        if keep:
            shutil.copy(console, keep)
    wrong = judge(text, tests)
    if wrong:
        print(text)
        print("\n".join(["", f"{len(wrong)} findings in {seconds:.1f} s:", *wrong]))
        return 1
    kernel_line = re.search(r"^== (kernel [^,]*)", text, re.M).group(1)
    print(f"{kernel_line}, version 2 of control groups alone: {len(tests)} tests passed in {seconds:.1f} s ({processor:.1f} s of processor)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
