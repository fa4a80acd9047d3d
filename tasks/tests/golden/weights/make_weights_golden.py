#!/usr/bin/env python3
"""Emission vectors for tasks/src/weights, computed by Python's own floats: `make_weights_golden.py [OUT]`.

Python 3.11, standard library only; sum() compensates from 3.12 on, so another version is refused. Constants come from
the rule sets in tasks/rules. Every case is an input, and what comes out: pools and the weights of all uids.
"""

import json
import pathlib
import random
import statistics
import sys
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
RULES = HERE.parents[2] / "rules"
TYPES = ("text", "image", "environment")


def base_shares(rules, given):
    kinds = [t for t in TYPES if t in rules]
    split = rules["split"]
    if split["rule"] == "fixed":
        return {t: rules[t]["base"] for t in kinds}
    whole = sum(rules[t]["base"] for t in kinds)
    pressures = {}
    for t in kinds:
        counted = [n for n in given[t]["entrants_newest_first"] if n >= split["entrants_min"]]
        counted = counted[split["lag"]:][:split["window"]]
        if counted and statistics.mean(counted) > 0:
            pressures[t] = statistics.mean(counted) / (rules[t]["base"] / whole)
    usual = statistics.mean(pressures.values()) if pressures else 1.0
    wanted = {t: rules[t]["base"] * (1.0 / pressures.get(t, usual)) ** split["alpha"] for t in kinds}
    all_wanted = sum(wanted.values())
    shares = {t: max(split["floor"], whole * wanted[t] / all_wanted) for t in kinds}
    excess = sum(shares.values()) - 1.0
    if excess > 0:
        room = {t: shares[t] - split["floor"] for t in kinds}
        if sum(room.values()) > 0:
            all_room = sum(room.values())
            shares = {t: shares[t] - excess * room[t] / all_room for t in kinds}
    return {t: min(rules[t]["cap"], shares[t]) for t in kinds}


def margin(rules, performance):
    if performance == "no_tournament":
        return None
    (kind, said), = performance.items()
    if kind == "defended":
        return rules["boost"]["missing"] if said["stored_difference"] is None else said["stored_difference"]
    if said["difference"] is not None:
        return said["difference"]
    return rules["boost"]["missing_burn_account" if said["burn_account"] else "missing"]


def days(later_us, earlier_us):
    return (later_us - earlier_us) / 10**6 / 86400.0


def after_reign(rules, base, boost, reign, now_us):
    decay = rules["decay"]
    if decay["rule"] == "none" or reign is None:
        return base + boost
    start_us = decay["start_unix_s"] * 10**6
    defences = max(0, reign["consecutive_wins"] - 1) * decay["per_defence"]
    first_us = reign["first_won_unix_us"]
    if now_us < start_us:
        return max(0.0, base + max(0.0, boost - defences)) if defences > 0.0 else base + boost
    if first_us < start_us:
        left = max(0.0, boost - defences)
        if left == 0.0:
            return max(0.0, base - days(now_us, start_us) * decay["per_day"])
        return max(0.0, base + left)
    lost = days(now_us, first_us) * decay["per_day"]
    return max(0.0, base + boost - lost) if lost > 0.0 else base + boost


def pools(rules, given):
    bases = base_shares(rules, given)
    weights = {}
    for t in bases:
        found = margin(rules, given[t]["performance"])
        over = rules["boost"]["threshold"]
        boost = 0.0 if found is None or found <= over else (found - over) * rules["boost"]["rate"]
        weights[t] = min(after_reign(rules, bases[t], boost, given[t]["reign"], given["now_unix_us"]), rules[t]["cap"])
    if rules["remainder"] == "burned":
        burn = 1.0
        for t in weights:
            burn -= weights[t]
        return weights, bases, burn
    total = sum(weights.values())
    if total > 0:
        scale = 1.0 / total
        weights = {t: w * scale for t, w in weights.items()}
    return weights, weights, 0.0


def stands_for(results, burn, hotkey):
    base = results["base_winner_hotkey"]
    return base if hotkey == burn and base else hotkey


def champion_of(results, burn):
    return stands_for(results, burn, results["winner_hotkey"]) if results["winner_hotkey"] else None


def of_rank(decline, ranks, rank):
    if ranks <= 1:
        return 1.0
    if rank > ranks:
        return 0.0
    return decline ** (rank - 1) / sum([decline ** (r - 1) for r in range(1, ranks + 1)])


def shares(rules, base, results):
    burn, ranks = rules["burn_hotkey"], rules["ranks"]
    champion = champion_of(results, burn)
    out = {}
    if ranks["rule"] == "positions":
        if results.get("final_positions"):
            positions = results["final_positions"]
            paid = min(len(positions), ranks["paid"])
            for hotkey, position in positions.items():
                if position <= ranks["paid"]:
                    real = stands_for(results, burn, hotkey)
                    out[real] = out.get(real, 0.0) + of_rank(ranks["decline"], paid, position)
            return out
        order = [champion] if champion else []
        last = [r for r in results["rounds"] if r["is_final_round"]][:1]
        for task in last[0]["tasks"] if last else []:
            for entry in task["participant_scores"]:
                real = stands_for(results, burn, entry.get("hotkey"))
                if real and real not in order:
                    order.append(real)
        paid = min(len(order), ranks["paid_without_positions"])
        return {hotkey: of_rank(ranks["decline"], paid, i + 1) for i, hotkey in enumerate(order[:paid])}
    points = {}
    for stage in results["rounds"]:
        for task in stage["tasks"]:
            won = task["winner"]
            if not won or won == champion or (won == burn and results["base_winner_hotkey"]):
                continue
            points[won] = points.get(won, 0) + stage["round_number"] * base
    if not points:
        return {}
    scored = [(hotkey, p) for hotkey, p in points.items() if p > 0]
    if champion:
        scored.insert(0, (champion, float("inf")))
    rank = 1
    for level in sorted({p for _, p in scored}, reverse=True):
        tied = [hotkey for hotkey, p in scored if p == level]
        middle = rank + (len(tied) - 1) / 2
        for hotkey in tied:
            out[hotkey] = of_rank(ranks["decline"], len(scored), middle)
        rank += len(tied)
    return out


def vector(rules, given, results, participants, hotkeys):
    champions, others, burn = pools(rules, given)
    each = rules["participation"]
    for_all = len(participants) * each
    scale = 1.0 - for_all if for_all > 0 else 1.0
    uid = {hotkey: i for i, hotkey in enumerate(hotkeys)}
    weights = [0.0] * len(hotkeys)
    rest = 0.0
    for t in champions:
        top, low = champions[t] * scale, others[t] * scale
        given_out = 0.0
        if results[t]:
            champion = champion_of(results[t], rules["burn_hotkey"])
            for hotkey, share in shares(rules, rules[t]["base"], results[t]).items():
                if hotkey in uid:
                    part = share * (top if hotkey == champion else low)
                    weights[uid[hotkey]] += part
                    given_out += part
        rest += top - given_out
    for hotkey in participants:
        if hotkey in uid:
            weights[uid[hotkey]] += each
    if rules["burn_hotkey"] in uid:
        weights[uid[rules["burn_hotkey"]]] = burn * scale + rest
    return champions, others, burn, weights


def some_results(rng, rules, names):
    if rng.random() < 0.1:
        return None
    burn = rules["burn_hotkey"]
    entrants = rng.sample(names, rng.randint(1, min(9, len(names))))
    base = rng.choice([None, rng.choice(names), rng.choice(names)])
    winner = rng.choice([None, burn, burn, rng.choice(entrants), rng.choice(entrants)])
    by_place = rules["ranks"]["rule"] == "positions"
    rounds = []
    for number in range(1, rng.randint(2, 5)):
        tasks = []
        for index in range(rng.randint(1, 3)):
            pool = entrants + [burn]
            tasks.append({
                "task_id": f"t{number}-{index}", "group_id": None, "pair_id": f"p{index}",
                "winner": rng.choice(pool + [None]),
                "participant_scores": [{"hotkey": h} for h in rng.sample(pool, min(2, len(pool)))] if by_place else [],
            })
        rounds.append({"round_id": f"r{number}", "round_number": number, "round_type": "knockout",
                       "is_final_round": False, "tasks": tasks})
    rounds[-1]["is_final_round"] = rng.random() < 0.9
    out = {"tournament_id": "tourn", "rounds": rounds, "base_winner_hotkey": base, "winner_hotkey": winner}
    if by_place:
        placed = [burn] * rng.randint(0, 1) + entrants
        rng.shuffle(placed)
        out["final_positions"] = {h: i + 1 for i, h in enumerate(placed)} if rng.random() < 0.8 else {}
    return out


def some_input(rng, rules):
    now = 1764115200 * 10**6 + rng.randint(-40, 200) * 86400 * 10**6 + rng.randrange(10**10)
    given = {"now_unix_us": now}
    for t in TYPES:
        if t not in rules:
            continue
        how = rng.choice(["none", "won", "won", "defended"])
        value = rng.choice([None, 0.0, 0.05, 0.1, rng.uniform(-0.2, 0.2), rng.uniform(0, 0.6)])
        performance = {
            "none": "no_tournament",
            "won": {"won": {"difference": value, "burn_account": rng.random() < 0.5}},
            "defended": {"defended": {"stored_difference": value}},
        }[how]
        reign = {"first_won_unix_us": now - rng.randint(0, 150 * 86400 * 10**6), "consecutive_wins": rng.randint(0, 9)}
        given[t] = {
            "performance": performance,
            "entrants_newest_first": [rng.randint(0, 40) for _ in range(rng.choice([0, 1, 2, 4, 5, 6, 9]))],
            "reign": rng.choice([None, reign, reign]),
        }
    return given


def main():
    if sys.version_info[:2] != (3, 11):
        sys.exit(f"Python 3.11 is needed, this is {sys.version.split()[0]}")
    cases = []
    for path in sorted(RULES.glob("*.toml")):
        rules = tomllib.loads(path.read_text())["emission"]
        rng = random.Random(path.stem)
        for _ in range(48):
            names = [f"hotkey{i}" for i in range(rng.randint(2, 12))]
            hotkeys = [n for n in names if rng.random() < 0.85] or names[:1]
            if rng.random() < 0.9:
                hotkeys.append(rules["burn_hotkey"])
            rng.shuffle(hotkeys)
            given = some_input(rng, rules)
            results = {t: some_results(rng, rules, names) for t in TYPES if t in rules}
            participants = rng.sample(names, rng.randint(0, len(names)))
            champions, others, burn, weights = vector(rules, given, results, participants, hotkeys)
            cases.append({
                "rule_set": path.stem, "input": given, "results": results, "participants": participants,
                "hotkeys": hotkeys, "champions": champions, "others": others, "burn": burn, "weights": weights,
            })
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "emission.json"
    text = ",\n".join(json.dumps(case, separators=(",", ":"), allow_nan=False) for case in cases)
    out.write_text(f'{{"python":"{sys.version.split()[0]}","cases":[\n{text}\n]}}\n')


main()
