"""What of a text is kept to tell whether another text speaks of the same matter: a sketch, from which no word can be
read back without the key.

- Near text: the smallest `KEPT` of the keyed hashes of its shingles (a bottom-k MinHash; Broder, "On the resemblance
  and containment of documents", 1997). Exact for short texts; other order, or a text cut short, stays near.
- What stays the same in another language: the concepts spoken of, amounts, days of the year, and reference numbers.
"""

import re
import unicodedata
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from hashlib import blake2b

from services.intake.domain.concepts import FOLD, concepts

KEPT = 128
_MOST = 200  # amounts, days or references of one text that are kept; who writes more has pasted a statement
_VERSION = 1
_HEAD = 9  # numbers before those of the five parts
_REDACTED = re.compile(r"\[(?:email|phone|id|card|account|person)\]")
_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_RUNS = re.compile(rf"[{_HAN}]+|[a-z]+")
_STOP_WORDS = """
a about after again all also am an and any are as at be because been before but by can could did do does
for from get got had has have he her him his how i if in into is it its just me my no not of on or our out
please she so some than that the their them then there they this to too up us very was we were what when
which who will with would you your bank complain complaint account
"""
_STOP = frozenset(_STOP_WORDS.split())
_SHINGLE = 4  # letters

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = rf"({'|'.join(_MONTHS)})[a-z]*\.?"
_DAYS = (
    (re.compile(r"(?<!\d)(?:19|20)\d\d[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)"), "md"),
    (re.compile(r"(?<!\d)(\d{1,2})\s*月\s*(\d{1,2})\s*[日号號]?"), "md"),
    (re.compile(rf"(?<!\d)(\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH}"), "dm"),
    (re.compile(rf"(?<![a-z]){_MONTH}\s+(\d{{1,2}})(?:st|nd|rd|th)?(?!\d)"), "md"),
    (re.compile(r"(?<![\d/.-])(?!24/7(?!\d))(\d{1,2})/(\d{1,2})(?:/(?:\d\d){1,2})?(?![\d/])"), "dm"),
)
_CURRENCY = r"(?:hk\$|us\$|nt\$|\$|£|€|¥|hkd|usd|rmb|cny|twd|gbp|eur|mop|港币|人民币|美元|台币|新台币|港元|港纸)"
_UNIT = r"(?:元|圆|块|蚊|港币|港元|美元|dollars?|hkd|usd|rmb|cny|twd|gbp|eur|mop|yuan|pounds?|bucks|kuai)"
_TIMES = {"万": 10_000, "千": 1_000, "亿": 100_000_000, "k": 1_000, "m": 1_000_000, "million": 1_000_000}
_AMOUNT = re.compile(
    rf"({_CURRENCY}\s?)?(?<![\d.,a-z-])(\d{{1,3}}(?:,\d{{3}})+|\d{{1,12}})(\.\d{{1,2}})?(?![\d/:-]|\.\d)"
    rf"\s?(万|千|亿|k(?![a-z])|m(?![a-z])|million)?\s?({_UNIT}(?![a-z]))?"
)
_CODE = re.compile(r"(?<![a-z0-9-])(?=(?:[a-z0-9-]*\d){3})(?=[0-9-]*[a-z])[a-z0-9](?:-?[a-z0-9]){5,30}(?![a-z0-9-])")


@dataclass(frozen=True, slots=True)
class Sketch:
    """`shingles` are the smallest hashes in rising order, of `size` in all; `chinese` tells the script of most.

    `concepts` and `codes` are hashes; `amounts` are in hundredths, `days` are 31 * month + day (the year is left out:
    people do, and the window is shorter). `own` is the hash of the complaint's own reference, as `codes` have it.
    """

    shingles: tuple[int, ...] = ()
    size: int = 0
    chinese: bool = False
    concepts: frozenset[int] = frozenset()
    amounts: frozenset[int] = frozenset()
    days: frozenset[int] = frozenset()
    codes: frozenset[int] = frozenset()
    own: int = 0

    def to_bytes(self) -> bytes:
        parts = (self.shingles, sorted(self.concepts), sorted(self.amounts), sorted(self.days), sorted(self.codes))
        head = array("Q", [_VERSION, self.own, self.size, self.chinese, *map(len, parts)])
        return (head + array("Q", [value for part in parts for value in part])).tobytes()

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Sketch":
        """Raises ValueError for what `to_bytes` of this version has not made."""
        numbers = array("Q")
        numbers.frombytes(raw)
        if len(numbers) < _HEAD or numbers[0] != _VERSION or len(numbers) != _HEAD + sum(numbers[4:_HEAD]):
            raise ValueError("no sketch of this version")
        parts, at = [], _HEAD
        for length in numbers[4:_HEAD]:
            parts.append(tuple(numbers[at : at + length]))
            at += length
        shingles, *sets = parts
        about, amounts, days, codes = map(frozenset, sets)
        return cls(shingles, numbers[2], bool(numbers[3]), about, amounts, days, codes, numbers[1])


def sketch(
    text: str,
    key: bytes,
    *,
    amount: Decimal | None = None,
    occurred_on: date | None = None,
    codes: Iterable[str] = (),
    reference: str = "",
) -> Sketch:
    """The sketch of redacted `text`, and of what the channel said beside it. `key`: 16 to 64 bytes; `codes`: numbers of
    the transaction; `reference`: the complaint's own."""
    folded = fold(text)
    runs = _RUNS.findall(folded)
    chinese = sum(len(run) for run in runs if run[0] > "z") * 3 > sum(len(run) for run in runs if run[0] <= "z")
    hashes = sorted({_hash(shingle, key) for shingle in _shingles(runs)})
    days, rest = _days(folded)
    found = _amounts(rest) | ({int(amount * 100)} if amount else set())
    if occurred_on:
        days.add(occurred_on.month * 31 + occurred_on.day)
    named = {m[0].replace("-", "") for m in _CODE.finditer(rest)} | {plain_code(code) for code in codes}
    return Sketch(
        tuple(hashes[:KEPT]),
        len(hashes),
        chinese,
        frozenset(_hash(name, key) for name in concepts(folded)),
        frozenset(sorted(found)[-_MOST:]),
        frozenset(days),
        frozenset(sorted(_hash(code, key) for code in named if code)[:_MOST]),
        _hash(plain_code(reference), key) if reference else 0,
    )


def fold(text: str) -> str:
    """`text` in one width, case and script, without what redaction has put in."""
    return unicodedata.normalize("NFKC", _REDACTED.sub(" ", text)).casefold().translate(FOLD)


def plain_code(code: str) -> str:
    """A reference number as compared: letters and digits alone."""
    return "".join(c for c in fold(code) if c.isalnum())


def similarity(a: Sketch, b: Sketch) -> float | None:
    """How near two texts are, 0 to 1: the mean of resemblance (shared of all) and containment (shared of the smaller),
    so that a text cut short stays near. None where they are in different scripts, or either says nothing."""
    if a.chinese != b.chinese or not a.shingles or not b.shingles:
        return None
    mine, yours = set(a.shingles), set(b.shingles)
    lowest = sorted(mine | yours)[:KEPT]
    shared = sum(1 for h in lowest if h in mine and h in yours)
    resemblance = shared / len(lowest)
    both = resemblance * (a.size + b.size) / (1 + resemblance)
    return (resemblance + min(1.0, both / min(a.size, b.size))) / 2


def _shingles(runs: list[str]) -> Iterable[str]:
    """Pairs of Chinese characters, and four letters in a row of English words that say something."""
    for run in runs:
        if run[0] > "z":
            yield from (run[i : i + 2] for i in range(max(1, len(run) - 1)))
        elif len(run) > 1 and run not in _STOP:
            padded = f" {run} "
            yield from (padded[i : i + _SHINGLE] for i in range(max(1, len(padded) - _SHINGLE + 1)))


def _hash(text: str, key: bytes) -> int:
    return int.from_bytes(blake2b(text.encode(), key=key, digest_size=6).digest())


def _days(folded: str) -> tuple[set[int], str]:
    """The days named, and the text without them, so that their numbers are not taken for amounts."""
    found: set[int] = set()

    def keep(match: re.Match[str], order: str) -> str:
        first, second = (_month(match[1]), _month(match[2]))
        month, day = (first, second) if order == "md" else (second, first)
        if month > 12 and day <= 12:
            month, day = day, month
        if not (1 <= month <= 12 and 1 <= day <= 31):
            return match[0]
        found.add(month * 31 + day)
        return " "

    for pattern, order in _DAYS:
        if len(found) < _MOST:
            folded = pattern.sub(lambda m, order=order: keep(m, order), folded)  # type: ignore[misc]
    return found, folded


def _month(text: str) -> int:
    return int(text) if text.isdigit() else _MONTHS.index(text[:3]) + 1


def _amounts(folded: str) -> set[int]:
    """In hundredths. A number counts as an amount by its currency, its separators, or its cents."""
    found = set()
    for match in _AMOUNT.finditer(folded):
        before, whole, cents, times, unit = match.groups()
        if before or unit or cents or "," in whole or times in ("万", "亿"):
            value = Decimal(whole.replace(",", "") + (cents or "")) * _TIMES.get(times or "", 1) * 100
            if 0 < value < 10**15:
                found.add(int(value))
    return found
