"""docs/kernels.md, from the manifest."""

from images import LIMITS, blocks_per_sm

HEAD = """# Kernels as compiled

Written by `kernels/cubins/build.py` from what nvcc {compiler} made; not measured on a GPU. CI compiles all of it again and fails where
this page is not current. Per multiprocessor: how many blocks fit, computed from threads, registers and shared memory (static, and dynamic
as declared in [`kernels/cubins/expect.toml`](../kernels/cubins/expect.toml)). Columns with three numbers are sm_80 / sm_86 / sm_90a.
Where expect.toml gives no `shared_dynamic`, dynamic shared memory is not counted: fewer blocks may fit than the column says.
No kernel spills registers or uses local memory unless its row says so.
"""


def text(manifest):
    """The page."""
    lines = [HEAD.format(compiler=manifest["compiler"])]
    lines += ["| module | kernel | threads | registers | shared bytes | parameters | blocks per SM | spilled bytes | main instruction |", "|---|---|---|---|---|---|---|---|---|"]
    for name, module in sorted(manifest["modules"].items()):
        cubins = [(arch, module["images"][arch].get("kernels", {})) for arch in LIMITS if arch in module["images"]]
        for symbol in sorted({s for _, kernels in cubins for s in kernels}):
            rows = [(arch, kernels[symbol]) for arch, kernels in cubins if symbol in kernels]
            blocks = [blocks_per_sm(a, k["threads"], k["registers"], k["shared_bytes"] + k["shared_dynamic"]) for a, k in rows]
            last = rows[-1][1]
            cells = [
                name,
                f"`{symbol.removeprefix('gradus_')}`",
                same([k["threads"] for _, k in rows]),
                same([k["registers"] for _, k in rows]),
                same([shared(k) for _, k in rows]),
                same([k.get("params_bytes", 0) for _, k in rows]),
                same(blocks),
                same([k["spill_bytes"] for _, k in rows]),
                f"{last['instruction']} ×{last['instructions']}",
            ]
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def shared(kernel):
    """Static + dynamic bytes."""
    return f"{kernel['shared_bytes']} + {kernel['shared_dynamic']}" if kernel["shared_dynamic"] else str(kernel["shared_bytes"])


def same(values):
    """One value if all architectures agree."""
    return str(values[0]) if len(set(values)) == 1 else " / ".join(map(str, values))
