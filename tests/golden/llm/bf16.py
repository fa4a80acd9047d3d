#!/usr/bin/env python3
"""How far transformers itself is from the golden numbers when it computes in bf16: what a GPU's numbers are measured by.

    python bf16.py [DIR=.] [OUT.json]      # every golden.json below DIR; on a GPU if there is one

One line per family and candidate: the largest error of a token's loss, and of a row's mean, in nats.
"""
import json, pathlib, sys
import torch, transformers, peft
import torch.nn.functional as F
from transformers import AutoModelForCausalLM
transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
device = "cuda" if torch.cuda.is_available() else "cpu"


def losses(model, ids):
    for mod in model.modules():                                          # dynamic rope remembers the longest row it has seen
        if hasattr(mod, "max_seq_len_cached") and hasattr(mod, "original_inv_freq"):
            mod.max_seq_len_cached = mod.original_max_seq_len
            mod.register_buffer("inv_freq", mod.original_inv_freq.clone(), persistent=False)
    x = torch.tensor([ids], device=device)
    logits = model(input_ids=x, use_cache=False).logits[0].float()
    return F.cross_entropy(logits[:-1], x[0, 1:], reduction="none").double().tolist()


found = {}
with torch.inference_mode():
    for path in sorted(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").rglob("golden.json")):
        golden, directory = json.loads(path.read_text()), path.parent
        for candidate in ["base", *golden["adapters"]]:
            try:
                model = AutoModelForCausalLM.from_pretrained(directory / "model", dtype=torch.bfloat16, attn_implementation="eager")
                if candidate != "base": model = peft.PeftModel.from_pretrained(model, directory / candidate)
                model = model.to(device, torch.bfloat16).eval()
                token = mean = 0.0
                for ids, want in zip(golden["input_ids"], golden[candidate]["nll_f64"]):
                    if len(ids) < 2: continue
                    got = losses(model, ids)
                    token = max(token, max(abs(a - b) for a, b in zip(got, want)))
                    mean = max(mean, abs(sum(got) - sum(want)) / len(want))
                found[f"{directory.parent.name}/{directory.name} {candidate}"] = dict(token=token, mean=mean)
                print(f"{directory.parent.name}/{directory.name:20} {candidate:12} token {token:.3f} mean {mean:.4f}", flush=True)
            except Exception as error:                                   # a family that the installed versions do not know
                print(f"{directory.name} {candidate}: {error}", flush=True)
worst = {key: max(f[key] for f in found.values()) for key in ("token", "mean")}
print(f"worst: token {worst['token']:.3f} mean {worst['mean']:.4f}; torch {torch.__version__}, transformers {transformers.__version__}, {device}")
if len(sys.argv) > 2: json.dump(dict(torch=torch.__version__, transformers=transformers.__version__, device=device, found=found), open(sys.argv[2], "w"), indent=1)
