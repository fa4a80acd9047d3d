#!/usr/bin/env python3
"""Writes a random-weight checkpoint (bf16, Hugging Face layout) and the token ids that every peer evaluates.

    python make_model.py 100m|500m OUT [ROWS=8] [SEQ=512]

OUT/ids.u32 holds ROWS x SEQ little-endian u32, OUT/ids.json says how many of each.
"""
import json, sys
import numpy as np, torch
from transformers import Qwen2Config, Qwen2ForCausalLM
from shapes import SHAPES

shape, out = sys.argv[1], sys.argv[2]
rows = int(sys.argv[3]) if len(sys.argv) > 3 else 8
seq = int(sys.argv[4]) if len(sys.argv) > 4 else 512
torch.manual_seed(0)
config = Qwen2Config(**SHAPES[shape], max_position_embeddings=4096, rms_norm_eps=1e-6, rope_theta=1e6, use_sliding_window=False,
                     max_window_layers=SHAPES[shape]["num_hidden_layers"], bos_token_id=1, eos_token_id=2)
m = Qwen2ForCausalLM(config).to(torch.bfloat16)
m.save_pretrained(out)
rng = np.random.default_rng(1234)
rng.integers(10, SHAPES[shape]["vocab_size"] - 10, (rows, seq)).astype("<u4").tofile(f"{out}/ids.u32")
json.dump({"shape": shape, "n": rows, "seq": seq}, open(f"{out}/ids.json", "w"))
print(out, f"{sum(p.numel() for p in m.parameters()) / 1e6:.1f} M parameters, {rows} rows of {seq}")
