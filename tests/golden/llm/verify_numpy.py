#!/usr/bin/env python3
"""Independent check of the f64 numbers: every family again in plain numpy float64, written from the papers' formulas and the
configuration's meaning, without any modelling code of torch or transformers.

    python verify_numpy.py DIR [family ...]        # DIR as make_llm_golden.py wrote it

Prints, per family and adapter, the largest difference of any per-token loss; more than 1e-8 is a failure.
"""
import json, math, os, sys
import numpy as np
from safetensors.torch import load_file


def tensors(path):
    return {k: v.double().numpy() for k, v in load_file(path).items()}


class Rope:
    """Rotary tables: inverse frequencies and the factor on cos and sin, for a row of n tokens."""
    def __init__(self, c, head_dim, p):
        self.c, self.p, self.kind, self.theta = c, p, p.get("rope_type", "default"), p["rope_theta"]
        self.dim = int(head_dim * p.get("partial_rotary_factor", 1.0))
        self.exponent = np.arange(0, self.dim, 2) / self.dim

    def frequencies(self, n):
        p, dim = self.p, self.dim
        plain = self.theta ** -self.exponent
        if self.kind == "default": return plain, 1.0
        if self.kind == "linear": return plain / p["factor"], 1.0
        if self.kind == "dynamic":
            limit = self.c["max_position_embeddings"]
            if n <= limit: return plain, 1.0
            grown = self.theta * (p["factor"] * n / limit - (p["factor"] - 1)) ** (dim / (dim - 2))
            return grown ** -self.exponent, 1.0
        original = p["original_max_position_embeddings"]
        if self.kind == "longrope":
            factor = p.get("factor") or self.c["max_position_embeddings"] / original
            scale = p.get("attention_factor") or (1.0 if factor <= 1 else math.sqrt(1 + math.log(factor) / math.log(original)))
            return plain / np.array(p["long_factor" if n > original else "short_factor"]), scale
        if self.kind == "llama3":
            wave, low, high = 2 * np.pi / plain, original / p["low_freq_factor"], original / p["high_freq_factor"]
            smooth = (original / wave - p["low_freq_factor"]) / (p["high_freq_factor"] - p["low_freq_factor"])
            middle = (1 - smooth) * plain / p["factor"] + smooth * plain
            return np.where(wave > low, plain / p["factor"], np.where(wave < high, plain, middle)), 1.0
        assert self.kind == "yarn", self.kind
        turns = lambda r: dim * math.log(original / (r * 2 * math.pi)) / (2 * math.log(self.theta))
        low = max(math.floor(turns(p.get("beta_fast") or 32)), 0)
        high = min(math.ceil(turns(p.get("beta_slow") or 1)), dim - 1)
        ramp = np.clip((np.arange(dim // 2) - low) / ((high - low) or 0.001), 0, 1)
        mscale = lambda m: 1.0 if p["factor"] <= 1 else 0.1 * m * math.log(p["factor"]) + 1
        scale = p.get("attention_factor")
        if scale is None:
            both = p.get("mscale") and p.get("mscale_all_dim")
            scale = mscale(p["mscale"]) / mscale(p["mscale_all_dim"]) if both else mscale(1)
        return plain / p["factor"] * ramp + plain * (1 - ramp), scale

    def tables(self, n):
        inv, scale = self.frequencies(n)
        angle = np.outer(np.arange(n), inv); angle = np.concatenate([angle, angle], -1)
        return np.cos(angle)[:, None] * scale, np.sin(angle)[:, None] * scale

    def turn(self, x, cos, sin):
        rot, rest = x[..., :self.dim], x[..., self.dim:]
        a, b = np.split(rot, 2, -1)
        return np.concatenate([rot * cos + np.concatenate([-b, a], -1) * sin, rest], -1)


class Adapter:
    """LoRA in all the spellings peft saves; `weights` may be replaced by saved modules."""
    def __init__(self, path, weights):
        c = json.load(open(f"{path}/adapter_config.json"))
        self.a = {k.removeprefix("base_model.model."): v for k, v in tensors(f"{path}/adapter_model.safetensors").items()}
        self.c, self.w = c, dict(weights)
        for k, v in self.a.items():                        # saved modules and trained biases replace the base's tensors
            if "lora_" not in k: self.w[k.replace(".base_layer.", ".").replace("modules_to_save.", "")] = v

    def pattern(self, table, name, default):
        hits = [v for k, v in table.items() if name == k or name.endswith("." + k)]
        return hits[0] if hits else default

    def parts(self, name):
        for kind in ("", "embedding_"):
            key = f"{name}.lora_A.weight" if not kind else f"{name}.lora_embedding_A"
            if key in self.a:
                A, B = self.a[key], self.a[key.replace("_A", "_B")]
                r = A.shape[0]
                assert r == self.pattern(self.c["rank_pattern"], name, self.c["r"])
                alpha = self.pattern(self.c["alpha_pattern"], name, self.c["lora_alpha"])
                return A, B, alpha / (math.sqrt(r) if self.c["use_rslora"] else r)
        return None


class Model:
    def __init__(self, path, adapter=None):
        self.c = json.load(open(f"{path}/config.json"))
        w = tensors(f"{path}/model.safetensors")
        self.lora = Adapter(adapter, w) if adapter else None
        self.w = self.lora.w if adapter else w

    def linear(self, name, x):
        w = self.w[name + ".weight"]; y = x @ w.T
        parts = self.lora.parts(name) if self.lora else None
        if parts:
            A, B, s = parts
            if f"{name}.lora_magnitude_vector" in self.lora.a:
                w = w + s * B @ A
                y = x @ (w * (self.lora.a[f"{name}.lora_magnitude_vector"] / np.linalg.norm(w, axis=1))[:, None]).T
            else:
                y = y + s * (x @ A.T @ B.T)
            if f"{name}.lora_B.bias" in self.lora.a: y = y + s * self.lora.a[f"{name}.lora_B.bias"]
        return y + self.w[name + ".bias"] if name + ".bias" in self.w else y

    def embed(self, ids):
        x = self.w["model.embed_tokens.weight"][ids]
        parts = self.lora.parts("model.embed_tokens") if self.lora else None
        return x + parts[2] * (parts[0].T[ids] @ parts[1].T) if parts else x

    def norm(self, name, x):
        w = self.w[name + ".weight"] + (1 if self.c["model_type"].startswith("gemma") else 0)
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.c["rms_norm_eps"]) * w

    def window(self, layer):
        c, t = self.c, self.c["model_type"]
        if t == "qwen2": return c["sliding_window"] if c["use_sliding_window"] and layer >= c["max_window_layers"] else None
        if t == "gemma2": return c["sliding_window"] if layer % 2 == 0 else None
        if t == "gemma3_text": return c["sliding_window"] if c["layer_types"][layer] == "sliding_attention" else None
        return c.get("sliding_window") if t in ("mistral", "phi3", "ministral3") else None

    def attention(self, p, layer, h):
        c, t, n = self.c, self.c["model_type"], len(h)
        heads, kv = c["num_attention_heads"], c["num_key_value_heads"]
        hd = c.get("head_dim") or c["hidden_size"] // heads
        if t == "phi3":
            q, k, v = np.split(self.linear(p + "qkv_proj", h), [heads * hd, (heads + kv) * hd], -1)
        else:
            q, k, v = (self.linear(p + f"{m}_proj", h) for m in "qkv")
        if t == "olmo2": q, k = self.norm(p + "q_norm", q), self.norm(p + "k_norm", k)     # over all heads at once
        q, k, v = (m.reshape(n, -1, hd) for m in (q, k, v))
        if t in ("qwen3", "gemma3_text"): q, k = self.norm(p + "q_norm", q), self.norm(p + "k_norm", k)
        rope = c["rope_parameters"]
        rope = Rope(c, hd, rope[c["layer_types"][layer]] if t == "gemma3_text" else rope)
        if t != "smollm3" or c["no_rope_layers"][layer]:
            cos, sin = rope.tables(n); q, k = rope.turn(q, cos, sin), rope.turn(k, cos, sin)
        if t == "ministral3":
            q = q * (1 + rope.p["llama_4_scaling_beta"] * np.log(1 + np.arange(n) // rope.p["original_max_position_embeddings"]))[:, None, None]
        k, v = (np.repeat(m, heads // kv, 1) for m in (k, v))
        scale = c["attention_multiplier"] if t == "granite" else c.get("query_pre_attn_scalar", hd) ** -0.5
        s = np.einsum("qhd,khd->hqk", q, k) * scale
        if c.get("attn_logit_softcapping"): s = np.tanh(s / c["attn_logit_softcapping"]) * c["attn_logit_softcapping"]
        back = np.arange(n)[:, None] - np.arange(n)[None]
        window = self.window(layer)
        s = np.where((back >= 0) & (back < (window or n + 1)), s, -np.inf)
        s = np.exp(s - s.max(-1, keepdims=True)); s /= s.sum(-1, keepdims=True)
        return self.linear(p + "o_proj", np.einsum("hqk,khd->qhd", s, v).reshape(n, -1))

    def mlp(self, p, h):
        gate, up = np.split(self.linear(p + "gate_up_proj", h), 2, -1) if self.c["model_type"] == "phi3" else \
            (self.linear(p + "gate_proj", h), self.linear(p + "up_proj", h))
        if self.c["model_type"].startswith("gemma"):       # tanh approximation of gelu
            gate = 0.5 * gate * (1 + np.tanh(math.sqrt(2 / math.pi) * (gate + 0.044715 * gate ** 3)))
        else:
            gate = gate / (1 + np.exp(-gate))
        return self.linear(p + "down_proj", gate * up)

    def logits(self, ids):
        c, t = self.c, self.c["model_type"]
        x = self.embed(ids)
        if t.startswith("gemma"): x = x * math.sqrt(c["hidden_size"])
        if t == "granite": x = x * c["embedding_multiplier"]
        gain = c.get("residual_multiplier", 1.0) if t == "granite" else 1.0
        for l in range(c["num_hidden_layers"]):
            p = f"model.layers.{l}."
            if t == "olmo2":                               # norms after the block instead of before
                x = x + self.norm(p + "post_attention_layernorm", self.attention(p + "self_attn.", l, x))
                x = x + self.norm(p + "post_feedforward_layernorm", self.mlp(p + "mlp.", x))
                continue
            y = self.attention(p + "self_attn.", l, self.norm(p + "input_layernorm", x))
            if t in ("gemma2", "gemma3_text"):
                x = x + self.norm(p + "post_attention_layernorm", y)
                y = self.mlp(p + "mlp.", self.norm(p + "pre_feedforward_layernorm", x))
                x = x + self.norm(p + "post_feedforward_layernorm", y)
            else:
                x = x + gain * y
                x = x + gain * self.mlp(p + "mlp.", self.norm(p + "post_attention_layernorm", x))
        x = self.norm("model.norm", x)
        if "lm_head.weight" not in self.w: self.w["lm_head.weight"] = self.w["model.embed_tokens.weight"]
        y = self.linear("lm_head", x)
        if t == "granite": y = y / c["logits_scaling"]
        if c.get("final_logit_softcapping"): y = np.tanh(y / c["final_logit_softcapping"]) * c["final_logit_softcapping"]
        return y


def log_softmax(x):
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def check(d):
    g = json.load(open(f"{d}/golden.json")); worst, kept = {}, {}
    for kind in ["base"] + g["adapters"]:
        m = Model(f"{d}/model", None if kind == "base" else f"{d}/{kind}")
        rows = kept[kind] = [log_softmax(m.logits(ids)) for ids in g["input_ids"]]
        worst[kind] = max(float(np.abs(-lp[np.arange(len(ids) - 1), ids[1:]] - ref).max())
                          for lp, ids, ref in zip(rows, g["input_ids"], g[kind]["nll_f64"]) if len(ids) > 1)
    worst["kl"] = max(float(np.abs((np.exp(p) * (p - q)).sum(-1) - ref).max())
                      for p, q, ref in zip(kept["lora"], kept["base"], g["kl_f64"]["per_position"]))
    return worst


if __name__ == "__main__":
    out = sys.argv[1]; bad = 0
    for family in sys.argv[2:] or sorted(x for x in os.listdir(out) if os.path.exists(f"{out}/{x}/golden.json")):
        worst = check(f"{out}/{family}")
        bad |= max(worst.values()) > 1e-8
        print(f"{family:17s} {max(worst.values()):.1e}  " + " ".join(f"{k} {v:.0e}" for k, v in worst.items()))
    sys.exit(bad)
