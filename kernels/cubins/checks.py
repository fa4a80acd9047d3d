"""What every kernel must be: declared in expect.toml, without spills and local memory, within its registers, made of its instructions."""

import fnmatch
import re
import tomllib

from images import blocks_per_sm

FIELDS = {"registers_max": int, "needs": list, "shared_dynamic": int, "blocks_min": int}
NAME = re.compile(r'KernelName\s*\{\s*module:\s*"(\w+)",\s*symbol:\s*"(\w+)"')


def expectations(path):
    """expect.toml: module, symbol (or pattern), fields; a table below one named for an architecture overrides it there."""
    return tomllib.loads(path.read_text())


def expected(table, module, symbol, arch):
    """What is declared for a kernel: (pattern, fields), the pattern None if nothing is."""
    patterns = table.get(module, {})
    fitting = [p for p in patterns if p == symbol or fnmatch.fnmatchcase(symbol, p)]
    if not fitting:
        return None, {}
    pattern = max(fitting, key=lambda p: (p == symbol, len(p)))
    fields = {k: v for k, v in patterns[pattern].items() if not isinstance(v, dict)}
    fields.update(patterns[pattern].get(arch, {}))
    return pattern, fields


def kernel(where, fields, arch, found):
    """Findings about one kernel of one architecture."""
    for key, value in fields.items():
        if key not in FIELDS or not isinstance(value, FIELDS[key]):
            yield f"{where}: expect.toml has {key} = {value!r}; fields are {', '.join(FIELDS)}"
    if found["spill_bytes"] or found["stack_bytes"]:
        yield f"{where}: {found['spill_bytes']} bytes are spilled, the stack has {found['stack_bytes']}; expected none of either"
    local = [name for name in found["opcodes"] if name.split(".")[0] in ("LDL", "STL")]
    if local:
        yield f"{where}: local memory is used ({', '.join(sorted(local))}); index arrays by constants"
    most = fields.get("registers_max")
    if not isinstance(most, int):
        yield f"{where}: expect.toml gives no registers_max; it uses {found['registers']}"
    elif found["registers"] > most:
        yield f"{where}: {found['registers']} registers, expected at most {most}"
    for needed in fields.get("needs", []):
        if not any(name.startswith(needed) for name in found["opcodes"]):
            yield f"{where}: no instruction {needed} in the code"
    if found["threads"] == 0:
        yield f"{where}: no launch bounds; define it by GRADUS_KERNEL"
    blocks = blocks_per_sm(arch, found["threads"], found["registers"], found["shared_bytes"] + fields.get("shared_dynamic", 0))
    if blocks < fields.get("blocks_min", 1):
        yield f"{where}: {blocks} blocks fit a multiprocessor, expected at least {fields.get('blocks_min', 1)}"


def undeclared(table, built):
    """Entries of expect.toml that no kernel needs: left over, or misspelt."""
    for module, patterns in table.items():
        symbols = {s for kernels in built.get(module, {}).values() for s in kernels}
        for pattern in patterns:
            used = {expected(table, module, s, "")[0] for s in symbols}
            if pattern not in used:
                yield f"expect.toml: [{module}.{pattern}] is about no kernel that is built"


def names_in_rust(root, built):
    """KernelName constants of the crate that no module has."""
    for file in sorted(root.glob("src/**/*.rs")):
        for module, symbol in NAME.findall(file.read_text()):
            if module in built and any(symbol in kernels for kernels in built[module].values()):
                continue
            if "tests" in file.stem or "device" in file.parent.name:
                continue
            yield f"{file.relative_to(root)}: there is no kernel {symbol} in module {module}"
