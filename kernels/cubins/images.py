"""Reads what the compiler made: its report, the image's ELF sections, the disassembly."""

import re
import struct

# What ptxas -v says of a sound kernel. Anything else is a finding: warnings, and "info" about serialised wgmma or ignored setmaxnreg.
EXPECTED = re.compile(
    r"^(ptxas info\s*: (\d+ bytes gmem.*|Compiling entry function .*|Function properties for .*|Compile time .*|Used \d+ registers.*)"
    r"|\s*\d+ bytes stack frame, \d+ bytes spill stores, \d+ bytes spill loads|)$"
)
ENTRY = re.compile(r"Compiling entry function '(\w+)'")
STACK = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
REGISTERS = re.compile(r"Used (\d+) registers(?:, used (\d+) barriers)?")


def report(log):
    """ptxas's report: kernels' numbers by symbol, and lines that a sound kernel does not cause."""
    kernels, findings, current = {}, [], None
    for line in log.splitlines():
        if not EXPECTED.match(line):
            findings.append(line.strip())
        if match := ENTRY.search(line):
            current = kernels.setdefault(match[1], {})
        elif current is not None and (match := STACK.search(line)):
            current["stack_bytes"] = int(match[1])
            current["spill_bytes"] = int(match[2]) + int(match[3])
        elif current is not None and (match := REGISTERS.search(line)):
            current["registers"] = int(match[1])
            current["barriers"] = int(match[2] or 0)
    return kernels, findings


def sections(cubin):
    """ELF64 sections: (name, bytes in the file, size in memory)."""
    if cubin[:5] != b"\x7fELF\x02":
        raise ValueError("not an ELF64 image")
    (table,) = struct.unpack_from("<Q", cubin, 0x28)
    size, count, names = struct.unpack_from("<HHH", cubin, 0x3A)
    rows = [struct.unpack_from("<IIQQQQ", cubin, table + i * size) for i in range(count)]
    text = cubin[rows[names][4] : rows[names][4] + rows[names][5]]
    for name, kind, _, _, offset, length in rows:
        label = text[name : text.index(0, name)].decode()
        yield label, b"" if kind == 8 else cubin[offset : offset + length], length


def attributes(info):
    """A kernel's .nv.info: attribute number to its bytes. Formats: 1 nothing, 2 byte, 3 half word, 4 sized."""
    found, at = {}, 0
    while at + 4 <= len(info):
        form, number, value = struct.unpack_from("<BBH", info, at)
        at += 4
        if form == 4:
            found[number] = info[at : at + value]
            at += value
        else:
            found[number] = struct.pack("<H", value)
    return found


def resources(cubin):
    """Per kernel: threads, bytes of parameters, static shared memory."""
    kernels = {}
    for name, data, size in sections(cubin):
        if name.startswith(".nv.info."):
            known = attributes(data)
            kernel = kernels.setdefault(name.removeprefix(".nv.info."), {})
            # 0x05 is the launch bound, 0x19 the size of the parameters.
            kernel["threads"] = struct.unpack("<III", known[0x05])[0] if 0x05 in known else 0
            kernel["params_bytes"] = struct.unpack("<H", known[0x19])[0] if 0x19 in known else 0
        elif name.startswith(".nv.shared.") and not name.startswith(".nv.shared.reserved"):
            # From sm_90 on, the section counts the 1,024 bytes that the system keeps in each block.
            kept = 1024 if any(n.startswith(".nv.shared.reserved") for n, _, _ in sections(cubin)) and size >= 1024 else 0
            kernels.setdefault(name.removeprefix(".nv.shared."), {})["shared_bytes"] = size - kept
    return kernels


FUNCTION = re.compile(r"^\.text\.(\w+):")
INSTRUCTION = re.compile(r"^\s*/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.x]*)")


def opcodes(disassembly):
    """Per kernel: opcodes and how often each is in the code."""
    kernels, current = {}, None
    for line in disassembly.splitlines():
        if match := FUNCTION.match(line):
            current = kernels.setdefault(match[1], {})
        elif current is not None and (match := INSTRUCTION.match(line)):
            current[match[1]] = current.get(match[1], 0) + 1
    return kernels


def main_instruction(counts):
    """The instruction that does the work: a matrix product, or the most frequent of f32 arithmetic and wide loads."""
    for group in (("HGMMA", "QGMMA"), ("HMMA",), ("DFMA",), ("FFMA", "FMUL", "FADD"), ("LDG",), ("STG",)):
        of = [(count, name) for name, count in counts.items() if name.split(".")[0] in group]
        if of:
            count, name = max(of)
            return name, count
    return "none", 0


# Per multiprocessor: warps, blocks, bytes of shared memory. 65,536 registers everywhere.
LIMITS = {"sm_80": (64, 32, 167936), "sm_86": (48, 16, 102400), "sm_90a": (64, 32, 233472)}


def blocks_per_sm(arch, threads, registers, shared):
    """Blocks that fit a multiprocessor: registers go in 256 per warp, shared memory in 128 bytes, 1 KiB per block is the system's."""
    warps_max, blocks_max, shared_max = LIMITS[arch]
    warps = -(-threads // 32)
    if warps == 0:
        return 0
    per_warp = -(-registers * 32 // 256) * 256
    # Registers lie in four partitions: each holds whole warps.
    by_registers = (16384 // per_warp * 4) // warps if per_warp else blocks_max
    by_shared = shared_max // (-(-shared // 128) * 128 + 1024)
    return min(blocks_max, warps_max // warps, by_registers, by_shared)
