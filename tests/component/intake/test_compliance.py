"""Each compliance check finds what was planted and leaves its innocent twin alone."""

import csv
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from services.intake.store.complaint import Complaint, Progress
from services.intake.store.privacy import Hold, Vulnerability
from shared import audit
from shared.ids import first_of
from tests.component.intake.conftest import NOW

HONG_KONG = ZoneInfo("Asia/Hong_Kong")
DAY = timedelta(days=1)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """In November, in Hong Kong."""
    return datetime(2026, 11, day, hour, minute, tzinfo=HONG_KONG)


def complaint(n: int, made: datetime) -> Complaint:
    return Complaint(
        id=first_of(made)[:24] + f"{n:012d}",
        reference=f"REF-{n:03d}",
        channel="phone",
        received_at=made,
        created_at=made,
        fingerprint="f",
        imported=False,
        key_id="k1",
        wrapped_key=b"k",
        sealed_content=b"c",
    )


async def plant(db: Any) -> None:
    async with db.transaction() as tx:
        reads = [("busy", n // 2) for n in range(100)] + [("calm", n) for n in range(99)]
        reads += [("split", n) for n in range(60)]  # and as many on the next day
        for who, n in reads:
            audit.add(tx, who, "complaint.read", f"c-{n}", now=at(10, 9) + timedelta(minutes=n))
        for n in range(60):
            audit.add(tx, "split", "files.read", f"c-{n}", now=at(11, 9) + timedelta(minutes=n))
        for n in range(150):
            audit.add(tx, "clerk", "message.added", f"c-{n}", now=at(12, 23))  # work, no look
        for who, moment in (
            ("owl", at(14, 23, 30)),
            ("lark", at(15, 5, 59)),
            ("early", at(15, 6)),
            ("late", at(15, 21, 59)),
        ):
            audit.add(tx, who, "messages.read", "c-1", now=moment)
        lost, heard, fresh, old = (
            complaint(n, made)
            for n, made in enumerate((NOW - DAY, NOW - 2 * DAY, NOW - timedelta(minutes=59), NOW - 60 * DAY))
        )
        kept = [complaint(n, NOW - 500 * DAY) for n in range(10, 16)]
        tx.add_all([lost, heard, fresh, old, *kept])
        tx.add(Progress(complaint_id=heard.id, status="received", deadlines="[]", updated_at=NOW))
        for one, days in zip(kept, (370, 364, 396, 0, 0, 0), strict=True):
            if days:
                tx.add(Hold(complaint_id=one.id, reason="court", placed_by="ann", placed_at=NOW - days * DAY))
        for one, due, lifted in (
            (kept[3], date(2026, 11, 20), None),
            (kept[4], date(2026, 11, 20), NOW),
            (kept[5], date(2026, 11, 23), None),  # there is still time today
        ):
            known = {"kind": "age", "sealed_note": b"n", "noted_by": "ann", "noted_at": NOW - 90 * DAY}
            tx.add(Vulnerability(id=one.id, complaint_id=one.id, review_on=due, lifted_at=lifted, **known))


WANTED = {
    "many_reads": ("actor", {"busy"}),
    "night_reads": ("actor", {"owl", "lark"}),
    "unheard": ("reference", {"REF-000"}),
    "old_holds": ("reference", {"REF-010"}),
    "unreviewed": ("reference", {"REF-013"}),
}


async def test_each_check_finds_what_was_planted_and_nothing_else(desk: Any) -> None:
    await plant(desk.db)
    overview = (await desk.get("/audit/compliance?lang=en", who="auditor")).text
    for code, (column, wanted) in WANTED.items():
        answer = await desk.get(f"/audit/compliance/{code}/csv", who="auditor")
        rows = list(csv.DictReader(answer.text.splitlines()))
        assert {row[column] for row in rows} == wanted, code
        assert len(rows) == len(wanted)
        assert f"/audit/compliance/{code}?from=" in overview
        page = await desk.get(f"/audit/compliance/{code}?lang=en", who="admin")
        assert all(one in page.text for one in wanted)
    assert (await desk.get("/audit/compliance", who="manager")).status_code == 403
