"""Exports have every complaint once, as figures count them, of one moment, and nothing of a person."""

import csv
import io
from collections import Counter
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from services.reporting.domain.selection import Selection
from services.reporting.store import exporting
from services.reporting.usecases import exports
from shared.bus import Message
from shared.events import TOPICS, ComplaintReceived
from tests.component.reporting.lives import heard

SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


async def a_year(bench: Any, complaints: int = 250) -> None:
    found = (Message(TOPICS[service], key, payload) for service, key, _, payload in heard(complaints, spread=50))
    while batch := list(islice(found, 1000)):
        await bench.consumer().process(batch)


async def rows_of(client: Any, path: str, **chosen: str) -> list[dict[str, Any]]:
    answer = await client.get(f"/v1/exports/{path}", params=chosen)
    assert answer.status_code == 200, answer.text
    name = path.partition(".")[0]
    assert (
        answer.headers["content-disposition"]
        == f'attachment; filename="redress-{name}-2025-06-30.{path[len(name) + 1 :]}"'
    )
    if path.endswith(".parquet"):
        assert answer.headers["content-type"] == "application/vnd.apache.parquet"
        return list(pq.read_table(io.BytesIO(answer.content)).to_pylist())
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


async def test_complaints_are_those_that_figures_count(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "BATCH", 37)
    await a_year(bench)
    async with await bench.client("manager") as client:
        every = await rows_of(client, "complaints.parquet")
        assert len({row["complaint_id"] for row in every}) == len(every)
        for chosen in ({}, {"channel": "phone"}, {"from": "2025-01-10", "to": "2025-05-17", "state": "closed"}):
            volumes = (await client.get("/v1/figures/volumes", params={"by": "month", **chosen})).json()
            found = await rows_of(client, "complaints.csv", **chosen)
            months = Counter(row["day"][:7] for row in found)
            assert dict(sorted(months.items())) == {item["key"]: item["count"] for item in volumes["items"]}
        redress = (await client.get("/v1/figures/redress")).json()
    names = set(every[0])
    assert not names & {"customer_ref", "known", "assignee", "slot"}
    assert {"channel", "category", "outcome", "to_close", "closed_day", "overall", "received_at"} <= names
    as_text = {row["complaint_id"]: row for row in every}
    for row in await _csv(bench):
        typed = as_text[row["complaint_id"]]
        assert row["day"] == typed["day"].isoformat()
        assert row["redress"] == ("" if typed["redress"] is None else f"{typed['redress']:f}")
    paid: Counter[str] = Counter()
    for row in every:
        if row["redress"]:
            paid[row["currency"]] += row["redress"]
    assert paid
    assert {currency: float(amount) for currency, amount in paid.items()} == pytest.approx(
        {item["currency"]: float(item["amount"]) for item in redress["items"]}
    )


async def _csv(bench: Any) -> list[dict[str, Any]]:
    async with await bench.client("auditor") as client:
        return await rows_of(client, "complaints.csv")


async def test_deadlines_and_counters_add_up_to_the_figures(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "BATCH", 41)
    await a_year(bench, 120)
    async with await bench.client("supervisor") as client:
        for chosen in ({}, {"department": "cards"}):
            figures = (await client.get("/v1/figures/deadlines", params=chosen)).json()["items"]
            found = await rows_of(client, "deadlines.csv", **chosen)
            results = Counter((row["step"], row["result"]) for row in found if row["is_primary"] == "true")
            for item in figures:
                for result in ("in_time", "late", "missed", "lapsed", "due_soon", "running"):
                    assert results[item["step"], result] == item[result]
        counters = await rows_of(client, "figures.parquet")
        by_channel = (await client.get("/v1/figures/volumes", params={"by": "channel"})).json()["items"]
        for grain in ("day", "month"):
            mine: Counter[str] = Counter()
            for row in counters:
                if (row["grain"], row["basis"], row["filter"], row["dimension"]) == (
                    grain,
                    "received",
                    None,
                    "channel",
                ):
                    mine[row["code"]] += row["count"]
            assert dict(mine) == {item["key"]: item["count"] for item in by_channel}
        narrowed = await rows_of(client, "figures.csv", channel="phone")
        assert {(row["grain"], row["filter"], row["filter_code"]) for row in narrowed} == {
            ("month", "channel", "phone")
        }
        cut = await rows_of(client, "figures.csv", **{"from": "2025-02-10", "to": "2025-04-20"})
        assert {row["day"] for row in cut if row["grain"] == "month"} == {"2025-03-01"}, "the only whole month"
        assert min(row["day"] for row in cut if row["grain"] == "day") >= "2025-02-10"
        two = await client.get("/v1/exports/figures.csv", params={"channel": "phone", "state": "open"})
        assert (two.status_code, two.json()["code"]) == (422, "not_counted")


async def test_an_export_is_of_one_moment(bench: Any, monkeypatch: pytest.MonkeyPatch, a_story: Any) -> None:
    monkeypatch.setattr(exporting, "BATCH", 20)
    await a_year(bench, 60)
    found = []
    async for rows in exports._of_one_moment(bench.db, exports._complaints, Selection()):
        found += rows
        for _ in range(3):
            await bench.hear(*a_story())
    assert len(found) == 60


async def test_what_a_bank_calls_its_branches_is_no_formula(bench: Any) -> None:
    received = ComplaintReceived(
        complaint_id="c-1",
        reference="R-1",
        channel="phone",
        narrative="…",
        branch='=HYPERLINK("http://example.org")',
        customer_ref="p1",
        received_at=datetime(2025, 6, 1, tzinfo=UTC),
    )
    await bench.hear(received)
    async with await bench.client("admin") as client:
        [row] = await rows_of(client, "complaints.csv")
        assert row["branch"] == '\'=HYPERLINK("http://example.org")'
        [typed] = await rows_of(client, "complaints.parquet")
        assert typed["branch"] == received.branch
        assert typed["received_at"] == received.received_at
        assert "p1" not in typed.values()


async def test_an_export_of_nothing_has_its_headings(bench: Any) -> None:
    async with await bench.client("admin") as client:
        for table in ("complaints", "deadlines", "figures"):
            for format in ("csv", "parquet"):
                assert await rows_of(client, f"{table}.{format}") == []


async def test_every_export_is_audited_and_not_for_everybody(bench: Any) -> None:
    for role, status in (("officer", 403), ("agent", 403), ("", 401)):
        async with await bench.client(*filter(None, [role])) as client:
            assert (await client.get("/v1/exports/complaints.csv")).status_code == status
    async with await bench.client("supervisor") as client:
        await client.get("/v1/exports/deadlines.csv", params={"from": "2025-01-01", "channel": "phone"})
        for strange in ("/v1/exports/customers.csv", "/v1/exports/complaints.exe", "/v1/exports/complaints.csv?from=x"):
            assert (await client.get(strange)).status_code == 422
        absurd = await client.get("/v1/exports/complaints.csv?from=0001-01-01&to=9999-12-31")
        assert absurd.status_code == 200
        assert (await client.get("/v1/exports/complaints.csv?channel=%00")).status_code == 400
    audit = bench.db.tables.audit
    async with bench.db.reading() as session:
        query = select(audit).where(audit.c.action == "figures.exported").order_by(audit.c.seq)
        entries = (await session.execute(query)).all()
    assert len(entries) == 2
    assert entries[0].subject == "deadlines"
    assert orjson.loads(entries[0].detail) == {"format": "csv", "where": {"channel": "phone", "from": "2025-01-01"}}
    assert entries[0].actor != ""


@SQLITE
async def test_not_too_many_at_once(bench: Any) -> None:
    running = exports.Running(exports.AT_ONCE)
    with pytest.raises(exports.TooMany):
        await exports.export(
            bench.db, "complaints", "csv", Selection(), running=running, actor="x", now=datetime.now(UTC)
        )
    bench.app.state.exporting = exports.Running()
    async with await bench.client("admin") as client:
        for _ in range(2 * exports.AT_ONCE):
            assert (await client.get("/v1/exports/complaints.csv")).status_code == 200
    assert bench.app.state.exporting.count == 0
