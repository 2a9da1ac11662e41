"""Judges the ten thousand golden verdicts by the auditor's verifier: the same outcome, reason, row, legs and gaps, byte for byte.

Their facts are made as `jobs/tests/laws/golden.rs` makes them, and each decision is compared by the line that is on file.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "jobs/tests/laws/corpus"
sys.path.insert(0, str(ROOT / "config/auditor"))
sys.dont_write_bytecode = True

import verify  # noqa: E402

OF_EACH = 5_000
DONORS = 3
SPREAD = 0x9E3779B97F4A7C15
BITS = 2**64 - 1


class Chance:
    def __init__(self, seed):
        self.state = seed

    def below(self, limit):
        self.state ^= self.state << 13 & BITS
        self.state ^= self.state >> 7
        self.state ^= self.state << 17 & BITS
        return self.state % max(limit, 1)


def cross(facts, donor, chance):
    """`facts` with some parts of `donor` in the place of the same parts."""
    if not (isinstance(facts, dict) and isinstance(donor, dict)):
        return facts
    crossed = dict(facts)
    for key in sorted(facts):
        if key in donor:
            draw = chance.below(6)
            if draw == 0:
                crossed[key] = donor[key]
            elif draw < 3:
                crossed[key] = cross(facts[key], donor[key], chance)
    return crossed


def facts_of(number, corpus):
    chance = Chance(number * SPREAD & BITS | 1)
    facts = corpus[chance.below(len(corpus))]
    for _ in range(DONORS):
        facts = cross(facts, corpus[chance.below(len(corpus))], chance)
    return facts


def lines(ruleset):
    name = f"restore.execute-{ruleset}"
    table = json.loads((ROOT / f"config/auditor/{name}.json").read_text())
    kept = (CORPUS / f"ruleset_{ruleset}.jsonl").read_text().splitlines()
    corpus = [json.loads(json.loads(line)["facts"]) for line in kept]
    known, number = {}, 0
    while len(known) < OF_EACH:
        number += 1
        text = verify.canonical(facts_of(number, corpus))
        facts = verify.read(text, verify.FACTS, table["ruleset"] == verify.FIRST)
        decision = verify.judge(facts, table)
        outcome = decision["ruling"].get("verdict")
        if outcome:
            words = f"{outcome} {decision['reason']} {verify.digest(text)} {verify.canonical(decision)}"
            known.setdefault(verify.digest(words)[:12], text)
    return list(known.items())


def main():
    golden = (CORPUS / "golden.txt").read_text().splitlines()
    made = lines(1) + lines(2)
    wrong = [place for place, ((line, _), recorded) in enumerate(zip(made, golden)) if line != recorded]
    for place in wrong[:3]:
        print(f"verdict {place} is another one, from {made[place][1]}")
    print(f"{len(made) - len(wrong)} of {len(golden)} golden verdicts are judged as they were recorded")
    return bool(wrong or len(made) != len(golden))


if __name__ == "__main__":
    sys.exit(main())
