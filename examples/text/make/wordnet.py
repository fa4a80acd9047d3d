"""WordNet 3.0's data files as plain records, and the split that keeps every evaluated sense out of all training text.

The files are those of Debian's package wordnet-base (1:3.0-37): `apt-get download wordnet-base && dpkg -x wordnet-base*.deb wn`,
then DIR below is wn/usr/share/wordnet.
"""
import hashlib, re
from dataclasses import dataclass, field

PARTS = {"noun": "n", "verb": "v", "adj": "a", "adv": "r"}
NAMES = {"noun": "noun", "verb": "verb", "adj": "adjective", "adv": "adverb"}
# WordNet's lexicographer files, as what a word names or tells of: number -> phrase.
FIELDS = {4: "an act", 5: "an animal", 6: "an artifact", 7: "an attribute", 8: "a part of the body", 9: "a thought", 10: "a communication",
          11: "an event", 12: "a feeling", 13: "a food", 14: "a group", 15: "a place", 17: "a natural object", 18: "a person",
          19: "a phenomenon", 20: "a plant", 21: "a possession", 22: "a process", 23: "a quantity", 24: "a relation", 25: "a shape",
          26: "a state", 27: "a substance", 28: "a time", 29: "bodily care", 30: "change", 31: "thinking", 32: "communication",
          33: "competition", 34: "eating and drinking", 35: "touching", 36: "creation", 37: "emotion", 38: "motion", 39: "perception",
          40: "possession", 41: "social life", 42: "being", 43: "weather"}
# Senses that a dictionary marks as hurtful or coarse have no place in an example.
UNWANTED = re.compile(r"offensive|slur|vulgar|obscene|derogat|disparag|ethnic|taboo|sexual|genital|nigg|prostitut|homosexual|rape|"
                      r"coitus|copulat|intercourse|excrement|slave|nazi", re.I)


@dataclass
class Sense:
    part: str                   # noun, verb, adjective, adverb
    offset: int
    words: list                 # lemmas, underscores replaced by spaces
    gloss: str                  # the definition alone
    examples: list              # quoted sentences of the gloss
    lexfile: int = 0            # number of its lexicographer file, see FIELDS
    broader: list = field(default_factory=list)     # lemmas of the hypernym
    held_out: bool = False

    @property
    def key(self): return f"{self.part}:{self.offset}"


def draw(*parts):
    """A number below 2**32 that depends on the text alone: orders and splits are the same on every machine."""
    return int.from_bytes(hashlib.sha256("|".join(map(str, parts)).encode()).digest()[:4], "little")


def senses(directory):
    found, above = {}, {}
    for name, tag in PARTS.items():
        for line in open(f"{directory}/data.{name}", encoding="utf-8", errors="replace"):
            if line.startswith("  "): continue                        # the licence, kept in front of every data file
            head, text = line.rstrip().split(" | ", 1)
            cells = head.split()
            count = int(cells[3], 16)
            words = [re.sub(r"\(\w+\)$", "", w).replace("_", " ") for w in cells[4:4 + 2 * count:2]]
            links = cells[4 + 2 * count:]
            up = [(links[1 + 4 * i + 2], int(links[1 + 4 * i + 1])) for i in range(int(links[0])) if links[1 + 4 * i] in ("@", "@i")]
            quoted = [e.strip() for e in re.findall(r'"([^"]+)"', text)]
            gloss = re.sub(r"\s+", " ", re.sub(r';?\s*"[^"]*"(\s*-\s*[^;"]*)?', "", text)).strip(" ;,:")
            if not gloss or UNWANTED.search(text) or any(UNWANTED.search(w) for w in words): continue
            s = Sense(NAMES[name], int(cells[0]), words, gloss, [e for e in quoted if 3 <= len(e.split()) <= 30], int(cells[1]))
            s.held_out = draw("split", s.key) % 20 == 0
            found[(tag, s.offset)] = s
            above[(tag, s.offset)] = up[:1]
    for key, up in above.items():
        if up and up[0] in found: found[key].broader = found[up[0]].words
    return list(found.values())


def entry(s):
    """A sense as a line of running dictionary text: what the base model is trained on."""
    text = f"{', '.join(s.words)} ({s.part}): {s.gloss}."
    if s.broader: text += f" A kind of {s.broader[0]}."
    if s.examples: text += " Example: " + "; ".join(s.examples[:2]) + "."
    return text
