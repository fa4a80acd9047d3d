#!/usr/bin/env python3
"""Mean next-token loss with OpenVINO over the graph of export_openvino.py; one JSON line.

    python openvino_eval.py DIR f32|bf16 THREADS [ROWS=all] [REPEAT=1]
"""
import json, sys, time
import numpy as np, openvino as ov
from clocks import best_of

d, dtype, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
meta = json.load(open(f"{d}/ids.json"))
rows = np.fromfile(f"{d}/ids.u32", "<u4").astype("int64").reshape(meta["n"], 1, meta["seq"])
if len(sys.argv) > 4 and int(sys.argv[4]): rows = rows[:int(sys.argv[4])]
repeat = int(sys.argv[5]) if len(sys.argv) > 5 else 1


def inputs(ids):
    targets = np.zeros((ids.shape[1], 1), "int64"); targets[:-1, 0] = ids[0, 1:]
    weights = np.ones((ids.shape[1], 1), "float32"); weights[-1] = 0
    return [ids, targets, weights]


began = time.perf_counter()
graph = ov.Core().compile_model(f"{d}/ov.xml", "CPU", {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": dtype,
                                                       "PERFORMANCE_HINT": "LATENCY"})
load = time.perf_counter() - began
wall, cpu, total = best_of(repeat, rows, lambda ids: float(graph(inputs(ids))[0]))
print(json.dumps(dict(peer="OpenVINO " + ov.__version__.split("-")[0], dtype=dtype, threads=threads, tokens=int(rows.size), wall=wall, cpu=cpu,
                      tokens_per_cpu_s=rows.size / cpu, nll=total / (len(rows) * (meta["seq"] - 1)), load_s=load)))
