#!/usr/bin/env python3
"""Mean next-token loss with transformers over the ids of make_model.py; one JSON line.

    python hf_eval.py DIR --dtype f32|bf16 --mode bs1|chunked [--threads 1] [--rows N] [--repeat N]

bs1      one row a forward pass, all its logits in f32, cross_entropy: what an evaluation at batch size 1 does
chunked  four rows a pass, then head and cross-entropy over 512 positions at a time: the best that plain torch gives here
"""
import argparse, json, os, time
ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
ap.add_argument("dir"); ap.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
ap.add_argument("--mode", choices=["bs1", "chunked"], default="bs1"); ap.add_argument("--threads", type=int, default=1)
ap.add_argument("--rows", type=int, default=0); ap.add_argument("--repeat", type=int, default=1)
a = ap.parse_args()
os.environ["OMP_NUM_THREADS"] = str(a.threads)
import numpy as np, torch, torch.nn.functional as F, transformers
from transformers import AutoModelForCausalLM
from clocks import best_of
transformers.utils.logging.set_verbosity_error()
torch.set_num_threads(a.threads)

began = time.perf_counter()
m = AutoModelForCausalLM.from_pretrained(a.dir, dtype={"f32": torch.float32, "bf16": torch.bfloat16}[a.dtype], attn_implementation="sdpa").eval()
load = time.perf_counter() - began
meta = json.load(open(f"{a.dir}/ids.json"))
ids = torch.from_numpy(np.fromfile(f"{a.dir}/ids.u32", "<u4").astype("int64")).view(meta["n"], meta["seq"])
if a.rows: ids = ids[:a.rows]


def whole(x):
    logits = m(input_ids=x, use_cache=False).logits.float()
    return float(F.cross_entropy(logits[:, :-1].reshape(-1, logits.shape[-1]), x[:, 1:].reshape(-1), reduction="sum"))


def chunked(x):
    h = m.model(input_ids=x, use_cache=False).last_hidden_state[:, :-1].reshape(-1, m.config.hidden_size)
    y = x[:, 1:].reshape(-1)
    return sum(float(F.cross_entropy(m.lm_head(h[i:i + 512]).float(), y[i:i + 512], reduction="sum")) for i in range(0, len(h), 512))


with torch.inference_mode():
    wall, cpu, total = best_of(a.repeat, ids.split(1 if a.mode == "bs1" else 4), whole if a.mode == "bs1" else chunked)
print(json.dumps(dict(peer=f"transformers {transformers.__version__} {a.mode}", dtype=a.dtype, threads=a.threads, tokens=ids.numel(), wall=wall,
                      cpu=cpu, tokens_per_cpu_s=ids.numel() / cpu, nll=total / (len(ids) * (meta["seq"] - 1)), load_s=load)))
