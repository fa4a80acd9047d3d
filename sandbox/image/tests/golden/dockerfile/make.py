#!/usr/bin/env python3
"""Writes expected.json: what `buildah` makes of the Dockerfiles in cases/, which files it copies under ignores/, and what
`bash` makes of words with variables, most of which buildah does not know.

An independent implementation: buildah has its own evaluator of Dockerfiles (imagebuilder) and its own reader of
.dockerignore. It runs offline: every case builds FROM scratch, without RUN. As root, with Debian's buildah:

    apt-get install buildah && ./make.py

What buildah refuses is written as an error. Where it means something else than BuildKit, `differs` in the test says so.
"""

import json
import os
import pathlib
import subprocess
import tempfile

HERE = pathlib.Path(__file__).parent
FILES = [
    "README.md", "NOTES.md", "out.txt", "a*b", "axb", "x.tmp", "top.log",
    "build/x", "build/deep/y.log",
    "src/a.log", "src/a.py", "src/b.tmp", "src/c.py", "src/cache/z", "src/pkg/m.pyc", "src/pkg/m.py", "src/pkg/cache/q",
    "data/one/raw/keep.bin", "data/one/raw/drop.bin", "data/two/raw/r", "data/two/cooked/c",
    "keep/k", "#notcomment",
]

VARIABLES = {"a": "one", "empty": "", "path": "/usr/local/lib/x.tar.gz", "sp": "x  y", "star": "a*b", "dup": "abcabc", "u": "äöü"}
WORDS = r"""
$a
${a}
$unset
x${a}y$a
${a:-w}
${empty:-w}
${empty-w}
${unset-w}
${unset:-$a}
${unset:-${empty:-${a}}}
${unset:-a b}
${unset:-"a b"}
${unset:-'$a'}
${a:+w}
${empty:+w}
${empty+w}
${unset+w}
${a:?no}
${empty?no}
${path#*/}
${path##*/}
${path%.*}
${path%%.*}
${path#nothing}
${path%.g?}
${path#/*l}
${path##/*l}
${dup#*b}
${dup##*b}
${dup%b*}
${dup%%b*}
${dup#?}
${dup%??}
${a/n/N}
${path/\//_}
${path//\//_}
${path//l*b/L}
${dup/b/x}
${dup//b/x}
${dup//?/x}
${dup/nothing/x}
${dup//b/}
${dup//bc/$a}
${star#a\*}
${star%\*b}
${star/\*/x}
${u#?}
${u%?}
${u/ö/o}
'$a'
"$a"
"a'b'$a"
'a"b"'
\$a
"\$a"
"\n"
"\\"
\\
a\ b
$sp
"$sp"
$
a$
"$"
$.x
a"b"c'd'e
""
''
$a$a"$a"'$a'
${a}${unset}${empty}x
""".split("\n")[1:-1]


def buildah(store, *arguments, **options):
    command = ["buildah", "--storage-driver", "vfs", "--root", f"{store}/root", "--runroot", f"{store}/run", *arguments]
    return subprocess.run(command, capture_output=True, text=True, **options)


def build(store, dockerfile, context):
    options = ["bud", "--isolation", "chroot", "--format", "docker", "--pull-never", "--no-cache", "-f", str(dockerfile)]
    done = buildah(store, *options, "-t", "case", str(context))
    if done.returncode != 0:
        lines = [l for l in done.stderr.splitlines() if l.strip()]
        return None, lines[-1] if lines else "failed"
    return json.loads(buildah(store, "inspect", "--type", "image", "case", check=True).stdout), None


def facts(image):
    docker = image["Docker"]
    config = docker["config"]
    labels = {k: v for k, v in (config.get("Labels") or {}).items() if not k.startswith("io.buildah.")}
    return {
        "env": config.get("Env") or [],
        "working_dir": config.get("WorkingDir") or "",
        "user": config.get("User") or "",
        "shell": config.get("Shell"),
        "labels": labels,
        "ports": sorted(config.get("ExposedPorts") or {}),
        "volumes": sorted(config.get("Volumes") or {}),
        "entrypoint": config.get("Entrypoint") or None,
        "cmd": config.get("Cmd") or None,
        "healthcheck": config.get("Healthcheck"),
        "stop_signal": config.get("StopSignal"),
        "author": docker.get("author") or "",
    }


def copied(store, ignore):
    with tempfile.TemporaryDirectory() as directory:
        context = pathlib.Path(directory) / "context"
        for name in FILES:
            path = context / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
        (context / ".dockerignore").write_bytes(ignore.read_bytes())
        dockerfile = pathlib.Path(directory) / "Dockerfile"
        dockerfile.write_text("FROM scratch\nCOPY . /\n")
        image, error = build(store, dockerfile, context)
        if error:
            return {"error": error}
        container = buildah(store, "from", "--pull-never", "case", check=True).stdout.strip()
        root = pathlib.Path(buildah(store, "mount", container, check=True).stdout.strip())
        found = sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())
        buildah(store, "rm", container, check=True)
        return {"files": [f for f in found if f != ".dockerignore"]}


def by_bash(word):
    script = f"r={word}\nprintf %s \"$r\""
    environment = {**VARIABLES, "LC_ALL": "C.UTF-8"}
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, env=environment).stdout


def main():
    with tempfile.TemporaryDirectory() as store, tempfile.TemporaryDirectory() as empty:
        version = buildah(store, "--version", check=True).stdout.strip()
        cases = {}
        for path in sorted((HERE / "cases").glob("*.Dockerfile")):
            image, error = build(store, path, empty)
            cases[path.stem] = {"error": error} if error else facts(image)
        ignores = {p.stem: copied(store, p) for p in sorted((HERE / "ignores").glob("*.dockerignore"))}
        buildah(store, "rmi", "--all", "--force")
    bash = subprocess.run(["bash", "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    words = [[word, by_bash(word)] for word in WORDS]
    shell = {"variables": VARIABLES, "words": words}
    expected = {"made_by": [version, bash], "shell": shell, "files": FILES, "cases": cases, "ignores": ignores}
    text = json.dumps(expected, indent=1, sort_keys=True, ensure_ascii=False)
    (HERE / "expected.json").write_text(text + "\n")
    print(f"{len(cases)} Dockerfiles and {len(ignores)} .dockerignore by {version}, {len(words)} words by {bash}")


main()
