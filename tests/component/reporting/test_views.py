"""Pages of figures: every chart has its table, its picture and its meaning, in every language."""

import re
from typing import Any

import pytest

from services.reporting.figures.catalogue import CATALOGUE
from services.reporting.views.pages import PAGES
from shared.bus import Message
from shared.events import TOPICS
from tests.component.reporting.lives import heard

HTML = {"accept": "text/html"}
SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


async def fill(bench: Any, complaints: int = 120) -> None:
    consumer = bench.consumer()
    messages = [Message(TOPICS[source], key, payload) for source, key, _, payload in heard(complaints, spread=20)]
    for start in range(0, len(messages), 500):
        await consumer.process(messages[start : start + 500])


@SQLITE
@pytest.mark.parametrize("language", ["zh-Hant", "zh-Hans", "en"])
async def test_every_page_shows_its_charts_with_their_tables(bench: Any, language: str) -> None:
    await fill(bench)
    async with await bench.client("manager") as client:
        for page in PAGES.values():
            answer = await client.get(f"/dashboard/{page.name}?lang={language}", headers=HTML)
            assert answer.status_code == 200, page.name
            assert len(answer.content) < 100_000
            assert answer.text.count("<figure") == len(page.blocks)
            pictures = re.findall(r'<img class="picture" src="([^"]+)" alt="([^"]*)"', answer.text)
            assert pictures, page.name
            assert all(alt for _, alt in pictures)
            address = pictures[0][0].replace("&amp;", "&")
            drawn = await client.get(address)
            assert drawn.headers["content-type"] == "image/svg+xml"
            assert drawn.text.startswith("<svg")
            assert "<script" not in drawn.text
            same = await client.get(address, headers={"if-none-match": drawn.headers["etag"]})
            assert same.status_code == 304


@SQLITE
async def test_pages_of_nothing_say_so(bench: Any) -> None:
    async with await bench.client("officer") as client:
        for page in PAGES.values():
            answer = await client.get(f"/dashboard/{page.name}?lang=en&from=2025-02-01&to=2025-02-03", headers=HTML)
            assert answer.status_code == 200
            assert "None in this period" in answer.text
        assert (await client.get("/dashboard/nonsense", headers=HTML)).status_code == 404
        assert (await client.get("/dashboard/trends/nonsense.svg")).status_code == 404


@SQLITE
async def test_every_figure_says_what_it_is(bench: Any) -> None:
    async with await bench.client("auditor") as client:
        told = (await client.get("/v1/figures")).json()["items"]
    assert {one["key"] for one in told} == set(CATALOGUE)
    assert all(one["name"] and one["formula"] and one["counts_on"] and one["events"] for one in told)


FIGURES = (
    "total",
    "volumes",
    "volumes?of=closed&by=quarter",
    "volumes?by=branch",
    "deadlines?by=rule",
    "deadlines?by=department",
    "comparison?by=quarter&of=closed",
    "backlog",
    "durations?of=respond",
    "causes",
    "redress",
    "redress?by=root_cause",
    "satisfaction",
    "shares",
    "fairness",
    "load",
    "rates",
    "rates?by=branch&per=accounts",
)


async def test_every_figure_is_told_with_its_definition(bench: Any) -> None:
    await fill(bench, 60)
    async with await bench.client("manager") as client:
        for path in FIGURES:
            for beside in ("", "department=cards&from=2024-06-03&to=2025-06-20", "branch=b001&severity=high"):
                answer = await client.get(f"/v1/figures/{path}{'&' if '?' in path else '?'}{beside}")
                assert answer.status_code == 200, answer.text
                assert answer.json()["definition"]


async def test_a_figure_leads_down_to_its_complaints(bench: Any) -> None:
    await fill(bench, 150)
    async with await bench.client("manager") as client:

        async def every(**asked: str) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = []
            cursor = None
            while True:
                parameters = {**asked, "limit": "17", **({"cursor": cursor} if cursor else {})}
                page = (await client.get("/v1/figures/complaints", params=parameters)).json()
                found += page["items"]
                cursor = page["next"]
                if cursor is None:
                    return found

        for of in ("received", "closed", "reopened"):
            volumes = (await client.get("/v1/figures/volumes", params={"of": of, "by": "category"})).json()
            for item in volumes["items"]:
                listed = await every(of=of, category=item["key"])
                assert len(listed) == len({one["id"] for one in listed}) == item["count"]
        late = await every(step="final", result="late")
        told = (await client.get("/v1/figures/deadlines")).json()
        assert len(late) == next(item["late"] for item in told["items"] if item["step"] == "final")
        assert not [key for one in late for key in one if key in ("customer_ref", "narrative", "assignee")]
        page = await client.get("/complaints?lang=en&category=fees", headers=HTML)
        assert page.status_code == 200
        assert "R-" in page.text
        wrong = await client.get("/v1/figures/complaints", params={"of": "closed", "step": "final"})
        assert wrong.status_code == 422


@SQLITE
async def test_complaints_per_thousand_customers(bench: Any) -> None:
    await fill(bench, 80)
    async with await bench.client("manager") as client:
        total = (await client.get("/v1/figures/total")).json()["total"]
        (none,) = (await client.get("/v1/figures/rates")).json()["items"]
        assert (none["count"], none["base"], none["rate"]) == (total, None, None)
        for path, count in (("2020-01-01", 4000), ("2025-06-01", 8000), ("2026-01-01", 1)):
            assert (await client.put(f"/v1/bases/customers/{path}", json={"count": count})).is_success
        of_branch = "/v1/bases/customers/2020-01-01?dimension=branch&code=b001"
        assert (await client.put(of_branch, json={"count": 500})).is_success
        (now,) = (await client.get("/v1/figures/rates")).json()["items"]
        assert (now["base"], now["rate"]) == (8000, total / 8)
        then = (await client.get("/v1/figures/rates", params={"to": "2025-05-31"})).json()["items"][0]
        assert (then["base"], then["rate"]) == (4000, then["count"] / 4)
        branches = (await client.get("/v1/figures/rates", params={"by": "branch"})).json()["items"]
        assert [one["key"] for one in branches if one["rate"] is not None] == ["b001"]


STRANGE = ("%00", "%0d%0a", "'%20OR%201=1", "9" * 400, "2025-02-30", "%F0%9F%92%A9", "-1")


async def test_no_page_breaks_whatever_its_address_says(bench: Any) -> None:
    """Pages stand in no OpenAPI document, so nothing else sends rubbish to them."""
    await fill(bench, 10)
    paths = (*(f"/dashboard/{name}" for name in PAGES), "/dashboard", "/complaints", "/warnings", "/reports")
    paths += ("/improvement", "/surveys", "/coaching", "/public-summary", "/dashboard/trends/by-month.svg")
    names = ("from", "to", "department", "branch", "of", "after", "months", "year", "quarter", "by", "narrow", "lang")
    async with await bench.client("manager") as client:
        # each page gets a quarter of what is strange at each name, another quarter on the other database
        other = 2 * (bench.db.engine.dialect.name == "postgresql")
        for place, path in enumerate(paths):
            for number, name in enumerate(names):
                for value in STRANGE[(number + place + other) % 4 :: 4]:
                    answer = await client.get(f"{path}?{name}={value}", headers=HTML)
                    assert answer.status_code < 500, (path, name, value)
        for path in ("/reports", "/improvement/measures", "/surveys", "/dashboard"):
            for value in STRANGE:
                answer = await client.get(f"{path}/{value}", headers=HTML)
                assert answer.status_code < 500, (path, value)
