"""What make_llm_golden.py builds: two shape sets of every family, their rows, and the kinds of adapter."""

BASE_A = dict(vocab_size=320, hidden_size=64, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
              max_position_embeddings=256, bos_token_id=1, eos_token_id=2, pad_token_id=0)
BASE_B = dict(intermediate_size=45, num_hidden_layers=2, max_position_embeddings=256, bos_token_id=1, eos_token_id=2, pad_token_id=0)

LLAMA3 = dict(rope_type="llama3", rope_theta=10000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=32)
YARN = dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=32)
LINEAR = dict(rope_type="linear", rope_theta=10000.0, factor=4.0)
DYNAMIC = dict(rope_type="dynamic", rope_theta=10000.0, factor=2.0)


def longrope(n, original, **kw):
    return dict(rope_type="longrope", rope_theta=10000.0, original_max_position_embeddings=original,
                short_factor=[1.0 + .02 * i for i in range(n)], long_factor=[1.0 + .3 * i for i in range(n)], **kw)


def a(**kw):
    return {**BASE_A, **kw}


def b(vocab, hidden, heads, kv_heads, head_dim=None, **kw):
    own = {} if head_dim is None else dict(head_dim=head_dim)
    return {**BASE_B, "vocab_size": vocab, "hidden_size": hidden, "num_attention_heads": heads, "num_key_value_heads": kv_heads, **own, **kw}


GEMMA3_LAYERS = ["sliding_attention", "sliding_attention", "full_attention"]
GEMMA3_LINEAR = dict(full_attention=dict(rope_type="linear", rope_theta=1000000.0, factor=8.0),
                     sliding_attention=dict(rope_type="default", rope_theta=10000.0))
MINISTRAL3 = dict(rope_type="yarn", rope_theta=10000.0, factor=16.0, original_max_position_embeddings=32, beta_fast=32.0, beta_slow=1.0,
                  mscale=1.0, mscale_all_dim=1.0, llama_4_scaling_beta=0.1)

# set -> family -> (model_type, config)
SETS = {
    "a": {
        "llama":            ("llama", a()),
        "llama-tied-rope3": ("llama", a(tie_word_embeddings=True, rope_parameters=LLAMA3)),
        "llama-bias-hd":    ("llama", a(head_dim=24, attention_bias=True, mlp_bias=True)),
        "llama-linear":     ("llama", a(rope_parameters=LINEAR)),
        "llama-dynamic":    ("llama", a(max_position_embeddings=32, rope_parameters=DYNAMIC)),
        "llama-yarn":       ("llama", a(rope_parameters=YARN)),
        "llama-longrope":   ("llama", a(rope_parameters=longrope(8, 24))),
        "mistral":          ("mistral", a(sliding_window=16, head_dim=16)),
        "mistral-full":     ("mistral", a(sliding_window=None)),
        "mistral-yarn":     ("mistral", a(sliding_window=None, rope_parameters=YARN)),
        "ministral3":       ("ministral3", a(head_dim=16, max_position_embeddings=40, rope_parameters=MINISTRAL3)),
        "qwen2":            ("qwen2", a(tie_word_embeddings=True)),
        "qwen2-window":     ("qwen2", a(use_sliding_window=True, sliding_window=16, max_window_layers=1)),
        "qwen3":            ("qwen3", a(head_dim=32, tie_word_embeddings=True)),
        "gemma":            ("gemma", a(head_dim=32)),
        "gemma2":           ("gemma2", a(head_dim=32, sliding_window=16, query_pre_attn_scalar=24, attn_logit_softcapping=5.0,
                                         final_logit_softcapping=3.0)),
        "gemma3":           ("gemma3_text", a(num_hidden_layers=4, head_dim=32, sliding_window=16, query_pre_attn_scalar=24,
                                              layer_types=GEMMA3_LAYERS + ["sliding_attention"])),
        "gemma3-linear":    ("gemma3_text", a(head_dim=32, sliding_window=16, query_pre_attn_scalar=32, layer_types=GEMMA3_LAYERS,
                                              rope_parameters=GEMMA3_LINEAR)),
        "phi3":             ("phi3", a(sliding_window=None)),
        "phi3-longrope":    ("phi3", a(sliding_window=None, original_max_position_embeddings=24, rope_parameters=longrope(8, 24))),
        "phi3-partial":     ("phi3", a(sliding_window=None, tie_word_embeddings=True, partial_rotary_factor=0.75,
                                       original_max_position_embeddings=24, rope_parameters=longrope(6, 24, partial_rotary_factor=0.75))),
        "granite":          ("granite", a(embedding_multiplier=3.0, residual_multiplier=0.4, attention_multiplier=0.1, logits_scaling=2.0)),
        "smollm3":          ("smollm3", a(num_hidden_layers=4, no_rope_layers=[1, 1, 1, 0])),
        "olmo2":            ("olmo2", a()),
    },
    "b": {
        "llama":            ("llama", b(211, 84, 7, 1, rms_norm_eps=1e-5, rope_parameters=dict(rope_type="default", rope_theta=500000.0))),
        "llama-tied-rope3": ("llama", b(211, 60, 5, 1, tie_word_embeddings=True, rope_parameters=LLAMA3)),
        "llama-bias-hd":    ("llama", b(173, 56, 7, 1, 36, attention_bias=True, mlp_bias=True)),
        "llama-linear":     ("llama", b(337, 60, 3, 3, rope_parameters=dict(LINEAR, factor=2.5))),
        "llama-dynamic":    ("llama", b(211, 60, 5, 1, max_position_embeddings=40, rope_parameters=dict(DYNAMIC, factor=3.0))),
        "llama-yarn":       ("llama", b(173, 70, 7, 1, 20, rope_parameters=YARN)),
        "llama-longrope":   ("llama", b(211, 60, 5, 1, rope_parameters=longrope(6, 50, factor=4.0))),
        "mistral":          ("mistral", b(211, 56, 7, 1, 20, sliding_window=21)),
        "mistral-full":     ("mistral", b(173, 98, 7, 1, sliding_window=None)),
        "mistral-yarn":     ("mistral", b(263, 54, 6, 2, 20, sliding_window=None, rope_parameters=dict(
                                YARN, factor=6.0, attention_factor=1.2, beta_fast=16.0, beta_slow=2.0))),
        "ministral3":       ("ministral3", b(211, 63, 7, 1, 20, max_position_embeddings=60, rope_parameters=MINISTRAL3)),
        "qwen2":            ("qwen2", b(337, 84, 7, 1, tie_word_embeddings=True)),
        "qwen2-window":     ("qwen2", b(173, 60, 5, 1, num_hidden_layers=3, use_sliding_window=True, sliding_window=13, max_window_layers=1)),
        "qwen3":            ("qwen3", b(211, 56, 7, 1, 36, tie_word_embeddings=True)),
        "gemma":            ("gemma", b(211, 56, 7, 1, 20)),
        "gemma2":           ("gemma2", b(211, 54, 6, 2, 36, sliding_window=19, query_pre_attn_scalar=24, attn_logit_softcapping=5.0,
                                         final_logit_softcapping=3.0)),
        "gemma3":           ("gemma3_text", b(211, 56, 7, 1, 20, num_hidden_layers=3, sliding_window=23, query_pre_attn_scalar=24,
                                              layer_types=GEMMA3_LAYERS)),
        "gemma3-linear":    ("gemma3_text", b(173, 45, 3, 1, 36, num_hidden_layers=3, sliding_window=9, query_pre_attn_scalar=36,
                                              layer_types=GEMMA3_LAYERS, rope_parameters=GEMMA3_LINEAR)),
        "phi3":             ("phi3", b(211, 84, 7, 1, sliding_window=37)),
        "phi3-longrope":    ("phi3", b(173, 98, 7, 1, sliding_window=None, original_max_position_embeddings=40,
                                       rope_parameters=longrope(7, 40))),
        "phi3-partial":     ("phi3", b(211, 120, 5, 1, sliding_window=None, tie_word_embeddings=True, partial_rotary_factor=0.75,
                                       original_max_position_embeddings=40, rope_parameters=longrope(9, 40, partial_rotary_factor=0.75))),
        "granite":          ("granite", b(211, 60, 5, 1, embedding_multiplier=3.0, residual_multiplier=0.4, attention_multiplier=0.1,
                                          logits_scaling=2.0, tie_word_embeddings=True)),
        "smollm3":          ("smollm3", b(211, 84, 7, 1, num_hidden_layers=3, no_rope_layers=[1, 0, 1])),
        "olmo2":            ("olmo2", b(173, 98, 7, 1)),
    },
}

# set -> rows as (length, labels masked at the start, row whose first ids it shares, how many): the last kind is a DPO pair
ROWS = {
    "a": [(37, 9, None, 0), (29, 29, None, 0), (48, 20, None, 0), (5, 1, None, 0), (29, 8, 0, 8)],
    "b": [(33, 7, None, 0),      # an ordinary row
          (1, 0, None, 0),       # one token: nothing to predict
          (2, 1, None, 0),       # one target
          (17, 0, None, 0),      # every token labelled, position 0 too (it is never a target)
          (70, 70, None, 0),     # no label at all
          (70, 31, None, 0),
          (150, 64, None, 0),    # longer than every window and every original context length above
          (41, 7, 0, 7),         # pairs: same prompt, other completion
          (18, 9, 3, 9),          # labels begin at the first completion token
          (96, 31, 5, 31)],
}

# family -> kind -> LoraConfig arguments; without target_modules: every linear layer but the head
EXTRA = {
    "llama": {
        "lora-dora": dict(r=4, lora_alpha=8, use_dora=True, target_modules=["q_proj", "v_proj", "down_proj"]),
        "lora-pattern": dict(r=4, lora_alpha=8, rank_pattern={"q_proj": 8, "layers.1.mlp.up_proj": 2}, alpha_pattern={"v_proj": 32}),
        "lora-saved-head": dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], modules_to_save=["lm_head", "embed_tokens"]),
        "lora-embedding": dict(r=4, lora_alpha=8, target_modules=["q_proj", "embed_tokens", "lm_head"]),
        "lora-bias": dict(r=4, lora_alpha=8, target_modules=["q_proj", "o_proj"], bias="lora_only", lora_bias=True),
    },
    "mistral": {"lora-rs": dict(r=5, lora_alpha=7, use_rslora=True)},
    "qwen2": {"lora-dora": dict(r=3, lora_alpha=6, use_dora=True)},
    "gemma2": {"lora-dora-rs": dict(r=3, lora_alpha=6, use_dora=True, use_rslora=True)},
    "phi3": {"lora-dora": dict(r=4, lora_alpha=8, use_dora=True)},
}


def adapter_shape(which, family):
    """Rank and scale of the plain adapter: set b's rank divides nothing."""
    return dict(r=4 if which == "a" else 3, lora_alpha=16 if which == "a" else 10, bias="none", use_rslora=family == "qwen2")
