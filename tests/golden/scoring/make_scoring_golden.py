"""Golden values of the paired statistics, from numpy itself.

    python3 make_scoring_golden.py > scoring.json          # numpy 2.4

Doubles are written as the integers of their bits, so that no parser can round them.
"""

import json

import numpy as np

SEEDS = [0, 1, 42, 20260808, 2**32 - 1, 2**32, 2**64 - 1]
BOUNDS = [2, 3, 7, 100, 1000, 2**31 - 1, 2**31 + 1, 3 * 2**30, 2**32 - 1]
DEAD_ZONE, WIN_RATE_MIN, GAP_MIN_ABS, GAP_MIN_REL = 0.01, 0.55, 0.01, 0.01
RESAMPLES, SEED, CHUNK_ELEMENTS, CONFIDENCE = 10_000, 20260808, 2_000_000, 0.99


def bits(values):
    return np.atleast_1d(np.asarray(values, dtype=np.float64)).view(np.uint64).tolist()


def resampled_means(values, resamples, seed, chunk_elements):
    rng = np.random.default_rng(seed)
    n = len(values)
    chunk = max(1, min(resamples, chunk_elements // n))
    means = []
    for start in range(0, resamples, chunk):
        index = rng.integers(0, n, size=(min(chunk, resamples - start), n))
        means.append(values[index].mean(axis=1))
    return np.concatenate(means)


def generator(seed):
    rng = np.random.default_rng(seed)
    words = rng.bit_generator.random_raw(6).tolist()
    rng = np.random.default_rng(seed)
    return {"seed": seed, "words": words, "below": [[b, rng.integers(0, b, size=9).tolist()] for b in BOUNDS]}


def bootstrap(n, resamples, seed, chunk_elements):
    rng = np.random.default_rng(n * 1000 + resamples)
    values = rng.normal(0.05, 1.0, n)
    means = resampled_means(values, resamples, seed, chunk_elements)
    percents = [0, 1, 2.5, 5, 50, 97.5, 99, 99.5, 100]
    return {
        "values": bits(values), "resamples": resamples, "seed": seed,
        "first_means_sorted": bits(np.sort(means)[:5]),
        "percents": percents, "quantiles": bits([np.percentile(means, p) for p in percents]),
    }


def duel_bounds(gaps, dead_zone, resamples, seed, confidence, chunk_elements):
    """Lower bounds of the win rate and of the mean gap, from the same drawn rows; rates are among decided rows."""
    rng = np.random.default_rng(seed)
    n = len(gaps)
    won, decided = (gaps > dead_zone).astype(np.float64), (np.abs(gaps) > dead_zone).astype(np.float64)
    chunk = max(1, min(resamples, chunk_elements // n))
    rates, means = np.zeros(resamples), np.empty(resamples)
    for start in range(0, resamples, chunk):
        end = min(start + chunk, resamples)
        index = rng.integers(0, n, size=(end - start, n))
        counts = decided[index].sum(axis=1)
        np.divide(won[index].sum(axis=1), counts, out=rates[start:end], where=counts > 0)
        means[start:end] = gaps[index].mean(axis=1)
    percent = (1.0 - confidence) * 100.0
    return np.percentile(rates, percent), np.percentile(means, percent)


def duel(name, boss, challenger):
    boss, challenger = np.asarray(boss), np.asarray(challenger)
    keep = np.isfinite(boss) & np.isfinite(challenger)
    gaps = boss[keep] - challenger[keep]
    wins, losses = int((gaps > DEAD_ZONE).sum()), int((gaps < -DEAD_ZONE).sum())
    out = {
        "name": name, "boss": [None if not np.isfinite(x) else x for x in bits_or_nan(boss)],
        "challenger": [None if not np.isfinite(x) else x for x in bits_or_nan(challenger)],
        "wins": wins, "losses": losses, "draws": int(len(gaps) - wins - losses),
    }
    rate_lower, gap_lower = duel_bounds(gaps, DEAD_ZONE, RESAMPLES, SEED, CONFIDENCE, CHUNK_ELEMENTS)
    needed = max(GAP_MIN_ABS, GAP_MIN_REL * abs(boss[keep].mean()))
    out |= {"gap_lower": bits(gap_lower)[0], "gap_needed": bits(needed)[0]}
    if wins + losses == 0:
        return out | {"win_rate_lower": None, "verdict": "draw"}
    taken = rate_lower >= WIN_RATE_MIN and gap_lower >= needed
    return out | {"win_rate_lower": bits(rate_lower)[0], "verdict": "challenger" if taken else "holder"}


def bits_or_nan(values):
    return [int(b) if np.isfinite(v) else float("nan") for v, b in zip(values, bits(values))]


def duels():
    rng = np.random.default_rng(5)
    for name, n, shift, spread, nans in [
        ("clear win", 200, 0.15, 0.1, 0), ("often but by little", 200, 0.012, 0.002, 0),
        ("seldom but by much", 151, 0.3, 1.5, 0), ("worse", 97, -0.1, 0.1, 0),
        ("inside the dead zone", 33, 0.0, 0.001, 0), ("with rows that are not numbers", 120, 0.2, 0.2, 17),
        ("one row", 1, 0.5, 0.0, 0), ("narrow", 64, 0.035, 0.05, 0),
    ]:
        boss = rng.gamma(4.0, 0.4, n)
        challenger = boss - rng.normal(shift, spread, n)
        boss[rng.permutation(n)[: nans // 2]] = np.nan
        challenger[rng.permutation(n)[: nans - nans // 2]] = np.nan
        yield duel(name, boss, challenger)


if __name__ == "__main__":
    print(json.dumps({
        "numpy": np.__version__,
        "generator": [generator(seed) for seed in SEEDS],
        "bootstrap": [bootstrap(*case) for case in [
            (1, 10, 3, 10), (2, 50, 3, 7), (7, 100, 4, 100), (8, 101, 20260808, 33), (9, 100, 20260808, 1000),
            (127, 50, 1, 300), (129, 60, 1, 129), (263, 40, 1, 2_000_000), (1000, 30, 20260808, 2_000_000),
        ]],
        "duels": list(duels()),
    }))
