"""Writes two tournaments as event files, and what they come to.

Everything is computed here once more, from the rules' description and not from the program: draws (with numpy's
generator), standings, duels, titles, places and margins. All bootstraps are of equal gaps, so that bounds can be seen
without drawing.

    python make_tournaments.py          # writes text.jsonl, environment.jsonl, expected.json
    python make_tournaments.py --draws  # prints what the unit test of draws expects

Needs numpy (2.x).
"""

import hashlib
import json
import statistics
import sys

import numpy as np

RULES = "2026-09-30-27931f9d"
BURN = "5GU4Xkd3dCGTU3s8VLcHGc5wsD5M8XyxDca5yDQhYm1mVXFu"
DEAD_ZONE, GAP, WIN_RATE = 0.01, 0.01, 0.55
KL_PROBABILITY, KL_FROM, KL_TO = 0.2, 0.1, 1.5
ENVIRONMENTS = ["liars_dice", "leduc_poker", "gin_rummy", "othello", "clobber", "goofspiel", "intercode"]


def generator(seed, purpose, number):
    digest = hashlib.sha256()
    for part in (seed.to_bytes(8, "little"), purpose.encode(), number.to_bytes(4, "little")):
        digest.update(len(part).to_bytes(8, "little") + part)
    return np.random.default_rng(int.from_bytes(digest.digest()[:8], "little"))


def shuffle(random, items):
    for place in range(len(items) - 1, 0, -1):
        other = int(random.integers(0, place + 1))
        items[place], items[other] = items[other], items[place]


class Tournament:
    def __init__(self, kind, seed, entrants, champion):
        self.setup = {
            "version": 1,
            "tournament_id": f"tourn_{kind}",
            "tournament_type": kind,
            "rules": RULES,
            "seed": seed,
            "entrants": entrants,
            "champion": champion,
        }
        self.seed = seed
        self.events = []
        self.rounds = []

    def add(self, name, **fields):
        self.events.append(
            {
                "sequence": len(self.events),
                "tournament_id": self.setup["tournament_id"],
                "at_unix_us": 1_790_000_000_000_000 + len(self.events) * 1_000_000,
                "what": {"event": name, **fields},
            }
        )

    def task(self, number, contestants, scores, model="org/model", environments=()):
        """Builds, trains and evaluates a task; `scores` by hotkey, None for an entry that does not count."""
        self.add("task_built", task=number, task_id=f"task-{number}", model=model, environments=list(environments))
        done = [{"hotkey": h, "outcome": {"state": "succeeded"}} for h in contestants]
        self.add("trained", task=number, results=done)
        results = []
        for hotkey in contestants:
            score = scores[hotkey]
            outcome = (
                {"state": "invalid", "why": "not_finetune", "detail": "the base"}
                if score is None
                else {"state": "scored", "score": score}
            )
            results.append({"hotkey": hotkey, "outcome": outcome})
        self.add("evaluated", task=number, results=results)

    def write(self, path):
        with open(path, "w") as file:
            for line in [self.setup, *self.events]:
                file.write(json.dumps(line, sort_keys=True, separators=(",", ":")) + "\n")


def score(ranking=None, rows=None, kl=None, environments=None):
    return {
        "ranking": ranking,
        "rows": None if rows is None else {"losses": rows, "fingerprint": "set"},
        "kl_term": kl,
        "environments": environments or {},
    }


def small_field(matches, contestants):
    """Best two over several tasks: who misses none, by mean rank, by summed loss, by hotkey."""
    order = {h: i for i, h in enumerate(contestants)}
    keys = {}
    for hotkey in contestants:
        ranks, summed, missed = [], 0.0, False
        for match in matches:
            valid = sorted((h for h in contestants if match[h] is not None), key=lambda h: (match[h], order[h]))
            if hotkey in valid:
                ranks.append(valid.index(hotkey) + 1)
                summed += match[hotkey]
            else:
                ranks.append(len(valid) + 1)
                summed, missed = float("inf"), True
        keys[hotkey] = (missed, sum(ranks) / len(ranks), summed, hotkey)
    return sorted(contestants, key=keys.get)[:2]


def duel(challenger, boss):
    """A paired task of the boss round where all gaps are equal, so that every resample is the sample."""
    gaps = [b - c for c, b in zip(challenger, boss)]
    assert max(gaps) - min(gaps) < 1e-12
    decided = [g for g in gaps if abs(g) > DEAD_ZONE]
    if not decided:
        return "draw"
    rate = sum(g > 0 for g in decided) / len(decided)
    needed = max(GAP, 0.01 * abs(statistics.fmean(boss)))
    return "challenger" if rate >= WIN_RATE and statistics.fmean(gaps) >= needed else "boss"


def text():
    champion = {"hotkey": "former", "consecutive_wins": 1, "stored_difference": None}
    entrants = ["a", "b", "c", "d", "e"]
    t = Tournament("text", 11, entrants, champion)
    t.add("started")
    field = list(entrants)
    shuffle(generator(t.seed, "places", 1), field)
    matches = [
        {"a": 1.0, "b": 1.25, "c": 1.125, "d": 1.5, "e": None},
        {"a": 1.375, "b": 1.0, "c": 1.25, "d": 1.125, "e": 1.5},
        {"a": 1.125, "b": 1.375, "c": 1.0, "d": 1.75, "e": 1.5},
    ]
    for number, match in enumerate(matches, 1):
        t.task(number, field, {h: None if match[h] is None else score(match[h]) for h in field})
    first, second = small_field(matches, field)
    t.rounds.append({"kind": "small_field", "places": [field], "advanced": [first, second]})
    t.add("entrants_compared", state={"state": "clean"}, reason="nothing alike")

    pair = [first, second]
    shuffle(generator(t.seed, "places", 2), pair)
    rows = {first: [1.0, 1.0, 1.0, 1.0], second: [0.5, 0.75, 1.25, 0.9375]}
    won = sum(rows[first][i] - rows[second][i] > DEAD_ZONE for i in range(4))
    lost = sum(rows[second][i] - rows[first][i] > DEAD_ZONE for i in range(4))
    mean = {h: statistics.fmean(rows[h]) for h in pair}
    assert won > lost and mean[second] < mean[first]
    t.task(4, pair, {h: score(mean[h], rows[h]) for h in pair}, model="Qwen/Qwen3-32B")
    winner, third = second, first
    t.rounds.append({"kind": "last_knockout", "places": [pair], "advanced": [winner]})

    # The boss evens one winner out to a pair.
    pair = [winner, BURN]
    shuffle(generator(t.seed, "places", 3), pair)
    tasks = [  # kind, challenger, boss; paired ones get four equal rows
        ("instruct", 1.0, 1.25),
        ("instruct", 1.0, 1.0078125),
        ("dpo", 0.5, 0.625),
        ("grpo", 0.75, 0.5),
        ("chat", 1.5, 1.75),
        ("instruct", 1.25, 1.0),  # stands in for the drawn one
    ]
    verdicts, margins = [], []
    for number, (kind, challenger, boss) in enumerate(tasks, 5):
        values = {winner: challenger, BURN: boss}
        kl = None
        if kind == "instruct":
            random = generator(t.seed, "kl_task", number)
            kl = 0.125 if random.random() < KL_PROBABILITY else None
        if kind == "grpo":
            verdicts.append("challenger" if challenger >= boss + 0.01 * abs(boss) else "boss")
            margins.append((challenger - boss) / abs(boss))
            scores = {h: score(values[h]) for h in pair}
        else:
            verdicts.append(duel([challenger] * 4, [boss] * 4))
            margins.append((boss - challenger) / abs(challenger))
            scores = {h: score(values[h], [values[h]] * 4, kl) for h in pair}
        t.task(number, pair, scores)
    assert verdicts == ["challenger", "draw", "challenger", "challenger", "challenger", "boss"], verdicts
    decided = [v for v in verdicts if v != "draw"]
    needed = max(len(decided), 5) - 1
    assert decided.count("challenger") >= needed
    t.rounds.append({"kind": "boss", "places": [pair], "advanced": [winner]})
    t.add("challenger_reviewed", hotkey=winner, state="pending", reason="a finding")
    t.add("challenger_reviewed", hotkey=winner, state="rejected", reason="it is none")
    rest = [h for h in entrants if h not in (winner, third)]
    expected = {
        "winner": winner,
        "why": "challenger",
        "places": [[1, winner], [2, BURN], [3, third]] + [[4, h] for h in rest],
        "difference": statistics.median(margins),
        "rounds": t.rounds,
    }
    t.write("text.jsonl")
    return expected


def standings(scores, contestants):
    """Mean over environments of average-rank quantiles."""
    total = {h: 0.0 for h in contestants}
    names = list(next(iter(scores.values())))
    for name in names:
        for hotkey in contestants:
            mine = scores[hotkey][name]
            below = sum(scores[h][name] < mine for h in contestants)
            tied = sum(scores[h][name] == mine for h in contestants)
            total[hotkey] += (below + (tied - 1) / 2) / (len(contestants) - 1)
    return {h: total[h] / len(names) for h in contestants}


def environment():
    entrants = ["v", "w", "x", "y", "z"]
    strength = {"v": 0.875, "w": 0.75, "x": 0.625, "y": 0.5, "z": 0.25, BURN: 0.375}
    t = Tournament("environment", 23, entrants, None)
    t.add("started")
    number, model = 1, "org/base"

    def group_round(contestants, count):
        nonlocal number
        names = ENVIRONMENTS[:count]
        groups, winners = [], []
        for group in contestants:
            scores = {h: {name: strength[h] for name in names} for h in group}
            if count == 2 and "v" in group:
                # Best in one environment, worst in the other: a tie with nobody, but not all first ranks.
                scores["v"][names[1]] = 0.125
            t.task(number, group, {h: score(environments=scores[h]) for h in group}, model, names)
            number += 1
            place = standings(scores, group)
            others = [h for h in group if h != BURN]
            best = max(place[h] for h in others)
            if BURN not in group or place[BURN] < best:
                winners += [h for h in group if h != BURN and place[h] == best]
            groups.append((group, place))
        return groups, winners

    field = list(entrants)
    shuffle(generator(t.seed, "places", 1), field)
    # Five entrants are a small field: groups of at most four, the boss among them, so two; he joins the smaller.
    first, winners = group_round([field[:3], field[3:] + [BURN]], 2)
    assert winners
    advanced = winners + [BURN]
    t.rounds.append({"kind": "environment_group", "places": [g for g, _ in first], "advanced": advanced})
    t.add("entrants_compared", state={"state": "rejected"}, reason="alike, but not copied")
    before, count = first, 2
    while len(advanced) > 2:
        count += 2
        field = list(advanced)
        shuffle(generator(t.seed, "places", len(t.rounds) + 1), field)
        assert len(field) <= 5
        before, winners = group_round([field], count)
        advanced = winners + [BURN]
        t.rounds.append({"kind": "environment_group", "places": [field], "advanced": advanced})
    challenger = winners[0]
    candidates = sorted(
        ((place[h], h) for group, place in before for h in group if h not in (BURN, challenger)), reverse=True
    )
    third = candidates[0][1] if len(candidates) < 2 or candidates[0][0] > candidates[1][0] else None

    pair = [challenger, BURN]
    shuffle(generator(t.seed, "places", len(t.rounds) + 1), pair)
    names = ENVIRONMENTS[: min(count + 2, len(ENVIRONMENTS))]
    finals = [(model, names, 2), ("org/fresh", names, 1), ("org/previous", ["swe_infinite"], None)]
    losses, shares = 0, []
    for which, envs, lost in finals:
        ours = {name: 0.5 for name in envs}
        theirs = {name: 0.25 for name in envs}
        for name in envs[: len(envs) if lost is None else lost]:
            theirs[name] = 0.5 if lost is None else 0.75
        scores = {challenger: ours, BURN: theirs}
        t.task(number, pair, {h: score(environments=scores[h]) for h in pair}, which, envs)
        number += 1
        place = standings(scores, pair)
        losses += place[challenger] < place[BURN]
        # The subnet takes standings for points of games: 3 for a win and 1 for a draw in each environment.
        points = 3 * len(envs)
        shares.append((2 * place[challenger] + place[BURN] - points) / points)
    assert losses == 0
    t.rounds.append({"kind": "environment_final", "places": [pair], "advanced": [challenger]})
    t.add("challenger_reviewed", hotkey=challenger, state="clean", reason="nothing found")
    out = {}
    for number_of, r in enumerate(t.rounds, 1):
        for hotkey in (h for p in r["places"] for h in p if h not in r["advanced"] and h != BURN):
            out[hotkey] = number_of
    places = [[1, challenger], [2, BURN]] + ([[3, third]] if third else [])
    rest = [h for h in entrants if h not in (challenger, third)]
    for hotkey in sorted(rest, key=lambda h: (-out[h], entrants.index(h))):
        better = len(places[: 3 if third else 2]) + sum(out[h] > out[hotkey] for h in rest)
        places.append([better + 1, hotkey])
    margins = [0.0 if max(0.0, share) < 0.6 else 0.1 + (share - 0.6) * 0.125 for share in shares]
    expected = {
        "winner": challenger,
        "why": "challenger",
        "places": places,
        "difference": statistics.median(margins),
        "rounds": t.rounds,
    }
    t.write("environment.jsonl")
    return expected


if __name__ == "__main__":
    if sys.argv[1:] == ["--draws"]:
        items = list(range(6))
        shuffle(generator(7, "groups", 1), items)
        print(items, repr(float(generator(7, "pair_task", 3).random())))
    else:
        with open("expected.json", "w") as file:
            json.dump({"text": text(), "environment": environment()}, file, indent=1, sort_keys=True)
            file.write("\n")
