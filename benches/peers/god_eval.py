#!/usr/bin/env python3
"""Evaluates candidates the way the subnet's evaluator does: one fresh Python process each, one row at a time, all logits in f32.

    python god_eval.py TASK.json --candidate NAME=PATH ... [--dtype f32|bf16] [--threads N] [--per-example] [--json FILE]

A process imports torch, transformers and peft, loads the base (and the adapter, un-merged; or the full model) and the tokenizer,
tokenises the data, and evaluates: instruct tasks with transformers' Trainer at batch size 1; KL tasks with the base resident beside the
candidate; preference tasks with policy and reference, chosen and rejected of a pair padded into one batch, as TRL does, and with
--per-example (a boss round) every pair once more, one completion at a time. Wall and CPU seconds are those of the whole process.

Fairness: bf16 is what the subnet runs on a GPU; on a CPU f32 is faster, so it is the default here. Attention is SDPA. axolotl and TRL are not
imported (their imports alone take many seconds), which flatters this peer.
"""
import argparse, json, os, resource, subprocess, sys, time


def arguments():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("task"); ap.add_argument("--candidate", action="append", default=[], metavar="NAME=PATH")
    ap.add_argument("--dtype", choices=["f32", "bf16"], default="f32"); ap.add_argument("--threads", type=int, default=os.cpu_count())
    ap.add_argument("--per-example", action="store_true"); ap.add_argument("--json"); ap.add_argument("--one", help=argparse.SUPPRESS)
    return ap.parse_args()


def parent(a):
    results, began = {}, time.perf_counter()
    for item in a.candidate:
        name, path = item.split("=", 1)
        c, t = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        p = subprocess.run([sys.executable, "-W", "ignore", __file__, a.task, "--one", path, "--dtype", a.dtype, "--threads", str(a.threads)]
                           + ["--per-example"] * a.per_example, stdout=subprocess.PIPE, text=True)
        e = resource.getrusage(resource.RUSAGE_CHILDREN)
        r = json.loads(p.stdout.splitlines()[-1]) if p.returncode == 0 else dict(error=f"exit status {p.returncode}")
        r.update(wall_s=time.perf_counter() - t, cpu_s=e.ru_utime + e.ru_stime - c.ru_utime - c.ru_stime, rss_max_mib=e.ru_maxrss / 1024)
        results[name] = r
        print(name, json.dumps({k: v for k, v in r.items() if k != "per_example_losses"}), flush=True)
    out = dict(task=os.path.basename(a.task), dtype=a.dtype, threads=a.threads, per_example=a.per_example, candidates=results,
               wall_s=time.perf_counter() - began, cpu_s=sum(r["cpu_s"] for r in results.values()))
    print(json.dumps({k: v for k, v in out.items() if k != "candidates"}))
    if a.json: json.dump(out, open(a.json, "w"), indent=1)


def child(a):
    began = time.perf_counter()
    os.environ["OMP_NUM_THREADS"] = str(a.threads)
    import tempfile, torch, torch.nn.functional as F, transformers
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainingArguments
    from prompts import IGNORE, instruct_rows, preference_ids, read_task
    transformers.utils.logging.set_verbosity_error(); transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(a.threads)
    imported = time.perf_counter()
    task, data = read_task(a.task)
    base_path = os.path.join(os.path.dirname(os.path.abspath(a.task)), task["base_model"])
    load = lambda path: AutoModelForCausalLM.from_pretrained(path, dtype={"f32": torch.float32, "bf16": torch.bfloat16}[a.dtype]).eval()
    adapter = os.path.exists(f"{a.one}/adapter_config.json")
    m = PeftModel.from_pretrained(load(base_path), a.one).eval() if adapter else load(a.one)
    preference = "field_chosen" in task["dataset_type"]
    reference = load(base_path) if preference or task.get("use_kl") else None
    tok = AutoTokenizer.from_pretrained(base_path)
    if tok.pad_token is None: tok.pad_token = tok.eos_token
    loaded = time.perf_counter()
    positions = m.config.max_position_embeddings
    out = dict(is_finetune=True)

    def padded(rows, value):
        width = max(map(len, rows))
        return torch.tensor([r + [value] * (width - len(r)) for r in rows])

    def batch_of(rows):                                  # [(ids, labels)]: right padding, mask 0, label -100
        ids = [r[0] for r in rows]
        return dict(input_ids=padded(ids, tok.pad_token_id), labels=padded([r[1] for r in rows], IGNORE),
                    attention_mask=padded([[1] * len(i) for i in ids], 0))

    def completion_log_probs(model, rows):               # [(ids, number of prompt ids)] -> their sums
        b = batch_of([(ids, [IGNORE] * n + ids[n:]) for ids, n in rows])
        logits = model(input_ids=b["input_ids"], attention_mask=b["attention_mask"], use_cache=False).logits[:, :-1].float()
        y = b["labels"][:, 1:]; keep = y != IGNORE
        return (torch.log_softmax(logits, -1).gather(2, y.clamp(min=0)[..., None])[..., 0] * keep).sum(-1)

    with torch.no_grad():
        if preference:
            pairs = [preference_ids(tok, task["dataset_type"], r, positions) for r in data]
            tokenised = time.perf_counter()

            def pair_losses(together):
                losses = []
                for c, r, n in pairs:
                    groups = [[(c, n), (r, n)]] if together else [[(c, n)], [(r, n)]]
                    pol = torch.cat([completion_log_probs(m, g) for g in groups])
                    ref = torch.cat([completion_log_probs(reference, g) for g in groups])
                    losses.append(float(-F.logsigmoid(0.1 * ((pol[0] - ref[0]) - (pol[1] - ref[1])))))
                return losses

            losses = pair_losses(True)
            out["eval_loss"] = sum(losses) / len(losses)
            if a.per_example:
                out["per_example_losses"] = pair_losses(False)
                again = sum(out["per_example_losses"]) / len(pairs)
                assert abs(again - out["eval_loss"]) <= 1e-3 + 5e-3 * abs(again), (again, out["eval_loss"])
        else:
            rows = [dict(input_ids=i, labels=l) for _, i, l in instruct_rows(tok, task, data, positions)]
            tokenised = time.perf_counter()
            trainer = Trainer(model=m, eval_dataset=rows, data_collator=lambda g: batch_of([(r["input_ids"], r["labels"]) for r in g]),
                              args=TrainingArguments(output_dir=tempfile.mkdtemp(), per_device_eval_batch_size=1, report_to="none", use_cpu=True,
                                                     disable_tqdm=True, bf16=a.dtype == "bf16", prediction_loss_only=True))
            trainer.label_names = ["labels"]
            out["eval_loss"] = trainer.evaluate()["eval_loss"]
            if reference is not None:
                total, count = 0.0, 0
                for r in rows:
                    x = torch.tensor([r["input_ids"]]); mask = torch.tensor(r["labels"]) != IGNORE
                    p, q = (torch.log_softmax(k(input_ids=x, use_cache=False).logits[0].float(), -1) for k in (m, reference))
                    total += float((p.exp() * (p - q)).sum(-1)[mask].sum()); count += int(mask.sum())
                out.update(eval_loss_raw=out["eval_loss"], kl_divergence=total / count)
                out["eval_loss"] += task["kl_coef"] * total / count
            if a.per_example:
                out["per_example_losses"] = [float(m(**batch_of([(r["input_ids"], r["labels"])]), use_cache=False).loss) for r in rows]
    end = time.perf_counter()
    out["seconds"] = dict(imports=imported - began, load=loaded - imported, tokenise=tokenised - loaded, evaluate=end - tokenised)
    print(json.dumps(out))


if __name__ == "__main__":
    a = arguments()
    child(a) if a.one else parent(a)
