"""Rows of a prepared data file -> token ids and labels, by the rules the subnet's evaluator follows.

Instruct: what axolotl's user-defined format does. Preference pairs: what the evaluator's own pair tokenisation does.
"""
IGNORE = -100


def read_task(path):
    """(task, rows) of a task file and the JSON data file that it names."""
    import json, os
    task = json.load(open(path))
    return task, json.load(open(os.path.join(os.path.dirname(os.path.abspath(path)), task["dataset"]["path"])))


def sequence_len(task, max_positions, longest=4096):
    n = task.get("sequence_len") or longest
    return -(-max_positions // 2) if max_positions and max_positions < 2 * n else n


def part(tok, text, limit, answer):
    if not text: return []
    ids = list(tok(text, truncation=True, max_length=limit)["input_ids"])
    if answer:
        if ids and ids[-1] != tok.eos_token_id and len(ids) < limit: ids.append(tok.eos_token_id)
        if ids and ids[0] == tok.bos_token_id: ids = ids[1:]
    return ids


def instruct_ids(tok, kind, row, limit):
    """(ids, labels) of one row."""
    get = lambda field: row.get(kind.get(field) or "") or ""
    system = get("field_system") if kind.get("field_system") in row else kind.get("system_prompt") or ""
    given = get("field_input")
    if given: form = kind.get("format") or ("{instruction} {input}" if kind.get("field_input") else "{instruction}")
    else: form = kind.get("no_input_format") or "{instruction}"
    text = ((kind.get("system_format") or "{system}").format(system=system) if system else "") + form.format(instruction=get("field_instruction"), input=given)
    prompt, answer = part(tok, text, limit, False), part(tok, get("field_output"), limit, True)
    return prompt + answer, [IGNORE] * len(prompt) + answer


def instruct_rows(tok, task, rows, max_positions):
    """[(file position, ids, labels)] in the order of evaluation: shortest first, rows without a label or too long left out."""
    limit = sequence_len(task, max_positions)
    made = [(i, *instruct_ids(tok, task["dataset_type"], r, limit)) for i, r in enumerate(rows)]
    kept = [m for m in made if 2 <= len(m[1]) <= limit and any(t != IGNORE for t in m[2][1:])]
    return sorted(kept, key=lambda m: len(m[1]))


def preference_ids(tok, kind, row, limit):
    """(chosen ids, rejected ids, number of prompt ids) of one pair; a completion is what follows the prompt's number of ids."""
    prompt = row[kind["field_prompt"]]
    ids = list(tok(prompt)["input_ids"])
    n = len(ids)
    sides = []
    for field in ("field_chosen", "field_rejected"):
        text = row[kind[field]]
        if not text.endswith(tok.eos_token): text += tok.eos_token
        # The prompt's own ids stay, even where a token of the whole reaches across its end: that is how the pair is collated.
        sides.append((ids + list(tok(prompt + text)["input_ids"])[n:])[:limit])
    return *sides, n
