"""Kernel sources: which there are, what they include, their hash. build.rs computes the same hash."""

import hashlib
import pathlib
import re
import shutil
from dataclasses import dataclass, field

INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*"([^"\n]+)"', re.M)


class SourceError(Exception):
    """Sources that cannot be told apart, or none."""


@dataclass
class Module:
    """One .cu file. `includes` are paths below include/, sorted."""

    name: str
    path: str
    hopper: bool
    hash: str = ""
    includes: list = field(default_factory=list)


def modules(root):
    """All modules below root/src by name: the folder's name, with _sm90 for kernel_sm90.cu."""
    found = {}
    for file in sorted(root.glob("src/**/kernel*.cu")):
        if file.name not in ("kernel.cu", "kernel_sm90.cu"):
            raise SourceError(f"{file}: a kernel's file is kernel.cu or kernel_sm90.cu")
        name = file.parent.name + file.stem.removeprefix("kernel")
        if name in found:
            raise SourceError(f"two modules are called {name}: {found[name].path}, {file}")
        module = Module(name, file.relative_to(root).as_posix(), file.stem == "kernel_sm90")
        module.includes = closure(root, file)
        module.hash = digest(root, module)
        found[name] = module
    if not found:
        raise SourceError(f"no kernel.cu below {root}/src")
    return dict(sorted(found.items()))


def closure(root, file):
    """Included files, at any depth. Names that are not below include/ belong to the emulator and are not compiled here."""
    seen, waiting = set(), [file]
    while waiting:
        for name in INCLUDE.findall(waiting.pop().read_bytes()):
            name = name.decode()
            header = root / "include" / name
            if header.is_file() and name not in seen:
                seen.add(name)
                waiting.append(header)
    return sorted(seen)


def digest(root, module):
    """SHA-256 over the source's bytes, then each include's name and bytes, each behind its length (u64, little endian)."""
    state = hashlib.sha256()

    def put(data):
        state.update(len(data).to_bytes(8, "little"))
        state.update(data)

    put((root / module.path).read_bytes())
    for name in module.includes:
        put(name.encode())
        put((root / "include" / name).read_bytes())
    return state.hexdigest()


def stage(root, names, folder):
    """Copies what is compiled, so that no path of this machine can reach an image."""
    shutil.copytree(root / "include", folder / "include")
    for module in names.values():
        place = folder / module.path
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / module.path, place)
    (folder / "out").mkdir()
    return pathlib.Path(folder)
