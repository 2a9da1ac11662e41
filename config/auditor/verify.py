#!/usr/bin/env python3
"""Checks an export of the ledger of restore-reconciler. Needs Python 3.10 or newer, no network and no other file.

    python3 verify.py EXPORT.zip --key 'NAME+HASH+KEY'     check an export against a public key that you already trust
    python3 verify.py EXPORT.zip                           the same without a key: then nothing shows who made it

An export holds the verdicts of one workspace. Of each this program checks

  1. that its facts, its decision and its leaf fit together                        (SHA-256, RFC 8785)
  2. that its leaf is in the tree whose root the last checkpoint states            (RFC 6962)
  3. that it is the next one of its workspace, so that none was left out between
  4. that its outcome and reason follow from its facts by the decision table
  5. that the tree of each checkpoint goes on from that of the one before          (RFC 6962)
  6. that the last checkpoint is signed by the key that you trust                  (C2SP signed note, RFC 8032)

What it cannot see: whether verdicts of the workspace were left out after the last one of the export, or before the
first of one that begins later than the workspace; whether the facts were true; whether the environment recovered.

It exits with 0 where nothing disagrees, with 3 where something does, and with 2 where it was called wrongly.
"""

import argparse
import base64
import hashlib
import json
import re
import struct
import sys
import zlib
from datetime import datetime
from pathlib import Path
from typing import Any, Callable, Iterator, NamedTuple

# SHA-256 of rules/<ruleset>.json, the decision tables that this program was written for.
TABLES = {
    "restore.execute/1": "270c202f377489c0cf46d5c77e7efe60fb724ff02b8739c238ec8524b4369443",
    "restore.execute/2": "3577393ad928a985ca5e0725e91b570491cc6026b35df96547ad728fe579de28",
}

# An export beyond these is refused before it is unpacked.
ENTRIES_MAX, FINDINGS_MAX, DEEPEST = 16, 10_000, 127
BYTES_MAX, PIECE = 2 * 1024**3, 2**16
TEXT_BYTES_MAX = 16 * 1024**2  # of a line of verdicts.jsonl, and of any other entry
INTEGER_MAX, NUMBER = 2**53, "[1-9][0-9]{0,17}"
FIRST, END_OF_TIME = "restore.execute/1", 10**21
FIRST_SECOND, LAST_SECOND = -377705023201, 253402207200  # -9999-01-02T01:59:59Z and 9999-12-30T22:00:00Z


class Refused(Exception):
    """Something is not what it should be. The text says what."""


# --- The archive ------------------------------------------------------------------------------------------------------

class Archive:
    """A zip file that is packed as exports are: each byte belongs to one entry or to the directory after them, and what is said
    twice is said alike. So no other program finds other entries in it, and nothing is hidden in between."""

    def __init__(self, data: bytes) -> None:
        self.data, place = data, 0
        self.entries: dict[str, tuple[int, ...]] = {}  # where each begins and ends, its length unpacked, and its CRC-32
        at_end, end = len(data) - 22, data[-22:].ljust(22)
        count, long, begin = struct.unpack("<10xHII2x", end)
        expected = struct.pack("<4s4xHHIIH", b"PK\5\6", count, count, long, begin, 0)
        if end != expected or begin + long != at_end or count > ENTRIES_MAX:
            raise Refused("it is no archive as exports are, with nothing before and after it")
        lines = data[begin:at_end]
        for _ in range(count):
            line = lines[:46].ljust(46, b"\xff")
            mark, flags, method, crc, packed, size, long, beside, start = struct.unpack("<4s4xHH4xIIIH6s6xI", line)
            name, lines = lines[46 : 46 + long], lines[46 + long :]
            header = b"PK\3\4" + line[6:32] + name
            is_plain = (mark, flags, method, beside, start, len(name)) == (b"PK\1\2", 0, 8, bytes(6), place, long)
            if not is_plain or not re.fullmatch(b"[!-~]+", name) or data[place : place + len(header)] != header:
                raise Refused("it has an entry that is packed as in no export of this format")
            begins, place = place + len(header), place + len(header) + packed
            self.entries[name.decode()] = (begins, place, size, crc)
        is_whole = not lines and place == begin and len(self.entries) == count
        if not is_whole or sum(size for _, _, size, _ in self.entries.values()) > BYTES_MAX:
            raise Refused("it has something beside its entries, or one of them twice, or is too large")

    def pieces_of(self, name: str) -> Iterator[bytes]:
        place, *expected = self.entries[name]
        inflate, end, size, crc, is_more = zlib.decompressobj(-15), expected[0], 0, 0, True
        while is_more and not inflate.eof and size <= expected[1]:
            packed = self.data[place : min(place + PIECE, end)]
            try:
                piece = inflate.decompress(packed, 16 * PIECE)
            except zlib.error:
                break
            place += len(packed) - len(inflate.unconsumed_tail) - len(inflate.unused_data)
            size, crc, is_more = size + len(piece), zlib.crc32(piece, crc), bool(packed or piece)
            yield piece
        if not inflate.eof or [place, size, crc] != expected:
            raise Refused(f"{name} is not what its header says")

    def bytes_of(self, name: str) -> bytes:
        if name not in self.entries or self.entries[name][2] > TEXT_BYTES_MAX:
            raise Refused(f"{name} is not there, or too large")
        return b"".join(self.pieces_of(name))

    def lines_of(self, name: str) -> Iterator[bytes]:
        rest = b""
        for piece in self.pieces_of(name):
            *lines, rest = (rest + piece).split(b"\n")
            if len([*lines, rest][0]) + bool(lines) > TEXT_BYTES_MAX:
                raise Refused(f"a line of {name} is too long")
            yield from (line + b"\n" for line in lines)
        yield from [rest] if rest else []


# --- JSON, RFC 8785, and hashes, RFC 6962 -----------------------------------------------------------------------------

def canonical(value: Any, depth: int = 0) -> str:
    """The one text of a value: keys in order of their UTF-16 units, no blanks, the shortest escapes."""
    if isinstance(value, (dict, list)) and depth == DEEPEST:
        raise Refused("it is nested too deeply")
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{canonical(key)}:{canonical(value[key], depth + 1)}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(canonical(item, depth + 1) for item in value) + "]"
    if isinstance(value, int) and abs(value) > INTEGER_MAX or isinstance(value, float):
        raise Refused("a number is no integer within 2^53")
    return json.dumps(value, ensure_ascii=False)


def parse(text: str | bytes) -> Any:
    """Reads JSON in canonical form, which fractions, numbers beyond 2^53 and half characters do not have."""
    try:
        text = text.decode() if isinstance(text, bytes) else text
        value = json.loads(text)
        if canonical(value).encode() != text.encode():
            raise ValueError("it would be written in another way")
    except (ValueError, RecursionError) as error:
        raise Refused(f"it is no JSON in canonical form: {error}") from None
    return value


LEAF_MARK, NODE_MARK = b"\x00", b"\x01"


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def digest(text: str) -> str:
    return sha256(text.encode()).hex()


def roots_by(node: bytes, index: int, last: int, path: list[bytes]) -> tuple[bytes, bytes] | None:
    """The roots that a path leads to from node `index` of those from 0 to `last`: of the tree that ends with it, and of all
    (RFC 9162, 2.1.3.2 and 2.1.4.2)."""
    before = whole = node
    for sibling in path:
        if last == 0 or index > last:
            return None
        if index % 2 == 1 or index == last:
            before, whole = sha256(NODE_MARK, sibling, before), sha256(NODE_MARK, sibling, whole)
            while index % 2 == 0 and index != 0:
                index, last = index // 2, last // 2
        else:
            whole = sha256(NODE_MARK, whole, sibling)
        index, last = index // 2, last // 2
    return (before, whole) if last == 0 and index == 0 else None


def goes_on(old: tuple[int, bytes], new: tuple[int, bytes], path: list[bytes]) -> bool:
    """Whether the first leaves of a tree are those of a smaller one, both given by size and root."""
    index, last = old[0] - 1, new[0] - 1
    while index % 2 == 1:
        index, last = index // 2, last // 2
    # Where the smaller tree is a full one, its root is where the path begins.
    path = [old[1], *path] if index == 0 else path
    return bool(path) and last > index and roots_by(path[0], index, last, path[1:]) == (old[1], new[1])


# --- Signatures, RFC 8032 (Ed25519, verification only), and checkpoints, C2SP signed note and tlog-checkpoint ---------

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)

Point = tuple[int, int, int, int]  # extended coordinates: X, Y, Z, T with x = X/Z, y = Y/Z, x*y = T/Z


def add(p: Point, q: Point) -> Point:
    a, b = (p[1] - p[0]) * (q[1] - q[0]), (p[1] + p[0]) * (q[1] + q[0])
    c, d = 2 * p[3] * q[3] * D, 2 * p[2] * q[2]
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(scalar: int, point: Point) -> Point:
    result: Point = (0, 1, 1, 0)
    for bit in reversed(range(scalar.bit_length())):
        result = add(result, result)
        if scalar >> bit & 1:
            result = add(result, point)
    return result


def decompress(data: bytes) -> Point | None:
    """The point whose y and sign of x these 32 bytes are."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number % 2**255
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * SQRT_OF_MINUS_1 % P
    if y >= P or x * x % P != square or (x == 0 and sign == 1):
        return None
    x = x if x % 2 == sign else P - x
    return x, y, 1, x * y % P


BASE = decompress((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def is_signed(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` is that of `message` by the holder of the key: [S]B = R + [k]A."""
    if len(public) != 32 or len(signature) != 64:
        return False
    key, nonce = decompress(public), decompress(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if key is None or nonce is None or scalar >= ORDER:
        return False
    challenge = hashlib.sha512(signature[:32] + public + message).digest()
    k = int.from_bytes(challenge, "little") % ORDER
    left, right = times(scalar, BASE), add(nonce, times(k, key))
    return all((left[i] * right[2] - right[i] * left[2]) % P == 0 for i in (0, 1))


Key = NamedTuple("Key", [("name", str), ("hash", bytes), ("public", bytes)])


class Checkpoint(NamedTuple):
    origin: str
    size: int
    root: bytes
    text: str
    signatures: list[Key]  # each with a signature in the place of the key


def from_base64(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        data = b""
    if base64.b64encode(data).decode() != text:
        raise Refused("something is no base64")
    return data


def read_key(text: str) -> Key:
    """A key as C2SP writes it: NAME+HASH+KEY, where KEY begins with 1 for Ed25519."""
    name, stated, encoded = (text.split("+", 2) + ["", ""])[:3]
    data = from_base64(encoded)
    if len(data) != 33 or data[0] != 1 or sha256(f"{name}\n".encode(), data)[:4].hex() != stated:
        raise Refused("a key is written NAME+HASH+KEY, is of Ed25519, and has the hash of its name and itself")
    return Key(name, bytes.fromhex(stated), data[1:])


# Three lines; after an empty one a line for each signature, if any; and an empty one.
SIGNATURE = "— ([!-*,-~]+) ([A-Za-z0-9+/]{5,}=*)\n"
NOTE = re.compile(f"(([!-~]+)\n({NUMBER})\n([A-Za-z0-9+/]{{43}}=)\n)(?:\n((?:{SIGNATURE}){{1,100}}))?\n")


def read_checkpoints(text: str) -> list[Checkpoint]:
    checkpoints: list[Checkpoint] = []
    while text or not checkpoints:
        found = NOTE.match(text)
        if not found or len(found[0].encode()) > 1_000_001:
            raise Refused("a checkpoint is three lines: origin, number of leaves, root; at most 100 signatures follow")
        lines = [(name, from_base64(data)) for name, data in re.findall(SIGNATURE, found[5] or "")]
        signatures = [Key(name, data[:4], data[4:]) for name, data in lines]
        if len({by[:2] for by in signatures}) < len(signatures) or not all(by.public for by in signatures):
            raise Refused("a checkpoint is signed twice by one key, or by nothing")
        checkpoints.append(Checkpoint(found[2], int(found[3]), from_base64(found[4]), found[1], signatures))
        text = text[found.end() :]
    return checkpoints


def signers(checkpoint: Checkpoint, trusted: list[Key]) -> list[str] | None:
    """The names of trusted keys that signed; nothing where a signature claims to be by one of them, and is not."""
    pairs = [(key, by) for by in checkpoint.signatures for key in trusted if (key.name, key.hash) == (by.name, by.hash)]
    are_all = all(is_signed(key.public, checkpoint.text.encode(), by.public) for key, by in pairs)
    return [key.name for key, _ in pairs] if are_all else None


# --- Facts: what may stand where --------------------------------------------------------------------------------------

# All reason codes, in the order in which the gaps of a leg are listed.
REASONS = """
    run.unsupported_type run.already_terminal run.status_unknown run.context_malformed run.settle_failed
    restore.proof_unavailable restore.preview_only restore.not_executed restore.in_progress restore.status_unknown
    restore.settling restore.blocked_waiting restore.cancelled restore.cancelled_after_writes restore.aborted
    restore.aborted_after_writes restore.execution_failed restore.request_unreadable restore.nothing_applied
    restore.items_missing restore.items_unrecognised restore.items_mixed restore.items_unexpected
    restore.counts_conflict restore.all_items_failed restore.audit_missing restore.audit_contradicts
    restore.evidence_missing restore.evidence_in_progress restore.evidence_incomplete restore.evidence_expired
    restore.evidence_predates_restore restore.evidence_not_current workspace_mismatch tenant_not_entitled
    missing_capability tenant_not_operable tenant_missing initiator_missing initiator_not_entitled
    provider_connection_invalid write_gate_blocked execution_prerequisite_invalid intune_rbac.not_configured
    intune_rbac.unhealthy intune_rbac.stale operational_control.paused restore.blocker_configured
    restore.failure_recorded restore.clearance_unreadable restore.blocked_after_writes restore.proof_complete
""".split()
BLOCKERS = REASONS[REASONS.index("workspace_mismatch") : REASONS.index("restore.failure_recorded")]

BEFORE_EXECUTION = "draft scoped checked previewed pending".split()
EXECUTING, MIXED = ["queued", "running"], ["partial", "completed_with_errors"]
# What an audit entry has to say of a restore that ended with this status.
VOICES = {"completed": "completed", "partial": "partial", "completed_with_errors": "partial", "failed": "failed"}
VOICES |= {"cancelled": "stopped", "aborted": "stopped"}


def nanoseconds(value: Any) -> int | None:
    """A moment such as 2026-11-29T01:13:13.674Z, in nanoseconds since 1970."""
    form = r"(\d{4}|-(?!0{6})\d{6})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{0,8}[1-9]))?Z"
    found = re.fullmatch(form, value, re.A) if isinstance(value, str) else None
    try:
        year, *rest = map(int, found.groups()[:6])
        # Python knows the years from 1 on. After 400 years all dates come again.
        since = datetime(year % 400 + 2000, *rest) - datetime(1970, 1, 1)
    except (AttributeError, ValueError):
        return None
    seconds = (since.days + (year // 400 - 5) * 146_097) * 86_400 + since.seconds
    return seconds * 10**9 + int((found[7] or "").ljust(9, "0")) if FIRST_SECOND <= seconds <= LAST_SECOND else None


def length(value: Any) -> int | None:
    """A duration such as PT1H30M, in nanoseconds."""
    form = r"(-?)PT(?:([1-9]\d{0,15})H)?(?:([1-9]|[1-5]\d)M)?(?:(\d|[1-5]\d)(?:\.(\d{0,8}[1-9]))?S)?"
    found = re.fullmatch(form, value, re.A) if isinstance(value, str) else None
    if not found or (value != "PT0S" and re.search("T$|[A-Z]0S$", value)):
        return None
    sign, hours, minutes, seconds, fraction = found.groups(default="")
    whole = (int(hours or 0) * 60 + int(minutes or 0)) * 60 + int(seconds or 0)
    return int(f"{sign}{whole}{fraction.ljust(9, '0')}") if whole - bool(sign) < 2**63 else None


def is_long(value: Any) -> bool:  # an id beyond 2^53, which is written as text
    is_text = isinstance(value, str) and re.fullmatch("-?[1-9][0-9]{0,18}", value)
    return bool(is_text and abs(int(value)) > INTEGER_MAX and -(2**63) <= int(value) < 2**63)


KINDS: dict[str, Callable[[Any], bool]] = {
    ":nothing": lambda value: value is None,
    ":text": lambda value: isinstance(value, str),
    ":flag": lambda value: isinstance(value, bool),
    ":two": lambda value: type(value) is int and value == 2,
    ":count": lambda value: type(value) is int and value >= 0,
    ":id": lambda value: type(value) is int or is_long(value),
    ":workspace": lambda value: isinstance(value, str) and re.fullmatch("[1-9][0-9]{0,18}", value) and int(value) < 2**63,
    ":place": lambda value: isinstance(value, str) and re.fullmatch(NUMBER, value) is not None,
    ":hash": lambda value: isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None,
    ":hashes": lambda value: isinstance(value, dict) and all(map(KINDS[":hash"], value.values())),
    ":moment": lambda value: nanoseconds(value) is not None,
    ":duration": lambda value: length(value) is not None,
    ":reason": lambda value: value in REASONS,
}

# A shape is a text, of whose words and kinds one may stand there; a tuple of shapes, of which one may; a list of any
# number of one shape; or a dict with exactly these keys, which stand together where they have one shape. The first
# ruleset does not have keys with a star, and the second none with a stroke.
STAMP = ("absent far unreadable", {"at": ":moment"})
COUNTER = ("absent unreadable", {"count": ":count"})
FAULT = "oversized too_deep duplicate_key invalid shape"
REQUEST_FAULT = ("set_absent set_empty set_oversized", {"column": FAULT})
TALLY = {"applied partial failed skipped not_applied unrecognised": ":count"}
PART = "item assignment foundation"
FINDING = "partial failed skipped not_applied unrecognised missing unexpected repeated conflicting"
SNAPSHOT = {"id": ":id", "complete": ":flag", "generated_at expires_at": STAMP}
CLOSERS = "stale_queued stale_running abandonment queue_failure out_of_sync adapter"
CLOSER = {"closer": CLOSERS, "failures": ":count", "blockers": [":reason"]}
CANDIDATE = {"restore_id": ":id", "points_at": ":id :nothing", "contests*": ":flag"}
RETIRED = {"status": "superseded expired failed", "retired_at": STAMP, "snapshot": SNAPSHOT}
CONTEXT = {"restore": ("unnamed impossible", {"id": ":id"}), "scope_contradicts": ":flag"}
POLICY = {
    "settle_window settle_window_in_progress clock_skew_max evidence_skew_max blocked_after*": ":duration",
    "audit_actions summary_keys audit_resource_types* blocker_codes*": [":text"],
    "item_words*": {"applied partial failed not_applied": [":text"]},
}
RUN = {
    "id workspace_id": ":id", "environment_id": ":id :nothing", "is_restore_execute blockers_readable": ":flag",
    "status": "queued running completed unknown", "created_at started_at completed_at*": STAMP, "failures*": ":count",
    "outcome": "pending succeeded partially_succeeded blocked failed unknown", "closer*": (":nothing", CLOSER),
    "context": ("malformed", {"map": CONTEXT}), "blockers": [":reason"],
}
ITEMS = {
    "reading": ("absent read", {"unreadable": FAULT}), "items foundations assignments": TALLY,
    "foundations_written assignment_conflicts missing unexpected repeated": ":count",
    "requested'": ("not_itemised", {"listed": ":count"}, {"unreadable": FAULT}),
    "requested*": ("not_itemised", {"listed": ":count"}, {"backup_set": ":count"}, {"unreadable": REQUEST_FAULT}),
    "exceptions": [{"part": PART, "id": ":text", "finding": FINDING}], "exceptions_omitted": ":count",
    "unknown_words*": [{"part": PART, "digest": ":text", "rows": ":count"}], "unknown_words_omitted*": ":count",
}
RESTORE = {
    "id workspace_id environment_id": ":id", "is_dry_run metadata_readable": ":flag", "items": ITEMS,
    "status": " ".join([*BEFORE_EXECUTION, *EXECUTING, *VOICES, "unknown"]), "blockers": [":reason"],
    "created_at updated_at* started_at completed_at": STAMP,
    "counters": {"total succeeded failed skipped partial non_applied foundations_skipped": COUNTER},
    "failures*": ["failure_reason results_status results_errors metadata_status"],
}
VOICE = "silent completed partial failed stopped unclear"
AUDIT = {"id": ":id", "action status outcome": VOICE, "recorded_at": ":moment :nothing"}
EVIDENCE = {"active": (":nothing", SNAPSHOT), "in_progress retired' retired_unknown*": ":flag", "retired*": [RETIRED]}
FACTS = {"as_of": ":moment", "policy": POLICY, "run": RUN, "candidates": [CANDIDATE]}
FACTS |= {"restore": (":nothing", RESTORE), "audits": [AUDIT], "evidence": EVIDENCE}


def misfit(value: Any, shape: Any, is_first: bool, where: str) -> str | None:
    """Where a value has another shape; nothing where it has this one."""
    if isinstance(shape, str):
        fits = any(KINDS[word](value) if word in KINDS else value == word for word in shape.split())
        return None if fits else where
    if isinstance(shape, tuple):
        return None if any(misfit(value, each, is_first, where) is None for each in shape) else where
    if isinstance(shape, list):
        if not isinstance(value, list):
            return where
        found = (misfit(item, shape[0], is_first, where) for item in value)
    else:
        names = [(name, inner) for keys, inner in shape.items() for name in keys.split()]
        keys = {name.rstrip("*'"): inner for name, inner in names if not name.endswith("*" if is_first else "'")}
        if not isinstance(value, dict) or set(value) != set(keys):
            return where
        found = (misfit(value[key], inner, is_first, f"{where}.{key}") for key, inner in keys.items())
    return next(filter(None, found), None)


def read(text: str | bytes, shape: Any, is_first: bool = False) -> Any:
    value = parse(text)
    where = misfit(value, shape, is_first, "it")
    if where:
        raise Refused(f"{where} is nothing that can stand there")
    return value


# --- The rules: eight legs, and what the rows of the decision table ask for -------------------------------------------

LEGS = "link scope intent execution items audit evidence clearance".split()


def moment_of(stamp: Any) -> int | None:
    return nanoseconds(stamp["at"]) if isinstance(stamp, dict) else None


def those(**gaps: bool) -> list[str]:
    return [f"restore.{gap}" for gap, is_there in gaps.items() if is_there]


class Case:
    """The facts of one run. Each method answers one question; the first ruleset answers some in its own way."""

    def __init__(self, facts: dict[str, Any], ruleset: str) -> None:
        self.first = ruleset == FIRST
        self.run, self.audits, self.evidence = facts["run"], facts["audits"], facts["evidence"]
        self.as_of = nanoseconds(facts["as_of"])
        self.windows = {name: length(value) for name, value in facts["policy"].items() if length(value) is not None}
        self.recorded = facts["restore"]
        self.restore = self.linked_restore(facts["candidates"])
        self.status = self.restore["status"] if self.restore else "unknown"
        self.items = self.restore["items"] if self.restore else {}
        self.rows = sum(self.items["items"].values()) if self.restore else 0
        self.legs = {leg: self.gaps_of(leg) for leg in LEGS}

    def linked_restore(self, candidates: list[dict[str, Any]]) -> dict[str, Any] | None:
        """The one that the context names, or else the newest that points at the run, in the run's own scope."""
        context, restore, run = self.run["context"], self.recorded, self.run["id"]
        named = "impossible" if context == "malformed" else context["map"]["restore"]
        # A dry run, and a restore that never left its preparation, contest nothing. The first ruleset did not ask.
        rivals = {int(it["restore_id"]) for it in candidates if it["points_at"] == run and it.get("contests", True)}
        here = {int(it["restore_id"]) for it in candidates if it["points_at"] == run}
        free = {int(it["restore_id"]) for it in candidates if it["points_at"] is None}
        if named == "unnamed":
            chosen = max(here, default=None)
        else:
            chosen = int(named["id"]) if isinstance(named, dict) else None
            if chosen not in here | free or rivals - {chosen}:
                return None
        in_scope = restore and all(restore[key] == self.run[key] for key in ("workspace_id", "environment_id"))
        return restore if in_scope and int(restore["id"]) == chosen else None

    def gaps_of(self, leg: str) -> list[str] | None:
        """The gaps of a leg; nothing where there is no restore to look at."""
        if leg == "clearance":
            # What the run recorded counts in any case. That it recorded nothing says nothing without a restore.
            return self.clearance_gaps() or ([] if self.restore else None)
        if not self.restore:
            return ["restore.proof_unavailable"] if leg == "link" else None
        return [] if leg == "link" else getattr(self, f"{leg}_gaps")()

    def scope_gaps(self) -> list[str]:
        return those(proof_unavailable=self.run["context"]["map"]["scope_contradicts"])

    def intent_gaps(self) -> list[str]:
        return those(preview_only=self.restore["is_dry_run"], not_executed=self.status in BEFORE_EXECUTION)

    def execution_gaps(self) -> list[str]:
        written = "_after_writes" if self.something_applied() else ""
        return those(
            not_executed=self.status in BEFORE_EXECUTION, in_progress=self.status in EXECUTING,
            status_unknown=self.status == "unknown", execution_failed=self.status == "failed",
            items_mixed=self.status in MIXED, **{self.status + written: self.status in ("cancelled", "aborted")},
        )

    def items_gaps(self) -> list[str]:
        items, requested = self.items, self.items["requested"]
        unreadable, request_unreadable = isinstance(items["reading"], dict), "unreadable" in requested
        not_itemised = requested == "not_itemised"
        # To the first ruleset a request that was not itemised is covered where the counter `total` says how much it is.
        uncovered = self.first and not_itemised and self.counter("total") != self.rows
        return those(
            request_unreadable=not self.first and (request_unreadable or not_itemised),
            nothing_applied=not self.first and self.rows > 0 and not self.something_applied(),
            items_missing=not unreadable and (self.rows == 0 or items["missing"] > 0 or uncovered),
            items_unrecognised=unreadable or self.any_part("unrecognised") or (self.first and request_unreadable),
            items_mixed=self.any_part("partial failed skipped not_applied"),
            items_unexpected=items["unexpected"] > 0 or items["repeated"] > 0,
            counts_conflict=items["assignment_conflicts"] > 0 or not self.counters_agree(),
            all_items_failed=self.every_item_failed(),
        )

    def audit_gaps(self) -> list[str]:
        """An entry records the end, and no later one contradicts it. One without a moment is later than all others."""
        expected, started = VOICES.get(self.status), self.started()
        agreeing, others = [], []
        for entry in self.audits:
            recorded = nanoseconds(entry["recorded_at"])
            place = (END_OF_TIME if recorded is None else recorded, int(entry["id"]))
            (agreeing if expected and self.agrees(entry, expected) else others).append(place)
        if started is not None:
            agreeing = [place for place in agreeing if self.rounded(place[0]) >= self.rounded(started)]
            agreeing = [place for place in agreeing if place[0] <= self.as_of]
            if agreeing and all(place < max(agreeing) for place in others):
                return []
            others = [place for place in others if self.rounded(place[0]) >= self.rounded(started)]
        return those(audit_contradicts=bool(others), audit_missing=not others)

    def agrees(self, entry: dict[str, Any], expected: str) -> bool:
        """A word that nobody knows says nothing beside a known one that agrees, and contradicts alone."""
        said = [entry["status"], entry["outcome"]]
        may_stand = ["silent", expected] + (["unclear"] if expected in said and not self.first else [])
        return all(voice in may_stand for voice in [entry["action"], *said])

    def evidence_gaps(self) -> list[str]:
        snapshot, in_progress = self.evidence["active"], self.evidence["in_progress"]
        if snapshot is None:
            had_any = bool(self.evidence["retired"] or self.evidence.get("retired_unknown"))
            gap = "in_progress" if in_progress else "not_current" if had_any else "missing"
            return [f"restore.evidence_{gap}"]
        # Without an expiry, or with one at the end of time, it is valid. What expires right now has expired.
        expires, is_after = snapshot["expires_at"], self.is_after_restore(snapshot)
        never = expires == "absent" or (expires == "far" and not self.first)
        is_valid = never or (isinstance(expires, dict) and moment_of(expires) > self.as_of)
        gaps = {"incomplete": not snapshot["complete"], "expired": not is_valid, "predates_restore": not is_after}
        return those(**{f"evidence_{gap}": is_there for gap, is_there in gaps.items()})

    def is_after_restore(self, snapshot: dict[str, Any]) -> bool:
        """No older than start and end of the restore, both of which must be known, and not from the future."""
        started, ended, generated = self.started(), self.ended(), moment_of(snapshot["generated_at"])
        if started is None or ended is None or generated is None:
            return False
        earliest = self.rounded(max(started, ended)) - self.windows["evidence_skew_max"]
        return earliest <= self.rounded(generated) and generated <= self.as_of + self.windows["clock_skew_max"]

    def clearance_gaps(self) -> list[str]:
        found = set(self.run["blockers"] + (self.restore["blockers"] if self.restore else []))
        readable = self.run["blockers_readable"] and (not self.restore or self.restore["metadata_readable"])
        found.update(those(failure_recorded=self.failure_recorded(), clearance_unreadable=not readable))
        return sorted(found, key=REASONS.index)

    def failure_recorded(self) -> bool:
        """On the run or its restore, or an outcome other than success on a run that is still open."""
        # What whoever closed a run left on it is not told apart here: no verdict is about a run that was closed.
        if self.first:
            return False
        denials = ["failed", "blocked", "partially_succeeded"]
        denied = self.run["status"] != "completed" and self.run["outcome"] in denials
        return denied or self.run["failures"] > 0 or bool(self.restore and self.restore["failures"])

    def any_part(self, words: str) -> bool:
        return any(self.items[part][word] for part in ("items", "foundations", "assignments") for word in words.split())

    def counter(self, name: str) -> int | None:
        counter = self.restore["counters"][name]
        return counter["count"] if isinstance(counter, dict) else None

    def something_applied(self) -> bool:
        """An item or an assignment, be it in part, or a foundation; or counters say so, where there are no items."""
        if not self.restore:
            return False
        done = [self.items[part][word] for part in ("items", "assignments") for word in ("applied", "partial")]
        counted = [self.counter("succeeded"), self.counter("partial")] if self.rows == 0 else []
        return any([*done, self.items["foundations_written"], *counted])

    def every_item_failed(self) -> bool:
        return self.rows > 0 and self.items["items"]["failed"] == self.rows

    def counters_agree(self) -> bool:
        """Each that is there. Some rows count as skipped, as not applied, or as both: only too many contradict."""
        rows, foundations = self.items["items"], self.items["foundations"]
        exact = {"total": self.rows, "succeeded": rows["applied"], "failed": rows["failed"], "partial": rows["partial"]}
        idle, undone = rows["skipped"] + rows["not_applied"] + rows["unrecognised"], self.rows - rows["applied"]
        idle_foundations = sum(foundations.values()) - foundations["applied"]
        most = {"skipped": idle, "non_applied": undone, "foundations_skipped": idle_foundations}
        differ = any(self.counter(name) not in (None, number) for name, number in exact.items())
        differ = differ or any((self.counter(name) or 0) > number for name, number in most.items())
        return "unreadable" not in self.restore["counters"].values() and not (differ and self.rows > 0)

    def rounded(self, moment: int) -> int:
        """Moments of two columns are compared in whole seconds."""
        return moment if self.first else moment // 10**9 * 10**9

    def started(self) -> int | None:
        """Where nobody noted a start, the restore's row was there before. One that cannot be read may be any moment."""
        noted = self.restore["started_at"]
        return moment_of(self.restore["created_at"] if noted == "absent" else noted)

    def ended(self) -> int | None:
        """An end in the near future means now. One further off, in 1970, or before the restore's own start is none."""
        ended, started = moment_of(self.restore["completed_at"]), moment_of(self.restore["started_at"])
        if ended is None or ended > self.as_of + self.windows["clock_skew_max"]:
            return None
        is_end = ended > 0 and (started is None or self.rounded(started) <= self.rounded(ended))
        return min(ended, self.as_of) if is_end or self.first else None

    def settle_window_open(self) -> bool:
        ended = self.ended() if self.restore else None
        longest = max(self.windows["settle_window"], self.windows["settle_window_in_progress"])
        window = longest if self.evidence["in_progress"] else self.windows["settle_window"]
        return ended is not None and ended + window > self.as_of

    def never_started(self) -> bool:
        """What cannot be read may show that something was applied."""
        if not self.restore or not self.restore["metadata_readable"] or isinstance(self.items["reading"], dict):
            return False
        started = self.restore["started_at"] != "absent" or self.something_applied()
        return self.status in [*BEFORE_EXECUTION, "queued"] and not started

    def blocked_after_passed(self) -> bool:
        """Since run or restore were created, or the restore was last written, whichever was latest."""
        of_restore = [self.recorded[key] for key in ("created_at", "updated_at")] if self.recorded else []
        stamps = [self.run["created_at"], *of_restore]
        noted = [moment_of(stamp) for stamp in stamps if stamp != "absent"]
        return bool(noted) and None not in noted and max(noted) + self.windows["blocked_after"] <= self.as_of

    def blockers(self) -> list[str]:
        others = REASONS if self.first else BLOCKERS
        return [gap for gap in self.legs["clearance"] or [] if gap in others and gap != "restore.clearance_unreadable"]

    def lasting_blockers(self) -> list[str]:
        return [gap for gap in self.blockers() if gap != "operational_control.paused"]


# What rows ask for: a status of the restore, a leg that does not hold, or else what is here, or a method of the case.
STATUSES = {"executing": EXECUTING, "mixed": MIXED, "status_unknown": ["unknown"], "failed": ["failed"]}
STATUSES |= {"cancelled": ["cancelled"], "aborted": ["aborted"], "cancelled_or_aborted": ["cancelled", "aborted"]}
GAPS = {"link_or_scope_gap": ["link", "scope"], "audit_or_evidence_gap": ["audit", "evidence"]}
GAPS |= {f"{leg}_gap": [leg] for leg in LEGS}
OTHERS: dict[str, Callable[[Case], Any]] = {
    "other_type": lambda case: not case.run["is_restore_execute"],
    "run_completed": lambda case: case.run["status"] == "completed",
    "run_status_unknown": lambda case: case.run["status"] == "unknown",
    "context_malformed": lambda case: case.run["context"] == "malformed",
    "dry_run": lambda case: case.restore and case.restore["is_dry_run"],
    "blocker_recorded": Case.blockers,
    "lasting_blocker": Case.lasting_blockers,
    "nothing_applied": lambda case: not case.something_applied(),
    "item_rows": lambda case: case.rows > 0,
    "all_legs_hold": lambda case: all(case.legs[leg] == [] for leg in LEGS),
}


def holds(predicate: str, case: Case) -> bool:
    if predicate in STATUSES:
        return case.status in STATUSES[predicate]
    if predicate in GAPS:
        return any(case.legs[leg] != [] for leg in GAPS[predicate])
    return bool(OTHERS[predicate](case) if predicate in OTHERS else getattr(case, predicate)())


def judge(facts: dict[str, Any], table: dict[str, Any]) -> dict[str, Any]:
    """The decision that follows from facts: that of the first row of which all predicates hold."""
    case, rows = Case(facts, table["ruleset"]), enumerate(table["rows"], 1)
    number, row = next((number, row) for number, row in rows if all(holds(it, case) for it in row["when"]))
    because = row["because"]
    if "code" in because:
        reason = because["code"]
    elif "first_gap" in because:
        reason = case.legs[because["first_gap"]][0]
    else:
        reason = {"blocker": case.blockers, "lasting_blocker": case.lasting_blockers}[because]()[0]
    legs = ["not_assessed" if gaps is None else {"gaps": gaps} if gaps else "holds" for gaps in case.legs.values()]
    return {"proof": {"legs": legs}, "reason": reason, "rule": number, "ruling": row["then"]}


# --- The export -------------------------------------------------------------------------------------------------------

LEAF_VERDICT = {
    "decision_id run revision outcome reason_code ruleset decided_at source worker": ":text",
    "environment run_created_at first_decision_id": ":text :nothing",
    "facts_digest decision_digest": ":hash", "facts_seal": ":hash :nothing",
}
PLACE = {"position workspace_position": ":place", "workspace": ":text", "previous_leaf": ":hash :nothing"}
LEAF = PLACE | {"verdict": (":nothing", LEAF_VERDICT)}
ENTRY = {"leaf": LEAF, "facts salt decision": ":text :nothing", "proof": [":hash"]}
MANIFEST = {"format": ":two", "size verdicts erased": ":count", "origin": ":text", "entries": ":hashes"}
MANIFEST |= {"since": ":text :nothing", "workspace": ":workspace"}
BY_TRUSTED = "signed by a key that you trust"
BY_OTHERS = "signed, and not by a key that you named: nothing shows who made this export"
UNSIGNED = "unsigned: nothing shows who made this export"
NEEDED = {"checkpoints.txt", "consistency.json", "report.html", "verdicts.jsonl"}


class Examination:
    """One export, and what was found: about what, in which line of verdicts.jsonl, and in words."""

    def __init__(self, data: bytes, trusted: list[Key]) -> None:
        self.trusted, self.manifest, self.signature = trusted, {}, UNSIGNED
        self.findings: list[tuple[str, int | None, str]] = []
        self.verdicts = self.erased = self.absent = 0
        try:
            self.archive = Archive(data)
            self.examine_entries()
        except Refused as error:
            self.found("archive", error)

    def found(self, about: str, finding: object, line: int | None = None) -> None:
        self.findings.append((about, line, str(finding)))

    def examine_entries(self) -> None:
        names, manifest = set(self.archive.entries), self.archive.bytes_of("manifest.json")
        try:
            self.manifest = read(manifest, MANIFEST)
        except Refused as error:
            return self.found("manifest", error)
        listed = self.manifest["entries"]
        for name in sorted((names | set(listed) | NEEDED) - {"manifest.json"}):
            if name not in names or name not in listed:
                self.found("entries", f"{name} is not in the export, or not in its manifest")
            elif self.digest_of(name) != listed[name]:
                self.found("entries", f"{name} is another one than the manifest says")
        if NEEDED <= names:
            self.examine_ledger(self.tables(names))

    def digest_of(self, name: str) -> str:
        found = hashlib.sha256()
        for piece in self.archive.pieces_of(name):
            found.update(piece)
        return found.hexdigest()

    def tables(self, names: set[str]) -> dict[str, Any]:
        tables = {}
        for ruleset, known in TABLES.items():
            name = f"rules/{ruleset.replace('/', '-')}.json"
            if name in names and self.digest_of(name) == known:
                tables[ruleset] = json.loads(self.archive.bytes_of(name))
            elif name in names:
                self.found("rules", f"{name} is not the decision table that this program was written for")
        return tables

    def examine_ledger(self, tables: dict[str, Any]) -> None:
        notes = self.archive.bytes_of("checkpoints.txt")
        try:
            checkpoints = read_checkpoints(notes.decode())
        except (Refused, UnicodeDecodeError) as error:
            return self.found("checkpoint", error)
        checkpoint = self.examine_checkpoints(checkpoints)
        self.examine_consistency(checkpoints, self.archive.bytes_of("consistency.json"))
        # What the next leaf says of itself: its place in the workspace, and the leaf before. Nobody knows that after a
        # line that cannot be read, and at the beginning of an export that begins later than the workspace.
        expected: tuple[int, str | None] | None = (1, None) if self.manifest["since"] is None else None
        for line in self.archive.lines_of("verdicts.jsonl"):
            if len(self.findings) >= FINDINGS_MAX:
                raise Refused("too much disagrees to go on")
            self.verdicts += 1
            try:
                entry = read(line[:-1] if line.endswith(b"\n") else b"", ENTRY)
            except Refused as error:
                self.found("line", error, self.verdicts)
                expected = None
                continue
            leaf = entry["leaf"]
            leaf_hash = sha256(LEAF_MARK, canonical(leaf).encode())
            path, place = [bytes.fromhex(node) for node in entry["proof"]], int(leaf["workspace_position"])
            roots = roots_by(leaf_hash, int(leaf["position"]) - 1, checkpoint.size - 1, path)
            if not roots or roots[1] != checkpoint.root:
                self.found("proof", "the checkpoint has another leaf there", self.verdicts)
            is_next = expected in (None, (place, leaf["previous_leaf"]))
            if not is_next or leaf["workspace"] != self.manifest["workspace"]:
                self.found("chain", "it does not follow on the one before: one is missing, or moved", self.verdicts)
            expected = (place + 1, leaf_hash.hex())
            for about, finding in self.examine_verdict(entry, tables):
                self.found(about, finding, self.verdicts)
        if not self.verdicts or (self.manifest["verdicts"], self.manifest["erased"]) != (self.verdicts, self.erased):
            self.found("manifest", "it counts other verdicts than there are, or there is none")

    def examine_checkpoints(self, checkpoints: list[Checkpoint]) -> Checkpoint:
        last, sizes, by = checkpoints[-1], [checkpoint.size for checkpoint in checkpoints], None
        origins = {checkpoint.origin for checkpoint in checkpoints}
        if sizes != sorted(set(sizes)) or last.size != self.manifest["size"] or origins != {self.manifest["origin"]}:
            self.found("checkpoint", "the checkpoints are not of this ledger, not in order, or not as large as is said")
        for checkpoint in checkpoints:
            by = signers(checkpoint, self.trusted)
            if by is None:
                self.found("signature", f"the checkpoint of {checkpoint.size} leaves is not signed by whom it names")
        self.signature = BY_TRUSTED if by else BY_OTHERS if last.signatures else UNSIGNED
        if self.trusted and not by:
            self.found("signature", "the last checkpoint is signed by none of the keys that you trust")
        return last

    def examine_consistency(self, checkpoints: list[Checkpoint], text: bytes) -> None:
        try:
            proofs = read(text, [[":text"]])
        except Refused:
            proofs = [None] * len(checkpoints)  # as wrong as another number of them
        if len(proofs) + 1 != len(checkpoints):
            return self.found("checkpoint", "the proofs that each goes on from the one before cannot be used")
        for old, new, proof in zip(checkpoints, checkpoints[1:], proofs):
            path = [bytes.fromhex(node) for node in proof if KINDS[":hash"](node)]
            if len(path) < len(proof) or not goes_on(old[1:3], new[1:3], path):
                self.found("checkpoint", f"that of {new.size} leaves does not go on from the {old.size} of the one before")

    def examine_verdict(self, entry: dict[str, Any], tables: dict[str, Any]) -> Iterator[tuple[str, object]]:
        verdict, facts, salt, decision = entry["leaf"]["verdict"], entry["facts"], entry["salt"], entry["decision"]
        if verdict is None:
            self.absent += 1
            if (facts, salt, decision) != (None, None, None):
                yield "decision", "there is a verdict where the leaf has none"
            return
        if decision is None or digest(decision) != verdict["decision_digest"]:
            yield "decision", "the decision is not that of the leaf"
        if facts is None and salt is None:
            self.erased += 1
            if not says(decision, verdict):
                yield "verdict", "outcome and reason are not those of the decision"
            return
        facts_digest, ruleset = digest(facts or ""), verdict["ruleset"]
        seal = digest((salt or "") + facts_digest)
        if (facts_digest, seal) != (verdict["facts_digest"], verdict["facts_seal"]):
            yield "facts", "the facts are not those of the leaf"
        if ruleset not in tables:
            yield "rules", f"the export has no decision table of {ruleset} that this program knows"
            return
        try:
            known = read(facts or "", FACTS, ruleset == FIRST)
        except Refused as error:
            yield "facts", f"the text of the facts cannot be used: {error}"
            return
        follows = judge(known, tables[ruleset])
        if canonical(follows) != decision or not says(decision, verdict):
            words = f"{follows['ruling'].get('verdict', 'no verdict:')} {follows['reason']}"
            yield "verdict", f"{verdict['outcome']} {verdict['reason_code']} is on record; the facts give {words}"
        elif not is_about(known, facts_digest, entry["leaf"]):
            yield "owner", "the facts are of another run, workspace, environment or moment than the leaf says"


def says(decision: str | None, verdict: dict[str, Any]) -> bool:
    try:
        said = parse(decision or "")
        return said["ruling"] == {"verdict": verdict["outcome"]} and said["reason"] == verdict["reason_code"]
    except (Refused, KeyError, TypeError):
        return False


def is_about(facts: dict[str, Any], facts_digest: str, leaf: dict[str, Any]) -> bool:
    verdict, run = leaf["verdict"], facts["run"]
    stated = [verdict["run"], leaf["workspace"], verdict["environment"], verdict["decided_at"], verdict["decision_id"]]
    ids = [run[key] if run[key] is None else str(run[key]) for key in ("id", "workspace_id", "environment_id")]
    # A verdict from before that was kept does not say when its run was created.
    is_same_run = verdict["run_created_at"] is None or run["created_at"] == {"at": verdict["run_created_at"]}
    return is_same_run and stated == [*ids, facts["as_of"], facts_digest[:32]]


def main() -> int:
    options = argparse.ArgumentParser(description="Checks an export of the ledger of restore-reconciler, offline.")
    options.add_argument("--key", action="append", default=[], help="a public key that you trust: NAME+HASH+KEY")
    options.add_argument("export", help="the export, a zip file")
    asked = options.parse_args()
    try:
        trusted = [read_key(key) for key in asked.key]
        seen = Examination(Path(asked.export).open("rb").read(2 * BYTES_MAX), trusted)
    except (Refused, OSError) as error:
        options.error(str(error))
    if seen.manifest and not any(about == "archive" for about, _, _ in seen.findings):
        print(f"Workspace {seen.manifest['workspace']} of {seen.manifest['origin']!r}: {seen.verdicts} verdicts,")
        print(f"{seen.erased} of them without their facts; {seen.absent} gone before their leaf.")
        before = "" if seen.manifest["since"] is None else " It begins later, it says: earlier verdicts are not in it."
        print(f"The checkpoint of {seen.manifest['size']} leaves is {seen.signature}.{before}")
    for about, line, finding in seen.findings:
        print(f"DISAGREES {about}{'' if line is None else f', line {line} of verdicts.jsonl'}: {repr(finding)[1:-1]}")
    print(f"Findings: {len(seen.findings) or 'none'}. Completion and evidence do not prove environment recovery.")
    return 3 if seen.findings else 0


if __name__ == "__main__":
    sys.exit(main())
