#!/usr/bin/env python3
"""What transformers makes of config.json files: config_golden.json.

    pip install transformers==5.17.0 torch==2.11.0
    python make_config_golden.py > config_golden.json

Each case is a config.json as somebody might have written it (transformers 4 or 5 spelling, keys missing) and either the values
that the model code would compute with, or null where transformers refuses it.
"""
import json, sys, warnings
import torch
import transformers
from transformers import AutoConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

warnings.simplefilter("ignore")
transformers.utils.logging.set_verbosity_error()

YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=1024)
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192)
LONG = dict(short_factor=[1.0 + .02 * i for i in range(48)], long_factor=[1.0 + .3 * i for i in range(48)])
SMALL = dict(hidden_size=64, intermediate_size=96, num_hidden_layers=6, num_attention_heads=4, num_key_value_heads=2, vocab_size=320)
MODELS = ["llama", "mistral", "ministral3", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "phi3", "granite", "smollm3", "olmo2"]

CASES = [(m, {}) for m in MODELS]
CASES += [(m, dict(SMALL, head_dim=24)) for m in MODELS]
CASES += [(m, dict(SMALL, head_dim=None)) for m in MODELS if m != "qwen3"]
CASES += [(m, dict(SMALL, rope_theta=5e5)) for m in MODELS]
CASES += [(m, dict(SMALL, rope_theta=5e5, rope_scaling=dict(type="linear", factor=2.0))) for m in MODELS if m not in ("phi3", "ministral3")]
CASES += [(m, dict(SMALL, rope_parameters=dict(rope_type="dynamic", factor=3.0, rope_theta=2e4))) for m in ("llama", "qwen2")]
CASES += [
    ("llama", dict(SMALL, rope_theta=5e5, rope_scaling=LLAMA3, max_position_embeddings=131072)),
    ("llama", dict(SMALL, rope_parameters=dict(LLAMA3, rope_theta=5e5), max_position_embeddings=131072)),
    ("llama", dict(SMALL, rope_theta=7e5, rope_parameters=dict(rope_type="default", rope_theta=5e5))),
    ("llama", dict(SMALL, rope_theta=7e5, rope_parameters=dict(rope_type="default"))),
    ("llama", dict(SMALL, rope_scaling=YARN, max_position_embeddings=4096)),
    ("llama", dict(SMALL, rope_scaling=dict(YARN, attention_factor=0.7, beta_fast=16, beta_slow=2, truncate=False))),
    ("llama", dict(SMALL, rope_scaling=dict(YARN, mscale=1.0, mscale_all_dim=0.5))),
    ("llama", dict(SMALL, rope_scaling=dict(YARN, mscale=0.707, mscale_all_dim=0.0))),
    ("llama", dict(SMALL, rope_scaling=dict(YARN, factor=None), max_position_embeddings=32768)),
    ("llama", dict(SMALL, rope_scaling=dict(rope_type="yarn", factor=2.0), max_position_embeddings=4096)),
    ("llama", dict(SMALL, rope_scaling=YARN, original_max_position_embeddings=512)),
    ("llama", dict(SMALL, attention_bias=True, mlp_bias=True, tie_word_embeddings=True, hidden_act="gelu")),
    ("llama", dict(SMALL, num_key_value_heads=None)),
    ("llama", dict(SMALL, hidden_size=66)),
    ("mistral", dict(SMALL, sliding_window=None)),
    ("mistral", dict(SMALL, sliding_window=128)),
    ("mistral", dict(SMALL, rope_scaling=dict(type="yarn", factor=16.0, original_max_position_embeddings=8192, finetuned=True), max_position_embeddings=131072)),
    ("qwen2", dict(SMALL, use_sliding_window=True, sliding_window=32, max_window_layers=3)),
    ("qwen2", dict(SMALL, use_sliding_window=False, sliding_window=32, max_window_layers=0)),
    ("qwen2", dict(SMALL, use_sliding_window=True, sliding_window=32, layer_types=["full_attention", "sliding_attention"] * 3)),
    ("qwen2", dict(SMALL, layer_types=["full_attention"] * 5)),
    ("qwen3", dict(SMALL, use_sliding_window=True, max_window_layers=2, attention_bias=True)),
    ("gemma", dict(SMALL, hidden_act="gelu", attention_bias=True)),
    ("gemma2", dict(SMALL, attn_logit_softcapping=None, final_logit_softcapping=12.0, query_pre_attn_scalar=144, sliding_window=16)),
    ("gemma2", dict(SMALL, layer_types=["full_attention"] * 6, hidden_activation="gelu")),
    ("gemma3_text", dict(SMALL, rope_theta=3e6, rope_local_base_freq=2e4, rope_scaling=dict(rope_type="linear", factor=8.0))),
    ("gemma3_text", dict(SMALL, sliding_window_pattern=2, sliding_window=16, query_pre_attn_scalar=168)),
    ("gemma3_text", dict(SMALL, rope_parameters=dict(full_attention=dict(rope_type="linear", factor=8.0, rope_theta=4e6), sliding_attention=dict(rope_type="default", rope_theta=3e4)))),
    ("gemma3_text", dict(SMALL, rope_parameters=dict(full_attention=dict(rope_type="default")))),
    ("phi3", dict(partial_rotary_factor=0.75)),
    ("phi3", dict(sliding_window=2047)),
    ("phi3", dict(rope_scaling=dict(LONG, type="longrope"), original_max_position_embeddings=4096, max_position_embeddings=131072)),
    ("phi3", dict(rope_scaling=dict(LONG, type="longrope"), max_position_embeddings=131072)),
    ("phi3", dict(rope_parameters=dict(LONG, rope_type="longrope", rope_theta=5e4, original_max_position_embeddings=77, factor=9.0), max_position_embeddings=131072)),
    ("phi3", dict(rope_scaling=dict(LONG, type="longrope", attention_factor=1.5), original_max_position_embeddings=4096, max_position_embeddings=131072)),
    ("granite", dict(SMALL, embedding_multiplier=12, residual_multiplier=0.22, attention_multiplier=0.015625, logits_scaling=8, mlp_bias=True)),
    ("smollm3", dict(SMALL, no_rope_layers=[1, 0, 1, 0, 1, 1, 0])),
    ("smollm3", dict(SMALL, no_rope_layer_interval=3)),
    ("smollm3", dict(SMALL, use_sliding_window=True, sliding_window=32, no_rope_layer_interval=2)),
    ("olmo2", dict(SMALL, rms_norm_eps=1e-6, attention_bias=True)),
    ("ministral3", dict(SMALL, rope_parameters=dict(type="yarn", rope_theta=5e5, factor=8.0, original_max_position_embeddings=4096, llama_4_scaling_beta=0.2, mscale=1.0, mscale_all_dim=1.0))),
]


def rope(config, layer_type=None):
    p = config.rope_parameters if layer_type is None else config.rope_parameters[layer_type]
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    partial = p.get("partial_rotary_factor", 1.0) if config.model_type == "phi3" else 1.0
    out = dict(theta=p["rope_theta"], type=p["rope_type"], rotary_dim=int(head_dim * partial), attention_factor=1.0)
    if p["rope_type"] != "default":
        _, out["attention_factor"] = ROPE_INIT_FUNCTIONS[p["rope_type"]](config, torch.device("cpu"), layer_type=layer_type)
    if p["rope_type"] in ("yarn", "llama3", "longrope"):
        out["original_max"] = p["original_max_position_embeddings"]
    return out


def resolved(config):
    m, n = config.model_type, config.num_hidden_layers
    get = lambda k, d=None: getattr(config, k, d)
    types = get("layer_types") if m in ("qwen2", "qwen3", "gemma2", "gemma3_text", "smollm3") else None
    window = get("sliding_window") if m not in ("llama", "granite", "olmo2", "gemma") else None
    windows = [window if types is None or t == "sliding_attention" else None for t in (types or [None] * n)]
    bias = {"qwen2": [True, False], "mistral": [False] * 2, "ministral3": [False] * 2, "phi3": [False] * 2}.get(m, [get("attention_bias")] * 2)
    out = dict(
        vocab_size=config.vocab_size, hidden_size=config.hidden_size, intermediate_size=config.intermediate_size, num_layers=n,
        num_heads=config.num_attention_heads, num_kv_heads=config.num_key_value_heads,
        head_dim=get("head_dim") or config.hidden_size // config.num_attention_heads,
        max_position_embeddings=config.max_position_embeddings, rms_norm_eps=config.rms_norm_eps,
        hidden_act=get("hidden_activation") if m in ("gemma2", "gemma3_text") else config.hidden_act,
        tie_word_embeddings=config.tie_word_embeddings, qkv_bias=bias[0], o_bias=bias[1], mlp_bias=get("mlp_bias", False),
        windows=windows, ropes=(get("no_rope_layers") or [1] * n)[:n] if m == "smollm3" else [1] * n,
        multipliers=[get(k, 1.0) for k in ("embedding_multiplier", "logits_scaling", "residual_multiplier")],
        attention_scale=get("attention_multiplier") if m == "granite" else get("query_pre_attn_scalar") and get("query_pre_attn_scalar") ** -0.5,
        softcaps=[get("attn_logit_softcapping"), get("final_logit_softcapping")],
    )
    if m == "gemma3_text":
        out["rope"], out["local_rope"] = rope(config, "full_attention"), rope(config, "sliding_attention")
    else:
        out["rope"] = rope(config)
    if m == "ministral3":
        out["query_position_scale"] = [config.rope_parameters["llama_4_scaling_beta"], config.rope_parameters["original_max_position_embeddings"]]
    return out


def case(model_type, over):
    raw = dict(over, model_type=model_type)
    try:
        kw = json.loads(json.dumps(over))
        return dict(config=raw, resolved=resolved(AutoConfig.for_model(model_type, **kw)))
    except Exception as e:
        print(model_type, over, repr(e)[:200], file=sys.stderr)
        return dict(config=raw, resolved=None)


json.dump(dict(transformers=transformers.__version__, cases=[case(*c) for c in CASES]), sys.stdout, separators=(",", ":"))
