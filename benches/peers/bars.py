#!/usr/bin/env python3
"""gradus and OpenVINO f32 in turn on the same checkpoint and ids; the least CPU time of each, and the ratio of the rates.

    python bars.py GRADUS DIR THREADS ROUNDS [ROWS=all]

One JSON line per run, then a summary line. Losses must agree to 1e-5. OpenVINO's time leaves out loading and compiling; ours has
everything: weights are read, checked and packed in every run.
"""
import json, os, subprocess, sys
from ours import ours_on

here = os.path.dirname(os.path.abspath(__file__))
ours, model = map(os.path.abspath, sys.argv[1:3])
threads, rounds = sys.argv[3], int(sys.argv[4])
rows = sys.argv[5] if len(sys.argv) > 5 else "0"
peers = {
    "gradus": lambda: ours_on(ours, model, threads, env, rows=rows),
    "openvino": lambda: last([sys.executable, f"{here}/openvino_eval.py", model, "f32", threads, rows, "1"]),
}
env = dict(os.environ, OMP_NUM_THREADS=threads, PYTHONWARNINGS="ignore")
last = lambda command: json.loads(subprocess.run(command, env=env, cwd=here, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
best = {}
for _ in range(rounds):
    for name, measure in peers.items():
        out = measure()
        print(json.dumps(out), flush=True)
        best.setdefault(name, []).append(out)
least = {name: min(run["cpu"] for run in runs) for name, runs in best.items()}
wall = {name: min(run["wall"] for run in runs) for name, runs in best.items()}
losses = {name: runs[0]["nll"] for name, runs in best.items()}
gap = abs(losses["gradus"] - losses["openvino"])
assert gap <= 1e-5, losses
tokens = best["gradus"][0]["tokens"]
print(json.dumps(dict(model=os.path.basename(model.rstrip("/")), threads=int(threads), tokens=tokens, rounds=rounds,
                      gradus_tokens_per_cpu_s=round(tokens / least["gradus"], 1), openvino_tokens_per_cpu_s=round(tokens / least["openvino"], 1),
                      ratio_cpu=round(least["openvino"] / least["gradus"], 3), ratio_wall=round(wall["openvino"] / wall["gradus"], 3),
                      nll_gap=gap)))
