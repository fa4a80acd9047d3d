#!/usr/bin/env python3
"""Exports a checkpoint of make_model.py, with its loss, as an OpenVINO graph: DIR/ov.xml, DIR/ov.bin (f32).

    python export_openvino.py DIR

The graph takes a row's ids, the next ids and a weight per position, and gives the summed next-token loss.
"""
import json, sys
import openvino as ov, torch, transformers
from transformers import AutoModelForCausalLM
transformers.utils.logging.set_verbosity_error()

d = sys.argv[1]
seq = json.load(open(f"{d}/ids.json"))["seq"]
m = AutoModelForCausalLM.from_pretrained(d, dtype=torch.float32, attn_implementation="sdpa").eval()


class Loss(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.m = m

    def forward(self, ids, targets, weights):      # [1, T], [T, 1], [T, 1]; the last weight is 0
        logits = self.m(input_ids=ids, use_cache=False).logits.reshape(targets.shape[0], -1)
        return ((torch.logsumexp(logits, -1, keepdim=True) - logits.gather(1, targets)) * weights).sum()


example = (torch.randint(10, 1000, (1, seq)), torch.randint(10, 1000, (seq, 1)), torch.ones(seq, 1))
with torch.no_grad():
    graph = ov.convert_model(torch.export.export(Loss(), example))
ov.save_model(graph, f"{d}/ov.xml", compress_to_fp16=False)
print(f"{d}/ov.xml")
