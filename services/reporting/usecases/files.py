"""Rows as files: CSV for people and Excel, Parquet for machines, XLSX for regulators.

Text that somebody else has chosen is data, never a formula: in CSV a cell that a spreadsheet would take for one gets an
apostrophe before it (OWASP, CSV injection), in XLSX it is written as text.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import IO, Any, Literal, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter

Kind = Literal["text", "day", "time", "number", "amount", "yes_no"]
Row = Sequence[Any]

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # the wide ones: some spreadsheets fold them
_ROW_GROUP = 50_000  # rows of a Parquet row group, which are in memory together, packed
MOST_ROWS = 1_048_576
"""Rows of a worksheet, headings included (Excel's own limit)."""

_TYPES = {
    "text": pa.string(),
    "day": pa.date32(),
    "time": pa.timestamp("us", tz="UTC"),
    "number": pa.int64(),
    "amount": pa.decimal128(23, 4),
    "yes_no": pa.bool_(),
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a file. Of `amount` the values are Decimals with four places, of `time` they are aware."""

    name: str
    kind: Kind = "text"


class Writer(Protocol):
    """Puts rows into the file that it was made with, a batch at a time. `close` writes what is left, and leaves the
    file open."""

    def write(self, rows: Sequence[Row]) -> None: ...

    def close(self) -> None: ...


def guarded(text: str) -> str:
    """`text` as no spreadsheet takes it for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _cell(value: object) -> object:
    match value:
        case str():
            return guarded(value)
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        case Decimal():
            return f"{value:f}"
        case _:
            return value


class Csv:
    """UTF-8 with a byte order mark, by which Excel knows it; commas, CRLF (RFC 4180). What is not known is empty."""

    def __init__(self, file: IO[bytes], columns: Sequence[Column]) -> None:
        self._file = file
        file.write(b"\xef\xbb\xbf")
        self.write([[column.name for column in columns]])

    def write(self, rows: Sequence[Row]) -> None:
        text = io.StringIO()
        csv.writer(text).writerows([_cell(value) for value in row] for row in rows)
        self._file.write(text.getvalue().encode())

    def close(self) -> None:
        pass


class Parquet:
    """Apache Parquet, a row group for every 50,000 rows."""

    def __init__(self, file: IO[bytes], columns: Sequence[Column]) -> None:
        self._schema = pa.schema([(column.name, _TYPES[column.kind]) for column in columns])
        self._writer = pq.ParquetWriter(file, self._schema, compression="zstd")
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0

    def write(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        by_column = zip(*rows, strict=True)
        arrays = [pa.array(values, type) for values, type in zip(by_column, self._schema.types, strict=True)]
        self._waiting.append(pa.record_batch(arrays, schema=self._schema))
        self._rows += len(rows)
        if self._rows >= _ROW_GROUP:
            self._write_group()

    def _write_group(self) -> None:
        self._writer.write_table(pa.Table.from_batches(self._waiting), row_group_size=self._rows)
        self._waiting, self._rows = [], 0

    def close(self) -> None:
        if self._waiting:
            self._write_group()
        self._writer.close()


def csv_of(columns: Sequence[str], rows: Iterable[Row]) -> bytes:
    """A table as a CSV file."""
    file = io.BytesIO()
    Csv(file, [Column(name) for name in columns]).write(list(rows))
    return file.getvalue()


def xlsx_of(title: str, columns: Sequence[str], rows: Iterable[Row], notes: Sequence[str]) -> bytes:
    """A workbook: the table on the sheet `title`, and the notes on one of their own. Rows go to a temporary file one
    after another and are never all in memory as cells."""
    file = io.BytesIO()
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(file, options) as book:
        bold, day = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd"})
        sheet = book.add_worksheet(title[:31])
        sheet.freeze_panes(1, 0)
        for place, name in enumerate(columns):
            sheet.write_string(0, place, name, bold)
            sheet.set_column(place, place, min(40, max(12, len(name))))
        for line, row in enumerate(rows, 1):
            for place, value in enumerate(row):
                if isinstance(value, date):
                    sheet.write_datetime(line, place, datetime(value.year, value.month, value.day), day)  # noqa: DTZ001
                elif isinstance(value, int | Decimal):
                    sheet.write_number(line, place, value)
                elif value is not None:
                    sheet.write_string(line, place, value)
        if notes:
            beside = book.add_worksheet("Notes")
            beside.set_column(0, 0, 100)
            for line, note in enumerate(notes):
                beside.write_string(line, 0, note)
    return file.getvalue()
