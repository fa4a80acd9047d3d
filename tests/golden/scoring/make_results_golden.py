"""Golden values of what needs no numpy: rewards to scores, standings and who advances, margins.

    python3 make_results_golden.py > results.json          # CPython 3.11: sums of floats are plain, left to right

Doubles are written as the integers of their bits. Everything is computed from the written rules with lists and
dictionaries by name, as the subnet keeps its results, not by index as the program does.
"""

import itertools
import json
import random
import statistics
import struct


def bits(value):
    return None if value is None else struct.unpack("<Q", struct.pack("<d", value))[0]


# --- rewards: entries in order, an error as a string


def scores_of_rewards(results, coefficient=0.5, shift_others=True):
    names = list(results)
    if len(names) < 2:
        return {name: r if isinstance(r, str) else r["own"] for name, r in results.items()}
    valid = {name: r for name, r in results.items() if not isinstance(r, str)}
    totals = dict.fromkeys(valid, 0.0)
    functions = dict.fromkeys(f for r in valid.values() for f in r["rewards"])
    for function in functions:
        column = {name: r["rewards"][function] for name, r in valid.items() if function in r["rewards"]}
        if len(column) == 1:
            normal = {name: 1.0 for name in column}
        else:
            negative = min(column.values()) < 0
            if negative:
                low = min(column.values())
                column = {name: value - low for name, value in column.items()}
            top = max(column.values())
            if negative and len(column) == 2:
                worse, better = sorted(column, key=column.get)
                normal = {worse: 0.25, better: 0.75}
            elif top > 0:
                normal = {name: value / top for name, value in column.items()}
            else:
                normal = {name: 1.0 for name in column}
        for name, value in normal.items():
            totals[name] += value * valid[name]["weights"][function]
    compact = list(totals.values())
    out = {}
    for position, name in enumerate(names):
        if name not in valid:
            out[name] = results[name]
            continue
        kl = coefficient * valid[name]["kl"]
        if not shift_others:
            out[name] = totals[name] - kl
        elif position < len(compact):
            out[name] = compact[position] - kl
        else:
            out[name] = valid[name]["own"]
    return out


def reward_case(rng, candidates, functions, mode):
    weights = [rng.uniform(0.1, 10) for _ in range(functions)]
    weights = [w / sum(weights) for w in weights]

    def value():
        if mode == "zero":
            return 0.0
        if mode == "equal":
            return -1.5
        if mode == "positive":
            return rng.uniform(0, 5)
        return rng.uniform(-5, 5)

    results = {}
    for index in range(candidates):
        if mode == "failed" and rng.random() < 0.4:
            results[f"c{index}"] = "CUDA error"
            continue
        rewards = {f: value() for f in range(functions) if not (mode == "partial" and rng.random() < 0.3)}
        results[f"c{index}"] = {
            "rewards": rewards, "weights": weights, "own": rng.uniform(-2, 2), "kl": rng.choice([0.0, rng.uniform(0, 1)]),
        }
    shifted, skipped = scores_of_rewards(results), scores_of_rewards(results, shift_others=False)
    score = lambda found: [None if isinstance(found[name], str) else bits(found[name]) for name in results]
    return {
        "mode": mode, "weights": [bits(w) for w in weights],
        "candidates": [
            None if isinstance(r, str) else {
                "means": [bits(r["rewards"].get(f)) for f in range(functions)], "kl": bits(r["kl"]), "own": bits(r["own"]),
            } for r in results.values()
        ],
        "shift_others": score(shifted), "skipped": score(skipped),
    }


# --- environments


def shares(names, pairs):
    won, played = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0)
    for a, b, a_wins, b_wins, draws in pairs:
        won[a] += a_wins + 0.5 * draws
        won[b] += b_wins + 0.5 * draws
        for name in (a, b):
            played[name] += a_wins + b_wins + draws
    return {name: won[name] / played[name] if played[name] else None for name in names}


def quantile_by_name(values):
    """Each name's place among all, ties at the middle of their places, from 0 to 1."""
    if len(values) == 1:
        return {name: 0.5 for name in values}
    places, place = {}, 0
    for _, tied in itertools.groupby(sorted(values, key=values.get), key=values.get):
        tied = list(tied)
        middle = (2 * place + len(tied) - 1) / 2
        places |= {name: middle / (len(values) - 1) for name in tied}
        place += len(tied)
    return places


def go_on(standing, boss):
    """Names that go on, best first, one place; none where the boss is not beaten. None for no standing."""
    scored = {name: value for name, value in standing.items() if value is not None}
    others = sorted((name for name in scored if name != boss), key=scored.get, reverse=True)
    if not others or (boss in scored and scored[boss] >= scored[others[0]]):
        return []
    return [name for name in others if scored[name] == scored[others[0]]]


def group_case(rng, size, environments, coarse):
    names = [f"m{i}" for i in range(size)]
    boss = rng.choice([None, *names])
    tables, inputs = [], []
    for index in range(environments):
        if rng.random() < 0.6:
            games = []
            for a, b in itertools.combinations(names, 2):
                if rng.random() < 0.05:
                    continue
                total = 2 if coarse else 100
                a_wins = rng.randint(0, total)
                draws = rng.randint(0, total - a_wins)
                games.append((a, b, a_wins, total - a_wins - draws, draws))
            table = shares(names, games)
            inputs.append({"games": [[names.index(a), names.index(b), *rest] for a, b, *rest in games]})
        else:
            table = {n: None if rng.random() < 0.1 else rng.choice([0.0, 0.25, 0.5, 1.0]) if coarse else rng.random() for n in names}
            inputs.append({"scores": [bits(table[n]) for n in names]})
        tables.append({n: 0.0 if value is None else value for n, value in table.items()})
        inputs[-1]["shares"] = [bits(table[n]) for n in names]
    quantiles = [quantile_by_name(table) for table in tables]
    standing = {n: sum(1.0 * q[n] for q in quantiles) / sum(1.0 for _ in quantiles) for n in names}
    seen = {n: None if rng.random() < 0.1 else standing[n] for n in names}
    return {
        "boss": None if boss is None else names.index(boss), "environments": inputs,
        "standing": [bits(standing[n]) for n in names], "seen": [bits(seen[n]) for n in names],
        "going": sorted(names.index(n) for n in go_on(seen, boss)),
    }


# --- margins


def margin(kind, challenger, boss, rule):
    if challenger is None or boss is None:
        return None
    difference, base = (challenger - boss, boss) if kind == "grpo" else (boss - challenger, challenger)
    if rule == "positive":
        return difference / base if base > 0 else 0.0
    return difference / abs(base) if base != 0 else 0.0


def margin_case(rng):
    kind = rng.choice(["instruct", "dpo", "grpo", "image"])
    score = lambda: rng.choice([None, 0.0, rng.uniform(-1, 3), rng.uniform(-1, 3), rng.uniform(-1, 3)])
    challenger, boss = score(), score()
    return {
        "kind": kind, "challenger": bits(challenger), "boss": bits(boss),
        "positive": bits(margin(kind, challenger, boss, "positive")),
        "magnitude": bits(margin(kind, challenger, boss, "magnitude")),
    }


def median_case(rng, count):
    values = [rng.choice([None, rng.uniform(-1, 1)]) for _ in range(count)]
    known = [v for v in values if v is not None]
    return {"margins": [bits(v) for v in values], "median": bits(statistics.median(known) if known else 0.0)}


def share_margin(share):
    share = max(0.0, share)
    return 0.0 if share < 0.60 else 0.10 + (share - 0.60) * 0.125


if __name__ == "__main__":
    rng = random.Random(56)
    modes = ["mixed", "positive", "zero", "equal", "failed", "partial"]
    given = [-0.5, 0.0, 0.3, 0.5999999999999999, 0.6, 0.61, 0.75, 1.0]
    print(json.dumps({
        "rewards": [reward_case(rng, n, rng.randint(1, 4), mode) for mode in modes for n in (1, 2, 2, 2, 3, 5, 8) for _ in range(3)],
        "groups": [group_case(rng, size, count, coarse) for size in (1, 2, 3, 4, 5) for count in (1, 2, 4, 6) for coarse in (0, 1) for _ in range(4)],
        "margins": [margin_case(rng) for _ in range(150)],
        "medians": [median_case(rng, n) for n in range(9)],
        "win_shares": [[bits(s), bits(share_margin(s))] for s in given],
        "progressive": [[wins, bits(max(0.03, 0.10 * 0.8 ** (wins - 1)))] for wins in range(12)],
    }))
