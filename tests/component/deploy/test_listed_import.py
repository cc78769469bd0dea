"""An office's own list, brought to a real intake: mapped, checked first, each complaint once."""

import csv
import io
import json
import stat
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import openpyxl
import pytest
from rich.console import Console
from sqlalchemy import text

from deploy.importers.listed import Listed, dry
from deploy.importers.mapping import Mapping, WrongMapping
from deploy.importers.posting import Patience
from deploy.importers.running import ImportReport, run_import
from services.intake import store
from services.intake.app import create_app
from services.intake.settings import IntakeSettings
from shared.db import Database
from shared.security import keys
from shared.security.crypto import MasterKeys
from shared.security.keys import NewKey

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
HEADINGS = ("編號", "來源", "日期", "內容", "姓名", "電話", "金額", "經辦")
MAPPING = """
name = "branch-register"
id = "編號"
[fields]
channel = { column = "來源", values = { "熱線" = "phone", "櫃檯" = "branch" }, default = "letter" }
narrative = "內容"
received_at = { column = "日期", format = "%d/%m/%Y" }
"complainant.name" = "姓名"
"complainant.phone" = "電話"
"amount.value" = "金額"
"amount.currency" = { value = "HKD" }
"detail.officer" = "經辦"
"""


def a_row(number: int = 1, **changes: str) -> dict[str, str]:
    row = dict(
        zip(HEADINGS, (f"B-{number}", "熱線", "03/09/2026", f"第{number}次收費錯誤", "", "", "", "07"), strict=True)
    )
    return row | changes


def as_csv(path: Path, rows: list[dict[str, str]], *, encoding: str = "utf-8", delimiter: str = ",") -> Path:
    said = io.StringIO()
    lines = csv.writer(said, delimiter=delimiter)
    lines.writerow(HEADINGS)
    lines.writerows([row[name] for name in HEADINGS] for row in rows)
    path.write_bytes(said.getvalue().encode(encoding))
    return path


def as_xlsx(path: Path, rows: list[list[Any]]) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "2026"
    sheet.append(["分行投訴登記冊"])
    sheet.append(list(HEADINGS))
    for row in rows:
        sheet.append(row)
    book.save(path)
    return path


def mapping(tmp_path: Path, said: str = MAPPING) -> Mapping:
    path = tmp_path / "mapping.toml"
    path.write_text(said, encoding="utf-8")
    return Mapping.load(path)


class Intake:
    def __init__(self, app: Any, db: Database, token: str, home: Path) -> None:
        self.app, self.db, self.token, self.home = app, db, token, home

    async def rows(self, sql: str) -> list[dict[str, Any]]:
        async with self.db.reading() as session:
            return [dict(row) for row in (await session.execute(text(sql))).mappings()]

    async def bring(self, known: Mapping, path: Path, **options: Any) -> tuple[ImportReport, str]:
        said = io.StringIO()
        chosen: dict[str, Any] = {"now": NOW, "keep_rows": True, "home": self.home} | options
        chosen |= {"patience": Patience(0.01, 0.05, 2), "console": Console(file=said, width=200)}
        transport = httpx.ASGITransport(app=self.app)
        report = await run_import(Listed(known), path, "http://intake", self.token, transport=transport, **chosen)
        return report, said.getvalue()


@pytest.fixture
async def intake(tmp_path: Path, migrated: Callable[[str], str]) -> AsyncIterator[Intake]:
    db = Database("intake", migrated("intake"), store.tables)
    master = MasterKeys({"k1": bytes(32)}, pseudonym_key=bytes(32))
    app = create_app(IntakeSettings(home=tmp_path), db, keys=master, clock=lambda: NOW)
    async with db.transaction() as tx:
        new = NewKey("import", scopes=["complaints:write", "complaints:import"])
        token = await keys.create(tx, store.tables, new, actor="test", now=NOW)
    async with app.router.lifespan_context(app):
        yield Intake(app, db, token, tmp_path / "home")


async def test_a_list_is_taken_once_however_often_it_is_brought(tmp_path: Path, intake: Intake) -> None:
    path = as_csv(tmp_path / "list.csv", [a_row(n) for n in range(1, 31)])
    known = mapping(tmp_path)
    part, _ = await intake.bring(known, path, limit=10)
    assert (part.sent, part.rejected) == (10, 0)
    rest, _ = await intake.bring(known, path)
    assert (rest.sent, rest.already_there, rest.exit_code) == (20, 10, 0)
    assert rest.checkpoint
    rest.checkpoint.unlink()
    renamed = path.rename(tmp_path / "another.csv")
    again, _ = await intake.bring(known, renamed)
    assert (again.sent, again.already_there) == (0, 30)

    rows = await intake.rows("SELECT channel, received_at, imported FROM complaint")
    assert len(rows) == 30
    assert {row["channel"] for row in rows} == {"phone"}
    assert all(row["imported"] for row in rows)
    assert {str(row["received_at"])[:16] for row in rows} == {"2026-09-03 04:00"}, "noon in Hong Kong"


async def test_rows_of_every_kind_become_what_the_mapping_says(tmp_path: Path, intake: Intake) -> None:
    rows = [
        a_row(1, 姓名="Chan Example", 電話="+852 2345 6789", 金額="HK$1,234.50", 來源="櫃檯"),
        a_row(2, 來源="電郵"),
        a_row(3, 電話="23456789"),
    ]
    report, _ = await intake.bring(mapping(tmp_path), as_csv(tmp_path / "list.csv", rows))
    assert report.sent == 3
    kept = {row["channel"]: row for row in await intake.rows("SELECT * FROM complaint")}
    assert set(kept) == {"branch", "letter", "phone"}, "what is not in the list of values takes the default"
    assert str(kept["branch"]["amount"]).rstrip("0") == "1234.5"
    assert kept["branch"]["currency"] == "HKD"
    assert kept["letter"]["sealed_person"] is None
    assert kept["phone"]["customer_ref"] is not None, "a number without a name still tells the person"


async def test_rejected_rows_come_back_with_their_cells_to_be_mended(tmp_path: Path, intake: Intake) -> None:
    rows = [a_row(1), a_row(2, 內容="  "), a_row(3, 日期="2026-09-03"), a_row(1), a_row(5, 日期="03/09/2031"), a_row(6)]
    known = mapping(tmp_path)
    report, said = await intake.bring(known, as_csv(tmp_path / "list.csv", rows))
    assert (report.sent, report.rejected, report.exit_code) == (2, 4, 0)
    assert report.rejects
    assert str(report.rejects) in said
    assert stat.S_IMODE(report.rejects.stat().st_mode) == 0o600
    with report.rejects.open(encoding="utf-8-sig", newline="") as opened:
        back = list(csv.DictReader(opened))
    assert [(row["_row"], row["_code"], row["編號"]) for row in back] == [
        ("2", "missing", "B-2"),
        ("3", "date_bad", "B-3"),
        ("4", "id_duplicate", "B-1"),
        ("5", "in_the_future", "B-5"),
    ]
    for row in back:
        row["內容"], row["日期"] = row["內容"].strip() or "補上內容", "03/09/2026"
    mended = as_csv(tmp_path / "mended.csv", [{k: row[k] for k in HEADINGS} for row in back if row["_row"] != "4"])
    second, _ = await intake.bring(known, mended)
    assert (second.sent, second.rejected) == (3, 0)


async def test_a_workbook_with_a_title_above_its_headings(tmp_path: Path, intake: Intake) -> None:
    rows = [
        ["B-1", "熱線", datetime(2026, 9, 3), "收費錯誤", "陳大文", None, 120, 7],  # noqa: DTZ001 - a workbook has no zones
        ["B-2", "櫃檯", datetime(2026, 9, 4, 15, 30), "等候太久", None, None, 99.5, None],  # noqa: DTZ001
        [None] * 8,
        ["B-4", "櫃檯", datetime(2026, 9, 4), "公式", None, None, "#REF!", None],  # noqa: DTZ001
        ["B-5", "櫃檯", datetime(2026, 9, 4), "賬號", None, 1234567890123456, None, None],  # noqa: DTZ001
    ]
    changed = MAPPING.replace('column = "日期", format = "%d/%m/%Y"', 'column = "日期"')
    known = mapping(tmp_path, changed.replace("[fields]", '[file]\nsheet = "2026"\nheader_row = 2\n[fields]'))
    report, _ = await intake.bring(known, as_xlsx(tmp_path / "list.xlsx", rows))
    assert (report.sent, report.trouble, dict(report.codes)) == (2, None, {"row_damaged": 2})
    kept = await intake.rows("SELECT received_at, amount FROM complaint ORDER BY received_at")
    assert [str(row["received_at"])[:16] for row in kept] == ["2026-09-03 04:00", "2026-09-04 07:30"]
    assert [float(row["amount"]) for row in kept] == [120.0, 99.5]


async def test_json_lines_with_objects_inside(tmp_path: Path, intake: Intake) -> None:
    lines = [
        {"no": 1, "customer": {"name": "Chan Example"}, "text": "Charged twice", "money": 12.10},
        {"no": 2, "customer": None, "text": "Nobody rang back", "money": None},
        [],
    ]
    path = tmp_path / "list.ndjson"
    path.write_text("\n".join([*(json.dumps(one) for one in lines), "{", ""]), encoding="utf-8")
    known = mapping(
        tmp_path,
        'name = "crm"\nid = "no"\n[fields]\nchannel = { value = "social" }\nnarrative = "text"\n'
        '"complainant.name" = "customer.name"\n"amount.value" = "money"\n"amount.currency" = { value = "HKD" }\n',
    )
    report, _ = await intake.bring(known, path)
    assert (report.sent, dict(report.codes)) == (2, {"row_damaged": 2})


async def test_rows_without_a_number_are_told_by_what_they_say(tmp_path: Path, intake: Intake) -> None:
    known = mapping(tmp_path, MAPPING.replace('id = "編號"\n', ""))
    path = as_csv(tmp_path / "list.csv", [a_row(1), a_row(1), a_row(2)])
    first, _ = await intake.bring(known, path)
    assert first.sent == 3, "two rows alike are two complaints as far as anybody can tell"
    assert first.checkpoint
    first.checkpoint.unlink()
    second, _ = await intake.bring(known, path)
    assert (second.sent, second.already_there) == (0, 3)


def test_a_dry_run_tells_what_a_run_would_do_and_sends_nothing(tmp_path: Path) -> None:
    rows = [a_row(1, 姓名="Chan Example"), a_row(2), a_row(3, 日期="never"), a_row(4, 電話="call me")]
    said = io.StringIO()
    code = dry(
        Listed(mapping(tmp_path)),
        as_csv(tmp_path / "list.csv", rows),
        console=Console(file=said, width=160),
        now=NOW,
    )
    assert code == 1
    assert "4 rows read: 2 would be sent, 2 rejected. Nothing was sent." in said.getvalue()
    assert "date_bad" in said.getvalue()
    assert "Chan Example" not in said.getvalue()
    assert "call me" not in said.getvalue()
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("encoding", "delimiter", "told"), [("big5", ",", "big5"), ("gb18030", ";", "gb18030"), ("utf-16", "\t", "utf-16")]
)
def test_other_encodings_and_delimiters(tmp_path: Path, encoding: str, delimiter: str, told: str) -> None:
    file = f"[file]\nencoding = {told!r}\ndelimiter = {json.dumps(delimiter)}\n[fields]"
    path = as_csv(tmp_path / "list.csv", [a_row(1)], encoding=encoding, delimiter=delimiter)
    known = mapping(tmp_path, MAPPING.replace("[fields]", file))
    assert dry(Listed(known), path, console=Console(file=io.StringIO()), now=NOW) == 0


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("list.xlsx", b"no workbook", "no workbook"),
        ("list.csv", b"", "no headings"),
        ("list.csv", "編號,編號\n1,2\n".encode(), "Two columns"),
        ("list.csv", "編號,別的\n1,2\n".encode(), "no column"),
        ("list.doc", b"x", "which format"),
    ],
)
async def test_a_file_of_another_kind_is_told_in_plain_words(
    tmp_path: Path, intake: Intake, name: str, content: bytes, told: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    report, _ = await intake.bring(mapping(tmp_path), path)
    assert report.exit_code == 1
    assert report.trouble
    assert told in report.trouble


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('narrative = "內容"\n', ""), "fields.narrative"),
        (('narrative = "內容"', 'narrativ = "內容"'), "fields.narrativ"),
        (('{ value = "HKD" }', '{ value = "HKD", column = "x" }'), "either a column or a value"),
        (('"amount.currency" = { value = "HKD" }\n', ""), "amount.currency"),
        (("[fields]", '[file]\nzone = "Mars"\n[fields]'), "no IANA time zone"),
        (("[fields]", '[file]\nformat = "pdf"\n[fields]'), "file.format"),
        (('name = "branch-register"', 'name = "a b"'), "name"),
        (("[fields]", "[fields"), "no TOML"),
    ],
)
def test_a_mapping_that_cannot_be_used_says_where(tmp_path: Path, change: tuple[str, str], told: str) -> None:
    with pytest.raises(WrongMapping, match=told.replace(".", r"\.")):
        mapping(tmp_path, MAPPING.replace(*change))
