"""Reading the public complaint file of the US Consumer Financial Protection Bureau (CFPB), row by row.

Knows the file and the shape of a complaint; knows nothing of posting. The columns are those of the Consumer Complaint
Database's CSV download; further columns are let be, and headings may be capitalised or not.

The bureau's own download gives every complaint an id and a date; extracts that others pass on may lack them. A row
without an id is a complaint all the same, told from others by all that it says (`Row.stand_in`).
"""

import csv
import gzip
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from hashlib import blake2b
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from typing import IO, Any, cast
from zoneinfo import ZoneInfo

from deploy.importers.running import Mapped, Unfit, WrongFile

NARRATIVE_LIMIT = 20_000
"""Characters; the desk takes no more, and a complaint must not be cut."""

PRODUCT_LIMIT = 64
"""Characters; the desk's `product` is a code or a short name."""

_ZONE = ZoneInfo("America/New_York")
_FIRST_DAY = date(2011, 7, 21)
"""The day on which the bureau opened; an earlier date is a slip."""

_FIELD_LIMIT = 32 * 1024 * 1024
_GZIP = b"\x1f\x8b"
_ALIASES = {
    "complaint_what_happened": "consumer_complaint_narrative",
    "timely": "timely_response",
    "company_response": "company_response_to_consumer",
    "zip": "zip_code",
}
"""Names in the bureau's own API, where they differ from those of its CSV."""

_PRODUCT_NOW = {
    "credit reporting, credit repair services, or other personal consumer reports": (
        "Credit reporting or other personal consumer reports"
    ),
}
"""What the bureau calls a product since August 2023, where the older name is too long for the desk."""

_NOTHING = frozenset({"", "none", "n/a", "null", "nan"})
_CHANNELS = {
    "web": "web_form",
    "referral": "regulator",
    "web referral": "regulator",
    "phone": "phone",
    "postal mail": "letter",
    "post": "letter",
    "fax": "letter",
    "email": "email",
}
_DETAIL = {
    "sub_product": "sub_product",
    "issue": "issue",
    "sub_issue": "sub_issue",
    "company": "company",
    "state": "state",
    "tags": "tags",
    "submitted_via": "submitted_via",
    "date_sent_to_company": "date_sent_to_company",
    "company_response_to_consumer": "company_response",
    "company_public_response": "company_public_response",
    "timely_response": "timely",
    "consumer_disputed": "consumer_disputed",
    "consumer_consent_provided": "consumer_consent",
}
"""Column -> name in `detail`. The ZIP code stays out: nothing here needs it, and it narrows down who wrote."""


class NotCfpb(WrongFile):
    """The file is not the bureau's CSV; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Row:
    """One record. `number` counts records from 1, the headings not among them.

    `stand_in` takes the place of a missing complaint id, and is empty where there is one: `row-`, the BLAKE2b-128 of
    all cells in hex, and `-n` for the n-th identical row of the file. Identical rows are different complaints as far
    as anybody can tell; counted in the order of the file, they have the same stand-ins whenever it is read.
    """

    number: int
    cells: Mapping[str, str]
    wrong_width: str | None = None
    stand_in: str = ""


class SeenIds:
    """Which complaint ids have come by: a bit each, in pages, since millions of ids as objects would fill the memory.

    The bureau numbers its complaints more or less in a row, so pages fill up; 10 million ids take little over 1 MB.
    """

    _PAGE = 4096 * 8

    def __init__(self) -> None:
        self._pages: dict[int, bytearray] = {}

    def add(self, complaint_id: str) -> bool:
        """Note it; False if it had been noted before."""
        page, bit = divmod(int(complaint_id), self._PAGE)
        bits = self._pages.setdefault(page, bytearray(self._PAGE // 8))
        at, mask = bit >> 3, 1 << (bit & 7)
        if bits[at] & mask:
            return False
        bits[at] |= mask
        return True


class StandIns:
    """Names rows without a complaint id. Remembers 16 bytes and a count for each such row, nothing for the others."""

    def __init__(self) -> None:
        self._met: dict[bytes, int] = {}

    def name(self, cells: Sequence[str]) -> str:
        """The stand-in of the next row with these `cells`, as `Row.stand_in` tells."""
        digest = blake2b(digest_size=16)
        for cell in cells:
            text = cell.encode("utf-8", "surrogateescape")
            # The length first: otherwise "ab", "c" and "a", "bc" would be the same row.
            digest.update(len(text).to_bytes(8, "big") + text)
        key = digest.digest()
        count = self._met[key] = self._met.get(key, 0) + 1
        return f"row-{key.hex()}-{count}"


@contextmanager
def opened(path: Path) -> Iterator[tuple[IO[bytes], Iterator[Row]]]:
    """The raw file, whose `tell()` is the progress in bytes as stored, and its rows, read one at a time.

    Plain or gzip, told apart by the first bytes. Raises NotCfpb for other headings, and while reading: csv.Error for
    a damaged table, EOFError or OSError for a damaged gzip.
    """
    csv.field_size_limit(max(csv.field_size_limit(), min(_FIELD_LIMIT, sys.maxsize)))
    with path.open("rb") as raw:
        packed = raw.peek(2)[:2] == _GZIP
        plain = cast("BufferedReader", gzip.GzipFile(fileobj=raw)) if packed else raw
        # Bytes that are not UTF-8 survive as surrogates: their row is rejected, the rest of the file is not lost.
        with TextIOWrapper(plain, encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
            yield raw, _rows(text)


def _rows(text: IO[str]) -> Iterator[Row]:
    lines = csv.reader(text)
    headings = [_heading(cell) for cell in next(lines, [])]
    missing = {"complaint_id", "date_received", "product", "issue"} - set(headings)
    if missing:
        raise NotCfpb(f"This is not the CFPB's complaint file: it has no column {', '.join(sorted(missing))}.")
    id_at = headings.index("complaint_id")
    stand_ins = StandIns()
    number = 0
    for cells in lines:
        if not cells:
            continue
        number += 1
        if len(cells) == len(headings):
            stand_in = "" if _something(cells[id_at]) else stand_ins.name(cells)
            yield Row(number, dict(zip(headings, cells, strict=True)), stand_in=stand_in)
        else:
            yield Row(number, {}, f"{len(cells)} cells where there are {len(headings)} headings")


def _heading(cell: str) -> str:
    name = re.sub(r"[\s-]+", "_", cell.strip().rstrip("?").lower())
    return _ALIASES.get(name, name)


def mapped(row: Row, *, now: datetime) -> Mapped | Unfit:
    """The complaint in `row`, or why there is none.

    The file has dates without times. Noon in New York stands for the whole day: at that hour the date is the same from
    Hawaii to Maine and in UTC, so that no count by day or month shifts; midnight would move to the day before in most
    of the United States. Where there is no date, `received_at` is left out, so that the desk counts the day on which it
    hears of the complaint. The mapping depends on nothing but the row, so that a repeat has the same body.
    """
    if row.wrong_width:
        return Unfit("", "wrong_width", "", row.wrong_width)
    complaint_id = _value(row, "complaint_id")
    if complaint_id:
        if not re.fullmatch(r"[0-9]{1,12}", complaint_id):
            # What stands here may be a piece of a shifted narrative: it is not repeated.
            return Unfit("", "complaint_id_bad", "/Complaint ID", "the complaint id is not a number of up to 12 digits")
        complaint_id = str(int(complaint_id))  # leading zeros would make a second key of the same complaint
    if not _is_utf8(row):
        return Unfit(complaint_id, "not_utf8", "", "the row has bytes that are not UTF-8")
    date_received = _value(row, "date_received")
    try:
        received_at = _received_at(date_received, now=now) if date_received else None
    except ValueError as error:
        return Unfit(complaint_id, "date_bad", "/Date received", str(error))
    narrative = _value(row, "consumer_complaint_narrative") or _in_place_of_narrative(row)
    if not narrative:
        return Unfit(complaint_id, "narrative_missing", "/Issue", "there is neither a narrative nor an issue")
    if len(narrative) > NARRATIVE_LIMIT:
        reason = f"{len(narrative):,} characters; the desk takes {NARRATIVE_LIMIT:,}, and nothing is cut"
        return Unfit(complaint_id, "narrative_too_long", "/Consumer complaint narrative", reason)
    submitted_via = _value(row, "submitted_via")
    channel = _CHANNELS.get(submitted_via.lower(), "web_form")
    detail = {name: value for column, name in _DETAIL.items() if (value := _value(row, column))}
    detail.setdefault("submitted_via", "not stated")
    if received_at is None:
        detail["date_received"] = "not stated"
    if submitted_via.lower() == "fax":
        detail["medium"] = "fax"
    # the bureau's id, or the row's stand-in for it
    key = f"cfpb-{complaint_id or row.stand_in}"
    body: dict[str, Any] = {
        "channel": channel,
        "narrative": narrative,
        "complainant": {"anonymous": True},
        "channel_ref": key,
        "jurisdiction": "us-cfpb",
        "language": "en",
        "detail": detail,
    }
    if received_at is not None:
        body["received_at"] = received_at.isoformat()
    product = _value(row, "product")
    if len(product) > PRODUCT_LIMIT:
        detail["product"] = product
        product = _PRODUCT_NOW.get(product.lower(), "")
    if product:
        body["product"] = product
    return Mapped(complaint_id, key, body)


def _value(row: Row, column: str) -> str:
    return _something(row.cells.get(column, ""))


def _something(cell: str) -> str:
    """The cell, trimmed; the words that exports write for "nothing" count as nothing."""
    value = cell.strip()
    return "" if value.lower() in _NOTHING else value


def _is_utf8(row: Row) -> bool:
    try:
        "".join(row.cells.values()).encode()
    except UnicodeEncodeError:
        return False
    return True


def _in_place_of_narrative(row: Row) -> str:
    """Most people do not let the bureau publish what they wrote; what they chose from its lists still says a lot."""
    return ". ".join(part for part in (_value(row, "issue"), _value(row, "sub_issue")) if part)


def _received_at(text: str, *, now: datetime) -> datetime:
    """Noon in New York on that day, as UTC. Raises ValueError with the reason, which does not repeat the cell."""
    day = _day(text)
    at = datetime.combine(day, time(12), _ZONE).astimezone(UTC)
    if day < _FIRST_DAY:
        raise ValueError(f"the date received is before {_FIRST_DAY.isoformat()}, when the bureau opened")
    if at > now:
        raise ValueError("the date received is in the future")
    return at


def _day(text: str) -> date:
    """ISO (with or without a time) as the bureau writes now, month/day/year as in its older downloads."""
    if found := re.match(r"(\d{4})-(\d{2})-(\d{2})(?:$|[T ])", text):
        year, month, day = (int(part) for part in found.groups())
    elif found := re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})", text):
        month, day, year = (int(part) for part in found.groups())
        year += 2000 if year < 100 else 0
    else:
        raise ValueError("the date received is not a date")
    try:
        return date(year, month, day)
    except ValueError:
        raise ValueError("the date received is not a date") from None
