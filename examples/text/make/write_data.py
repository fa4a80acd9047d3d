#!/usr/bin/env python3
"""Writes the example's held-out data and task files: data/eval.json, data/pairs.json, task.json, task-kl.json, task-dpo.json.

    python write_data.py WORDNET_DIR EXAMPLE_DIR
"""
import hashlib, json, os, sys
from tasks import instruct_rows, preference_pairs
from wordnet import senses

INSTRUCT = dict(system_prompt="", system_format="{system}\n", field_system="system", field_instruction="instruct", field_input="input",
                field_output="output", format="{instruction}\n{input}\n", no_input_format="{instruction}\n")
PAIRS = dict(field_prompt="prompt", field_chosen="chosen", field_rejected="rejected")


def dump(path, value):
    with open(path, "w") as f: f.write(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def task(name, path, dataset_type, here, **more):
    digest = hashlib.sha256(open(f"{here}/{path}", "rb").read()).hexdigest()
    return dict(version=1, id=name, base_model="model", dataset=dict(path=path, format="json", sha256=digest), dataset_type=dataset_type, **more)


if __name__ == "__main__":
    wordnet, here = sys.argv[1:]
    os.makedirs(f"{here}/data", exist_ok=True)
    held_out = [s for s in senses(wordnet) if s.held_out]
    dump(f"{here}/data/eval.json", instruct_rows(held_out, 200, "evaluation"))
    dump(f"{here}/data/pairs.json", preference_pairs(held_out, 60, "pairs"))
    dump(f"{here}/task.json", task("wordnet-instruct", "data/eval.json", INSTRUCT, here))
    dump(f"{here}/task-kl.json", task("wordnet-instruct-kl", "data/eval.json", INSTRUCT, here, use_kl=True, kl_coef=0.05))
    dump(f"{here}/task-dpo.json", task("wordnet-pairs", "data/pairs.json", PAIRS, here))
