#!/usr/bin/env python3
"""rows.parquet and the same rows as rows.json. Written with pyarrow 26.0.1 (Python 3.11).

   make_parquet_golden.py OUT
"""
import json, sys
import pyarrow as pa, pyarrow.parquet as pq

rows = [dict(prompt=f"Frage {i} – ü", answer=None if i % 3 == 0 else "x" * i, score=i / 4, n=i * 10**12, flag=i % 2 == 0,
             conversations=None if i == 4 else [{"from": "user", "value": f"é {i}"}, {"from": "assistant", "value": None if i == 5 else "ja"}][: 1 + i])
        for i in range(7)]
message = pa.struct([("from", pa.string()), ("value", pa.string())])
table = pa.table({"prompt": pa.array([r["prompt"] for r in rows]), "answer": pa.array([r["answer"] for r in rows], pa.string()),
                  "score": pa.array([r["score"] for r in rows]), "n": pa.array([r["n"] for r in rows]), "flag": pa.array([r["flag"] for r in rows]),
                  "conversations": pa.array([r["conversations"] for r in rows], pa.list_(message))})
for codec in ("none", "snappy", "zstd", "gzip"):
    pq.write_table(table, f"{sys.argv[1]}/rows-{codec}.parquet", compression=codec, row_group_size=3)
json.dump(rows, open(f"{sys.argv[1]}/rows.json", "w"), ensure_ascii=False, separators=(",", ":"))
