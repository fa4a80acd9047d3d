#!/usr/bin/env python3
"""Writes signature-vectors.json: `pip install bittensor-core==0.1.5`, then run it in this directory. Signatures differ in each run."""

import json

from bittensor_core import Keypair

MNEMONIC = "bottom drive obey lake curtain smoke basket hold race lonely fit walk"
MESSAGES = [b"", b"\x00", b"weights for 56", bytes(range(256)), b"a" * 1000]

pair = Keypair.create_from_mnemonic(MNEMONIC)
cases = [{"message": message.hex(), "signature": bytes(pair.sign(message)).hex()} for message in MESSAGES]
with open("signature-vectors.json", "w", encoding="utf-8") as file:
    json.dump({"ss58": pair.ss58_address, "cases": cases}, file, indent=1)
    file.write("\n")
