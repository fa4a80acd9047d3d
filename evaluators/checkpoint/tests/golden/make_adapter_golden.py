#!/usr/bin/env python3
"""What peft writes, and what it makes of names: a base model of 10 kB, adapters of every kind, pattern_golden.json.

    pip install transformers==5.17.0 torch==2.11.0 peft==0.21.2 safetensors==0.8.0
    python make_adapter_golden.py OUT
"""
import json, os, sys, warnings
import torch, peft
from peft import LoraConfig, get_peft_model
from peft.tuners.tuners_utils import check_target_module_exists
from peft.utils.other import get_pattern_key
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, utils

warnings.simplefilter("ignore")
utils.logging.set_verbosity_error()
out = sys.argv[1]
torch.manual_seed(0)
BASE = dict(vocab_size=17, hidden_size=8, intermediate_size=12, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
            max_position_embeddings=32, bos_token_id=1, eos_token_id=2)
for name, tied in (("base", False), ("base-tied", True)):
    LlamaForCausalLM(LlamaConfig(**BASE, tie_word_embeddings=tied)).to(torch.bfloat16).save_pretrained(f"{out}/{name}")

KINDS = {
    "plain": ("base", dict(target_modules=["q_proj", "down_proj"])),
    "rslora-all": ("base", dict(target_modules="all-linear", use_rslora=True, rank_pattern={"q_proj": 4, "layers.1.mlp.up_proj": 1}, alpha_pattern={"v_proj": 32})),
    "regex": ("base", dict(target_modules=r".*\.layers\.1\..*(q|up)_proj")),
    "layers": ("base", dict(target_modules=["q_proj", "up_proj"], layers_to_transform=[1], layers_pattern="layers")),
    "dora": ("base", dict(target_modules=["v_proj", "down_proj"], use_dora=True)),
    "saved": ("base", dict(target_modules=["q_proj"], modules_to_save=["lm_head", "embed_tokens", "input_layernorm"])),
    "embedding": ("base", dict(target_modules=["q_proj", "embed_tokens", "lm_head"])),
    "bias": ("base", dict(target_modules=["o_proj"], lora_bias=True)),
    "tied-saved": ("base-tied", dict(target_modules=["q_proj"], modules_to_save=["embed_tokens"])),
    "tied-head": ("base-tied", dict(target_modules=["q_proj", "lm_head"])),
}
for name, (base, kw) in KINDS.items():
    model = AutoModelForCausalLM.from_pretrained(f"{out}/{base}", dtype=torch.float32)
    pm = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=2, lora_alpha=6, **kw))
    pm.peft_config["default"].base_model_name_or_path = base
    pm.save_pretrained(f"{out}/{name}")
    os.remove(f"{out}/{name}/README.md")
    os.chmod(f"{out}/{name}/adapter_model.safetensors", 0o644)

# A resized vocabulary: peft stores embedding and head whole.
model = AutoModelForCausalLM.from_pretrained(f"{out}/base", dtype=torch.float32)
model.resize_token_embeddings(19)
pm = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=2, lora_alpha=6, target_modules=["q_proj"]))
pm.peft_config["default"].base_model_name_or_path = f"{out}/base"
pm.save_pretrained(f"{out}/resized", save_embedding_layers=True)
cfg = json.load(open(f"{out}/resized/adapter_config.json"))
json.dump(dict(cfg, base_model_name_or_path="base"), open(f"{out}/resized/adapter_config.json", "w"), indent=2)
os.remove(f"{out}/resized/README.md")
os.chmod(f"{out}/resized/adapter_model.safetensors", 0o644)
for d in ("base", "base-tied"):
    for f in ("generation_config.json",):
        if os.path.exists(f"{out}/{d}/{f}"): os.remove(f"{out}/{d}/{f}")
    os.chmod(f"{out}/{d}/model.safetensors", 0o644)

PATHS = [f"model.layers.{i}.{m}" for i in (0, 1, 10) for m in ("self_attn.q_proj", "self_attn.kv_proj", "mlp.up_proj", "mlp.experts.3.up_proj")]
PATHS += ["lm_head", "model.embed_tokens", "q_proj", "xq_proj", "model.norm"]
TABLES = [
    {"q_proj": 3}, {"model.layers.1.mlp.up_proj": 3}, {"layers.1.mlp.up_proj": 3}, {".*layers.1.*": 3, "q_proj": 5}, {"q_proj": 5, ".*layers.1.*": 3},
    {"layers.(0|10).mlp.up_proj": 3}, {"^model.layers.0.self_attn.q_proj": 3}, {"self_attn": 3}, {"_proj": 3}, {"layers.1": 3}, {"q_proj|up_proj": 3},
    {"lm_head": 3, "embed_tokens": 5}, {r"layers\.\d+\.self_attn\..*": 3}, {"": 3}, {"q.proj": 3}, {"[": 3},
]
SELECT = [
    dict(target_modules=["q_proj"]), dict(target_modules=["q_proj", "lm_head"]), dict(target_modules=["model.layers.1.mlp.up_proj"]), dict(target_modules=["layers.1.mlp.up_proj"]),
    dict(target_modules=["1.mlp.up_proj"]), dict(target_modules=".*q_proj"), dict(target_modules="q_proj"), dict(target_modules=r".*\.(q|up)_proj"), dict(target_modules=r"model\.layers\.1\..*"),
    dict(target_modules=["q_proj", "up_proj"], exclude_modules=["model.layers.1.self_attn.q_proj"]), dict(target_modules=["q_proj", "up_proj"], exclude_modules=["q_proj"]),
    dict(target_modules=["q_proj", "up_proj"], exclude_modules=r".*\.1\..*"), dict(target_modules=["q_proj", "up_proj"], layers_to_transform=[1]), dict(target_modules=["q_proj", "up_proj"], layers_to_transform=10),
    dict(target_modules=["q_proj", "up_proj"], layers_to_transform=[3]), dict(target_modules=["q_proj", "up_proj"], layers_to_transform=[3], layers_pattern="experts"),
    dict(target_modules=["q_proj", "up_proj"], layers_to_transform=[0, 1], layers_pattern=["layers"]), dict(target_modules=["q_proj", "up_proj"], layers_to_transform=[0], layers_pattern=["block"]),
    dict(target_modules=["q_proj", "lm_head"], modules_to_save=["lm_head"]), dict(target_modules=["q_proj", "up_proj"], modules_to_save=["mlp"]), dict(target_modules=["model.layers.0.self_attn.q_proj"], layers_to_transform=[1]),
]


def matched(table, path):
    try:
        return table.get(get_pattern_key(table.keys(), path), 2)
    except Exception:
        return None


json.dump(dict(
    peft=peft.__version__, paths=PATHS,
    ranks=[dict(rank_pattern=t, rank=[matched(t, p) for p in PATHS]) for t in TABLES],
    targets=[dict(config=c, target=[check_target_module_exists(LoraConfig(**c), p) not in (None, False) and
                                    type(check_target_module_exists(LoraConfig(**c), p)).__name__ != "_ExcludedModule" for p in PATHS]) for c in SELECT],
), open(f"{out}/pattern_golden.json", "w"), separators=(",", ":"))
