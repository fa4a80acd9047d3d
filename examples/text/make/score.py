#!/usr/bin/env python3
"""Scores the base and every adapter of the example with transformers and peft in f32: expected.json.

    python score.py EXAMPLE_DIR

Adapters stay un-merged. Losses are in nats, in the order of the data file; a task's loss is the mean of its rows' (pairs') losses.
KL is the sum of KL(candidate || base) over positions whose own label is scored, divided by their number.
"""
import json, math, os, sys
os.environ.setdefault("OMP_NUM_THREADS", "1")
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../../benches/peers"))
import peft, torch, torch.nn.functional as F, transformers
from peft import PeftModel
from prompts import IGNORE, instruct_rows, preference_ids, read_task
from transformers import AutoModelForCausalLM, AutoTokenizer

here = sys.argv[1]
torch.set_num_threads(1)
tok = AutoTokenizer.from_pretrained(f"{here}/model")
base = lambda: AutoModelForCausalLM.from_pretrained(f"{here}/model", dtype=torch.float32, attn_implementation="eager").eval()
names = ["base"] + sorted(os.listdir(f"{here}/candidates"))
models = {n: base() if n == "base" else PeftModel.from_pretrained(base(), f"{here}/candidates/{n}").eval() for n in names}
positions = models["base"].config.max_position_embeddings
log_probs = lambda m, ids: F.log_softmax(m(input_ids=torch.tensor([ids]), use_cache=False).logits[0].float(), -1)
num = lambda v: float(f"{v:.9g}")
out = dict(transformers=transformers.__version__, torch=torch.__version__, peft=peft.__version__)

with torch.no_grad():
    task, data = read_task(f"{here}/task.json")
    rows = sorted(instruct_rows(tok, task, data, positions))              # back to the order of the file
    coef = json.load(open(f"{here}/task-kl.json"))["kl_coef"]
    out["task.json"] = dict(rows=len(rows), tokens=sum(len(r[1]) for r in rows), scored_tokens=sum(t != IGNORE for r in rows for t in r[2][1:]), candidates={})
    out["task-kl.json"] = dict(kl_coef=coef, candidates={})
    reference = [log_probs(models["base"], ids) for _, ids, _ in rows]
    for n in names:
        losses, kl, count = [], 0.0, 0
        for (_, ids, labels), q in zip(rows, reference):
            p = log_probs(models[n], ids)
            y = torch.tensor(labels[1:]); keep = y != IGNORE
            losses.append(float(-p[:-1][keep].gather(1, y[keep][:, None]).double().mean()))
            mask = torch.tensor(labels) != IGNORE
            kl += float((p.exp() * (p - q)).sum(-1)[mask].double().sum()); count += int(mask.sum())
        loss = sum(losses) / len(losses)
        out["task.json"]["candidates"][n] = dict(loss=num(loss), rows=[num(x) for x in losses])
        out["task-kl.json"]["candidates"][n] = dict(loss=num(loss + coef * kl / count), loss_raw=num(loss), kl_divergence=num(kl / count))
        print(f"{n:10s} instruct {loss:.6f}  kl {kl / count:.6f}", flush=True)

    task, data = read_task(f"{here}/task-dpo.json")
    pairs = [preference_ids(tok, task["dataset_type"], r, positions) for r in data]
    total = lambda m, ids, n: float(log_probs(m, ids)[:-1].gather(1, torch.tensor(ids[1:])[:, None])[n - 1:].double().sum())
    reference = [(total(models["base"], c, n), total(models["base"], r, n)) for c, r, n in pairs]
    out["task-dpo.json"] = dict(pairs=len(pairs), beta=0.1, candidates={})
    for name in names:
        losses = []
        for (c, r, n), (rc, rr) in zip(pairs, reference):
            d = 0.1 * ((total(models[name], c, n) - rc) - (total(models[name], r, n) - rr))
            losses.append(math.log1p(math.exp(-abs(d))) + max(-d, 0.0))
        loss = sum(losses) / len(losses)
        out["task-dpo.json"]["candidates"][name] = dict(loss=num(loss), rows=[num(x) for x in losses])
        print(f"{name:10s} dpo {loss:.6f}", flush=True)
json.dump(out, open(f"{here}/expected.json", "w"), separators=(",", ":")); open(f"{here}/expected.json", "a").write("\n")
