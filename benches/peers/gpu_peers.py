#!/usr/bin/env python3
"""PyTorch's kernels at the shapes of a result of `gradus bench kernels`, in the same schema; only what is installed.

    python gpu_peers.py KERNELS.json PEERS.json

Timed as ours are: events on the device, a buffer larger than the second cache written before each sample. bf16; losses in f32.
PEERS.json is written anew after each row, and what torch.compile makes comes last: who is stopped there loses no other row.
"""
import json, os, sys
import torch, torch.nn.functional as F

ours = json.load(open(sys.argv[1]))
dev, bf16 = "cuda", torch.bfloat16
props = torch.cuda.get_device_properties(0)
flush = torch.empty(max(2 * props.L2_cache_size, 64 << 20), dtype=torch.uint8, device=dev)
draw = lambda *shape, dtype=bf16: torch.randn(*shape, device=dev).to(dtype)
try:
    from liger_kernel.ops.fused_linear_cross_entropy import LigerFusedLinearCrossEntropyFunction as liger
except ImportError: liger = None
try: from flash_attn import flash_attn_varlen_func
except ImportError: flash_attn_varlen_func = None


def sample(f):
    flush.fill_(1)
    a, b = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    a.record(); f(); b.record(); b.synchronize()
    return a.elapsed_time(b) * 1e3


def sizes(shape):
    dims, *options = shape.split(",")
    return [int(d) for d in dims.split("x")], dict(o.partition("=")[::2] for o in options)


def lengths(text):
    return [n for part in text.split("+") for t, _, n in [part.rpartition("*")] for n in [int(n)] * int(t or 1)]


def variants(family, dims, options):
    """(name, function) pairs for a shape."""
    if family == "linear" and not options:
        m, n, k = dims
        x, w = draw(m, k), draw(n, k)
        yield "torch matmul", lambda: F.linear(x, w)
    elif family == "cross_entropy" and not options:
        m, v, h = dims
        x, w, y = draw(m, h), draw(v, h), torch.randint(v, (m,), device=dev)
        whole = lambda x: F.cross_entropy(F.linear(x, w).float(), y, reduction="none")
        yield "torch full logits", lambda: whole(x)
        yield "torch chunked", lambda: [F.cross_entropy(F.linear(x[i:i + 512], w).float(), y[i:i + 512], reduction="none") for i in range(0, m, 512)]
        yield "torch.compile", (lambda f: lambda: f(x))(torch.compile(whole))
        if liger: yield "Liger", lambda: liger.apply(x, w, y)
    elif family == "attention" and "cap" not in options and "window" not in options:
        heads, kv, d = dims
        ns = lengths(options.get("lengths", "4*512"))
        q, k, v = draw(sum(ns), heads, d), draw(sum(ns), kv, d), draw(sum(ns), kv, d)
        if len(set(ns)) == 1:
            a, b, c = [t.view(len(ns), ns[0], -1, d).transpose(1, 2) for t in (q, k, v)]
            yield "torch SDPA", lambda: F.scaled_dot_product_attention(a, b, c, is_causal=True, enable_gqa=True)
        else:
            cut = [[t.transpose(0, 1)[None] for t in row] for row in zip(q.split(ns), k.split(ns), v.split(ns))]
            yield "torch SDPA by row", lambda: [F.scaled_dot_product_attention(*row, is_causal=True, enable_gqa=True) for row in cut]
        if flash_attn_varlen_func:
            cu = torch.tensor([0] + ns, device=dev).cumsum(0, dtype=torch.int32)
            yield "flash-attn", lambda: flash_attn_varlen_func(q, k, v, cu, cu, max(ns), max(ns), causal=True)
    elif family == "rms_norm" and not options:
        x, w = draw(*dims, dtype=torch.float32), draw(dims[1], dtype=torch.float32)
        norm = lambda x: F.rms_norm(x, (dims[1],), w, 1e-5).to(bf16)
        yield "torch", lambda: norm(x)
        yield "torch.compile", (lambda f: lambda: f(x))(torch.compile(norm))
    elif family == "activation":
        x, kind = draw(dims[0], 2 * dims[1]), options.get("kind", "silu")
        act = dict(silu=F.silu, gelu=F.gelu, gelu_tanh=lambda x: F.gelu(x, approximate="tanh"))[kind]
        gate = lambda x: act(x[:, :dims[1]]) * x[:, dims[1]:]
        yield "torch", lambda: gate(x)
        yield "torch.compile", (lambda f: lambda: f(x))(torch.compile(gate))
    elif family == "rope":
        r, h, d = dims
        x, angle = draw(r, h, d), torch.rand(r, 1, d, device=dev)
        cos, sin = angle.cos().to(bf16), angle.sin().to(bf16)
        turn = lambda x: x * cos + torch.cat((-x[..., d // 2:], x[..., :d // 2]), -1) * sin
        yield "torch", lambda: turn(x)
        yield "torch.compile", (lambda f: lambda: f(x))(torch.compile(turn))


copy = torch.empty(1 << 30, dtype=torch.uint8, device=dev); target = torch.empty_like(copy)
a, b = draw(8192, 8192), draw(8192, 8192)
for f in (lambda: target.copy_(copy), lambda: F.linear(a, b)): sample(f)
gb_s = 2 * copy.numel() / min(sample(lambda: target.copy_(copy)) for _ in range(10)) / 1e3
gflop_s = 2 * 8192**3 / min(sample(lambda: F.linear(a, b)) for _ in range(10)) / 1e3
del copy, target, a, b
rows, failures = [], []
# What memory binds is held against the copy of as many bytes that ours was.
wanted = [(r["family"], r["shape"], r["flop"], r["bytes"], r["roof_gb_s"] if r.get("bound") == "memory" else gb_s) for r in ours["rows"] if r["variant"] == "gradus"]
machine = dict(ours["machine"], driver=f"CUDA {torch.version.cuda}", name=props.name)


def save():
    with open(sys.argv[2] + ".new", "w") as file:
        json.dump(dict(schema="gradus-bench", version=2, kind="kernels", program=f"torch {torch.__version__}", machine=machine,
                       peaks=dict(gflop_s=gflop_s, gb_s=gb_s, how="measured: torch copies 1 GiB, torch matmul 8192x8192x8192"), rows=rows, failures=failures),
                  file, indent=1)
    os.replace(sys.argv[2] + ".new", sys.argv[2])


def row(family, shape, flop, nbytes, roof_gb_s, name, f):
    for _ in range(3): f()
    us = sorted(sample(f) for _ in range(20))
    at = lambda p: us[round(p * (len(us) - 1))]
    times = dict(p10=at(.1), p50=at(.5), p90=at(.9))
    compute, memory = flop / gflop_s / 1e3, nbytes / roof_gb_s / 1e3
    percent = {p: max(compute, memory) / times[q] * 100 for p, q in (("p10", "p90"), ("p50", "p50"), ("p90", "p10"))}
    print(f"{family:14} {shape:40} {name:18} {times['p50']:10.1f} us  {percent['p50']:5.1f} %", flush=True)
    return dict(family=family, shape=shape, variant=name, us=times, flop=flop, bytes=nbytes, bound="compute" if compute >= memory else "memory",
                roof_gflop_s=gflop_s, roof_gb_s=roof_gb_s, percent=percent, samples=len(us), runs=1)


save()
with torch.inference_mode():
    for compiled in (False, True):
        for family, shape, *limits in wanted:
            try:
                for name, f in variants(family, *sizes(shape)):
                    if (name == "torch.compile") != compiled: continue
                    try: rows.append(row(family, shape, *limits, name, f))
                    except Exception as error:                                 # one peer's failure is not the others'
                        failures.append(dict(family=family, shape=shape, reason=f"{name}: {error}"[:300]))
                    save()
            except Exception as error:                                         # what it would compute with cannot be made
                failures.append(dict(family=family, shape=shape, reason=str(error)[:300]))
                save()
            torch.cuda.empty_cache()
