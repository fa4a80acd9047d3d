#!/usr/bin/env python3
"""GPUs and hours as the subnet's formulas give them, in its own language: cases.tsv beside this file.

The formulas are written here from their description, not from gradus, and read no rule set. Python 3.11 or later; nothing
else. A line: rule set, kind, arguments, result. `-` stands for nothing.
"""

import math
import pathlib
import random

OLD, NEW = "2025-12-12-86623e97", "2026-09-30-27931f9d"
rng = random.Random(56)
lines = []


def put(rules, kind, arguments, result):
    words = [rules, kind] + ["-" if a is None else str(a) for a in arguments] + [str(result)]
    lines.append("\t".join(words))


def h100s(params, task, kl=False, env_factor=None, new=True):
    """How many H100s train a model of so many parameters."""
    if task == "continuous_sft":
        return 4
    if task == "image":
        return 1
    if not params:
        return 1
    b = params / 1_000_000_000
    if task == "dpo":
        b *= 3
    if task == "grpo":
        b *= 2
    if task == "environment":
        if env_factor is None:
            return 4
        b *= env_factor
    if kl:
        b *= 2
    for most, gpus in ((4.0, 1), (12.0, 2), (40.0, 4)):
        if b <= most:
            return gpus
    return 8


def evaluation_gpus(params, task):
    if not params:
        return 1
    n = params * {"dpo": 2, "grpo": 3, "environment": 3}.get(task, 1)
    for below, gpus in ((30 * 10**9, 1), (70 * 10**9, 2), (100 * 10**9, 3)):
        if n < below:
            return gpus
    return 4


def rate(params):
    return 989.0 * 1e12 * 0.15 / (6.0 * params)


def overhead(params):
    b = params / 1e9
    return 0.25 if b < 1.0 else 0.5 if b < 4.0 else 0.75


def sized(tokens, params, task, measured=None):
    gpus = h100s(int(params), task)
    per_gpu = rate(params)
    if measured:
        low, high = per_gpu * 0.33, per_gpu * 3.0
        per_gpu = min(max(measured * 1.0, low), high)
    cost = {"instruct": 1.0, "chat": 1.0, "dpo": 1.4}.get(task, 1.0)
    seconds = 2.0 * tokens * cost / (per_gpu * gpus)
    hours = math.ceil((seconds / 3600 + overhead(params)) * 4) / 4
    return min(max(0.5, hours), 6.0)


def grpo_hours(params):
    b = (params or 8e9) / 1e9
    for most, hours in ((4.0, 1.5), (12.0, 2.5), (40.0, 4.0)):
        if b <= most:
            return hours
    return 6.0


def image_hours(images, model):
    share = (min(max(images, 10), 50) - 10) / (50 - 10)
    hours = math.ceil((0.5 + share * (1.0 - 0.5)) * 4) / 4.0
    return round(hours + 0.5, 2) if model == "qwen-image" else hours


EDGES = [0, 1, 160_000_000, 999_999_999, 10**9, 1_333_333_333, 1_333_333_334, 2 * 10**9, 2 * 10**9 + 1, 3_999_999_999]
EDGES += [4 * 10**9, 4 * 10**9 + 1, 6 * 10**9, 6 * 10**9 + 1, 12 * 10**9, 12 * 10**9 + 1, 13_333_333_333, 13_333_333_334]
EDGES += [15 * 10**9 - 1, 15 * 10**9, 20 * 10**9, 20 * 10**9 + 1, 30 * 10**9 - 1, 30 * 10**9, 35 * 10**9, 40 * 10**9]
EDGES += [40 * 10**9 + 1, 50 * 10**9, 70 * 10**9 - 1, 70 * 10**9, 100 * 10**9 - 1, 100 * 10**9, 405 * 10**9]


def size():
    return int(10 ** rng.uniform(8, 11.3))


for rules in (OLD, NEW):
    tasks = ["instruct", "chat", "dpo", "grpo", "image"]
    if rules == NEW:
        tasks += ["continuous_sft", "environment", "kl"]
    for task in tasks:
        for params in EDGES + [size() for _ in range(8)]:
            known = params or None
            kl, base = task == "kl", "instruct" if task == "kl" else task
            factors = [None, 2, 4] if task == "environment" else [None]
            for factor in factors:
                model = "A100" if rules == OLD and task == "image" else "H100"
                put(rules, "training_gpus", [task, known, factor], f"{h100s(params, base, kl, factor)} {model}")
            put(rules, "evaluation_gpus", [task, known, None], evaluation_gpus(params, base))

for task in ("instruct", "chat", "dpo", "continuous_sft"):
    for _ in range(60):
        params, rows = rng.choice([None, size(), size()]), rng.randint(2_000, 200_000)
        size_or_default = params or 8e9
        if task != "continuous_sft":
            put(NEW, "rows_hours", [task, params, rows], sized(rows * 400, size_or_default, task))
        tokens = int(rows * 10 ** rng.uniform(1.2, 3.3))
        measured = rng.choice([None, 0.0, rate(size_or_default) * rng.uniform(0.1, 4.0), rng.uniform(1, 1e6)])
        hours = sized(max(tokens, rows * 64), size_or_default, task, measured)
        put(NEW, "counted_hours", [task, params, rows, tokens, None if measured is None else repr(measured)], hours)
# On the bounds of the overhead's bands, with so few tokens that it decides.
for params in (10**9 - 1, 10**9, 10**9 + 1, 4 * 10**9 - 1, 4 * 10**9, 4 * 10**9 + 1):
    for task in ("instruct", "chat", "dpo"):
        put(NEW, "rows_hours", [task, params, 100], sized(100 * 400, params, task))
        put(NEW, "counted_hours", [task, params, 100, 6_401, None], sized(6_401, params, task))
for params in EDGES + [size() for _ in range(20)]:
    put(NEW, "grpo_hours", [params or None], grpo_hours(params))
for images in list(range(0, 60)) + [1_000]:
    for model in ("sdxl", "qwen-image", "krea2"):
        put(NEW, "image_hours", [images, model], image_hours(images, model))
put(OLD, "image_hours", [20, "sdxl"], "1..2")
for rows in (1_000, 1_001, 9_999, 10_000, 10_001, 24_999, 25_000, 25_001, 50_000, 50_001, 100_000, 100_001, 499_999, 500_000):
    for low, high, least, most in (
        (1_000, 10_000, 1, 3), (10_000, 25_000, 2, 4), (25_000, 50_000, 3, 5), (50_000, 100_000, 3, 6), (100_000, 500_000, 4, 6)
    ):
        if low <= rows <= high:
            for task in ("instruct", "dpo", "grpo", "chat"):
                put(OLD, "rows_hours", [task, size(), rows], f"{least}..{most}")
            break

out = pathlib.Path(__file__).with_name("cases.tsv")
out.write_text("\n".join(lines) + "\n")
print(len(lines), "cases")
