"""Each compliance check finds what was planted and leaves its innocent twin alone."""

import csv
from datetime import UTC, date, datetime
from typing import Any

from services.reporting.store.goals import MeasureRow
from services.reporting.store.publications import add as publish
from services.reporting.store.reports import ReportRow
from shared import audit
from tests.component.reporting.conftest import NOW
from tests.component.reporting.test_improvement_pages import SQLITE

LANGUAGES = ("zh-Hant", "zh-Hans", "en")


async def plant(bench: Any, a_story: Any) -> None:
    await bench.hear(*a_story(received_at=datetime(2025, 1, 5, tzinfo=UTC)))
    async with bench.db.transaction() as tx:
        for month, language, state, day in (
            (4, "en", "done", datetime(2025, 5, 2, tzinfo=UTC)),
            (4, "zh-Hant", "done", datetime(2025, 5, 6, tzinfo=UTC)),  # a day too late
            (4, "zh-Hans", "failed", datetime(2025, 5, 2, tzinfo=UTC)),
            *((5, language, "done", datetime(2025, 6, 2, tzinfo=UTC)) for language in LANGUAGES),
        ):
            known = {"ordered_by": "schedule", "ordered_at": day, "moved_at": day, "state": state}
            tx.add(ReportRow(id=f"{month}-{language}", month=date(2025, month, 1), language=language, **known))
        await publish(tx, "2025-Q1", 2025, {}, {}, by="ann", now=datetime(2025, 6, 3, tzinfo=UTC))
        for part, day in ((3, datetime(2025, 4, 29, tzinfo=UTC)), (4, datetime(2025, 4, 29, tzinfo=UTC))):
            # April's was made before April was over: a draft
            detail = {"year": 2025, "part": part, "format": "csv"}
            audit.add(tx, "ann", "return.made", "hk_month", now=day, detail=detail)
        for n, (status, ends) in enumerate(
            (("running", date(2025, 6, 1)), ("done", date(2025, 6, 1)), ("planned", NOW.date()))
        ):
            known = {"figure": "received", "horizon": "short", "owner_department": "cards", "comparable": "[]"}
            times = {"created_at": NOW, "updated_at": NOW, "starts_on": date(2025, 1, 1), "ends_on": ends}
            tx.add(MeasureRow(id=f"m-{n}", title=f"Measure {n}", status=status, **known, **times))


WANTED = {
    "report_late": ("language", ["zh-Hans", "zh-Hant"]),
    "return_late": ("since", ["2025-04-01"]),
    "summary_late": ("since", ["2025-01-01"]),
    "measure_overdue": ("title", ["Measure 0"]),
}


async def test_each_check_finds_what_was_planted_and_nothing_else(bench: Any, a_story: Any) -> None:
    await plant(bench, a_story)
    period = {"from": "2025-04-20", "to": "2025-06-30"}
    async with await bench.client("auditor") as client:
        overview = (await client.get("/audit/compliance", params=period | {"lang": "en"})).text
        for code, (column, wanted) in WANTED.items():
            answer = await client.get(f"/audit/compliance/{code}/csv", params=period)
            rows = list(csv.DictReader(answer.text.splitlines()))
            assert sorted(row[column] for row in rows) == wanted, code
            assert f"/audit/compliance/{code}?from=2025-04-20" in overview
            assert (await client.get(f"/audit/compliance/{code}", params=period)).status_code == 200


@SQLITE
async def test_a_desk_without_complaints_owes_no_report(bench: Any) -> None:
    async with await bench.client("admin") as client:
        page = (await client.get("/audit/compliance?lang=en&from=2025-01-01&to=2025-06-30")).text
    assert page.count("✓") == 4
