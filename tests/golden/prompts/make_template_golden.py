#!/usr/bin/env python3
"""Golden renderings of chat templates, out of transformers' own renderer.

   make_template_golden.py named OUT.json              the named templates of axolotl 0.19.0
   make_template_golden.py files OUT.json DIR          every DIR/*.jinja

Written with transformers 5.17.0, Jinja2 3.1.6. For each template and case: sha256 of the rendering, or `raises`.
The `files` form is meant for the templates of released models in the llama-cpp-python sdist
(vendor/llama.cpp/models/templates); they are their models' and are not kept here.
"""
import copy, datetime, glob, hashlib, json, os, sys
import transformers, jinja2
import transformers.utils.chat_template_utils as ctu


class FixedDate(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2026, 9, 30)


ctu.datetime = FixedDate
U, A, S = lambda x, **k: dict(role="user", content=x, **k), lambda x, **k: dict(role="assistant", content=x, **k), lambda x: dict(role="system", content=x)
CALL = dict(id="call12345", type="function", function=dict(name="get_weather", arguments={"city": "Paris é", "n": 1, "x": 0.5, "deep": {"b": [1, None, True], "a": "q\"'<>&"}}))
TOOLS = [dict(type="function", function=dict(name="get_weather", description="Weather of a city <now> & \"later\"",
              parameters=dict(type="object", properties=dict(city=dict(type="string", description="naïve"), n=dict(type="integer", enum=[1, 2])), required=["city"])))]
CONVERSATIONS = [
    [U("Hi")], [U("Hi"), A("Hello there")], [S("Be brief."), U("1+1?"), A("2"), U("2+2?"), A("4")], [S("Be brief."), U("1+1?")],
    [U("  spaces \n"), A("\n padded  "), U("é中文 🙂"), A("naïve\n\n")], [U("a"), A(""), U("b")], [U("<b>&amp; \"q\" 'q' {{ x }} {% y %}"), A("<|im_end|>\\n")],
    [U("think"), A("<think>\nhm\n</think>\n\n42"), U("more"), A("<think>a</think>b")], [U("r"), A("answer", reasoning_content="because\nof"), U("s"), A("t", reasoning_content="")],
    [A("assistant first"), U("then")], [U("u"), U("v")], [S("only system")], [U("long " * 200), A("x" * 1000)],
    [U([dict(type="text", text="part one"), dict(type="text", text=" part two")]), A("ok")],
    [U("Weather?"), A("", tool_calls=[CALL]), dict(role="tool", content="sunny", name="get_weather", tool_call_id="call12345"), A("Sunny.")],
    [S("sys"), U("Weather?"), A(None, tool_calls=[CALL]), dict(role="tool", content='{"t": 21.5}', name="get_weather", tool_call_id="call12345")],
]
VARIANTS = [dict(), dict(add_generation_prompt=True), dict(tools=TOOLS), dict(tools=TOOLS, add_generation_prompt=True), dict(add_generation_prompt=True, enable_thinking=False)]
TOKENS = dict(bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>")


def main():
    if sys.argv[1] == "named":
        from axolotl.utils.chat_templates.base import _CHAT_TEMPLATES as sources
    else:
        sources = {os.path.basename(f): open(f, encoding="utf-8").read() for f in sorted(glob.glob(f"{sys.argv[3]}/*.jinja"))}
    templates, raised = {}, 0
    for name in sorted(sources):
        out = []
        for c in CONVERSATIONS:
            for v in VARIANTS:
                try:
                    text = ctu.render_jinja_template([copy.deepcopy(c)], chat_template=sources[name], **dict(TOKENS, **v))[0][0]
                    out.append(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16])
                    if len(sys.argv) > 4: print(f"=== {name} {len(out) - 1}\n{text}")
                except Exception as e:
                    out.append("raises"); raised += 1
                    if len(sys.argv) > 4: print(f"=== {name} {len(out) - 1}\nRAISES {type(e).__name__}: {e}")
        templates[name] = out
    json.dump(dict(transformers=transformers.__version__, jinja2=jinja2.__version__, tokens=TOKENS, conversations=CONVERSATIONS, variants=VARIANTS,
                   templates=templates), open(sys.argv[2], "w"), ensure_ascii=False, separators=(",", ":"))
    print(len(templates), "templates,", len(CONVERSATIONS) * len(VARIANTS), "cases each,", raised, "raise")


main()
