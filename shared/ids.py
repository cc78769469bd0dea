"""Identifiers: UUIDv7 for things and events, short references for people."""

import os
import time
from datetime import date, datetime
from operator import mul

# Crockford's alphabet (no I, L, O, U) without Z, which people mistake for 2: 31 signs, a prime number of them, so that
# the check character notices every slip.
_SIGNS = "0123456789ABCDEFGHJKMNPQRSTVWXY"
_MEANT = str.maketrans("OILUZ", "011V2")
_VALUES = {sign: value for value, sign in enumerate(_SIGNS)}
_WEIGHTS = range(1, 15)
_last = 0


def uuid7() -> str:
    """A UUIDv7 (RFC 9562) as text: 48 bits of milliseconds, 12 bits that rise within the millisecond, 62 random bits.

    Strictly rising within one process, so that rows sort as they were made and indexes grow at one end.
    """
    global _last
    tick = time.time_ns() * 4096 // 1_000_000
    if tick <= _last:
        tick = _last + 1
    _last = tick
    millis, fraction = tick >> 12, tick & 0xFFF
    tail = int.from_bytes(os.urandom(8)) & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
    text = f"{millis:012x}7{fraction:03x}{tail:016x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def first_of(moment: datetime) -> str:
    """The lowest UUIDv7 that can be made at `moment` or later: rows are found by their time without an index on it."""
    millis = f"{int(moment.timestamp() * 1000):012x}"
    return f"{millis[:8]}-{millis[8:]}-7000-8000-000000000000"


def reference(day: date) -> str:
    """A complaint's reference for people to write down and read out: `YYMMDD-XXXX-XXXXC`.

    `day` is that of the bank's time zone. Eight random signs (39 bits), then a check character, so that a slip of the
    pen is noticed. Not unique by construction: the table's unique index is the judge.
    """
    left, body = int.from_bytes(os.urandom(8)), ""
    for _ in range(8):
        left, sign = divmod(left, 31)
        body += _SIGNS[sign]
    head = f"{day.year % 100:02d}{day.month:02d}{day.day:02d}"
    return f"{head}-{body[:4]}-{body[4:]}{_check(head + body)}"


def normalise_reference(text: str) -> str | None:
    """`text` as somebody typed it, in canonical form, or None where its check character does not fit."""
    clean = "".join(c for c in text.upper() if c.isalnum()).translate(_MEANT)
    if len(clean) != 15 or any(c not in _SIGNS for c in clean) or _check(clean[:14]) != clean[14]:
        return None
    return f"{clean[:6]}-{clean[6:10]}-{clean[10:]}"


def _check(text: str) -> str:
    """Weighted sum modulo 31 (prime, so that every single slip and every swap of neighbours changes it)."""
    return _SIGNS[sum(map(mul, _WEIGHTS, map(_VALUES.__getitem__, text))) % 31]
