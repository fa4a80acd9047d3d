#!/usr/bin/env python3
"""Golden token ids and labels of every prompt format, out of axolotl's and transformers' own code.

   make_prompt_golden.py tiny OUT             three small byte-level BPE tokenizers made here, and OUT/<name>.json for each
   make_prompt_golden.py real DIR [DIR ...]   DIR/golden.json for real tokenizers (DIR holds tokenizer.json and its config)

Versions that wrote the committed data: transformers 5.17.0, tokenizers 0.23.3, axolotl 0.19.0, Python 3.11.
   pip install torch transformers==5.17.0 datasets addict colorama; pip install --no-deps axolotl==0.19.0

A case is a data set with its dataset_type, a sequence length, and what is scored, in order: rows whose length is 2 to
sequence_len and that have a label, sorted by length (stable). `error` stands for a case that raises.
Dates inside templates are fixed to 2026-09-30.
"""
import datetime, json, os, sys, types
import transformers
import transformers.utils.chat_template_utils as ctu
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast
from axolotl.prompt_strategies import completion, user_defined
from axolotl.prompt_strategies.chat_template import ChatTemplatePrompter, ChatTemplateStrategy
from axolotl.utils.chat_templates import get_chat_template
from axolotl.utils.chat_templates.base import _CHAT_TEMPLATES

transformers.utils.logging.set_verbosity_error()


class FixedDate(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2026, 9, 30)


ctu.datetime = FixedDate

CORPUS = ["The quick brown fox jumps over the lazy dog.", "fn main() { println!(\"{}\", 1 + 2); }",
          "Instruction: translate to French. Input: hello Response:",
          "user assistant system tool message content role naïve café 中文 🙂 1234567890",
          "    indented\n\n\tcode\r\nline's they're I'll"] * 20
SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
# GAP stands between a turn and its EOS: an EOS up to three tokens after a turn is scored
OWN_TEMPLATE = ("{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + 'GAP<|end|>' + '\n' }}{% endfor %}"
                "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")


def tiny(bos, gap):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(SPLIT), "isolated"),
                                               pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=320, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|pad|>", "<|begin|>", "<|end|>", "<|im_start|>", "<|im_end|>"], show_progress=False))
    if bos:
        t.post_processor = processors.TemplateProcessing(single="<|begin|> $A", pair="<|begin|> $A <|begin|> $B",
                                                         special_tokens=[("<|begin|>", 1)])
    f = PreTrainedTokenizerFast(tokenizer_object=t, bos_token="<|begin|>", eos_token="<|end|>")
    f.chat_template = OWN_TEMPLATE.replace("GAP", gap)
    return f


def texts(eos):
    return ["", " ", "Hello, world!", "  two  spaces", "naïve café 中文字符 🙂👩‍💻", "line1\nline2\r\n\n\n  x", "they're I'LL don'T",
            "1234567 3.14159", "<|im_start|>user\nhi<|im_end|>", "a\u0301 \u00e1 \ufb01 \u2126", "\x00\x07\u200b", "x" * 50,
            "tab\tsep \t\t end ", f"a{eos}b", f"{eos}{eos}", "<s>[INST] x [/INST]</s>", "ﷺ ㍿ ½ ²", "\u2028\u00a0\u3000nbsp",
            "def f(x):\n    return x ** 2  # comment\n", "ÀÉÎõü ß İ ı", "한국어 日本語 ไทย हिन्दी العربية", "𝔘𝔫𝔦 🇫🇷 ☃️"]


def scored(rows, sequence_len):
    """rows: (source row, ids, labels). The evaluation's filter and order."""
    keep = [r for r in rows if 2 <= len(r[1]) <= sequence_len]      # what axolotl's filter_sequences_by_length keeps
    keep = [r for r in keep if any(x != -100 for x in r[2])]
    # the reference would score a row whose only label is on position 0 as NaN; such rows are not scored here
    keep = [r for r in keep if any(x != -100 for x in r[2][1:])]
    return [dict(row=i, ids=list(a), labels=list(b)) for i, a, b in sorted(keep, key=lambda r: len(r[1]))]


DEFAULTS = dict(system_prompt="", system_format="{system}")
INSTRUCT = [dict(field_instruction="q", field_output="a"), dict(field_instruction="q", field_input="i", field_output="a"),
            dict(field_instruction="q", field_input="i", field_output="a", field_system="s", system_prompt="Be brief.",
                 system_format="[{system}] ", format="Q: {instruction}\nI: {input}\nA: ", no_input_format="Q: {instruction}\nA: "),
            dict(field_instruction="q", field_output="a", system_prompt="{{braces}} in a prompt", format="{{{instruction}}}",
                 no_input_format="{{{instruction}}}"),
            dict(field_instruction="q", field_output="a", system_format=""),
            dict(field_instruction="q")]


def instruct_rows(eos):
    return [dict(q="What is 1 + 2?", a="3"), dict(q="Translate", i="hello", a="bonjour"), dict(q="Translate", i="", a="salut"),
            dict(q="Sys", i="in", s="You are a fox.", a="ok"), dict(q="No answer", a=""), dict(q="Long " * 60, a="cut"),
            dict(q="q", a="long " * 60), dict(q="ends with eos", a="done" + eos), dict(q="", a="no question"),
            dict(q="", a="long " * 60), dict(q="{instruction}", i="{input}", a="{output}"), dict(q="unicode é", a="naïve 中文 🙂"),
            dict(q="same length", a="x"), dict(q="same length", a="y"), dict(q=" ", a=" "), dict(q="eos only", a=eos),
            dict(q="", i="only input", a="b")]


def filled(rows):
    keys = list(dict.fromkeys(k for r in rows for k in r))
    return [{k: r.get(k, "") for k in keys} for r in rows]


def instruct_case(t, ds, rows, sequence_len):
    ds = dict(DEFAULTS, **ds)
    cfg = types.SimpleNamespace(train_on_inputs=False, sequence_len=sequence_len)
    rows = filled(rows)
    out = []
    try:
        if ds.get("field_output"):
            full = dict(ds)                       # nulls are left out, then the subnet's defaults
            full.setdefault("no_input_format", "{instruction}")
            full.setdefault("format", "{instruction} {input}" if full.get("field_input") else "{instruction}")
            s = user_defined.load(t, cfg, user_defined.UserDefinedDatasetConfig(**full))
            for i, row in enumerate(rows):
                o = s.tokenize_prompt(dict(row)); out.append((i, o["input_ids"], o["labels"]))
        else:
            s = completion.load(t, cfg, dict(field=ds["field_instruction"]))
            for i, row in enumerate(rows):
                o = s.tokenize_prompt({k: [v] for k, v in row.items()})
                out += [(i, a, b) for a, b in zip(o.get("input_ids", []), o.get("labels", []))]
        return dict(dataset_type=ds, rows=rows, sequence_len=sequence_len, expect=scored(out, sequence_len))
    except Exception as e:
        return dict(dataset_type=ds, rows=rows, sequence_len=sequence_len, error=repr(e)[:200])


def conversations(eos):
    U, A, S = lambda x: dict(role="user", content=x), lambda x: dict(role="assistant", content=x), lambda x: dict(role="system", content=x)
    return [[U("Hi"), A("Hello there")], [S("Be brief."), U("1+1?"), A("2"), U("2+2?"), A("4")], [U("unanswered"), U("still")],
            [U("empty answer"), A(""), U("again"), A("now")], [U("spaces"), A("  padded \n"), U("x"), A("\n\n")],
            [U("the placeholder"), A("[[dummy_message]]"), U("and"), A("zzdummymessagezz")],
            [U("same"), A("same"), U("same"), A("same")], [A("assistant first"), U("then user"), A("end")],
            [U("markers <|im_start|>user\n"), A("<|im_end|>x<|end|>" + eos), U("é中文"), A("naïve 🙂👩‍💻 done")],
            [U("think"), A("<think>\nhm\n</think>\n\n42"), U("more"), A("<think>a</think>b")],
            [S("sys"), U("multi\nline\n"), A("code:\n```py\nx = {'a': 1}\n```"), U("bye"), A("Bye!")],
            [U("digits"), A("1234567890" * 3)], [U(" "), A(" ")], [U("ends with ]"), A("]]"), U("ends with z"), A("z")]]


def chat_case(t, template, conv, names, sequence_len=4096):
    role, content, user, assistant = names
    ref = {"user": user, "assistant": assistant}
    row = [{role: ref.get(m["role"], m["role"]), content: m["content"]} for m in conv]
    ds = dict(chat_template=template, chat_column="conv", chat_role_field=role, chat_content_field=content,
              chat_user_reference=user, chat_assistant_reference=assistant)
    case = dict(dataset_type=ds, rows=[dict(conv=row)], sequence_len=sequence_len)
    try:
        p = ChatTemplatePrompter(t, chat_template=get_chat_template(template, tokenizer=t), field_messages="conv",
                                 message_property_mappings={"role": role, "content": content},
                                 roles={"assistant": [assistant], "user": [user]}, max_length=sequence_len + 1)
        s = ChatTemplateStrategy(p, t, False, sequence_len, roles_to_train=["assistant"], train_on_eos="turn")
        o = s.tokenize_prompt(dict(conv=row))
        case["expect"] = scored([(0, list(o["input_ids"]), list(o["labels"]))], sequence_len)
    except Exception as e:
        case["error"] = f"{type(e).__name__}: {e}"[:120]
    return case


def pairs(eos):
    return [dict(prompt="What is 1+1?", chosen=" 2", rejected=" 3"), dict(prompt="Say hi", chosen="hi" + eos, rejected="no"),
            dict(prompt="merge acro", chosen="ss the boundary", rejected="bat"), dict(prompt="long " * 40, chosen="c", rejected="r " * 30),
            dict(prompt="space ", chosen=" space", rejected="  "), dict(prompt="x\n", chosen="\n\ny", rejected="\nz"),
            dict(prompt="'", chosen="s", rejected="re"), dict(prompt="12", chosen="345", rejected="a"), dict(prompt="é", chosen="\u0301x", rejected="中")]


def dpo_case(t, rows, max_length):
    """The pair tokenisation of the subnet's explicit path, restated: whole strings with special tokens, the completion is the
    suffix past the prompt's length, both together cut to max_length."""
    out = []
    for i, r in enumerate(rows):
        close = lambda x: x if t.eos_token is None or x.endswith(t.eos_token) else x + t.eos_token
        p = t(text=r["prompt"])["input_ids"]
        side = lambda x: (p + t(text=r["prompt"] + close(x))["input_ids"][len(p):])[:max_length]
        c, j = side(r["chosen"]), side(r["rejected"])
        n = min(len(p), max_length)
        out.append(dict(row=i, prompt_len=n, chosen=c, rejected=j, chosen_cut=len(c) <= n, rejected_cut=len(j) <= n))
    return dict(dataset_type=dict(field_prompt="prompt", field_chosen="chosen", field_rejected="rejected"), rows=rows,
                max_length=max_length, expect=out)


def golden(t, templates):
    eos = t.eos_token or ""
    g = dict(transformers=transformers.__version__, bos=t.bos_token_id, eos=t.eos_token_id, encode=[], instruct=[], chat=[], dpo=[])
    for x in texts(eos):
        e = t(x, add_special_tokens=False, return_offsets_mapping=True)
        ids = t(x)["input_ids"]
        g["encode"].append(dict(text=x, ids=ids, bare=e["input_ids"], offsets=[list(o) for o in e["offset_mapping"]],
                                back=t.decode(ids, skip_special_tokens=True)))
    for n in (64, 16, 512):
        g["instruct"] += [instruct_case(t, ds, instruct_rows(eos), n) for ds in INSTRUCT]
    for template in templates + (["tokenizer_default"] if isinstance(t.chat_template, str) else []):
        g["chat"] += [chat_case(t, template, c, ("role", "content", "user", "assistant")) for c in conversations(eos)]
    for c in conversations(eos)[:4]:
        g["chat"].append(chat_case(t, "chatml", c, ("from", "value", "human", "gpt")))
    for n in (8192, 32, 8):
        g["dpo"].append(dpo_case(t, pairs(eos), n))
    return g


def write(path, t, templates):
    g = golden(t, templates)
    json.dump(g, open(path, "w"), ensure_ascii=False, separators=(",", ":"))
    n = {k: len(g[k]) for k in ("encode", "instruct", "chat", "dpo")}
    print(path, n, "errors:", sum("error" in c for c in g["instruct"] + g["chat"]))


if __name__ == "__main__":
    names = sorted(_CHAT_TEMPLATES)
    if sys.argv[1] == "tiny":
        for name, bos, gap, templates in (("tiny-bos", True, "", ["chatml", "llama3", "gemma", "mistral_v1"]),
                                          ("tiny", False, "~~~", ["chatml", "qwen3", "phi_3", "alpaca"]), ("tiny-far", False, "~~~~", [])):
            d = f"{sys.argv[2]}/{name}"; os.makedirs(d, exist_ok=True)
            tiny(bos, gap).save_pretrained(d)
            write(f"{d}/golden.json", AutoTokenizer.from_pretrained(d), templates)
    else:
        for d in sys.argv[2:]:
            write(f"{d}/golden.json", AutoTokenizer.from_pretrained(d), names)
