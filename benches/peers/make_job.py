#!/usr/bin/env python3
"""The job that whole commands are timed on: a base, 8 LoRA candidates, 200 instruct rows and 100 preference pairs.

    python make_job.py CHECKPOINT WORDNET_DIR OUT

CHECKPOINT is SmolLM2 as examples/smollm2/convert.py makes it, WORDNET_DIR the usr/share/wordnet of Debian's wordnet-base 1:3.0-37.
OUT/base (links to the checkpoint's files), OUT/candidates/c1 .. c8 (rank 16 on every linear layer, small random values of eight sizes),
OUT/instruct.json, OUT/pairs.json, OUT/task.json, OUT/task-kl.json, OUT/task-dpo.json. Rows are dictionary entries, prompt and answer 50 to 400
tokens together; a pair's rejected side is another word's entry.
"""
import collections, json, math, os, sys
os.environ.setdefault("OMP_NUM_THREADS", "1")
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../examples/text/make"))
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer
from wordnet import draw, senses
from write_data import INSTRUCT, PAIRS, dump, task

checkpoint, wordnet, out = sys.argv[1:]
os.makedirs(f"{out}/base", exist_ok=True)
for f in os.listdir(checkpoint):
    if f != "golden.json" and not os.path.exists(f"{out}/base/{f}"): os.link(f"{checkpoint}/{f}", f"{out}/base/{f}")

tok = AutoTokenizer.from_pretrained(checkpoint)
length = lambda text: len(tok(text)["input_ids"])
words = collections.defaultdict(list)
for s in senses(wordnet):
    for w in s.words:
        if w.islower(): words[w].append(s)
order = sorted((w for w in words if len(words[w]) >= 3), key=lambda w: draw("job", w))


def entry(word):
    """A word's senses with examples, numbered: as many as the word's own draw of a length allows."""
    room, lines = 40 + draw("length", word) % 330, []
    for s in words[word]:
        line = f"{len(lines) + 1}. ({s.part}) {s.gloss}." + "".join(f' "{e}"' for e in s.examples[:2])
        if length("\n".join(lines + [line])) > room: break
        lines.append(line)
    return "\n".join(lines)


rows, pairs = [], []
for w in order:
    answer = entry(w)
    near = ", ".join(dict.fromkeys(x for s in words[w] for x in s.words if x != w))
    if len(rows) < 200:
        row = dict(instruct="List the meanings of the word, with examples.", input=f"Word: {w}" + (f"\nSee also: {near}" if draw("near", w) % 2 and near else ""),
                   output=answer, system="You are a careful dictionary." if draw("system", w) % 3 == 0 else "")
        if answer and 50 <= length(" ".join(row.values())) <= 400: rows.append(row); continue
    other = entry(order[draw("other", w) % len(order)])
    if answer and other and other != answer and 20 <= length(answer) <= 360 and len(pairs) < 100:
        pairs.append(dict(prompt=f"List the meanings of the word {w}, with examples.\n", chosen=answer, rejected=other))
    if len(rows) == 200 and len(pairs) == 100: break
assert len(rows) == 200 and len(pairs) == 100, (len(rows), len(pairs))
dump(f"{out}/instruct.json", rows); dump(f"{out}/pairs.json", pairs)
for name, more in (("task", {}), ("task-kl", dict(use_kl=True, kl_coef=0.05))):
    dump(f"{out}/{name}.json", dict(task(f"job-{name}", "instruct.json", INSTRUCT, out, **more), base_model="base"))
dump(f"{out}/task-dpo.json", dict(task("job-dpo", "pairs.json", PAIRS, out), base_model="base"))
sizes = sorted(length(" ".join(r.values())) for r in rows)
print(f"rows of {sizes[0]} to {sizes[-1]} tokens, {sum(sizes)} in all; {sum(length(p['chosen']) + length(p['rejected']) + 2 * length(p['prompt']) for p in pairs)} tokens in pairs")

for n in range(1, 9):
    m = get_peft_model(AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32), LoraConfig(
        task_type="CAUSAL_LM", r=16, lora_alpha=32, target_modules=sorted(["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"])))
    g = torch.Generator().manual_seed(n)
    with torch.no_grad():
        for k, p in m.named_parameters():
            if "lora_A" in k: p.copy_(torch.randn(p.shape, generator=g) / math.sqrt(p.shape[1]))
            elif "lora_B" in k: p.copy_(0.003 * n * torch.randn(p.shape, generator=g))
    m.peft_config["default"].base_model_name_or_path = "base"
    m.save_pretrained(f"{out}/candidates/c{n}")
    if os.path.exists(readme := f"{out}/candidates/c{n}/README.md"): os.remove(readme)
    os.chmod(f"{out}/candidates/c{n}/adapter_model.safetensors", 0o644)
