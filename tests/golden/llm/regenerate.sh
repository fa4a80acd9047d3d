#!/usr/bin/env bash
# Writes the committed golden data again (and, with --all, every set and seed) and checks it with plain numpy.
#   python -m venv v && v/bin/pip install -r requirements.txt && PYTHON=v/bin/python ./regenerate.sh [--all DIR]
set -euo pipefail
cd "$(dirname "$0")"
python=${PYTHON:-python3}
export OMP_NUM_THREADS=1
if [ "${1:-}" = --all ]; then
  for set in b a; do for seed in 1 2 3; do
    "$python" -W ignore make_llm_golden.py "$2/$set-$seed" --set "$set" --seed "$seed"
    "$python" verify_numpy.py "$2/$set-$seed"
  done; done
  exit
fi
"$python" -W ignore make_llm_golden.py b-1 --set b --seed 1 --digits 11
"$python" -W ignore make_llm_golden.py a-1 --set a --seed 1 --digits 11 llama-tied-rope3
"$python" verify_numpy.py b-1
"$python" verify_numpy.py a-1
