"""Bounds of a thousand random duels, from numpy itself; only seeds and bounds are kept, so the file stays small.

    python3 make_bootstrap_golden.py > bootstrap.txt       # numpy 2.4

A line is one case: number of the case, rows, resamples, seed, confidence, then the bits of the lower bounds of the win
rate and of the mean gap, hexadecimal. The rows come from `default_rng(case)` by additions and products alone, so that
whoever has the generator has the rows. A case of 10,000 resamples of 1,000 rows comes last.
"""

import numpy as np

from make_scoring_golden import CHUNK_ELEMENTS, DEAD_ZONE, duel_bounds


def gaps(case, rows):
    rng = np.random.default_rng(case)
    shift, spread = rng.random(2) * [0.1, 0.5]
    boss = rng.random(rows) * 4.0
    challenger = boss - (shift + spread * (rng.random(rows) - 0.5))
    return (boss - challenger)[rng.random(rows) >= 0.05]


def cases():
    rng = np.random.default_rng(20261128)
    for case in range(1000):
        rows = int(1 + 1500 * rng.random() ** 3)
        confidence = rng.choice([0.9, 0.95, 0.975, 0.99, 0.999])
        yield case, rows, int(rng.integers(1, 101)), int(rng.integers(0, 2**63)), confidence
    yield 1000, 1000, 10_000, 20260808, 0.99


print(f"# numpy {np.__version__}")
for case, rows, resamples, seed, confidence in cases():
    drawn = gaps(case, rows)
    if len(drawn) == 0:
        print(case, rows, resamples, seed, confidence, "none", "none")
        continue
    bounds = duel_bounds(drawn, DEAD_ZONE, resamples, seed, confidence, CHUNK_ELEMENTS)
    print(case, rows, resamples, seed, confidence, *(np.float64(bound).view(np.uint64).item().to_bytes(8).hex() for bound in bounds))
