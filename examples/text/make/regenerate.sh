#!/usr/bin/env bash
# Makes the whole example again from Debian's WordNet: tokenizer, base model, data, adapters, expected losses.
#   python3.11 -m venv v && v/bin/pip install -r requirements.txt && PYTHON=v/bin/python ./regenerate.sh
# About 25 minutes of one CPU. How far the base gets depends on the machine (its training is bounded by CPU time); the data files do not.
set -euo pipefail
cd "$(dirname "$0")"
python=${PYTHON:-python3}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
(cd "$scratch" && apt-get download wordnet-base=1:3.0-37 && dpkg -x wordnet-base_*.deb wordnet)
wordnet=$scratch/wordnet/usr/share/wordnet
"$python" train_base.py "$wordnet" ../model
"$python" write_data.py "$wordnet" ..
"$python" train_adapters.py "$wordnet" ..
"$python" score.py ..
