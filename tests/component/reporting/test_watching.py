"""What runs higher than chance explains is told of once, goes on, and is over."""

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from services.reporting.store.base import texts
from services.reporting.usecases import watching
from shared.events import ComplaintClassified, ComplaintErased, ComplaintReceived, Event
from shared.ids import uuid7

SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
FIRST = date(2025, 3, 1)
WORDS = [
    *("fee", "wrong", "nobody", "branch", "could", "say", "card", "charged", "again", "month", "waited", "letter"),
    *("asked", "twice", "refund", "promised", "manager", "counter", "queue", "statement", "balance", "rate"),
]


def came(day: date, category: str, *, narrative: str = "", channel: str = "phone", **known: Any) -> list[Event]:
    id = uuid7()
    at = datetime(day.year, day.month, day.day, 4, tzinfo=UTC)
    return [
        ComplaintReceived(
            complaint_id=id, reference="R", channel=channel, narrative=narrative or "…", received_at=at, **known
        ),
        ComplaintClassified(complaint_id=id, category=category, severity="normal", confidence=1, classified_at=at),
    ]


async def history(bench: Any, days: int, surge: dict[int, int], *, planted: str = "") -> None:
    """`days` days of a few complaints of three types; `surge` adds to one of them on some days."""
    chance = random.Random(3)
    events: list[Event] = []
    for n in range(days):
        day = FIRST + timedelta(days=n)
        for category in ("fees", "product", "other"):
            for _ in range(chance.choice((2, 3, 3, 4)) + (surge.get(n, 0) if category == "fees" else 0)):
                words = " ".join(chance.sample(WORDS, 8))
                late = planted if planted and n in surge else ""
                events += came(day, category, narrative=f"{words} {late}".strip())
    for start in range(0, len(events), 400):
        await bench.hear(*events[start : start + 400])


def at(n: int) -> Callable[[], datetime]:
    """The morning after day `n`."""
    day = FIRST + timedelta(days=n + 1)
    return lambda: datetime(day.year, day.month, day.day, 1, tzinfo=UTC)


async def published(bench: Any) -> Sequence[dict[str, Any]]:
    outbox = bench.db.tables.outbox
    async with bench.db.reading() as session:
        rows = (await session.scalars(select(outbox.c.payload).order_by(outbox.c.seq))).all()
    return [event["data"] for row in rows if (event := orjson.loads(row))["type"] == "com.redress.surge.detected.v1"]


async def test_a_surge_is_told_once_grows_and_is_over(bench: Any) -> None:
    await history(bench, 76, {70: 14, 71: 14, 72: 12})
    zone = bench.settings.zone
    assert await watching.watch(bench.db, at(68), zone) == 0
    side_by_side = await asyncio.gather(*(watching.watch(bench.db, at(69), zone) for _ in range(3)))
    assert sum(side_by_side) >= 1, "on the very day, by what has come already"
    told = await published(bench)
    mine = [one for one in told if one.get("category") == "fees"]
    assert len(mine) == 1
    assert mine[0]["observed"] > 3 * mine[0]["expected"]
    assert mine[0]["since"].startswith("2025-05-10")
    for day in (70, 71, 72, 73, 74):
        await watching.watch(bench.db, at(day), zone)
    assert [one for one in await published(bench) if one.get("category") == "fees"] == mine, "one alarm, however long"
    async with await bench.client("manager") as client:
        items = (await client.get("/v1/surges")).json()["items"]
        fees = [one for one in items if one.get("category") == "fees"]
        assert [(one["since"], one["until"], one["over"]) for one in fees] == [("2025-05-10", "2025-05-12", False)]
        await watching.watch(bench.db, at(77), zone)
        items = (await client.get("/v1/surges")).json()["items"]
        assert all(one["over"] for one in items if one.get("category") == "fees")
        page = await client.get("/warnings?lang=en", headers={"accept": "text/html"})
        assert "Fees" in page.text or "charges" in page.text


@SQLITE
async def test_one_event_seen_from_several_sides_is_told_once(bench: Any) -> None:
    """An outage of the mobile bank brings complaints of one type, one product and one channel."""
    chance = random.Random(8)
    events: list[Event] = []
    for n in range(72):
        for _ in range(chance.choice((8, 9, 10))):
            sides = {
                "channel": chance.choice(("phone", "mobile", "branch")),
                "product": chance.choice(("card", "loan")),
            }
            events += came(FIRST + timedelta(days=n), chance.choice(("fees", "other", "channel")), **sides)
        for _ in range(25 if n == 71 else 0):
            events += came(FIRST + timedelta(days=n), "channel", channel="mobile", product="mobile_banking")
    for start in range(0, len(events), 400):
        await bench.hear(*events[start : start + 400])
    assert await watching.watch(bench.db, at(71), bench.settings.zone) == 1
    (told,) = [one for one in await published(bench) if not one.get("theme")]
    assert (told["category"], told["channel"]) == ("channel", "mobile")
    async with await bench.client("manager") as client:
        assert len((await client.get("/v1/surges")).json()["items"]) == 1
        page = (await client.get("/warnings?lang=en", headers={"accept": "text/html"})).text
    assert "Mobile banking" in page
    assert await watching.watch(bench.db, at(71), bench.settings.zone) == 0


@SQLITE
async def test_a_calm_desk_is_left_in_peace(bench: Any) -> None:
    await history(bench, 75, {})
    for day in range(60, 75, 3):
        assert await watching.watch(bench.db, at(day), bench.settings.zone) == 0
    assert not await published(bench)


@SQLITE
async def test_a_new_theme_in_the_text_is_told_once(bench: Any) -> None:
    await history(bench, 74, {70: 5, 71: 5, 72: 5, 73: 5}, planted="the mobile token never arrives")
    zone = bench.settings.zone
    await watching.watch(bench.db, at(73), zone)
    themes = [one["theme"] for one in await published(bench) if one.get("theme")]
    assert len(themes) == 1
    assert set(themes[0].split()) <= {"mobile", "token", "never", "arrives"}
    await watching.watch(bench.db, at(73), zone)
    assert [one["theme"] for one in await published(bench) if one.get("theme")] == themes


@SQLITE
async def test_words_are_forgotten_in_time_and_with_the_complaint(bench: Any) -> None:
    first, _ = came(FIRST, "fees", narrative="my pension was cut")
    second, _ = came(FIRST, "fees", narrative="my pension was cut again")
    await bench.hear(first, second)
    await bench.hear(ComplaintErased(complaint_id=first.complaint_id, ground="request", erased_at=at(0)()))

    async def kept() -> list[str]:
        async with bench.db.reading() as session:
            return list((await session.scalars(select(texts.c.complaint_id))).all())

    assert await kept() == [second.complaint_id]
    await watching.watch(bench.db, at(120), bench.settings.zone)
    assert await kept() == []


@SQLITE
async def test_nothing_received_is_nothing_to_judge(bench: Any) -> None:
    assert await watching.watch(bench.db, at(0), bench.settings.zone) == 0
