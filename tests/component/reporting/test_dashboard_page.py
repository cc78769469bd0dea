"""The dashboard as it leaves the server; how it looks and reads is for tests/browser."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from shared.events import Event

NOW = datetime(2025, 6, 30, 4, tzinfo=UTC)
HTML = {"accept": "text/html", "accept-language": "en"}
SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
Story = Callable[..., list[Event]]


def figure(page: str, name: str) -> str:
    found = re.search(rf'data-figure="{name}">([^<]*)<', page)
    assert found
    return found[1]


async def test_the_page_shows_what_the_api_says(bench: Any, told: Any) -> None:
    for messages in told(150).values():
        await bench.consumer().process(messages)
    async with await bench.client("manager") as client:
        for query in ("", "?from=2025-05-01&to=2025-05-31", "?channel=phone&category=fees"):
            page = (await client.get(f"/dashboard{query}", headers=HTML)).text
            total = (await client.get(f"/v1/figures/total{query}")).json()
            assert {n: figure(page, n) for n in ("total", "today", "open", "missed")} == {
                n: f"{total[n]:,}" for n in ("total", "today", "open", "missed")
            }
            channels = (await client.get(f"/v1/figures/volumes{query or '?'}&by=channel")).json()
            for item in channels["items"]:
                assert f'id="channel-{item["key"]}"' in page
        assert '<option value="phone" selected>Phone</option>' in page


@SQLITE
async def test_an_empty_desk_says_so_kindly(bench: Any, a_story: Story) -> None:
    async with await bench.client("manager") as client:
        page = (await client.get("/dashboard", headers=HTML)).text
        assert "No complaints yet" in page
        assert figure(page, "total") == "0"
        await bench.hear(a_story(received_at=NOW, channel="letter")[0])
        assert "No complaints yet" not in (await client.get("/dashboard", headers=HTML)).text
        assert "No complaints match" in (await client.get("/dashboard?channel=phone", headers=HTML)).text


@SQLITE
async def test_a_department_without_a_label_is_shown_by_its_code(bench: Any, a_story: Story) -> None:
    for _ in range(8):
        await bench.hear(*a_story(received_at=NOW - timedelta(days=2), department="art_loans<b>"))
    async with await bench.client("manager") as client:
        page = (await client.get("/dashboard", headers=HTML)).text
    assert "art_loans&lt;b&gt;" in page
    assert "art_loans<b>" not in page


@SQLITE
@pytest.mark.parametrize(
    "period",
    [
        "from=0001-01-01&to=9999-12-31",
        "from=9999-12-31",
        "to=0001-01-01",
        "from=2030-01-01",
        "from=&to=&channel=&category=&department=",
    ],
)
async def test_no_period_is_too_strange(bench: Any, a_story: Story, period: str) -> None:
    await bench.hear(*a_story(received_at=NOW - timedelta(days=800)))
    await bench.hear(*a_story(received_at=NOW - timedelta(days=2000)))
    async with await bench.client("manager") as client:
        assert (await client.get(f"/dashboard?{period}", headers=HTML)).status_code == 200


@SQLITE
async def test_a_period_that_ends_before_it_begins_is_said_in_plain_words(bench: Any) -> None:
    async with await bench.client("manager") as client:
        answer = await client.get("/dashboard?from=2025-02-02&to=2025-02-01", headers=HTML)
    assert answer.status_code == 422
    assert "This address cannot be used" in answer.text


@SQLITE
async def test_a_browser_without_a_key_is_asked_for_one(bench: Any) -> None:
    async with await bench.client() as client:
        answer = await client.get("/dashboard", headers=HTML)
        assert answer.status_code == 401
        assert "<form" in answer.text
        key = await bench.key("manager")
        await client.post("/session", data={"credential": key, "back": "/dashboard"})
        assert (await client.get("/dashboard", headers=HTML)).status_code == 200


@SQLITE
async def test_the_page_reads_counters_and_never_rows(bench: Any, told: Any) -> None:
    for messages in told(50).values():
        await bench.consumer().process(messages)
    seen: list[str] = []
    async with await bench.client("manager") as client:
        await client.get("/v1/figures/total")  # the key is remembered
        listen = (bench.db.engine.sync_engine, "before_cursor_execute", lambda *a: seen.append(a[2]))
        event.listen(*listen)
        await client.get("/dashboard", headers=HTML)
        event.remove(*listen)
    assert not [s for s in seen if "FROM fact" in s]
    assert len([s for s in seen if s.startswith("SELECT")]) <= 16
