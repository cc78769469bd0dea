"""The public summary hides small counts, is published once, and stays as it was."""

import asyncio
import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from services.reporting.store import publications
from shared.events import ComplaintClassified, ComplaintClosed, ComplaintReceived, ComplaintResolved, Event

SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
CATEGORIES = ("service_quality", "fees", "product", "channel", "other")
CHANNELS = ("phone", "web_form", "branch", "letter")
Q1 = {"year": 2025, "quarter": 1}


def quarter(year: int, number: int, complaints: int, seed: int) -> Iterator[Event]:
    """Complaints of a quarter, most of them of few kinds, four in five closed."""
    chance = random.Random(seed)
    start = datetime(year, 3 * number - 2, 2, tzinfo=UTC)
    for n in range(complaints):
        id: dict[str, Any] = {"complaint_id": f"c-{year}-{number}-{seed}-{n}"}
        at = start + timedelta(minutes=chance.randrange(80 * 24 * 60))
        channel = chance.choices(CHANNELS, (60, 30, 9, 1))[0]
        yield ComplaintReceived(**id, reference=f"R-{n}", channel=channel, narrative="…", received_at=at)
        category = chance.choices(CATEGORIES, (50, 30, 15, 4, 1))[0]
        yield ComplaintClassified(**id, category=category, severity="normal", confidence=1, classified_at=at)
        if chance.random() < 0.8:
            over = at + timedelta(hours=chance.choice((5, 30, 200, 500)))
            outcome: Any = chance.choices(("upheld", "rejected", "goodwill"), (50, 45, 5))[0]
            yield ComplaintResolved(**id, outcome=outcome, root_cause="staff_service", resolved_at=over)
            yield ComplaintClosed(**id, closed_at=over)


async def summary_of(client: Any, **asked: Any) -> dict[str, Any]:
    answer = await client.get("/v1/public-summary", params=asked)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def counts(body: dict[str, Any], kind: str) -> dict[str, int | None]:
    return {item["code"]: item["count"] for item in body[kind]}


async def test_a_draft_is_for_staff_and_what_is_published_for_everybody(bench: Any) -> None:
    await bench.hear(*quarter(2025, 1, 300, 1))
    async with await bench.client("manager") as manager, await bench.client() as stranger:
        answer = await manager.get("/v1/public-summary", params=Q1)
        seen, tag = answer.json(), answer.headers["etag"]
        assert seen["published_at"] is None
        nothing = await stranger.get("/v1/public-summary", params=Q1)
        assert (nothing.status_code, nothing.json()["code"]) == (404, "not_published")
        assert (await stranger.get("/v1/public-summary")).status_code == 404

        await bench.hear(*quarter(2025, 1, 30, 2))  # while the manager was looking
        changed = await manager.post("/v1/public-summary/2025-Q1", headers={"if-match": tag})
        assert (changed.status_code, changed.json()["code"]) == (412, "summary_changed")
        tag = (await manager.get("/v1/public-summary", params=Q1)).headers["etag"]
        seen = await summary_of(manager, **Q1)
        done = await manager.post("/v1/public-summary/2025-Q1", headers={"if-match": tag})
        assert (done.status_code, done.json()["sha256"]) == (201, tag.strip('"'))

        told = await summary_of(stranger, **Q1)
        assert told["published_at"] is not None
        assert {**told, "published_at": None, "published": []} == {**seen, "published_at": None, "published": []}
        assert await summary_of(stranger) == told, "the one published last"

        await bench.hear(*quarter(2025, 1, 200, 3))  # brought in later: it stays as it was
        assert await summary_of(stranger, **Q1) == told
        again = await manager.post("/v1/public-summary/2025-Q1")
        assert (again.status_code, again.json()["code"]) == (409, "already_published")

    assert told["total"] == {"count": 330, "hidden": None}
    for kind in ("category", "channel", "outcome"):
        for item in told[kind]:
            assert (item["count"] is None) == (item["hidden"] is not None)
            assert item["count"] is None or item["count"] >= 5
    assert counts(told, "channel")["social"] is None, "also where there is none at all"
    audit = bench.db.tables.audit
    async with bench.db.reading() as session:
        [entry] = (await session.execute(select(audit).where(audit.c.action == "summary.published"))).all()
        kept = (await publications.kept(session, 2025))[0].kept
    assert (entry.subject, orjson.loads(entry.detail)["sha256"]) == ("2025-Q1", tag.strip('"'))
    assert sum(n for *_, n in orjson.loads(kept)["counts"]["2025-Q1"]) == 330, "what was hidden is known inside"


@SQLITE
async def test_what_comes_later_fits_what_was_published(bench: Any) -> None:
    """Two quarters and then their half-year, though what is known of both has changed in between."""
    await bench.hear(*quarter(2024, 3, 250, 1))
    await bench.hear(*quarter(2024, 4, 260, 2))
    async with await bench.client("manager") as manager, await bench.client() as stranger:
        assert (await manager.post("/v1/public-summary/2024-Q3")).status_code == 201
        await bench.hear(*quarter(2024, 3, 40, 3))
        assert (await manager.post("/v1/public-summary/2024-Q4")).status_code == 201
        await bench.hear(*quarter(2024, 4, 40, 4))
        assert (await manager.post("/v1/public-summary/2024-H2")).status_code == 201
        q3, q4 = [await summary_of(stranger, year=2024, quarter=n) for n in (3, 4)]
        half = await summary_of(stranger, year=2024, half=2)
    assert set(half["published"]) == {"2024-Q3", "2024-Q4", "2024-H2"}
    assert half["total"]["count"] == q3["total"]["count"] + q4["total"]["count"] == 510
    for kind in ("category", "channel", "outcome"):
        for code, n in counts(half, kind).items():
            parts = (counts(q3, kind)[code], counts(q4, kind)[code])
            if n is not None and None not in parts:
                assert n == sum(p for p in parts if p is not None)
            # one part that is hidden as small cannot be the half-year less the other
            hidden = {item["hidden"] for body in (q3, q4) for item in body[kind] if item["code"] == code}
            if "small" in hidden and parts.count(None) == 1:
                assert n is None


@SQLITE
async def test_the_page_shows_the_same_in_three_languages(bench: Any) -> None:
    await bench.hear(*quarter(2025, 1, 300, 1))
    async with await bench.client("manager") as manager, await bench.client() as stranger:
        empty = await stranger.get("/public-summary?lang=en")
        assert (empty.status_code, "Nothing has been published yet" in empty.text) == (200, True)
        draft = await manager.get("/public-summary", params={**Q1, "lang": "en"})
        assert "This is a draft" in draft.text
        await manager.post("/v1/public-summary/2025-Q1")
        for language, fewer in (("en", "Fewer than 5"), ("zh-Hant", "少於 5"), ("zh-Hans", "少于 5")):
            body = await summary_of(stranger, lang=language)
            assert body["language"] == language
            answer = await stranger.get("/public-summary", params={**Q1, "lang": language})
            assert answer.headers["content-language"] == language
            shown = dict(
                re.findall(r'<tr><th scope="row">([^<]+)</th><td class="number">([^<]+)</td></tr>', answer.text)
            )
            for kind in ("category", "channel", "outcome"):
                for item in body[kind]:
                    expected = fewer if item["hidden"] == "small" else None if item["hidden"] else str(item["count"])
                    if (
                        expected
                        and sum(
                            i["label"] == item["label"] for k in ("category", "channel", "outcome") for i in body[k]
                        )
                        == 1
                    ):
                        assert shown[item["label"]] == expected
            median = body["closing"]["median_minutes"]
            assert median is not None
            assert "{" not in answer.text.partition("<main")[2]


@SQLITE
async def test_few_complaints_are_not_published_at_all(bench: Any) -> None:
    await bench.hear(*quarter(2025, 1, 6, 1))
    async with await bench.client("manager") as manager:
        draft = await summary_of(manager, **Q1)
        answer = await manager.post("/v1/public-summary/2025-Q1")
        if draft["void"]:
            assert (answer.status_code, answer.json()["code"]) == (422, "nothing_to_publish")
            assert draft["total"] == {"count": None, "hidden": "withheld"}
        assert draft["closing"]["median_minutes"] is None, "too few to tell of times"


@SQLITE
async def test_who_may_publish_and_what_is_refused(bench: Any) -> None:
    for role in ("officer", "supervisor", "auditor", "admin"):
        async with await bench.client(role) as client:
            assert (await client.post("/v1/public-summary/2024-Q1")).status_code == 403
    async with await bench.client() as stranger:
        assert (await stranger.post("/v1/public-summary/2024-Q1")).status_code == 401
        assert (await stranger.get("/public-summary", params={"year": 2024, "quarter": 1})).status_code == 404
    async with await bench.client("officer") as client:
        assert (await client.get("/v1/public-summary", params=Q1)).status_code == 404
    async with await bench.client("manager") as client:
        for code, expected in (
            ("2025-Q2", "period_not_over"),  # ends today
            ("2025-H2", "period_not_over"),
            ("0000-Q1", "invalid_request"),
            ("9999-Q1", "invalid_request"),
            ("2025-Q5", "invalid_request"),
        ):
            answer = await client.post(f"/v1/public-summary/{code}")
            assert (answer.status_code, answer.json()["code"]) == (422, expected), code
        for query in ("year=2025", "quarter=1", "year=2025&quarter=1&half=1", "year=9999&quarter=1", "year=x&half=1"):
            answer = await client.get(f"/v1/public-summary?{query}")
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), query


async def test_of_two_who_publish_at_once_one_does(bench: Any) -> None:
    await bench.hear(*quarter(2025, 1, 100, 1))
    async with await bench.client("manager") as manager:
        answers = await asyncio.gather(*(manager.post("/v1/public-summary/2025-Q1") for _ in range(2)))
        assert sorted(answer.status_code for answer in answers) == [201, 409]
