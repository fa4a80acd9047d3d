"""The paired bootstrap here and in numpy, in turns on one core, and whether the bounds are the same bits.

    python3 bootstrap.py PROGRAM [ROWS RESAMPLES ROUNDS]       # PROGRAM: the built example `bootstrap` of gradus-tasks
"""

import json
import os
import statistics
import subprocess
import sys
import time

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tests/golden/scoring"))
sys.dont_write_bytecode = True
from make_scoring_golden import CHUNK_ELEMENTS, CONFIDENCE, DEAD_ZONE, SEED, duel_bounds  # noqa: E402

program = sys.argv[1]
rows, resamples, rounds = (int(text) for text in sys.argv[2:5]) if len(sys.argv) > 4 else (1000, 10_000, 10)
os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[-1]})

rng = np.random.default_rng(1)
boss = rng.random(rows) * 4.0
challenger = boss - (0.05 + 0.2 * (rng.random(rows) - 0.5))
gaps = boss - challenger

ours, theirs = [], []
for _ in range(rounds):
    found = json.loads(subprocess.run([program, str(rows), str(resamples), "5"], check=True, capture_output=True).stdout)
    ours.append(found["ms_fastest"])
    for _ in range(2):
        start = time.perf_counter()
        bounds = duel_bounds(gaps, DEAD_ZONE, resamples, SEED, CONFIDENCE, CHUNK_ELEMENTS)
        theirs.append((time.perf_counter() - start) * 1e3)
    bits = [np.float64(bound).view(np.uint64).item() for bound in bounds]
    assert bits == [found["win_rate_lower"], found["gap_lower"]], (bits, found)

print(f"{rows} rows, {resamples} resamples, {rounds} rounds in turns on one core; numpy {np.__version__}, Python {sys.version.split()[0]}")
for name, times in (("gradus", ours), ("numpy", theirs)):
    print(f"{name:7} fastest {min(times):8.1f} ms   median {statistics.median(times):8.1f} ms")
print("bounds: the same bits")
