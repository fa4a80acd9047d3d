"""WordNet senses as questions and answers: the instruct rows and preference pairs of the example.

Columns are the ones the subnet prepares: instruct, input, output, system; prompt, chosen, rejected.
"""
from wordnet import FIELDS, draw

SYSTEM = "You are a dictionary."
VOWELS = tuple("aeiou")


def article(noun): return f"an {noun}" if noun.startswith(VOWELS) else f"a {noun}"


def part_of_speech(s):
    return "Which part of speech is this?", f"{s.words[0]}: {s.gloss}", f"It is {article(s.part)}."


def subject(s):
    if s.lexfile not in FIELDS or s.part not in ("noun", "verb"): return None
    verb = "names" if s.part == "noun" else "tells of"
    return f"What does this {s.part} {'name' if s.part == 'noun' else 'tell of'}?", f"{s.words[0]}: {s.gloss}", f"It {verb} {FIELDS[s.lexfile]}."


def broader(s):
    return ("Give a broader term.", f"{s.words[0]}: {s.gloss}", f"A broader term is {s.broader[0]}.") if s.broader else None


def define(s): return f"Define the {s.part} {s.words[0]}.", "", f"{s.gloss}."


def example(s):
    return ("Use this word in a sentence.", f"{s.words[0]}: {s.gloss}", s.examples[0]) if s.examples else None


KINDS = [part_of_speech] * 5 + [subject] * 8 + [broader] * 3 + [define] * 2 + [example] * 2


def usable(s):
    return 3 <= len(s.gloss.split()) <= 40 and len(s.words[0]) <= 30 and s.words[0].islower()


def instruct_rows(senses, count, seed):
    """`count` rows, one a sense, in an order and of kinds that depend on `seed` alone."""
    rows = []
    for s in sorted(filter(usable, senses), key=lambda s: draw(seed, s.key)):
        made = KINDS[draw(seed, "kind", s.key) % len(KINDS)](s)
        if made is None: continue
        instruct, given, output = made
        rows.append(dict(instruct=instruct, input=given, output=output, system=SYSTEM if draw(seed, "system", s.key) % 4 == 0 else ""))
        if len(rows) == count: break
    return rows


def preference_pairs(senses, count, seed):
    """A word's own definition against the one of another word of the same part of speech."""
    order = sorted(filter(usable, senses), key=lambda s: draw(seed, s.key))
    pairs = []
    for i, s in enumerate(order[:2 * count]):
        others = [o for o in order[2 * count:] if o.part == s.part and o.lexfile != s.lexfile]
        if not others: continue                                    # adverbs all stand in one file
        other = others[i % len(others)]
        pairs.append(dict(prompt=f"{s.words[0]} ({s.part}): ", chosen=f"{s.gloss}.", rejected=f"{other.gloss}."))
        if len(pairs) == count: break
    return pairs
