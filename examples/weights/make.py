#!/usr/bin/env python3
"""Makes the example: a small subnet and three finished tournaments, all of it made up, the same on every run.

    examples/weights/make.py

Addresses are those of hashes, so nobody has their keys.
"""

import hashlib
import json
from pathlib import Path

HERE = Path(__file__).parent
ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BURN = "5GU4Xkd3dCGTU3s8VLcHGc5wsD5M8XyxDca5yDQhYm1mVXFu"
UIDS = 64
VALIDATORS = 6
BLOCK = 7_000_000


def address(name):
    body = bytes([42]) + hashlib.sha256(name.encode()).digest()
    number = int.from_bytes(body + hashlib.blake2b(b"SS58PRE" + body).digest()[:2], "big")
    text = ""
    while number:
        number, digit = divmod(number, 58)
        text = ALPHABET[digit] + text
    return text


def draw(*what):
    return int.from_bytes(hashlib.sha256(repr(what).encode()).digest()[:6], "big")


HOTKEYS = [BURN] + [address(f"hotkey {uid}") for uid in range(1, UIDS)]
CHAMPIONS = {"text": 20, "image": 31, "environment": 42}


def row(uid):
    """What a validator gives: the three champions most, others a little, burn the rest, all a bit by its own mind."""
    pairs = [(0, 3_000 + draw(uid, 0) % 300)]
    for place, champion in enumerate(CHAMPIONS.values()):
        pairs.append((champion, 65_535 if place == 0 else 40_000 + draw(uid, champion) % 4_000))
    pairs += [(other, 20 + draw(uid, other) % 9) for other in range(10, UIDS) if other not in CHAMPIONS.values()]
    return sorted(pairs)


def neuron(uid):
    validator = 1 <= uid <= VALIDATORS
    weights = row(uid) if validator else []
    return {
        "uid": uid,
        "hotkey": HOTKEYS[uid],
        "coldkey": address(f"coldkey {uid}"),
        "stake_rao": (draw("stake", uid) % 900_000 + 100_000) * 10**9 if validator else draw("stake", uid) % 50 * 10**9,
        "validator_permit": validator,
        "last_update": BLOCK - 40 - draw("update", uid) % 200 if validator else 0,
        "registered_at": BLOCK - 500_000 - draw("registered", uid) % 1_000_000,
        "oldest_open_commit": None,
        "incentive": 0,
        "dividends": 0,
        "weights": weights,
        "bonds": [(champion, 20_000 + draw("bond", uid, champion) % 20_000) for champion in CHAMPIONS.values()] if validator else [],
    }


def tournament(kind, winner, before, others):
    task = {"task_id": f"{kind}-boss-1", "group_id": None, "pair_id": f"{kind}-boss", "winner": winner, "participant_scores": [{"hotkey": winner}]}
    boss = {"round_id": f"{kind}-3", "round_number": 3, "round_type": "knockout", "is_final_round": True, "tasks": [task]}
    places = {hotkey: place for place, hotkey in enumerate([winner, *others], start=1)}
    return {
        "tournament_id": f"example-{kind}",
        "rounds": [boss],
        "base_winner_hotkey": before,
        "winner_hotkey": winner,
        "final_positions": places,
    }


def main():
    subnet = {
        "version": 1,
        "network": "local",
        "genesis": "0x" + hashlib.sha256(b"genesis").hexdigest(),
        "spec_version": 461,
        "netuid": 56,
        "mechanism": 0,
        "block": BLOCK,
        "block_hash": "0x" + hashlib.sha256(b"block").hexdigest(),
        "settings": {
            "tempo": 360,
            "activity_cutoff_blocks": 5000,
            "stake_threshold_rao": 1000 * 10**9,
            "yuma3": True,
            "kappa": 32767,
            "bonds_penalty": 65535,
            "bonds_moving_average_ppm": 900_000,
            "liquid_alpha": False,
            "weights_min": 1,
            "max_weight": 65535,
            "weights_version": 61000,
            "weights_rate_limit": 100,
            "commit_reveal": False,
        },
        "owner_hotkey": None,
        "last_step_block": BLOCK - 200,
        "emission_rao": 148 * 10**9,
        "neurons": [neuron(uid) for uid in range(UIDS)],
    }
    hotkey = lambda uid: HOTKEYS[uid]
    results = {
        "version": 2,
        "rule_set": "2026-09-30-27931f9d",
        "input": {
            "now_unix_us": None,
            "text": {
                "performance": {"won": {"difference": 0.12, "burn_account": False}},
                "entrants_newest_first": [14, 12, 11, 16, 9],
                "running": 0,
                "reign": None,
            },
            "image": {"performance": {"defended": {"stored_difference": 0.08}}, "entrants_newest_first": [8, 7, 9, 6, 8], "running": 0, "reign": None},
            "environment": {
                "performance": {"won": {"difference": 0.105, "burn_account": False}},
                "entrants_newest_first": [6, 5, 7, 7, 5],
                "running": 0,
                "reign": None,
            },
        },
        "results": {
            "text": tournament("text", hotkey(20), hotkey(21), [hotkey(21), hotkey(22)]),
            "image": tournament("image", BURN, hotkey(31), [hotkey(32), hotkey(33)]),
            "environment": tournament("environment", hotkey(42), hotkey(43), [hotkey(43), address("a hotkey that has gone")]),
        },
        "participants": [hotkey(uid) for uid in (20, 21, 22, 31, 32, 33, 42, 43)],
        "weekly_participation": [],
    }
    for name, value in (("subnet", subnet), ("results", results)):
        (HERE / f"{name}.json").write_text(json.dumps(value, separators=(",", ":")) + "\n")


main()
