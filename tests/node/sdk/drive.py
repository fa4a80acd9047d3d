"""Sets weights on a node through the official SDK, and says what came of it as a line of JSON.

    python3 -m venv venv && venv/bin/pip install bittensor==11.1.0
    venv/bin/python drive.py URL SEED_HEX NETUID UID=WEIGHT...

The hotkey is made of the seed; the wallet has no other key.
"""

import json
import sys
from types import SimpleNamespace

import bittensor as bt


def main() -> None:
    url, seed, netuid, *pairs = sys.argv[1:]
    netuid = int(netuid)
    weights = {int(uid): float(weight) for uid, weight in (pair.split("=") for pair in pairs)}
    hotkey = bt.wallets.Keypair.create_from_seed(seed)
    wallet = SimpleNamespace(coldkey=hotkey, coldkeypub=hotkey, hotkey=hotkey, hotkeypub=hotkey)
    with bt.Subtensor(url) as client:
        metagraph = client.subnets.metagraph(netuid)
        before = {
            "block": client.block,
            "spec_version": client.spec_version,
            "uids": len(metagraph.neurons),
            "hotkeys": [neuron.hotkey for neuron in metagraph.neurons],
            "commit_reveal": client.subnets.commit_reveal_enabled(netuid),
        }
        intent = bt.SetWeights(netuid=netuid, weights=weights)
        result = client.execute(intent, wallet)
        again = client.execute(intent, wallet, retries=0)
    print(
        json.dumps(
            {
                "version": bt.__version__,
                **before,
                "hotkey": hotkey.ss58_address,
                "success": result.success,
                "message": str(result.message),
                "block_hash": result.block_hash,
                "again_success": again.success,
                "again_message": str(again.message),
            }
        )
    )


main()
