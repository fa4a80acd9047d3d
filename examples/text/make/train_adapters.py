#!/usr/bin/env python3
"""Trains the example's three LoRA adapters on WordNet questions, none of which the evaluation asks.

    python train_adapters.py WORDNET_DIR EXAMPLE_DIR [name ...]

careful    4,000 rows twice, a learning rate that runs down
hurried    48 batches and out
scrambled  as many rows as careful, every answer given to another question
All are rank 8 on every linear layer. Answers alone are trained, as in the evaluation.
"""
import math, os, sys, time
os.environ.setdefault("OMP_NUM_THREADS", "1")
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../../benches/peers"))
import torch
from peft import LoraConfig, get_peft_model
from prompts import IGNORE, instruct_ids
from tasks import instruct_rows
from transformers import AutoModelForCausalLM, AutoTokenizer
from wordnet import senses
from write_data import INSTRUCT

RECIPES = {"careful": dict(rows=4000, passes=2, lr=3e-3), "hurried": dict(rows=768, passes=1, lr=1e-3),
           "scrambled": dict(rows=4000, passes=1, lr=3e-3, shift=1)}
BATCH = 16


def batches(tok, rows, passes):
    pad = lambda group, k, v: torch.tensor([r[k] + [v] * (max(len(x[0]) for x in group) - len(r[0])) for r in group])
    encoded = [instruct_ids(tok, INSTRUCT, r, 512) for r in rows]
    for n in range(passes):
        order = torch.randperm(len(encoded), generator=torch.Generator().manual_seed(n)).tolist()
        for i in range(0, len(order) - BATCH + 1, BATCH):
            g = [encoded[j] for j in order[i:i + BATCH]]
            yield dict(input_ids=pad(g, 0, tok.pad_token_id), labels=pad(g, 1, IGNORE),
                       attention_mask=torch.tensor([[1] * len(r[0]) + [0] * (max(len(x[0]) for x in g) - len(r[0])) for r in g]))


def train(name, recipe, all_senses, here):
    torch.manual_seed(7); torch.set_num_threads(1)
    tok = AutoTokenizer.from_pretrained(f"{here}/model")
    m = get_peft_model(AutoModelForCausalLM.from_pretrained(f"{here}/model", dtype=torch.float32),
                       LoraConfig(task_type="CAUSAL_LM", r=8, lora_alpha=16, lora_dropout=0.0, target_modules=sorted(
                           ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"])))
    rows = instruct_rows((s for s in all_senses if not s.held_out), recipe["rows"], "training")
    if shift := recipe.get("shift"):
        answers = [r["output"] for r in rows]
        rows = [dict(r, output=answers[(i + shift) % len(rows)]) for i, r in enumerate(rows)]
    opt = torch.optim.AdamW([p for p in m.parameters() if p.requires_grad], lr=recipe["lr"], weight_decay=0.0)
    steps = recipe["passes"] * (len(rows) // BATCH); began = time.process_time(); mean = None
    for step, batch in enumerate(batches(tok, rows, recipe["passes"])):
        for g in opt.param_groups: g["lr"] = recipe["lr"] * min(1, (step + 1) / 20) * (0.55 + 0.45 * math.cos(math.pi * step / steps))
        loss = m(**batch, use_cache=False).loss
        loss.backward(); torch.nn.utils.clip_grad_norm_(m.parameters(), 1.0); opt.step(); opt.zero_grad(set_to_none=True)
        mean = loss.item() if mean is None else 0.95 * mean + 0.05 * loss.item()
        if step % 50 == 0: print(f"{name} {step}/{steps} loss {mean:.3f} cpu {time.process_time() - began:.0f}s", flush=True)
    m.peft_config["default"].base_model_name_or_path = "model"
    m.save_pretrained(f"{here}/candidates/{name}")
    for f in ("README.md",):
        if os.path.exists(p := f"{here}/candidates/{name}/{f}"): os.remove(p)
    os.chmod(f"{here}/candidates/{name}/adapter_model.safetensors", 0o644)


if __name__ == "__main__":
    wordnet, here, *names = sys.argv[1:]
    found = senses(wordnet)
    for name in names or RECIPES: train(name, RECIPES[name], found, here)
