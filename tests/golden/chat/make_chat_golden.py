#!/usr/bin/env python3
"""Chat tasks on the example's model: conversations.json, task-*.json, and expected.json out of axolotl, transformers and peft (f32, un-merged).

   make_chat_golden.py OUT

Ids and labels are axolotl's (../prompts/make_prompt_golden.py), losses in nats in the order of the file. KL(candidate || base) is the sum over
positions whose own label is scored, divided by their number.
Versions that wrote the committed data: transformers 5.17.0, torch 2.11.0, peft 0.21.2, axolotl 0.19.0, Python 3.11.
   pip install torch==2.11.0 transformers==5.17.0 peft==0.21.2 datasets addict colorama; pip install --no-deps axolotl==0.19.0
"""
import json, os, sys
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, f"{HERE}/../prompts")
import torch, torch.nn.functional as F
from make_prompt_golden import ChatTemplatePrompter, ChatTemplateStrategy, get_chat_template
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer
import peft, transformers

OUT = sys.argv[1]
EXAMPLE = f"{HERE}/../../../examples/text"
COEF = 0.05
torch.set_num_threads(1)
num = lambda v: float(f"{v:.9g}")


def conversations():
    """One to three questions and answers each, some behind a system message, some that end with the user."""
    questions = json.load(open(f"{EXAMPLE}/data/eval.json"))
    out, at = [], 0
    for i in range(24):
        turns = [dict(**{"from": "system", "value": "You are a dictionary."})] if i % 3 == 0 else []
        for _ in range(1 + i % 3):
            q = questions[at]; at += 1
            turns += [{"from": "human", "value": "\n".join(x for x in (q["instruct"], q["input"]) if x)}, {"from": "gpt", "value": q["output"]}]
        if i % 8 == 5:
            turns.append({"from": "human", "value": "Thank you."})
        out.append(dict(conversations=turns))
    return out


def task(name):
    return dict(version=1, id=f"wordnet-chat-{name}", base_model="../../../examples/text/model",
                dataset=dict(path="conversations.json", format="json"),
                dataset_type=dict(chat_template=name, chat_column="conversations", chat_role_field="from", chat_content_field="value",
                                  chat_user_reference="human", chat_assistant_reference="gpt"), use_kl=True, kl_coef=COEF)


def tokenize(t, template, row):
    p = ChatTemplatePrompter(t, chat_template=get_chat_template(template, tokenizer=t), field_messages="conversations",
                             message_property_mappings={"role": "from", "content": "value"},
                             roles={"assistant": ["gpt"], "user": ["human"]}, max_length=4097)
    s = ChatTemplateStrategy(p, t, False, 4096, roles_to_train=["assistant"], train_on_eos="turn")
    o = s.tokenize_prompt(row)
    return list(o["input_ids"]), list(o["labels"])


tok = AutoTokenizer.from_pretrained(f"{EXAMPLE}/model")
base = lambda: AutoModelForCausalLM.from_pretrained(f"{EXAMPLE}/model", dtype=torch.float32, attn_implementation="eager").eval()
names = ["base"] + sorted(os.listdir(f"{EXAMPLE}/candidates"))
models = {n: base() if n == "base" else PeftModel.from_pretrained(base(), f"{EXAMPLE}/candidates/{n}").eval() for n in names}
log_probs = lambda m, ids: F.log_softmax(m(input_ids=torch.tensor([ids]), use_cache=False).logits[0].float(), -1)
data = conversations()
out = dict(transformers=transformers.__version__, torch=torch.__version__, peft=peft.__version__)
with torch.no_grad():
    for template in ("chatml", "tokenizer_default"):
        rows = [tokenize(tok, template, r) for r in data]
        json.dump(task(template), open(f"{OUT}/task-{template}.json", "w"), indent=1)
        open(f"{OUT}/task-{template}.json", "a").write("\n")
        reference = [log_probs(models["base"], ids) for ids, _ in rows]
        found = out[f"task-{template}.json"] = dict(lengths=[len(i) for i, _ in rows], labels=[sum(x != -100 for x in l) for _, l in rows], candidates={})
        for n in names:
            losses, kl, count = [], 0.0, 0
            for (ids, labels), q in zip(rows, reference):
                p = log_probs(models[n], ids)
                y = torch.tensor(labels[1:]); keep = y != -100
                losses.append(float(-p[:-1][keep].gather(1, y[keep][:, None]).double().mean()))
                mask = torch.tensor(labels) != -100
                kl += float((p.exp() * (p - q)).sum(-1)[mask].double().sum()); count += int(mask.sum())
            loss = sum(losses) / len(losses)
            found["candidates"][n] = dict(loss=num(loss + COEF * kl / count), loss_raw=num(loss), kl_divergence=num(kl / count), rows=[num(x) for x in losses])
            print(template, n, found["candidates"][n]["loss"], flush=True)
json.dump(data, open(f"{OUT}/conversations.json", "w"), indent=1, ensure_ascii=False); open(f"{OUT}/conversations.json", "a").write("\n")
json.dump(out, open(f"{OUT}/expected.json", "w"), separators=(",", ":")); open(f"{OUT}/expected.json", "a").write("\n")
