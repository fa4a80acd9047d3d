#!/usr/bin/env python3
"""Runs a public test suite of container runtimes, contest (https://github.com/youki-dev/youki), against several of them, and compares.

    contest.py --contest ./contest --runtimetest ./runtimetest --bundle ./bundle.tar.gz \\
        --runtime runc=/usr/sbin/runc --runtime 'gradus=/usr/local/bin/gradus sandbox --state /tmp/state oci' \\
        --against runc --markdown contest.md

Each group of tests runs by itself, in namespaces of its own for mounts, host name, network and System V IPC, and is killed after --timeout. A
group whose suite dies is run again test by test, where contest_reasons.json lists its tests; else it has the tests that another runtime has an
answer to, as failed. Why a test is not passed is in that file too.

To build contest: an ordinary build; runtimetest: a static one, from the same command (their features are unified). Root is needed.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RESULT = re.compile(r"^\d+ / \d+ : (.+?) : (ok|not ok|skipped)$")
UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
GROUPS = Path("/sys/fs/cgroup")
REASONS = Path(__file__).with_name("contest_reasons.json")


def main():
    arguments = parse()
    runtimes = dict(one.split("=", 1) for one in arguments.runtime)
    results = {name: tests for file in arguments.others for name, tests in json.loads(Path(file).read_text()).items()}
    with tempfile.TemporaryDirectory(prefix="contest-") as folder:
        os.symlink(Path(arguments.bundle).resolve(), f"{folder}/bundle.tar.gz")
        groups = arguments.groups.split(",") if arguments.groups else listed(arguments.contest, folder)
        for name, command in runtimes.items():
            program = wrapped(folder, name, command)
            for group in groups:
                started = time.monotonic()
                found = run(arguments, folder, name, program, group)
                if "" in found:
                    for test in reasons().get("tests", {}).get(group, []):
                        alone = run(arguments, folder, name, program, f"{group}::{test}")
                        found[test] = alone.get(test, alone.get("", ("died", "no verdict")))
                    if len(found) > 1:
                        del found[""]
                results.setdefault(name, {})[group] = found
                took = time.monotonic() - started
                print(f"{name:8} {group:34} {counted(found):24} {took:5.1f} s", flush=True)
                if arguments.verbose:
                    for test, (verdict, why) in found.items():
                        print(f"    {verdict:8} {test}: {why}")
    complete(results)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(results, indent=1) + "\n")
    text = table(results, arguments.against, reasons())
    print(text)
    if arguments.markdown:
        Path(arguments.markdown).write_text(text)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contest", required=True, type=os.path.abspath, help="the suite's program")
    parser.add_argument("--runtimetest", required=True, type=os.path.abspath, help="its program inside, static")
    parser.add_argument("--bundle", required=True, help="its bundle.tar.gz")
    parser.add_argument("--runtime", action="append", default=[], metavar="NAME=COMMAND", help="repeat for more")
    parser.add_argument("--against", metavar="NAME", help="list what this one passes and others do not")
    parser.add_argument("--groups", metavar="A,B", help="only these")
    parser.add_argument("--timeout", type=int, default=120, metavar="SECONDS", help="of a group")
    parser.add_argument("--with", dest="others", action="append", default=[], metavar="FILE", help="verdicts of other runtimes, of --json")
    parser.add_argument("--json", metavar="FILE", help="every verdict")
    parser.add_argument("--markdown", metavar="FILE", help="the table")
    parser.add_argument("--verbose", action="store_true", help="every verdict, as it comes")
    return parser.parse_args()


def listed(contest, folder):
    """The names of all groups; the suite makes bundles before it lists them."""
    text = subprocess.run([contest, "list"], cwd=folder, capture_output=True, text=True, check=True).stdout
    return text.split()


def wrapped(folder, name, command):
    """A program that is one file: the suite knows no arguments of a runtime's own."""
    if " " not in command:
        return command
    path = Path(folder, name)
    path.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    path.chmod(0o755)
    return str(path)


def run(arguments, folder, name, program, group):
    """The verdicts of a group: {test: (verdict, why)}."""
    before = leftovers()
    with tempfile.TemporaryDirectory(prefix="contest-tmp-") as bundles:
        command = ["unshare", "-m", "-n", "-u", "-i", "timeout", "-s", "KILL", str(arguments.timeout)]
        command += [arguments.contest, "run", "--runtime", program, "--runtimetest", arguments.runtimetest, "-t", group]
        environment = {**os.environ, "RUNTIME_KIND": name, "TMPDIR": bundles}
        done = subprocess.run(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, text=True,
                              errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        found = verdicts(done.stdout)
        if not found:
            lines = [line for line in done.stdout.strip().splitlines() if line.strip()]
            found = {"": ("died", " | ".join(lines[-4:])[-600:] or f"exit code {done.returncode}")}
        sweep(leftovers() - before)
        unmount(bundles)
    return found


def verdicts(text):
    found, lines = {}, text.splitlines()
    for index, line in enumerate(lines):
        if match := RESULT.match(line):
            why = lines[index + 1].strip() if index + 1 < len(lines) and match[2] != "ok" else ""
            found[match[1]] = ({"ok": "passed", "not ok": "failed"}.get(match[2], match[2]), why[:600])
    return found


def leftovers():
    """Control groups that containers of the suite have left: it names them by UUIDs, or puts them below one directory."""
    # Groups of others come and go meanwhile, which this walk does not mind.
    paths = (Path(folder, name) for folder, names, _ in os.walk(GROUPS) for name in names)
    return {path for path in paths if UUID.match(path.name) or "runtime-test" in path.parts}


def sweep(groups):
    for path in sorted(groups, key=lambda path: -len(path.parts)):
        for _ in range(50):
            try:
                members = [int(pid) for pid in path.joinpath("cgroup.procs").read_text().split()]
            except OSError:
                break
            for pid in members:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            try:
                path.rmdir()
                break
            except OSError:
                time.sleep(0.05)


def unmount(folder):
    """What the suite has mounted below its bundles went with its namespace; what a runtime has mounted here did not."""
    for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
        target = line.split()[1]
        if target.startswith(folder):
            subprocess.run(["umount", "-l", target], check=False)


def complete(results):
    """Where a suite died, its tests are those that it has with other runtimes."""
    for found in results.values():
        for group, tests in found.items():
            if "" not in tests:
                continue
            verdict = tests.pop("")
            names = {name for other in results.values() for name in other[group] if name}
            tests.update({name: verdict for name in names or {group}})


def counted(tests):
    verdicts = [verdict for verdict, _ in tests.values()]
    return " ".join(f"{verdicts.count(kind)} {kind}" for kind in ("passed", "failed", "died", "skipped") if kind in verdicts)


def reasons():
    return json.loads(REASONS.read_text()) if REASONS.exists() else {}


def table(results, against, reasons):
    names = list(results)
    groups = next(iter(results.values()))
    text = "passed / not passed / skipped\n\n| group | " + " | ".join(names) + " |\n|---|" + "---|" * len(names) + "\n"
    sums = {name: [0, 0, 0] for name in names}
    for group in groups:
        cells = []
        for name in names:
            verdicts = [verdict for verdict, _ in results[name][group].values()]
            counts = [verdicts.count("passed"), verdicts.count("failed") + verdicts.count("died"), verdicts.count("skipped")]
            sums[name] = [a + b for a, b in zip(sums[name], counts)]
            cells.append(" / ".join(map(str, counts)))
        text += f"| {group} | " + " | ".join(cells) + " |\n"
    text += "| **all** | " + " | ".join("**" + " / ".join(map(str, sums[name])) + "**" for name in names) + " |\n"
    for name in names:
        if not against or name == against:
            continue
        for title, here, there in ((f"Passed by {against}, not by {name}", against, name),
                                   (f"Passed by {name}, not by {against}", name, against)):
            text += f"\n## {title}\n\n| test | {there} | reason |\n|---|---|---|\n"
            for group in groups:
                for test, (verdict, _) in sorted(results[here][group].items()):
                    other = results[there][group].get(test, ("absent", ""))
                    if verdict == "passed" and other[0] != "passed":
                        key = f"{group}::{test}"
                        reason = reasons.get(there, {}).get(key, other[1].replace("|", "/")[:160])
                        text += f"| {key} | {other[0]} | {reason} |\n"
    return text


if __name__ == "__main__":
    sys.exit(main())
