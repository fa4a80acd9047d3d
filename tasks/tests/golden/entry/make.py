#!/usr/bin/env python3
"""Digests of sources as the subnet compares them: sources.json beside this file. Python 3.11 or later; nothing else.

Each case is a tree, written to a temporary directory and read back as the subnet reads it: text files in the order of
their paths, each path, zero byte, normalised text, zero byte into one SHA-256.
"""

import base64
import hashlib
import json
import pathlib
import tempfile

PARTS = ".git .hg .svn __pycache__ .pytest_cache .mypy_cache .ruff_cache node_modules dist build .next .venv venv".split()
SUFFIXES = (
    ".png .jpg .jpeg .gif .webp .pdf .zip .tar .gz .bz2 .xz .7z .bin .pt .pth .safetensors .onnx .npy .npz .lock"
).split()
NAMES = ["LICENSE", "LICENSE.md", "NOTICE"]


def counts(root, path):
    rel = path.relative_to(root)
    if any(part in PARTS for part in rel.parts) or rel.name in NAMES or rel.suffix.lower() in SUFFIXES:
        return False
    return b"\0" not in path.read_bytes()[:4096]


def digest(root):
    total = hashlib.sha256()
    files = {str(p.relative_to(root)): p for p in root.rglob("*") if p.is_file() and counts(root, p)}
    for rel in sorted(files):
        kept = []
        for line in files[rel].read_text(errors="replace", encoding="utf-8").splitlines():
            line = line.strip()
            if line and not line.startswith("#"):
                kept.append(" ".join(line.split()))
        for piece in (rel.encode(), b"\0", "\n".join(kept).encode(), b"\0"):
            total.update(piece)
    return total.hexdigest()


BASE = {"train.py": b"import os\n\ndef f(x):\n    return x + 1  # one\n", "ops/run.sh": b"#!/bin/sh\nexec python train.py\n"}
CASES = {
    "nothing": {},
    "base": BASE,
    "spaces_comments_and_line_ends_change_nothing": {
        "train.py": b"# copied\r\nimport   os\r\n\r\n\r\ndef f(x):\r\n\treturn x +\t1  # one\r\n# end",
        "ops/run.sh": b"#!/bin/bash\n\n  exec  python  train.py  \n\n",
    },
    "files_that_do_not_count": BASE
    | {
        "LICENSE.md": b"x", "sub/NOTICE": b"x", "build/out.txt": b"x", "a/.git/config": b"x", "logo.PNG": b"x", "w.SafeTensors": b"x",
        "zero.txt": b"a\0b", "uv.lock": b"x", "venv/lib/x.py": b"x",
    },
    "names_that_only_look_like_it": BASE
    | {".png": b"x", "png": b"x", "a.png.": b"x", "builds/x": b"x", "license.md": b"x", "late-zero.txt": b"a" * 4096 + b"\0"},
    "another_path": {"train2.py": BASE["train.py"], "ops/run.sh": BASE["ops/run.sh"]},
    "not_utf8": {"a.py": b"x = '\xff\xfe\xe2\x82'\n\xf0\x9f\x92y\n", "b.py": b"\xef\xbb\xbf# comment behind a mark\n"},
    "every_space_and_line_end": {
        "s.txt": "a\x0bb\x0cc\x1cd\x1de\x1ef\x1fg\x85h\u2028i\u2029j\u00a0k\u1680l\u2000m\u200bn\u202fo\u3000p\n\x1f# q\n\u3000r \u180e\n".encode()
    },
    "order_is_by_code_points": {"\U0001f600.py": b"1", "\uff5e.py": b"2", "Z.py": b"3", "a.py": b"4", "a/b.py": b"5", "a-b.py": b"6"},
    "comments_only": {"c.py": b"# a\n   # b\n\n", "e.py": b""},
}

out = []
for name, files in CASES.items():
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        for rel, data in files.items():
            path = root / rel
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        listed = {rel: base64.b16encode(data).decode().lower() for rel, data in files.items()}
        out.append({"name": name, "files": listed, "digest": digest(root)})
pathlib.Path(__file__).with_name("sources.json").write_text(json.dumps(out, indent=1) + "\n")
print(len(out), "cases")
