#!/usr/bin/env python3
"""Opens own-commits.json with the chain's own client: `pip install bittensor-core==0.1.5`, then run it in this directory."""

import json

from bittensor_core import decrypt_with_signature

with open("timelock-vectors.json", encoding="utf-8") as file:
    golden = json.load(file)
with open("own-commits.json", encoding="utf-8") as file:
    ours = [bytes.fromhex(commit) for commit in json.load(file)]

cases = golden["commits_round_1000"]["cases"]
assert len(ours) == len(cases) == 3, len(ours)
for commit, case in zip(ours, cases):
    # The client opens blobs of a commit, with its SCALE length, and a round.
    blob = (len(commit) << 2 | 1).to_bytes(2, "little") + commit + case["reveal_round"].to_bytes(8, "little")
    opened = bytes(decrypt_with_signature(blob, golden["drand"]["round_1000_signature"]))
    assert opened.hex() == case["payload_scale_hex"], opened.hex()
print(f"{len(ours)} commits opened")
