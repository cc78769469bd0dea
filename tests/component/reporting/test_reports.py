"""Management reports: ordered, made in the background, read in three forms, and never half there."""

import asyncio
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import openpyxl
import pytest

from services.reporting.domain.proposal import proposals
from services.reporting.reports import making, pdf
from shared.events import Event
from tests.component.reporting.test_views import fill

NOW = datetime(2025, 6, 30, 4, tzinfo=UTC)
HTML = {"accept": "text/html"}
SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


def clock() -> datetime:
    return NOW


async def test_a_report_is_ordered_made_and_read(bench: Any) -> None:
    await fill(bench)
    async with await bench.client("manager") as client:
        ordered = await client.post("/v1/reports", json={"month": "2025-05", "language": "zh-Hant"})
        assert ordered.status_code == 202
        id = ordered.json()["id"]
        assert (await client.get(f"/v1/reports/{id}")).json()["state"] == "queued"
        assert (await client.get(f"/v1/reports/{id}.pdf")).status_code == 409
        assert "<progress" in (await client.get("/reports?lang=en", headers=HTML)).text
        assert await making.make_next(bench.db, clock, bench.settings)
        assert not await making.make_next(bench.db, clock, bench.settings)
        done = (await client.get(f"/v1/reports/{id}")).json()
        assert (done["state"], done["progress"]) == ("done", 100)
        typeset = await client.get(done["files"]["pdf"])
        assert typeset.content.startswith(b"%PDF-")
        assert "attachment" in typeset.headers["content-disposition"]
        book = openpyxl.load_workbook(BytesIO((await client.get(done["files"]["xlsx"])).content))
        told = (
            await client.get("/v1/figures/volumes", params={"by": "category", "from": "2025-05-01", "to": "2025-05-31"})
        ).json()
        numbers = {
            cell
            for sheet in book.worksheets
            for row in sheet.iter_rows(values_only=True)
            for cell in row
            if isinstance(cell, int)
        }
        assert {item["count"] for item in told["items"]} <= numbers
        page = await client.get(done["files"]["page"], headers=HTML)
        assert page.status_code == 200
        assert '<article lang="zh-Hant">' in page.text
        picture = await client.get(f"/reports/{id}/0-0.svg")
        assert picture.text.startswith("<svg")
        assert (await client.get(f"/reports/{id}/0-77.svg")).status_code == 404
        listed = (await client.get("/v1/reports")).json()
        assert [one["id"] for one in listed["items"]] == [id]


@SQLITE
async def test_what_cannot_be_ordered_is_refused_with_the_reason(bench: Any) -> None:
    async with await bench.client("supervisor") as client:
        for body, pointer in (
            ({"month": "2025-06", "language": "en"}, "month"),  # this month is not over
            ({"month": "2025-13", "language": "en"}, "/month"),
            ({"month": "2025-05", "language": "fr"}, "/language"),
            ({"month": 5}, "/month"),
        ):
            answer = await client.post("/v1/reports", json=body)
            assert answer.status_code == 422, body
            assert answer.json()["errors"][0]["pointer"] == pointer
        assert (await client.get("/v1/reports/00000000-0000-0000-0000-000000000000")).status_code == 404
        form = await client.post("/reports", data={"month": "2025-05", "language": "en"})
        assert form.status_code == 303
    async with await bench.client("officer") as client:
        assert (await client.post("/v1/reports", json={"month": "2025-05"})).status_code == 403
        assert (await client.get("/v1/reports")).status_code == 200
    async with await bench.client("agent") as client:
        assert (await client.get("/v1/reports")).status_code == 403


@SQLITE
async def test_one_that_fails_says_so_and_keeps_nobody_waiting(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(bench, 20)
    async with await bench.client("manager") as client:
        first = (await client.post("/v1/reports", json={"month": "2025-05", "language": "en"})).json()["id"]
        second = (await client.post("/v1/reports", json={"month": "2025-04", "language": "en"})).json()["id"]
        real = pdf.render
        calls: list[int] = []

        def broken(*args: Any) -> bytes:
            calls.append(1)
            if len(calls) == 1:
                raise ZeroDivisionError
            return real(*args)

        monkeypatch.setattr(pdf, "render", broken)
        while await making.make_next(bench.db, clock, bench.settings):
            pass
        states = {one["id"]: one for one in (await client.get("/v1/reports")).json()["items"]}
        assert (states[first]["state"], states[first]["error"]) == ("failed", "ZeroDivisionError")
        assert states[second]["state"] == "done"
        assert await making.order_due(bench.db, clock, bench.settings) == 2, "the languages nobody has ordered"


async def test_last_months_report_is_made_by_itself_once_in_each_language(bench: Any, a_story: Any) -> None:
    assert await making.order_due(bench.db, clock, bench.settings) == 0, "nothing to report yet"
    story: list[Event] = a_story(received_at=datetime(2025, 5, 3, tzinfo=UTC))
    await bench.hear(*story)
    await asyncio.gather(*(making.order_due(bench.db, clock, bench.settings) for _ in range(3)))
    assert await making.order_due(bench.db, clock, bench.settings) == 0
    async with await bench.client("manager") as client:
        items = (await client.get("/v1/reports")).json()["items"]
    assert sorted((one["month"], one["language"]) for one in items) == [
        ("2025-05", "en"),
        ("2025-05", "zh-Hans"),
        ("2025-05", "zh-Hant"),
    ]


@SQLITE
async def test_one_whose_maker_died_is_made_by_the_next(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(bench, 20)
    async with await bench.client("manager") as client:
        id = (await client.post("/v1/reports", json={"month": "2025-05", "language": "en"})).json()["id"]

        async def dies(*_: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(making, "_make", dies)
            with pytest.raises(KeyboardInterrupt):
                await making.make_next(bench.db, clock, bench.settings)
        assert not await making.make_next(bench.db, clock, bench.settings), "somebody may still be at it"
        later = datetime(2025, 6, 30, 5, tzinfo=UTC)
        assert await making.make_next(bench.db, lambda: later, bench.settings)
        assert (await client.get(f"/v1/reports/{id}")).json()["state"] == "done"


def test_proposals_rest_on_the_vital_few_on_growth_and_on_deadlines() -> None:
    found = proposals(
        {"staff_service": 60, "product_design": 30, "system_failure": 8, "none_found": 99, "open": 50},
        {"staff_service": 61, "product_design": 8},
        {"cards": {"in_time": 5, "late": 5}, "lending": {"in_time": 99, "missed": 1}, "unrouted": {"missed": 9}},
        [("branch", "b1"), ("branch", "b1")],
    )
    assert [(one.reason, one.code) for one in found] == [
        ("cause", "staff_service"),
        ("cause", "product_design"),
        ("rising", "product_design"),
        ("rising", "system_failure"),
        ("late", "cards"),
        ("surge", "b1"),
    ]
    assert not proposals({}, {}, {}, [])
