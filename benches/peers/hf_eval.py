#!/usr/bin/env python3
"""Mean next-token loss with transformers over the ids of make_model.py, or of gradus bench eval --dir; one JSON line.

    python hf_eval.py DIR --dtype f32|bf16 --mode bs1|batch|packed|chunked [--device cpu|cuda] [--batch N] [--threads 1] [--rows N] [--repeat N]

bs1      one row a forward pass, all its logits in f32, cross_entropy: what an evaluation at batch size 1 does
batch    the same with --batch rows a pass; rows are of one length, so nothing is padded
packed   rows of up to --pack tokens end to end in one sequence, positions from 0 in each; with sdpa behind a boolean mask, with
         --attention flash_attention_2 (if it is installed) as sequences of their own; all logits in f32
chunked  --batch rows a pass, then head and cross-entropy over 512 positions at a time: the best that plain torch gives here

On cuda one whole pass goes first, unmeasured, and a pass ends when its sum is on the host.
"""
import argparse, json, os, time
ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
ap.add_argument("dir"); ap.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
ap.add_argument("--mode", choices=["bs1", "batch", "packed", "chunked"], default="bs1"); ap.add_argument("--device", default="cpu")
ap.add_argument("--batch", type=int, default=4); ap.add_argument("--pack", type=int, default=4096)
ap.add_argument("--attention", choices=["sdpa", "flash_attention_2"], default="sdpa")
ap.add_argument("--threads", type=int, default=1); ap.add_argument("--rows", type=int, default=0); ap.add_argument("--repeat", type=int, default=1)
a = ap.parse_args()
os.environ["OMP_NUM_THREADS"] = str(a.threads)
import numpy as np, torch, torch.nn.functional as F, transformers
from transformers import AutoModelForCausalLM
from clocks import best_of
transformers.utils.logging.set_verbosity_error()
torch.set_num_threads(a.threads)

began = time.perf_counter()
dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[a.dtype]
m = AutoModelForCausalLM.from_pretrained(a.dir, dtype=dtype, attn_implementation=a.attention).eval().to(a.device)
load = time.perf_counter() - began
meta = json.load(open(f"{a.dir}/ids.json"))
ids = torch.from_numpy(np.fromfile(f"{a.dir}/ids.u32", "<u4").astype("int64")).view(meta["n"], meta["seq"]).to(a.device)
if a.rows: ids = ids[:a.rows]


def cross_entropy(logits, y):
    return F.cross_entropy(logits.float().flatten(0, -2), y.flatten(), reduction="sum").double()


def whole(x):
    return cross_entropy(m(input_ids=x, use_cache=False).logits[:, :-1], x[:, 1:])


def packed(x):
    n, seq = x.shape
    at = torch.arange(n * seq, device=x.device)
    mask = None
    if a.attention == "sdpa":                            # [1, 1, tokens, tokens]: of the same row, and not later
        mask = ((at[:, None] // seq == at // seq) & (at[:, None] >= at))[None, None]
    logits = m(input_ids=x.view(1, -1), attention_mask=mask, position_ids=(at % seq)[None], use_cache=False).logits
    return cross_entropy(logits.view(n, seq, -1)[:, :-1], x[:, 1:])


def chunked(x):
    h = m.model(input_ids=x, use_cache=False).last_hidden_state[:, :-1].reshape(-1, m.config.hidden_size)
    y = x[:, 1:].reshape(-1)
    return sum(cross_entropy(m.lm_head(h[i:i + 512]), y[i:i + 512]) for i in range(0, len(h), 512))


score = dict(bs1=whole, batch=whole, packed=packed, chunked=chunked)[a.mode]
parts = ids.split(dict(bs1=1, packed=max(1, a.pack // meta["seq"])).get(a.mode, a.batch))
with torch.inference_mode():
    if a.device != "cpu": best_of(1, parts, score)
    wall, cpu, total = best_of(a.repeat, parts, score)
print(json.dumps(dict(peer=f"transformers {transformers.__version__} {a.mode}", device=a.device, dtype=a.dtype, threads=a.threads,
                      tokens=ids.numel(), wall=wall, cpu=cpu, tokens_per_s=ids.numel() / wall, tokens_per_cpu_s=ids.numel() / cpu,
                      nll=total / (len(ids) * (meta["seq"] - 1)), load_s=load)))
