"""Sets weights on a node through the official SDK, and says what came of it as a line of JSON.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python drive.py URL SEED_HEX NETUID UID=WEIGHT...

The hotkey is made of the seed; the wallet has no other key. Weights are set twice in a row, so that the second time is too early.
"""

import json
import sys
from types import SimpleNamespace

import bittensor as bt


def main() -> None:
    url, seed, netuid, *pairs = sys.argv[1:]
    netuid = int(netuid)
    weights = {int(uid): float(weight) for uid, weight in (pair.split("=") for pair in pairs)}
    hotkey = bt.wallets.Keypair.create_from_seed(bytes.fromhex(seed))
    wallet = SimpleNamespace(coldkey=hotkey, coldkeypub=hotkey, hotkey=hotkey, hotkeypub=hotkey)
    intent = bt.SetWeights(netuid=netuid, weights=weights)
    with bt.Subtensor(url) as client:
        metagraph = client.subnets.metagraph(netuid)
        commit_reveal = client.subnets.commit_reveal_enabled(netuid)
        hyperparameters = client.subnets.subnet_hyperparameters(netuid)
        result = client.execute(intent, wallet)
        try:
            again = client.execute(intent, wallet, retries=0)
            again = {"success": again.success, "message": str(again.message)}
        except bt.ChainError as error:
            again = {"success": False, "message": str(error)}
        said = {
            "version": bt.__version__,
            "spec_version": client.spec_version,
            "hotkey": hotkey.ss58_address,
            "hotkeys": [neuron.hotkey for neuron in metagraph.neurons],
            "tempo": metagraph.tempo,
            "hyperparameters": str(hyperparameters),
            "commit_reveal": commit_reveal,
            "success": result.success,
            "message": str(result.message),
            "block_hash": result.block_hash,
            "again": again,
        }
    print(json.dumps(said))


main()
