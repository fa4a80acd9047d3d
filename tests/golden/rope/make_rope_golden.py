"""Rotary frequencies, cosines and sines of transformers, in double precision.

    pip install torch==2.11.0 transformers==5.17.0
    python make_rope_golden.py            # writes rope.json beside this file

Each row is one forward of a freshly built rotary embedding over positions 0..tokens, as a model does for one unpadded
row. While it runs, every request for float32 is answered with float64, so that the numbers are true double precision.
"""

import json
import pathlib

import torch
import transformers
from transformers import LlamaConfig, Phi3Config
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding
from transformers.models.phi3.modeling_phi3 import Phi3RotaryEmbedding

YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=32)
CASES = {
    # name: (family, head_dim, partial_rotary_factor, max_position_embeddings, parameters, lengths)
    "default": ("llama", 64, 1.0, 2048, dict(rope_type="default", rope_theta=10000.0), [1, 5000]),
    "default-odd-head": ("llama", 20, 1.0, 64, dict(rope_type="default", rope_theta=500000.0), [70]),
    "partial": ("phi3", 36, 0.5, 64, dict(rope_type="default", rope_theta=10000.0), [70]),
    "partial-rounded-down": ("phi3", 30, 0.75, 64, dict(rope_type="default", rope_theta=10000.0), [9]),
    "linear": ("llama", 24, 1.0, 64, dict(rope_type="linear", rope_theta=10000.0, factor=4.0), [70]),
    "dynamic": ("llama", 32, 1.0, 48, dict(rope_type="dynamic", rope_theta=10000.0, factor=2.5), [47, 48, 49, 97, 300]),
    "llama3": ("llama", 64, 1.0, 131072,
               dict(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                    original_max_position_embeddings=8192), [9000]),
    "llama3-small": ("llama", 64, 1.0, 64,
                     dict(rope_type="llama3", rope_theta=10000.0, factor=32.0, low_freq_factor=1.5,
                          high_freq_factor=4.5, original_max_position_embeddings=32), [70]),
    "yarn": ("llama", 64, 1.0, 128, dict(YARN, rope_theta=10000.0), [130]),
    "yarn-large": ("llama", 128, 1.0, 131072,
                   dict(rope_type="yarn", rope_theta=1000000.0, factor=4.0, original_max_position_embeddings=32768),
                   [600]),
    "yarn-not-truncated": ("llama", 64, 1.0, 128,
                           dict(YARN, rope_theta=150000.0, beta_fast=32.0, beta_slow=1.0, truncate=False), [130]),
    "yarn-betas": ("llama", 64, 1.0, 128,
                   dict(YARN, rope_theta=10000.0, beta_fast=8.0, beta_slow=2.0, attention_factor=0.9), [40]),
    "yarn-mscale": ("llama", 64, 1.0, 128, dict(YARN, rope_theta=10000.0, mscale=0.707, mscale_all_dim=1.3), [40]),
    "yarn-no-ramp": ("llama", 16, 1.0, 8,
                     dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=4), [40]),
    "longrope": ("phi3", 32, 1.0, 96,
                 dict(rope_type="longrope", rope_theta=10000.0, original_max_position_embeddings=24,
                      short_factor=[1.0 + 0.05 * i for i in range(16)],
                      long_factor=[1.0 + 0.5 * i for i in range(16)]), [23, 24, 25, 90]),
    "longrope-partial": ("phi3", 32, 0.75, 96,
                         dict(rope_type="longrope", rope_theta=10000.0, original_max_position_embeddings=24,
                              short_factor=[1.0 + 0.05 * i for i in range(12)],
                              long_factor=[2.0 + 0.5 * i for i in range(12)], attention_factor=1.25), [24, 25]),
}


class Double:
    """Answers every request for float32 with float64."""

    def __enter__(self):
        self.kept = torch.float, torch.float32, torch.Tensor.float
        torch.float = torch.float32 = torch.float64
        torch.Tensor.float = torch.Tensor.double
        torch.set_default_dtype(torch.float64)

    def __exit__(self, *_):
        torch.float, torch.float32, torch.Tensor.float = self.kept
        torch.set_default_dtype(torch.float32)


def build(family, head_dim, partial, max_positions, parameters):
    config, rotary = (LlamaConfig, LlamaRotaryEmbedding) if family == "llama" else (Phi3Config, Phi3RotaryEmbedding)
    shape = dict(hidden_size=2 * head_dim, num_attention_heads=2, num_hidden_layers=1, pad_token_id=0)
    if family == "llama":
        shape["head_dim"] = head_dim
    if partial != 1.0:
        shape["partial_rotary_factor"] = partial
    if parameters["rope_type"] == "longrope":
        shape["original_max_position_embeddings"] = parameters["original_max_position_embeddings"]
    return rotary(config(max_position_embeddings=max_positions, rope_parameters=dict(parameters), **shape))


def forward(case, tokens):
    rope = build(*case)
    position_ids = torch.arange(tokens)[None]
    cos, sin = rope(torch.zeros(1, dtype=rope.inv_freq.dtype), position_ids)
    return rope.inv_freq, rope.attention_scaling, cos[0], sin[0]


def main():
    out = dict(torch=torch.__version__, transformers=transformers.__version__, cases=[])
    for name, (*case, lengths) in CASES.items():
        for tokens in lengths:
            single = forward(case, tokens)
            with Double():
                inv_freq, factor, cos, sin = forward(case, tokens)
            assert inv_freq.dtype == cos.dtype == torch.float64
            assert single[0].dtype == torch.float32
            assert (single[0].double() / inv_freq - 1).abs().max() < 1e-5, name
            half = inv_freq.numel()
            positions = sorted({0, 1, 7, tokens // 2, tokens - 1} & set(range(tokens)))
            _, head_dim, partial, max_positions, parameters = case
            out["cases"].append(dict(
                name=name, head_dim=head_dim, partial_rotary_factor=partial, max_position_embeddings=max_positions,
                rope_parameters=parameters, tokens=tokens, inv_freq=inv_freq.tolist(), attention_factor=float(factor),
                positions=positions, cos=cos[positions, :half].tolist(), sin=sin[positions, :half].tolist()))
    path = pathlib.Path(__file__).with_name("rope.json")
    path.write_text(json.dumps(out, separators=(",", ":")).replace('{"name"', '\n{"name"') + "\n")


if __name__ == "__main__":
    main()
