#!/usr/bin/env python3
"""Trains the example's base model from nothing: a byte-level BPE tokenizer and a small Llama on WordNet's dictionary text.

    python train_base.py WORDNET_DIR OUT [--minutes 14]

One pass in a fixed order, one thread; --minutes bounds the CPU time, and the learning rate runs down with it. What is committed
beside this script took the default. OUT is a Hugging Face checkpoint (bf16 safetensors, config.json, tokenizer files).
"""
import argparse, json, math, os, time
os.environ.setdefault("OMP_NUM_THREADS", "1")
import torch, transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from wordnet import draw, entry, senses

ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
ap.add_argument("wordnet"); ap.add_argument("out"); ap.add_argument("--minutes", type=float, default=14.0)
a = ap.parse_args()
torch.set_num_threads(1); torch.manual_seed(1)

train = sorted((s for s in senses(a.wordnet) if not s.held_out), key=lambda s: draw("order", s.key))
lines = [entry(s) for s in train]
BOS, EOS, PAD, START, STOP = "<|begin|>", "<|end|>", "<|pad|>", "<|im_start|>", "<|im_end|>"
CHATML = ("{{ bos_token }}{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
          "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")
t = Tokenizer(models.BPE())
t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
t.decoder = decoders.ByteLevel()
t.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=3072, special_tokens=[PAD, BOS, EOS, START, STOP], show_progress=False,
                                                 initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
t.post_processor = processors.TemplateProcessing(single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B", special_tokens=[(BOS, t.token_to_id(BOS))])
tok = PreTrainedTokenizerFast(tokenizer_object=t, bos_token=BOS, eos_token=EOS, pad_token=PAD, additional_special_tokens=[START, STOP],
                              model_max_length=1024, clean_up_tokenization_spaces=False)
tok.chat_template = CHATML
os.makedirs(a.out, exist_ok=True); tok.save_pretrained(a.out)

stream = []
for e in t.encode_batch(lines): stream += e.ids + [tok.eos_token_id]
SEQ, BATCH = 256, 16
rows = torch.tensor(stream[:len(stream) // SEQ * SEQ], dtype=torch.long).view(-1, SEQ)
cfg = LlamaConfig(vocab_size=len(tok), hidden_size=160, intermediate_size=432, num_hidden_layers=6, num_attention_heads=5,
                  num_key_value_heads=1, head_dim=32, max_position_embeddings=1024, rms_norm_eps=1e-5, rope_theta=10000.0,
                  tie_word_embeddings=True, bos_token_id=tok.bos_token_id, eos_token_id=tok.eos_token_id, pad_token_id=tok.pad_token_id)
m = LlamaForCausalLM._from_config(cfg, attn_implementation="sdpa")
print(f"{len(lines)} entries, {len(stream)} tokens, {sum(p.numel() for p in m.parameters())} parameters", flush=True)

decay = [p for p in m.parameters() if p.ndim > 1]; rest = [p for p in m.parameters() if p.ndim == 1]
PEAK, WARM = 3e-3, 0.02
opt = torch.optim.AdamW([dict(params=decay, weight_decay=0.1), dict(params=rest, weight_decay=0.0)], lr=PEAK, betas=(0.9, 0.95), fused=True)
m.train(); begun = time.process_time(); step, mean, order = 0, None, torch.arange(len(rows))
while (done := (time.process_time() - begun) / (60 * a.minutes)) < 1:
    at = step * BATCH % (len(rows) - BATCH)
    x = rows[order[at:at + BATCH]]
    for g in opt.param_groups:
        g["lr"] = PEAK * min(1.0, max(done, 1e-3) / WARM) * (0.5 + 0.5 * math.cos(math.pi * done)) + 3e-5
    loss = m(input_ids=x, labels=x, use_cache=False).loss
    loss.backward(); torch.nn.utils.clip_grad_norm_(m.parameters(), 1.0); opt.step(); opt.zero_grad(set_to_none=True)
    mean = loss.item() if mean is None else 0.98 * mean + 0.02 * loss.item(); step += 1
    if step % 25 == 0:
        print(f"step {step} tokens {step * BATCH * SEQ} loss {mean:.3f} cpu {time.process_time() - begun:.0f}s", flush=True)
m.eval().to(torch.bfloat16).save_pretrained(a.out)
os.chmod(f"{a.out}/model.safetensors", 0o644)
json.dump(dict(steps=step, tokens=step * BATCH * SEQ, loss=mean, torch=torch.__version__, transformers=transformers.__version__),
          open(f"{a.out}/training.json", "w"), indent=1)
