"""Answers what the auditor's verifier says of exports: reads a line of JSON and so many bytes, and writes a line of JSON."""

import json
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parents[2] / "config/auditor"))

import verify  # noqa: E402

SIGNATURES = {verify.BY_TRUSTED: "verified", verify.BY_OTHERS: "other", verify.UNSIGNED: "unsigned"}

TABLES = Path(verify.__file__).parent


def decided(asked):
    """What follows from facts; nothing where they are none of this ruleset's."""
    ruleset, facts = asked["ruleset"], asked["facts"]
    try:
        known = verify.read(facts, verify.FACTS, ruleset == verify.FIRST)
    except verify.Refused:
        return None
    table = json.loads((TABLES / f"{ruleset.replace('/', '-')}.json").read_text())
    decision = verify.judge(known, table)
    if "deferred" in decision["ruling"]:
        decision["ruling"] = "deferred"
    return decision


while line := sys.stdin.buffer.readline():
    asked = json.loads(line)
    if "facts" in asked:
        print(json.dumps(decided(asked)), flush=True)
        continue
    export = sys.stdin.buffer.read(asked["bytes"])
    seen = verify.Examination(export, [verify.read_key(key) for key in asked["keys"]])
    findings = sorted({(about, number or 0) for about, number, _ in seen.findings})
    said = {
        "signature": SIGNATURES[seen.signature],
        "counts": [seen.verdicts, seen.erased, seen.absent],
        "findings": [[about, number or None] for about, number in findings],
    }
    print(json.dumps(said), flush=True)
