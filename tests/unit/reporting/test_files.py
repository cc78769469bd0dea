"""Files of rows: what stands in them comes out again, and nothing in them runs."""

import asyncio
import csv
import io
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import openpyxl
import pyarrow.parquet as pq
import pytest

from services.reporting.usecases import files
from services.reporting.usecases.files import Column, Csv, Parquet, Row
from services.reporting.usecases.spool import Spool

COLUMNS = (
    Column("text"),
    Column("day", "day"),
    Column("at", "time"),
    Column("n", "number"),
    Column("money", "amount"),
    Column("yes", "yes_no"),
)
AT = datetime(2025, 3, 4, 5, 6, 7, tzinfo=UTC)
ROWS: list[Row] = [
    ("投訴, “x”", date(2025, 3, 4), AT, 7, Decimal("12.5000"), True),
    (None, None, None, None, None, None),
    ("two\nlines", date(1999, 12, 31), AT, -3, Decimal("-0.0001"), False),
]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝"])
def test_no_cell_is_a_formula(start: str) -> None:
    cell = f'{start}HYPERLINK("http://example.org")'
    written = files.csv_of([cell], [[cell], [-5], ["a=b"]]).decode("utf-8-sig")
    head, first, number, harmless = csv.reader(io.StringIO(written, newline=""))
    assert head == first == ["'" + cell]
    assert (number, harmless) == (["-5"], ["a=b"]), "numbers stay numbers"


def test_csv_is_as_excel_reads_it() -> None:
    file = io.BytesIO()
    Csv(file, COLUMNS).write(ROWS)
    body = file.getvalue()
    assert body.startswith(b"\xef\xbb\xbftext,day,at,n,money,yes\r\n")
    rows = list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline="")))
    assert rows[1] == ["投訴, “x”", "2025-03-04", "2025-03-04T05:06:07Z", "7", "12.5000", "true"]
    assert rows[2] == [""] * 6
    assert rows[3][0] == "two\nlines"


@pytest.mark.parametrize("group", [1, 2, 1000])
def test_parquet_keeps_every_value(monkeypatch: pytest.MonkeyPatch, group: int) -> None:
    monkeypatch.setattr(files, "_ROW_GROUP", group)
    file = io.BytesIO()
    writer = Parquet(file, COLUMNS)
    for row in ROWS:
        writer.write([row])
    writer.close()
    found = pq.read_table(io.BytesIO(file.getvalue()))
    assert [tuple(row.values()) for row in found.to_pylist()] == [tuple(row) for row in ROWS]
    assert pq.ParquetFile(io.BytesIO(file.getvalue())).num_row_groups == -(-len(ROWS) // group)


def test_a_worksheet_has_dates_numbers_and_no_formulas() -> None:
    rows = [["=1+1", date(2025, 3, 4), 7, Decimal("1.91"), None], ["http://example.org", None, 0, Decimal(0), "x"]]
    book = openpyxl.load_workbook(io.BytesIO(files.xlsx_of("uk_1r", ["a", "b", "c", "d", "e"], rows, ["=note"])))
    assert book.sheetnames == ["uk_1r", "Notes"]
    first = book["uk_1r"][2]
    assert [cell.value for cell in first] == ["=1+1", datetime(2025, 3, 4), 7, 1.91, None]  # noqa: DTZ001
    assert first[0].data_type == "s", "text, not a formula"
    assert book["Notes"]["A1"].data_type == "s"


class Source:
    """Batches that are watched: `given` so far, `closed` at last."""

    def __init__(self, count: int, fail: bool = False) -> None:
        self.count, self.fail, self.given, self.closed, self.overs = count, fail, 0, False, 0

    async def batches(self) -> AsyncGenerator[Sequence[Row]]:
        try:
            for n in range(self.count):
                await asyncio.sleep(0)
                self.given += 1
                yield [(f"row {n}",)]
            if self.fail:
                raise OSError("away")
        finally:
            self.closed = True

    def over(self) -> None:
        self.overs += 1

    def spool(self) -> Spool:
        return Spool(self.batches(), lambda file: Csv(file, [Column("text")]), self.over)


async def test_all_of_a_file_arrives_in_order() -> None:
    source = Source(500)
    spool = source.spool()
    await spool.ready()
    body = b"".join([piece async for piece in spool])
    assert body.decode("utf-8-sig").split("\r\n")[:-1] == ["text", *(f"row {n}" for n in range(500))]
    assert (source.closed, source.overs) == (True, 1)


async def test_what_fails_before_the_first_row_is_told() -> None:
    source = Source(0, fail=True)
    with pytest.raises(OSError, match="away"):
        await source.spool().ready()
    assert (source.closed, source.overs) == (True, 1)


async def test_what_fails_later_breaks_off() -> None:
    spool = Source(3, fail=True).spool()
    await spool.ready()
    with pytest.raises(OSError, match="away"):
        [piece async for piece in spool]


async def test_a_slow_reader_holds_nothing_up_and_one_who_leaves_stops_it() -> None:
    source = Source(50)
    spool = source.spool()
    await spool.ready()
    reader: Any = aiter(spool)
    await anext(reader)
    async with asyncio.timeout(5):
        while not source.overs:  # though nobody reads on
            await asyncio.sleep(0.01)
    assert source.given == 50
    await reader.aclose()

    endless = Source(10**9)
    spool = endless.spool()
    await spool.ready()
    reader = aiter(spool)
    await anext(reader)
    await reader.aclose()
    async with asyncio.timeout(5):
        while not endless.overs:
            await asyncio.sleep(0.01)
    assert endless.closed
