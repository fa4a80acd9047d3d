#!/usr/bin/env python3
"""Emission vectors for tasks/src/weights, computed by Python's own floats: `make_weights_golden.py REFERENCE [OUT]`.

REFERENCE is a git clone of the subnet's code of December 2025 (rayonlabs/G.O.D) that has the commit which the rule set
of that month is named after. Pools of that set come from the subnet's own function, run from that commit with its own
constants over a history that fits the input; those of the newest set from the formulas below. A third group has the
December set with a decay by days, as versions of 2026 had it.

Python 3.11, standard library only; sum() compensates from 3.12 on, so another version is refused. Constants come from
the rule sets in tasks/rules. Every case is an input, and what comes out: pools and the weights of all uids.
"""

import ast
import asyncio
import json
import logging
import pathlib
import random
import statistics
import subprocess
import sys
import tomllib
import types

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
        running = given[t]["running"] if split["lag_counts_running"] else 0
        counted = counted[max(0, split["lag"] - running):][:split["window"]]
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


class Reference:
    """The subnet's own function from results to pools."""

    def __init__(self, clone, commit):
        def tree(path):
            shown = subprocess.run(["git", "-C", clone, "show", f"{commit}:{path}"], capture_output=True, check=True)
            return ast.parse(shown.stdout)

        constants = {}
        for node in tree("validator/core/constants.py").body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
                constants[node.targets[0].id] = node.value.value
        wanted = ("calculate_emission_multiplier", "get_tournament_burn_details")
        code = tree("validator/core/weight_setting.py")
        code.body = [node for node in code.body if getattr(node, "name", None) in wanted]
        assert len(code.body) == len(wanted)
        self.names = {
            "cts": types.SimpleNamespace(**constants),
            "logger": logging.getLogger("reference"),
            "TournamentType": types.SimpleNamespace(TEXT="text", IMAGE="image"),
            "TournamentBurnData": types.SimpleNamespace,
        }
        self.names["logger"].setLevel(logging.CRITICAL)
        exec(compile(code, "weight_setting.py", "exec"), self.names)

    def pools(self, rules, given):
        burn = rules["burn_hotkey"]

        def history(kind):
            """The newest tournament, the one before it, the fresh margin, the stored one."""
            said = given[kind]["performance"]
            if said == "no_tournament":
                return None, None, None, None
            (how, said), = said.items()
            champion = "champion" if given[kind]["reign"] or how == "defended" else None
            latest = types.SimpleNamespace(tournament_id="latest", winner_hotkey=burn, base_winner_hotkey=champion)
            if how == "defended":
                before = types.SimpleNamespace(tournament_id="before", winner_hotkey=burn, base_winner_hotkey=champion)
                return latest, before, None, said["stored_difference"]
            if not said["burn_account"]:
                latest.winner_hotkey, latest.base_winner_hotkey = champion or "new", None
            return latest, None, said["difference"], None

        async def latest_completed(_db, kind, exclude_tournament_id=None):
            return history(kind)[0 if exclude_tournament_id is None else 1]

        async def fresh(_tournament, _db):
            return history(self.kind)[2]

        async def first_won(_db, kind, _hotkey):
            return types.SimpleNamespace(tournament_id="first", winning_performance_difference=history(kind)[3])

        async def wins(_db, kind, _hotkey):
            return given[kind]["reign"]["consecutive_wins"] if given[kind]["reign"] else 0

        async def latest_and_kind(db, kind, exclude_tournament_id=None):
            self.kind = kind
            return await latest_completed(db, kind, exclude_tournament_id)

        self.names |= {
            "get_latest_completed_tournament": latest_and_kind,
            "calculate_performance_difference": fresh,
            "get_tournament_where_champion_first_won": first_won,
            "count_champion_consecutive_wins": wins,
        }
        found = asyncio.run(self.names["get_tournament_burn_details"](None))
        champions = {"text": found.text_tournament_weight, "image": found.image_tournament_weight}
        constants = self.names["cts"]
        others = {"text": constants.TOURNAMENT_TEXT_WEIGHT, "image": constants.TOURNAMENT_IMAGE_WEIGHT}
        return champions, others, found.burn_weight


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


def vector(rules, given_out_by, given, results, participants, hotkeys):
    champions, others, burn = given_out_by(rules, given)
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


def some_input(rng, rules, has_margins):
    now = 1764115200 * 10**6 + rng.randint(-40, 200) * 86400 * 10**6 + rng.randrange(10**10)
    given = {"now_unix_us": now}
    for t in TYPES:
        if t not in rules:
            continue
        how = rng.choice(["none", "won", "won", "defended"])
        value = rng.choice([None, 0.0, 0.05, 0.1, rng.uniform(-0.2, 0.2), rng.uniform(0, 0.6)])
        if has_margins and how == "won" and value is None:
            value = 0.3  # the subnet's function has a number for every tournament that was won
        performance = {
            "none": "no_tournament",
            "won": {"won": {"difference": value, "burn_account": rng.random() < 0.5}},
            "defended": {"defended": {"stored_difference": value}},
        }[how]
        reign = {"first_won_unix_us": now - rng.randint(0, 150 * 86400 * 10**6), "consecutive_wins": rng.randint(0, 9)}
        given[t] = {
            "performance": performance,
            "entrants_newest_first": [rng.randint(0, 40) for _ in range(rng.choice([0, 1, 2, 4, 5, 6, 9]))],
            "running": rng.choice([0, 0, 1, 2]),
            "reign": rng.choice([None, reign, reign]),
        }
    return given


DAYS = {"rule": "wins_then_days", "per_defence": 0.01, "per_day": 0.0033, "start_unix_s": 1764115200}


def main():
    if sys.version_info[:2] != (3, 11):
        sys.exit(f"Python 3.11 is needed, this is {sys.version.split()[0]}")
    cases = []
    files = [(path, None) for path in sorted(RULES.glob("*.toml"))]
    files.append((files[0][0], DAYS))
    for path, decay in files:
        whole = tomllib.loads(path.read_text())
        rules = whole["emission"]
        by = pools
        if rules["decay"]["rule"] == "wins" and not decay:
            by = Reference(sys.argv[1], whole["reference_commit"]).pools
        rules["decay"] = decay or rules["decay"]
        rng = random.Random(path.stem if not decay else "days")
        for _ in range(48 if not decay else 24):
            names = [f"hotkey{i}" for i in range(rng.randint(2, 12))]
            hotkeys = [n for n in names if rng.random() < 0.85] or names[:1]
            if rng.random() < 0.9:
                hotkeys.append(rules["burn_hotkey"])
            rng.shuffle(hotkeys)
            given = some_input(rng, rules, by is not pools)
            results = {t: some_results(rng, rules, names) for t in TYPES if t in rules}
            participants = rng.sample(names, rng.randint(0, len(names)))
            champions, others, burn, weights = vector(rules, by, given, results, participants, hotkeys)
            case = {
                "rule_set": path.stem, "input": given, "results": results, "participants": participants,
                "hotkeys": hotkeys, "champions": champions, "others": others, "burn": burn, "weights": weights,
            }
            cases.append(case | ({"decay": decay} if decay else {}))
    out = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else HERE / "emission.json"
    text = ",\n".join(json.dumps(case, separators=(",", ":"), allow_nan=False) for case in cases)
    out.write_text(f'{{"python":"{sys.version.split()[0]}","cases":[\n{text}\n]}}\n')


main()
