"""Pages of clocks: deadlines explained in words, extended by those who may, and listed in the order in which they fall
due."""

import re
from dataclasses import replace
from datetime import timedelta
from html import unescape
from typing import Any

import pytest

from services.sla import store
from services.sla.usecases import views
from services.sla.usecases.current import Current
from tests.component.sla.browsing import Browser
from tests.component.sla.conftest import RECEIVED, complaint_id

ID = complaint_id(1)
PAGE = f"/clocks/{ID}"
SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
READERS = ("officer", "supervisor", "manager", "auditor", "admin")
LANGUAGES = ("en", "zh-Hant", "zh-Hans")


def words_of(page: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))


@SQLITE
async def test_a_clock_is_explained_in_words(web: Any, sla: Any, make: Any) -> None:
    await sla.hear(make.received(jurisdiction="hk"), make.routed())
    await sla.engine(day=8)
    await sla.hear(make.acknowledged(day=8.1))
    sla.now[0] = RECEIVED + timedelta(days=26)
    reader = Browser(web.app, web.tokens["auditor"])

    said = words_of(await reader.read(PAGE))

    assert "Clocks of 260301-AAAA-AAAAA" in said
    assert "Received 1 Mar 2026 10:00 (Asia/Hong_Kong). That day is not counted, so day 1 is 2 Mar 2026." in said
    assert "Calendar day 7 is 8 Mar 2026: in time until the end of that day, 8 Mar 2026 23:59." in said
    assert "The pack is for this jurisdiction: hk. Its version 2023-01-06 was in force on the day of receipt" in said
    assert "HKMA Supervisory Policy Manual IC-4, Complaints Handling and Redress: IC-4, final response" in said
    assert "not checked in the rule's own text" in said
    for state in ("✓ Met late", "→ Running"):
        assert state in said, "a mark beside the words, not colour alone"
    assert "4 days left" in said
    assert await reader.forms(PAGE) == {}, "auditors change nothing"

    part = await reader.read(f"/parts/clocks/{ID}")
    assert "<html" not in part
    assert "<form" not in part
    assert '<h3 id="clock-' in part
    assert "Calendar day 60 is 30 Apr 2026" in words_of(part)
    assert "No clock runs" in await reader.read("/parts/clocks/nobody")
    assert (await reader.get("/clocks/nobody")).status_code == 404


@SQLITE
async def test_days_that_are_not_counted_are_named(web: Any, sla: Any, make: Any, whole_policies: Any) -> None:
    in_china = tuple(replace(p, calendar="cn") if p.id == "bank-service" else p for p in whole_policies.packs)
    sla.current.policies = replace(whole_policies, packs=in_china)
    web.app.state.current = sla.current
    await sla.hear(make.received(received_at=RECEIVED + timedelta(days=55)))
    said = words_of(await Browser(web.app, web.tokens["officer"]).read(PAGE))
    assert "Business day 10 is 12 May 2026" in said
    assert "Not counted: 4 weekend days 1 May 2026: Labor Day" in said
    assert "Counted although it looks free: 9 May 2026: make-up workday" in said


@SQLITE
async def test_pages_are_for_staff_in_every_language(web: Any, sla: Any, make: Any) -> None:
    await sla.hear(make.received(), make.routed())
    for who in READERS:
        reader = Browser(web.app, web.tokens[who])
        for path in (PAGE, "/at-risk"):
            page = await reader.get(path)
            assert page.status_code == 200
            assert len(page.content) < 100_000
            assert ("/subscriptions" in page.text) == (who != "officer"), "tabs are those that one may open"
    for language in LANGUAGES:
        for path in (PAGE, f"/parts/clocks/{ID}", "/at-risk"):
            page = await Browser(web.app, web.tokens["officer"]).read(f"{path}?lang={language}")
            assert ("Due " in words_of(page)) == (language == "en")
    for path in (PAGE, f"/parts/clocks/{ID}", "/at-risk"):
        assert (await web.http.get(path)).status_code == 401
        assert (await Browser(web.app, web.tokens["agent"]).get(path)).status_code == 403


@SQLITE
async def test_a_supervisor_extends_within_the_rule(web: Any, sla: Any, make: Any, whole_policies: Any) -> None:
    sla.current.policies = whole_policies
    web.app.state.current = Current(whole_policies)
    await sla.hear(make.received(jurisdiction="cn-nfra"), make.routed())
    clock = (await web.get(f"/v1{PAGE}")).json()["clock_id"]
    action = f"{PAGE}/{clock}/extend"
    for who in ("officer", "auditor", "admin"):
        assert await Browser(web.app, web.tokens[who]).forms(PAGE) == {}
    head = Browser(web.app, web.tokens["supervisor"])
    due = (await web.get(f"/v1{PAGE}")).json()["steps"][-1]["due_local"][:10]

    early = await head.send(PAGE, action, until=due, reason="Records are abroad", code="complex")
    assert early.status_code == 422
    assert "This is no later than the deadline that stands." in early.text
    assert "Records are abroad" in early.text, "what was typed stays"
    far = await head.send(PAGE, action, until="2027-12-31", reason="Records are abroad", code="complex")
    assert (far.status_code, "The rule does not permit so long" in far.text) == (422, True)

    later = re.search(r"until (\d+ \w+ \d{4});", words_of(await head.read(PAGE)))
    assert later, "how far the rule goes is told"
    until = str(timedelta(days=5) + RECEIVED.fromisoformat(f"{due}T00:00:00+00:00"))[:10]
    sent = await head.send(PAGE, action, until=until, reason="Records are abroad", code="complex")
    assert (sent.status_code, sent.headers["location"]) == (303, f"{PAGE}?kept=1")
    assert (await web.get(f"/v1{PAGE}")).json()["steps"][-1]["extended_to"] == until
    assert "This was extended: the last day in time is" in await head.read(PAGE)

    stale = await head.http.post(action, data={"step": "final", "until": until, "reason": "r", "version": "1"})
    assert (stale.status_code, "has changed since you opened" in stale.text) == (409, True)
    for who in ("auditor", "admin"):
        refused = Browser(web.app, web.tokens[who])
        assert (await refused.http.post(action, data={"step": "final"})).status_code == 403


async def test_what_falls_due_first_comes_first(web: Any, sla: Any, make: Any, id_of: Any) -> None:
    days = [7, 3, 0, 5, 1]
    sla.now[0] = RECEIVED + timedelta(days=10)
    for n, day in enumerate(days, start=1):
        routed = make.routed(n, day, "lending" if n == 2 else "cards")
        await sla.hear(make.received(n, day, reference=f"REF-{n}"), routed)
    reader = Browser(web.app, web.tokens["officer"])

    def shown(page: str) -> list[tuple[str, str]]:
        rows = re.findall(r"<tr>.*?</tr>", page, re.S)[1:]
        return [(m[1], "late" in words_of(row)) for row in rows if (m := re.search(r"(REF-\d)", row))]

    page = await reader.read("/at-risk?step=acknowledge")
    assert [ref for ref, _ in shown(page)] == ["REF-3", "REF-5", "REF-2", "REF-4", "REF-1"]
    assert [late for _, late in shown(page)] == [True, True, False, False, False]
    assert [ref for ref, _ in shown(await reader.read("/at-risk?within=late"))] == ["REF-3", "REF-5"]
    assert [ref for ref, _ in shown(await reader.read("/at-risk?within=today"))] == ["REF-2"]
    two = await reader.read("/at-risk?within=two_days&step=acknowledge")
    assert [ref for ref, _ in shown(two)] == ["REF-2", "REF-4"][: len(shown(two))]
    assert [ref for ref, _ in shown(await reader.read("/at-risk?department=lending"))] == ["REF-2"] * 3
    tiles = re.findall(r"<dd>(\S+?)</dd>", page)
    assert tiles == ["2", "1", "3"]
    assert f'href="/clocks/{id_of(3)}"' in page
    assert (await reader.get("/at-risk?within=ever")).status_code == 422

    found, cursor = [], None
    async with sla.db.reading() as session:
        while cursor or not found:
            one, cursor = await views.by_due(
                session, department="cards", step="acknowledge", window=(None, None), cursor=cursor, limit=1
            )
            found += [step.reference for step in one]
        late = (None, sla.now[0])
        assert await store.count_due(session, department="cards", step=None, window=late, most=1) == (1, True)
        assert await store.count_due(session, department="lending", step=None, window=late, most=1) == (0, False)
    assert found == ["REF-3", "REF-5", "REF-4", "REF-1"], "a department's own, one by one"


@SQLITE
async def test_a_long_list_is_read_page_by_page(web: Any, sla: Any, make: Any) -> None:
    await sla.hear(*(make.received(n, n / 100, reference=f"REF-{n:03}") for n in range(1, 61)))
    reader = Browser(web.app, web.tokens["manager"])
    found, path = [], "/at-risk?step=final"
    while path:
        page = await reader.read(path)
        found.append(re.findall(r'class="nowrap">\s*(REF-\d+)', page))
        following = re.search(r'href="([^"]+)">Next page', page)
        path = following[1].replace("&amp;", "&") if following else ""
    assert [len(one) for one in found] == [50, 10]
    assert len({ref for one in found for ref in one}) == 60
