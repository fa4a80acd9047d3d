#!/usr/bin/env python3
"""Compiles all kernels into the images that the program embeds, and checks them. Needs python3 (3.11 or newer) and a C++ compiler.

    kernels/cubins/build.py            compiles, checks, writes the archives, manifest.json and docs/kernels.md
    kernels/cubins/build.py --check    compiles into a temporary folder and fails where what is committed differs

The compiler is $CUDA_HOME's if set, else installed from wheels below the target folder. No GPU and no driver is needed.
Findings do not keep the files from being written, but the exit status is 1.
"""

import argparse
import concurrent.futures
import difflib
import hashlib
import json
import re
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import archive
import checks
import document
import images
import sources
import toolchain

HERE = pathlib.Path(__file__).resolve().parent
FLAGS = ["-std=c++17", "-O3"]
CUBINS = ["sm_80", "sm_86", "sm_90a"]
PTX = "compute_80"
UPDATE = "help: run kernels/cubins/build.py and commit what it writes"


def architectures(module):
    """What a module is compiled for."""
    return ["sm_90a"] if module.hopper else [*CUBINS, PTX]


def run(command, folder):
    """Output of a command, (stdout, stderr); raises with all it said."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command[1:]))}\n{done.stdout}{done.stderr}".strip())
    return done.stdout, done.stderr


def compile_one(home, stage, module, arch, objects):
    """Image of a module for an architecture, and what the manifest says about its kernels; findings beside it."""
    out = f"out/{module.name}.{arch}"
    options = [*FLAGS, "-Iinclude", "-o", out]
    if arch == PTX:
        options += ["-ptx", f"-arch={arch}"]
    else:
        options += ["-cubin", f"-gencode=arch={arch.replace('sm', 'compute')},code={arch}", "-Xptxas=-v"]
    key = hashlib.sha256(json.dumps([toolchain.COMPILER, module.hash, module.path, options]).encode()).hexdigest()
    kept = objects / key if objects else None
    if kept and kept.is_file():
        log, image = json.loads(kept.with_suffix(".log").read_text()), kept.read_bytes()
        (stage / out).write_bytes(image)
    else:
        log = "".join(run([home / "bin" / "nvcc", *options, module.path], stage))
        image = (stage / out).read_bytes()
        if kept:
            objects.mkdir(parents=True, exist_ok=True)
            kept.with_suffix(".log").write_text(json.dumps(log))
            kept.write_bytes(image)
    if arch == PTX:
        # The compiler numbers unnamed namespaces by chance; nothing outside the image sees the number.
        image = re.sub(rb"_GLOBAL__N__[0-9a-f]{8}", b"_GLOBAL__N__00000000", image)
    kernels, findings = images.report(log)
    findings = [f"{module.path} for {arch}: {line}" for line in findings]
    entry = {"sha256": hashlib.sha256(image).hexdigest(), "bytes": len(image)}
    if arch == PTX:
        return image, entry, {}, findings
    sizes = images.resources(image)
    code = images.opcodes(run([home / "bin" / "nvdisasm", "-c", out], stage)[0])
    details = {}
    for symbol in sorted(kernels):
        name, count = images.main_instruction(code.get(symbol, {}))
        found = {"shared_bytes": 0, "stack_bytes": 0, "spill_bytes": 0, "threads": 0, **sizes.get(symbol, {}), **kernels[symbol]}
        entry.setdefault("kernels", {})[symbol] = {**dict(sorted(found.items())), "instruction": name, "instructions": count}
        details[symbol] = {**found, "opcodes": code.get(symbol, {})}
        if symbol not in code:
            findings.append(f"{module.path} for {arch}: no code of {symbol} in the disassembly")
    return image, entry, details, findings


def build(root, home, objects, workers):
    """Everything: (archives' contents by architecture, manifest, findings)."""
    modules = sources.modules(root)
    table = checks.expectations(HERE / "expect.toml")
    manifest = {"compiler": toolchain.COMPILER, "flags": FLAGS, "modules": {}}
    contents, findings, built = {arch: [] for arch in [*CUBINS, PTX]}, [], {}
    with tempfile.TemporaryDirectory(prefix="gradus-kernels-") as folder:
        stage = sources.stage(root, modules, pathlib.Path(folder) / "stage")
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            jobs = {(m.name, a): pool.submit(compile_one, home, stage, m, a, objects) for m in modules.values() for a in architectures(m)}
        for (name, arch), job in jobs.items():
            module = modules[name]
            row = manifest["modules"].setdefault(name, {"source": module.path, "includes": module.includes, "hash": module.hash, "images": {}})
            try:
                image, entry, details, said = job.result()
            except RuntimeError as error:
                findings.append(f"{module.path} for {arch} does not compile:\n{error}")
                continue
            findings += said
            row["images"][arch] = entry
            contents[arch].append((name, module.hash, image))
            if arch != PTX:
                built.setdefault(name, {})[arch] = details
            for symbol, found in details.items():
                where = f"{name}.{symbol} for {arch}"
                pattern, fields = checks.expected(table, name, symbol, arch)
                if pattern is None:
                    findings.append(f"{where}: not declared in kernels/cubins/expect.toml ({found['registers']} registers)")
                entry["kernels"][symbol]["shared_dynamic"] = fields.get("shared_dynamic", 0)
                if pattern is not None:
                    findings += checks.kernel(where, fields, arch, found)
    findings += checks.undeclared(table, built)
    findings += checks.names_in_rust(root, built)
    return {arch: archive.pack(rows) for arch, rows in contents.items()}, manifest, findings


def differences(root, contents, manifest, text):
    """What is committed and not what was just built."""
    committed = json.loads((HERE / "manifest.json").read_text()) if (HERE / "manifest.json").is_file() else {}
    before, after = committed.get("modules", {}), manifest["modules"]
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            why = "not built before" if name not in before else "gone" if name not in after else "its source or images changed"
            yield f"manifest.json: module {name} differs: {why}"
    if {k: v for k, v in committed.items() if k != "modules"} != {k: v for k, v in manifest.items() if k != "modules"}:
        yield "manifest.json: the compiler or its flags differ"
    for arch, content in contents.items():
        found = archive.read(HERE / f"{arch}.images")
        if found != content:
            old, new = archive.names(found), archive.names(content)
            which = [n for n in sorted(old.keys() | new.keys()) if old.get(n) != new.get(n)]
            yield f"{arch}.images differs" + (f": {', '.join(which)}" if which else " in its hashes, or is damaged or missing")
    place = root.parent / "docs" / "kernels.md"
    old = place.read_text() if place.is_file() else ""
    if old != text:
        changed = [line for line in difflib.unified_diff(old.splitlines(), text.splitlines(), "committed", "built", lineterm="", n=0)]
        yield "docs/kernels.md is not current:\n" + "\n".join(changed[:20])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, compare with what is committed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    root, begun = HERE.parent, time.monotonic()
    try:
        home = toolchain.cuda_home(root)
        ready = time.monotonic()
        # What is compared with the repository is compiled anew; otherwise what has not changed is kept.
        target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or root.parent / "target")
        contents, manifest, findings = build(root, home, None if arguments.check else target / "cuda" / "objects", arguments.jobs)
    except (toolchain.ToolchainError, sources.SourceError) as error:
        sys.exit(str(error))
    text = document.text(manifest)
    if arguments.check:
        different = list(differences(root, contents, manifest, text))
        findings += different + ([UPDATE] if different else [])
    else:
        for arch, content in contents.items():
            archive.write(HERE / f"{arch}.images", content)
        (HERE / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
        (root.parent / "docs" / "kernels.md").write_text(text)
    for finding in findings:
        print(finding, file=sys.stderr)
    count = sum(len(row["images"]) for row in manifest["modules"].values())
    size = sum((HERE / f"{arch}.images").stat().st_size for arch in contents if (HERE / f"{arch}.images").is_file())
    print(f"{len(manifest['modules'])} modules, {count} images, {size} bytes of archives; compiler ready in {ready - begun:.1f} s, built in {time.monotonic() - ready:.1f} s; {len(findings)} findings")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
