#!/usr/bin/env python3
"""Tiny random-weight checkpoints of every text family the evaluator reads, with golden numbers in true double precision.

    python make_llm_golden.py OUT --set a|b --seed N [--digits 13] [family ...]      # no family: all of them

OUT/<family>/ then holds
    model/         config.json (transformers 5 spelling), config.v4.json (transformers 4 spelling), model.safetensors (bf16)
    lora/          adapter_config.json, adapter_model.safetensors (every linear layer, f32)
    lora-<kind>/   further adapter kinds, where EXTRA below names some for the family
    golden.json    README.md beside this file says what each field is

Set "a" has friendly sizes (powers of two, head_dim 16), set "b" ragged ones: head_dim 12, 14, 18, 20, 24 and 36, 7 query heads on one
key-value head, vocabulary and widths that nothing divides, rows of length 1 to 150.
Numbers come from a model loaded again from the files written. The f64 ones are true double precision: every float32 cast
in the modelling code (norms, rotary tables, soft-max) is redirected to float64 while it runs.
"""
import argparse, contextlib, json, math, os, shutil, sys, time
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
import numpy as np
import peft, torch, transformers
import torch.nn.functional as F
from peft import LoraConfig, PeftModel, get_peft_model
from torch.overrides import TorchFunctionMode
from transformers import AutoConfig, AutoModelForCausalLM
from families import EXTRA, ROWS, SETS, adapter_shape
transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
torch.set_num_threads(1)


class Double(TorchFunctionMode):
    """Redirects every float32 request to float64; integers that meet a Python float become float64 as well."""
    def __enter__(self):
        torch.set_default_dtype(torch.float64)
        return super().__enter__()

    def __exit__(self, *error):
        torch.set_default_dtype(torch.float32)
        return super().__exit__(*error)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is torch.Tensor.float:
            return args[0].double()
        fix = lambda x: torch.float64 if x is torch.float32 else x
        return func(*[fix(x) for x in args], **{k: fix(v) for k, v in kwargs.items()})


def precision(dtype):
    return Double() if dtype == torch.float64 else contextlib.nullcontext()


def randomise(model, seed):
    """Larger-than-default weights, so that logits spread and every layer matters; rounded to bf16 values."""
    g = torch.Generator().manual_seed(seed)
    hidden = model.config.hidden_size
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.ndim == 1 and "norm" in name:
                centre = p.detach().float().mean().round().item()          # 1, or 0 where the family stores weight - 1
                p.copy_(centre + 0.15 * torch.randn(p.shape, generator=g))
            elif p.ndim == 1:
                p.copy_(0.1 * torch.randn(p.shape, generator=g))
            elif "embed" in name:
                p.copy_(0.35 * torch.randn(p.shape, generator=g))
            else:
                fan = hidden if "lm_head" in name else p.shape[-1]
                p.copy_(1.6 / math.sqrt(fan) * torch.randn(p.shape, generator=g))
            p.copy_(p.to(torch.bfloat16).float())


def load(path, dtype, lora=None):
    with precision(dtype):
        m = AutoModelForCausalLM.from_pretrained(path, dtype=dtype, attn_implementation="eager")
    if lora:                                             # outside Double: it would misread the adapter's float32 bytes
        m = PeftModel.from_pretrained(m, lora)
    if dtype == torch.float64:
        m.double()
    for mod in m.modules():
        for name, table in mod.named_buffers(recurse=False):
            assert table.dtype == dtype or not table.is_floating_point(), (type(mod), name, table.dtype)
    return m.eval()


def forget_lengths(model):
    """Dynamic rope remembers the longest row it has seen; every row here is measured as if it were the first."""
    for mod in model.modules():
        if hasattr(mod, "max_seq_len_cached") and hasattr(mod, "original_inv_freq"):
            mod.max_seq_len_cached = mod.original_max_seq_len
            mod.register_buffer("inv_freq", mod.original_inv_freq.clone(), persistent=False)


def logits(model, ids, **kw):
    forget_lengths(model)
    return model(input_ids=torch.tensor([ids]), use_cache=False, **kw).logits[0]


def row_nll(lo, ids):
    return -F.log_softmax(lo, -1)[:-1].gather(1, torch.tensor(ids[1:], dtype=torch.long)[:, None])[:, 0]


def digits(x, n):
    return [float(f"{v:.{n}g}") for v in (x.tolist() if hasattr(x, "tolist") else x)]


def mean(x):
    return sum(x) / len(x) if x else None


def measure(path, lora, rows, labels, n):
    """What one candidate scores on the rows; returns the record, and the f64 per-token losses and logits."""
    out = {}
    with torch.no_grad():
        m = load(path, torch.float64, lora)
        with Double():
            all_logits = [logits(m, s) for s in rows]
            losses = [row_nll(lo, s) for lo, s in zip(all_logits, rows)]
        assert all(x.dtype == torch.float64 for x in all_logits)
        del m
        m = load(path, torch.float32, lora)
        single = [logits(m, s) for s in rows]
        out["nll_f64"] = [digits(x, n) for x in losses]
        out["last_logits_f64"] = [digits(lo[-1], n) for lo in all_logits[:1]]
        out["logit_f32_max_abs_err"] = max(float((a.double() - b).abs().max()) for a, b in zip(single, all_logits))
        out["nll_f32_max_abs_err"] = max(float((row_nll(a, s).double() - b).abs().max()) for a, b, s in zip(single, losses, rows) if len(s) > 1)
        out["loss_f32"] = []                             # model(labels=...).loss of each row; null where it is not a number
        for s, l in zip(rows, labels):
            forget_lengths(m)
            v = m(input_ids=torch.tensor([s]), labels=torch.tensor([l]), use_cache=False).loss.item()
            out["loss_f32"].append(None if math.isnan(v) else v)
    scored = [[v for v, t in zip(x.tolist(), l[1:]) if t != -100] for x, l in zip(losses, labels)]
    have = [x for x in scored if x]
    out["row_mean_f64"] = [mean(x) for x in scored]                                     # null: a row without a label
    out["mean_of_row_means_f64"] = mean([mean(x) for x in have])                        # Trainer.evaluate at batch size 1
    out["token_mean_f64"] = sum(map(sum, have)) / sum(map(len, have))                   # one mean over every labelled token
    return out, losses, all_logits


def kl_divergence(candidate, base, labels, n):
    """KL(candidate || base) at every position, and the sum over positions whose own label is not -100 (mask not shifted)."""
    per = []
    for x, y in zip(candidate, base):
        p, q = F.log_softmax(x, -1), F.log_softmax(y, -1)
        per.append((p.exp() * (p - q)).sum(-1))
    mask = [[t != -100 for t in l] for l in labels]
    sums = [sum(v for v, keep in zip(k.tolist(), m) if keep) for k, m in zip(per, mask)]
    counts = [sum(m) for m in mask]
    return dict(per_position=[digits(k, n) for k in per], row_sum=sums, row_count=counts, mean=sum(sums) / sum(counts))


def preference(policy, reference, pairs, beta=0.1):
    """DPO over (chosen row, rejected row, prompt length): sums of log-probabilities of the completion, and the loss."""
    res = []
    for c, j, k in pairs:
        s = lambda rows, i: -float(rows[i][k - 1:].sum())
        d = (s(policy, c) - s(reference, c)) - (s(policy, j) - s(reference, j))
        res.append(dict(chosen=c, rejected=j, prompt_len=k, policy_chosen=s(policy, c), policy_rejected=s(policy, j),
                        reference_chosen=s(reference, c), reference_rejected=s(reference, j), loss=float(np.logaddexp(0.0, -beta * d))))
    return dict(beta=beta, pairs=res, mean=mean([x["loss"] for x in res]))


def write_adapter(path, model_path, config, seed):
    model = AutoModelForCausalLM.from_pretrained(model_path, dtype=torch.float32, attn_implementation="eager")
    pm = get_peft_model(model, config)
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in pm.named_parameters():
            if "lora_magnitude" in name: p.mul_(1 + 0.1 * torch.randn(p.shape, generator=g))
            elif "lora_" in name and p.ndim == 2: p.copy_(torch.randn(p.shape, generator=g) * (0.5 / math.sqrt(p.shape[1])))
            elif "lora_" in name: p.copy_(0.1 * torch.randn(p.shape, generator=g))
            elif "modules_to_save" in name: p.add_(0.05 * torch.randn(p.shape, generator=g))
    pm.peft_config["default"].base_model_name_or_path = "model"
    pm.save_pretrained(path)
    with contextlib.suppress(FileNotFoundError): os.remove(f"{path}/README.md")
    os.chmod(f"{path}/adapter_model.safetensors", 0o644)


def spelled_as_v4(c):
    """The same config as transformers 4 wrote it."""
    c = dict(c)
    if "dtype" in c: c["torch_dtype"] = c.pop("dtype")
    c.pop("layer_types", None) if c["model_type"] in ("qwen2", "qwen3", "smollm3") else None
    rope = dict(c.pop("rope_parameters"))
    if "full_attention" in rope:                         # gemma3: one table for each kind of layer
        full, local = rope["full_attention"], rope["sliding_attention"]
        c["rope_local_base_freq"], rope = local["rope_theta"], dict(full)
    c["rope_theta"] = rope.pop("rope_theta")
    if "partial_rotary_factor" in rope:
        c["partial_rotary_factor"] = rope.pop("partial_rotary_factor")
    if rope["rope_type"] == "default":
        c["rope_scaling"] = None
    else:
        if c["model_type"] == "phi3": rope.pop("original_max_position_embeddings")      # there it stands on the top level
        if c["model_type"] == "llama" and rope["rope_type"] == "linear": rope["type"] = rope.pop("rope_type")     # the oldest spelling
        c["rope_scaling"] = rope
    c["transformers_version"] = "4.51.0"
    return c


def build(family, out, which, seed, n):
    started = time.time()
    model_type, overrides = SETS[which][family]
    d = f"{out}/{family}"
    shutil.rmtree(d, ignore_errors=True); os.makedirs(d)
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(model_type, **overrides), attn_implementation="eager").eval()
    randomise(model, 1000 * seed + 7)
    parameters = sum(p.numel() for p in model.parameters())
    linear = sorted({k.split(".")[-1] for k, m in model.named_modules() if isinstance(m, torch.nn.Linear) and "lm_head" not in k})
    model.to(torch.bfloat16).save_pretrained(f"{d}/model")
    os.chmod(f"{d}/model/model.safetensors", 0o644)
    with contextlib.suppress(FileNotFoundError): os.remove(f"{d}/model/generation_config.json")
    config = json.load(open(f"{d}/model/config.json"))
    json.dump(spelled_as_v4(config), open(f"{d}/model/config.v4.json", "w"), indent=2)
    adapters = {"lora": dict(adapter_shape(which, family), target_modules=linear)}
    for kind, kw in EXTRA.get(family, {}).items():
        adapters[kind] = dict(kw, target_modules=kw.get("target_modules", linear))

    rng = np.random.default_rng([seed, 5])
    vocab = overrides["vocab_size"]
    rows, labels = [], []
    for length, masked, like, shared in ROWS[which]:     # a row may begin with the first `shared` ids of row `like`
        head = rows[like][:shared] if like is not None else [1]
        ids = head + rng.integers(3, vocab, length - len(head)).tolist()
        rows.append(ids); labels.append([-100] * masked + ids[masked:])
    pairs = [(like, i, shared) for i, (_, _, like, shared) in enumerate(ROWS[which]) if like is not None]

    gold = dict(family=family, set=which, seed=seed, model_type=model_type, parameters=parameters, transformers=transformers.__version__,
                torch=torch.__version__, peft=peft.__version__, input_ids=rows, labels=labels)
    gold["base"], base_nll, base_logits = measure(f"{d}/model", None, rows, labels, n)
    for kind, kw in adapters.items():
        write_adapter(f"{d}/{kind}", f"{d}/model", LoraConfig(task_type="CAUSAL_LM", lora_dropout=0.05 if kind == "lora" else 0.0, **kw),
                      1000 * seed + 11)
        gold[kind], nll, lo = measure(f"{d}/model", f"{d}/{kind}", rows, labels, n)
        if kind == "lora":
            gold["kl_f64"] = kl_divergence(lo, base_logits, labels, n)
            gold["dpo_f64"] = preference(nll, base_nll, pairs)
    gold["adapters"] = list(adapters)
    json.dump(gold, open(f"{d}/golden.json", "w"), separators=(",", ":"))
    size = sum(os.path.getsize(os.path.join(q, f)) for q, _, fs in os.walk(d) for f in fs)
    print(f"{which}-{seed} {family:17s} {parameters:7d} par {size / 1024:6.0f} KiB {time.time() - started:5.1f}s  base {gold['base']['token_mean_f64']:.4f} "
          f"lora {gold['lora']['token_mean_f64']:.4f} kl {gold['kl_f64']['mean']:.4f} dpo {gold['dpo_f64']['mean']:.4f}  f32 error: "
          f"nll {gold['base']['nll_f32_max_abs_err']:.1e} logit {gold['base']['logit_f32_max_abs_err']:.1e}", flush=True)
    return size


if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("out"); ap.add_argument("family", nargs="*")
    ap.add_argument("--set", choices=SETS, default="b"); ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--digits", type=int, default=13, help="significant digits of the per-token numbers")
    a = ap.parse_intermixed_args()
    total = sum(build(f, a.out, a.set, a.seed, a.digits) for f in a.family or SETS[a.set])
    print(f"{total / 2**20:.2f} MiB")
