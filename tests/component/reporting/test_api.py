"""The figures as JSON: what they count, for whom, and what they say of themselves."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.reporting.domain.place import DIMENSIONS
from shared.events import Event

NOW = datetime(2025, 6, 30, 4, tzinfo=UTC)
SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
Story = Callable[..., list[Event]]


async def a_few(bench: Any, a_story: Story) -> None:
    """Three complaints of known place: two of March (phone and letter), one of today (phone)."""
    march = datetime(2025, 3, 31, 16, 30, tzinfo=UTC)  # the first of April in Hong Kong
    await bench.hear(*a_story(received_at=march, channel="phone", category="fees", department="cards"))
    earlier = march - timedelta(hours=1)  # still March there
    await bench.hear(*a_story(received_at=earlier, channel="letter", category="product", department="lending"))
    await bench.hear(a_story(received_at=NOW, channel="phone")[0])


async def test_totals_say_what_there_is(bench: Any, a_story: Story) -> None:
    await a_few(bench, a_story)
    async with await bench.client("manager") as client:
        found = (await client.get("/v1/figures/total")).json()
        assert (found["total"], found["today"], found["on"]) == (3, 1, "2025-06-30")
        assert "counted once" in found["definition"]
        by_outcome = (await client.get("/v1/figures/volumes", params={"by": "outcome"})).json()
        items = {item["key"]: item["count"] for item in by_outcome["items"]}
        assert found["open"] == items["open"]
        chosen = (await client.get("/v1/figures/total", params={"channel": "letter"})).json()
        assert (chosen["total"], chosen["today"]) == (1, 0)


async def test_volumes_by_every_dimension(bench: Any, a_story: Story) -> None:
    await a_few(bench, a_story)
    async with await bench.client("officer") as client:

        async def by(kind: str, **chosen: str) -> dict[str, int]:
            answer = await client.get("/v1/figures/volumes", params={"by": kind, **chosen})
            body = answer.json()
            assert answer.status_code == 200, body
            assert body["by"] == kind
            assert body["total"] == sum(item["count"] for item in body["items"])
            assert "time zone" in body["definition"]
            return {item["key"]: item["count"] for item in body["items"]}

        assert await by("day") == {"2025-03-31": 1, "2025-04-01": 1, "2025-06-30": 1}
        assert await by("month") == {"2025-03": 1, "2025-04": 1, "2025-06": 1}
        assert list(await by("channel")) == ["phone", "letter"], "the largest first"
        assert (await by("category"))["unclassified"] >= 1
        assert (await by("department"))["unrouted"] >= 1
        assert sum((await by("outcome")).values()) == 3
        assert await by("month", **{"from": "2025-04-01", "to": "2025-04-30"}) == {"2025-04": 1}
        assert await by("channel", department="unrouted", **{"from": "2025-06-30"}) == {"phone": 1}
        assert await by("day", channel="pigeon") == {}


async def test_the_period_is_given_back(bench: Any) -> None:
    async with await bench.client("auditor") as client:
        body = (await client.get("/v1/figures/volumes?from=2025-01-01&to=")).json()
    assert body["from"] == "2025-01-01"
    assert body["to"] is None
    assert body["items"] == []


async def test_deadlines_by_step_add_up(bench: Any, told: Any) -> None:
    for messages in told(200).values():
        await bench.consumer().process(messages)
    async with await bench.client("supervisor") as client:
        body = (await client.get("/v1/figures/deadlines")).json()
        total = (await client.get("/v1/figures/total")).json()
    assert [item["step"] for item in body["items"]] == ["acknowledge", "final"]
    for item in body["items"]:
        results = {name: n for name, n in item.items() if name != "step"}
        results.pop("kept")
        assert sum(results.values()) == 200, "each complaint's clock has this step once"
    acknowledge = body["items"][0]
    assert acknowledge["in_time"] > 0
    assert acknowledge["late"] > 0
    assert total["missed"] == sum(item["missed"] for item in body["items"]) > 0
    assert "lapsed" in body["definition"]


async def test_a_new_complaint_is_counted_at_once(bench: Any, a_story: Story) -> None:
    async with await bench.client("manager") as client:
        assert (await client.get("/v1/figures/total")).json()["total"] == 0
        await bench.hear(a_story(received_at=NOW)[0])
        assert (await client.get("/v1/figures/total")).json()["total"] == 1


@SQLITE
@pytest.mark.parametrize("path", ["/v1/figures/total", "/v1/figures/volumes", "/v1/figures/deadlines", "/dashboard"])
async def test_figures_are_for_those_who_answer_for_complaints(bench: Any, path: str) -> None:
    expected = {"agent": 403, "officer": 200, "supervisor": 200, "manager": 200, "auditor": 200, "admin": 200}
    for role, status in expected.items():
        async with await bench.client(role) as client:
            assert (await client.get(path)).status_code == status, role
    async with await bench.client() as client:
        assert (await client.get(path)).status_code == 401


@SQLITE
@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("by=colour", "by"),
        ("from=yesterday", "from"),
        ("to=2025-02-30", "to"),
        ("from=2025-02-02&to=2025-02-01", "from"),
        (f"channel={'x' * 65}", "channel"),
    ],
)
async def test_what_cannot_be_asked_is_named(bench: Any, query: str, pointer: str) -> None:
    async with await bench.client("manager") as client:
        answer = await client.get(f"/v1/figures/volumes?{query}")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [e["pointer"] for e in answer.json()["errors"]] == [pointer]


@SQLITE
async def test_the_document_of_the_api_names_the_parameters(bench: Any) -> None:
    async with await bench.client() as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
    names = {p["name"] for p in paths["/v1/figures/volumes"]["get"]["parameters"]}
    assert names == {"by", "of", "from", "to", *DIMENSIONS}
    assert not any("dashboard" in path or "session" in path for path in paths)


async def test_narrow_and_wide_questions_agree(bench: Any, told: Any) -> None:
    """Whole months are counted from counters, other days and narrower questions from rows: the parts make the whole."""
    for messages in told(200).values():
        await bench.consumer().process(messages)
    async with await bench.client("manager") as client:

        async def by(kind: str, **chosen: str) -> Counter[str]:
            body = (await client.get("/v1/figures/volumes", params={"by": kind, **chosen})).json()
            return Counter({item["key"]: item["count"] for item in body["items"]})

        async def results(**chosen: str) -> Counter[tuple[str, str]]:
            body = (await client.get("/v1/figures/deadlines", params=chosen)).json()
            return Counter(
                {
                    (item["step"], name): n
                    for item in body["items"]
                    for name, n in item.items()
                    if name not in ("step", "kept") and n
                }
            )

        channels = await by("channel")
        assert channels.total() == 200
        for kind in ("day", "month", "category", "department", "outcome"):
            parts: Counter[str] = Counter()
            for channel in channels:
                parts += await by(kind, channel=channel)
            assert parts == await by(kind), kind
        parts_of_results: Counter[tuple[str, str]] = Counter()
        for channel in channels:
            parts_of_results += await results(channel=channel)
        assert parts_of_results == await results()
