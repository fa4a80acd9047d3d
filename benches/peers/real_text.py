#!/usr/bin/env python3
"""A real checkpoint on real text: gradus bench eval and transformers in f32 on the same ids; fails if their means are over 1e-5 apart.

    python real_text.py GRADUS MODEL FILE ... [--row 512] [--threads N]

The files' tokens, one after another, are cut into rows of --row tokens; what is left over is not used. transformers runs one row a
pass. One JSON line: both means, the gap, tokens and tokens per CPU-second.
"""
import argparse, json, os, shutil, subprocess, sys, tempfile
import numpy as np
from transformers import AutoTokenizer
from ours import ours_on

ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
ap.add_argument("bench"); ap.add_argument("model"); ap.add_argument("files", nargs="+")
ap.add_argument("--row", type=int, default=512); ap.add_argument("--threads", type=int, default=os.cpu_count())
a = ap.parse_args()
here = os.path.dirname(os.path.abspath(__file__))
tok = AutoTokenizer.from_pretrained(a.model)
ids = np.concatenate([np.array(tok(open(f, encoding="utf-8").read())["input_ids"], "<u4") for f in a.files])
rows = len(ids) // a.row
assert rows, f"{len(ids)} tokens are less than a row of {a.row}"
with tempfile.TemporaryDirectory() as d:
    for name in ("config.json", "model.safetensors"):
        shutil.copy(f"{a.model}/{name}", d)
    ids[:rows * a.row].tofile(f"{d}/ids.u32")
    json.dump(dict(n=rows, seq=a.row), open(f"{d}/ids.json", "w"))
    env = dict(os.environ, OMP_NUM_THREADS=str(a.threads))
    last = lambda command: json.loads(subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    ours = ours_on(a.bench, d, a.threads, env)
    theirs = last([sys.executable, "-W", "ignore", f"{here}/hf_eval.py", d, "--mode", "bs1", "--threads", str(a.threads)])
gap = abs(ours["nll"] - theirs["nll"])
print(json.dumps(dict(rows=rows, tokens=rows * a.row, gradus=ours["nll"], transformers=theirs["nll"], gap=gap,
                      gradus_tokens_per_cpu_s=ours["tokens_per_cpu_s"], transformers_tokens_per_cpu_s=theirs["tokens_per_cpu_s"])))
assert gap <= 1e-5, f"means are {gap} apart"
