#!/usr/bin/env python3
"""What a run of check.sh says of each bar: `benches/gpu/figures.py RUN [>RUN/figures.md]`, a table in Markdown. Needs Python alone.

RUN is a folder as check.sh leaves it; results that lie in it directly are read, too. A figure whose run is not there is "not measured"; a
bar that is missed is no failure of this script. Times are medians, rates of models those of the fastest run.
"""
import json, sys
from pathlib import Path

run = Path(sys.argv[1])
if not run.is_dir(): sys.exit(f"{run} is not a folder: check.sh makes one, and --results names it")


def read(*names):
    for name in names:
        if (run / name).is_file():
            return json.loads((run / name).read_text())
    return None


FAMILIES = ["linear", "cross_entropy", "kl", "attention", "rms_norm"]       # one file for each step of check.sh
kernels, peaks, machine = [], {}, {}
for family in FAMILIES:
    result = read(f"kernels/{family}.json", f"{family}.json")
    if result:
        kernels += result["rows"]
        machine = result["machine"]
        for name in ("gflop_s", "gb_s"): peaks[name] = max(peaks.get(name, 0), result["peaks"][name])
ours = {(row["family"], row["shape"]): row for row in kernels if row.get("variant", "gradus") == "gradus"}


def tflop_s(row): return row["flop"] / row["us"]["p50"] / 1e6


lines = []


def figure(what, value, bar=None, unit="", digits=1):
    """One line; value: None if it was not measured. A bar is a least value."""
    state = "" if bar is None else "not measured" if value is None else "met" if value >= bar else "MISSED"
    shown = "not measured" if value is None else f"{value:,.{digits}f}{unit}"
    lines.append(f"| {what} | {shown} | {'' if bar is None else f'{bar:,.{digits}f}{unit}'} | {state} |")


def kernel(family, shape, of, *bar):
    row = ours.get((family, shape))
    figure(f"{family} {shape}", of(row) if row else None, *bar)


kernel("cross_entropy", "16384x131072x4096", tflop_s, 720, " TFLOP/s", 0)
for shape in ("32x8x128,lengths=4*2048", "32x8x128,lengths=2*4096"):
    kernel("attention", shape, lambda row: row["percent"]["p50"], 70, " % of the product's rate")
# All that goes row by row, but for what is done once for an adapter.
rows = [r for r in ours.values() if r["family"] in ("rms_norm", "layer_norm", "add_normed", "rope", "activation", "embedding", "gather")]
for row in rows or [None]:
    name = f"{row['family']} {row['shape']}" if row else "kernels of rows"
    figure(name, row["percent"]["p50"] if row else None, 85, " % of a copy")


def model(name):
    result = read(f"eval/{name}.json")
    return result["rows"][0] if result and result["rows"] else None


def rate(name):
    row = model(name)
    return row["eval"]["tokens_per_s"] if row else None


def ratio(a, b): return a / b if a and b else None


for name, bar in (("0.5b", 500e3), ("1.5b", 190e3), ("8b", 42e3)):
    row = model(name)
    figure(f"evaluation {name}", rate(name), bar, " tokens/s", 0)
    figure(f"evaluation {name}, of its limit", row["percent"]["p50"] if row and row["flop"] else None, None, " %")
for candidates in (8, 32):
    figure(f"{candidates} adapters over one", ratio(rate(f"0.5b-{candidates}"), rate("0.5b-1")), 0.95, "", 3)
# Weights that are on the device cost a run nothing: what more rows take, at the same weights, is the time of resident ones.
few, many = model("8b-few"), model("8b")
streamed = None
if few and many:
    more = many["eval"]["tokens"] - few["eval"]["tokens"]
    seconds = [row["eval"]["tokens"] / row["eval"]["tokens_per_s"] for row in (few, many)]
    if more > 0 and seconds[1] > seconds[0]: streamed = rate("8b") / (more / (seconds[1] - seconds[0]))
figure("8b streamed over resident (the rate over that of the rows beyond the fewer)", streamed, 0.95, "", 3)
for mode in ("bs1", "batch", "chunked", "packed"):
    path = run / f"eval/transformers-{mode}.json"
    lines_of = [line for line in path.read_text().splitlines() if line.startswith("{")] if path.is_file() else []
    theirs = json.loads(lines_of[-1])["tokens_per_s"] if lines_of else None
    figure(f"evaluation 0.5b over transformers {mode}", ratio(rate("0.5b"), theirs), None, " x", 2)
for family in FAMILIES:
    result = read(f"peers/{family}.json")
    best = {}
    for row in result["rows"] if result else []:
        key = (row["family"], row["shape"])
        if key in ours: best[key] = min(best.get(key, row), row, key=lambda r: r["us"]["p50"])
    for (name, shape), row in best.items():
        figure(f"{name} {shape} over {row['variant']}, the fastest peer", row["us"]["p50"] / ours[name, shape]["us"]["p50"], None, " x", 2)

print(f"{machine.get('name', 'no kernels measured')}, {machine.get('driver', 'no driver')}; limits {peaks.get('gflop_s', 0) / 1e3:,.0f} TFLOP/s, "
      f"{peaks.get('gb_s', 0) / 1e3:.2f} TB/s (measured).\n")
print("| figure | measured | bar | |\n|---|---|---|---|")
print("\n".join(lines))
