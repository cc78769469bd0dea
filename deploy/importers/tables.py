"""Reading lists that offices keep: CSV, XLSX and NDJSON, row by row, each row as texts under headings."""

import csv
import json
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any

import openpyxl

from deploy.importers.running import WrongFile

FORMATS = ("csv", "xlsx", "ndjson")
_CELL_LIMIT = 32 * 1024 * 1024  # characters
_UNPACKED_LIMIT = 2 * 1024**3  # bytes; a workbook that unpacks to more is no list of complaints
_NO_EXACT_FLOAT = 15  # digits; a longer number in a workbook has lost its end already


@dataclass(frozen=True, slots=True)
class Table:
    """How the file is written. `header_row` counts from 1; `sheet` None is the first one."""

    format: str
    encoding: str = "utf-8-sig"
    delimiter: str = ","
    sheet: str | None = None
    header_row: int = 1


@dataclass(frozen=True, slots=True)
class Line:
    """One row. `trouble` says why its cells cannot be trusted."""

    number: int
    cells: Mapping[str, str]
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class Lines:
    total: int
    done: Callable[[], int]
    headings: Sequence[str]
    rows: Iterator[Line]


def format_of(path: Path) -> str:
    """By the name's ending. Raises WrongFile."""
    found = {".csv": "csv", ".tsv": "csv", ".xlsx": "xlsx", ".ndjson": "ndjson", ".jsonl": "ndjson"}.get(
        path.suffix.lower()
    )
    if found is None:
        raise WrongFile(f"{path.name}: say in the mapping which format it is ({', '.join(FORMATS)}).")
    return found


@contextmanager
def opened(path: Path, table: Table) -> Iterator[Lines]:
    """The rows of `path`. Raises WrongFile, also while reading."""
    reader = {"csv": _csv, "xlsx": _xlsx, "ndjson": _ndjson}[table.format]
    with reader(path, table) as lines:
        yield lines


@contextmanager
def _csv(path: Path, table: Table) -> Iterator[Lines]:
    csv.field_size_limit(max(csv.field_size_limit(), min(_CELL_LIMIT, sys.maxsize)))
    with path.open("rb") as raw, _text(raw, table) as text:
        lines = csv.reader(text, delimiter=table.delimiter)
        try:
            for _ in range(table.header_row - 1):
                next(lines, None)
            headings = _headings(next(lines, []))
        except (csv.Error, UnicodeError) as error:
            raise WrongFile(f"The headings cannot be read: {error}") from error
        yield Lines(path.stat().st_size, raw.tell, headings, _csv_rows(lines, headings))


def _text(raw: IO[bytes], table: Table) -> TextIOWrapper:
    try:
        # bytes that do not fit survive as surrogates: their row is rejected, the rest of the file is not lost
        return TextIOWrapper(raw, encoding=table.encoding, errors="surrogateescape", newline="")
    except LookupError:
        raise WrongFile(f"'{table.encoding}' is no encoding.") from None


def _csv_rows(lines: Iterator[list[str]], headings: Sequence[str]) -> Iterator[Line]:
    number = 0
    try:
        for cells in lines:
            if not any(cell.strip() for cell in cells):
                continue
            number += 1
            if len(cells) != len(headings):
                yield Line(number, {}, f"{len(cells)} cells where there are {len(headings)} headings")
            else:
                yield _line(number, dict(zip(headings, cells, strict=True)))
    except csv.Error as error:
        raise WrongFile(f"The file is damaged: {error}") from error


def _line(number: int, cells: dict[str, str]) -> Line:
    try:
        "".join(cells.values()).encode()
    except UnicodeEncodeError:
        return Line(number, {}, "some of it is not in the encoding that the mapping names")
    return Line(number, cells)


@contextmanager
def _xlsx(path: Path, table: Table) -> Iterator[Lines]:
    try:
        with zipfile.ZipFile(path) as packed:
            if sum(one.file_size for one in packed.infolist()) > _UNPACKED_LIMIT:
                raise WrongFile(f"{path.name} unpacks to more than any list of complaints would.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions that say nothing about the cells
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise WrongFile(f"{path.name} is no workbook that can be read ({type(error).__name__}).") from error
    try:
        if table.sheet is not None and table.sheet not in book.sheetnames:
            raise WrongFile(f"There is no sheet '{table.sheet}'; there are: {', '.join(book.sheetnames)}.")
        sheet = book[table.sheet or book.sheetnames[0]]
        cells = sheet.iter_rows(min_row=table.header_row, values_only=True)
        headings = _headings([_cell(cell)[0] for cell in next(cells, ())])
        read = [0]
        total = max((sheet.max_row or 0) - table.header_row, 0)
        yield Lines(total, lambda: read[0], headings, _sheet(cells, headings, read))
    finally:
        book.close()


def _sheet(rows: Iterator[Sequence[Any]], headings: Sequence[str], read: list[int]) -> Iterator[Line]:
    number = 0
    for row in rows:
        read[0] += 1
        found = [_cell(cell) for cell in row[: len(headings)]]
        if not any(text.strip() for text, _ in found):
            continue
        number += 1
        found += [("", None)] * (len(headings) - len(found))
        troubles = [f"{name}: {why}" for name, (_, why) in zip(headings, found, strict=True) if why]
        if any(_cell(cell)[0].strip() for cell in row[len(headings) :]):
            troubles.append("there are cells beyond the last heading")
        cells = {name: text for name, (text, _) in zip(headings, found, strict=True)}
        yield Line(number, cells, "; ".join(troubles) or None)


def _cell(value: Any) -> tuple[str, str | None]:
    """The text of a cell, and what is wrong with it."""
    match value:
        case None:
            return "", None
        case bool():
            return ("true" if value else "false"), None
        case datetime():
            day = value.time() == time(0)
            return (value.date() if day else value).isoformat(), None
        case date() | time():
            return value.isoformat(), None
        case int():
            digits = len(str(abs(value)))
            return str(value), "a number too long for a workbook: its end is lost" if digits > _NO_EXACT_FLOAT else None
        case float():
            return (str(int(value)) if value.is_integer() else str(Decimal(repr(value)))), None
    text = str(value)
    return text, f"the workbook shows {text} here" if text.startswith("#") and text.endswith(("!", "?", "A")) else None


@contextmanager
def _ndjson(path: Path, table: Table) -> Iterator[Lines]:
    with path.open("rb") as raw:
        yield Lines(path.stat().st_size, raw.tell, (), _objects(raw, table.encoding))


def _objects(raw: IO[bytes], encoding: str) -> Iterator[Line]:
    number = 0
    for line in raw:
        if not line.strip():
            continue
        number += 1
        try:
            found = json.loads(line.decode(encoding), parse_float=Decimal)
        except (ValueError, RecursionError):
            yield Line(number, {}, "the line is no valid JSON in this encoding")
            continue
        if not isinstance(found, dict):
            yield Line(number, {}, "the line is no JSON object")
            continue
        yield _line(number, dict(_flat(found)))


def _flat(node: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Inner objects under dotted names: `{"customer": {"name": ..}}` has the column `customer.name`."""
    for name, value in node.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        elif isinstance(value, bool):
            yield before + name, "true" if value else "false"
        elif isinstance(value, list):
            yield before + name, json.dumps(value, ensure_ascii=False, default=str)
        else:
            yield before + name, "" if value is None else str(value)


def _headings(cells: Sequence[str]) -> list[str]:
    """Raises WrongFile for none, or for two alike."""
    names = [" ".join(cell.split()) for cell in cells]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise WrongFile("There are no headings where the mapping says.")
    if twice := sorted({name for name in names if name and names.count(name) > 1}):
        raise WrongFile(f"Two columns are called {', '.join(twice)}.")
    return [name or f"(column {at})" for at, name in enumerate(names, 1)]
