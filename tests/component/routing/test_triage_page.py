"""The page of triage: one keystroke is a person's word and a lesson, taken back as long as nobody built on it."""

import re
from typing import Any

import pytest
from sqlalchemy import select

from services.routing.store import learning
from tests.component.routing.heads_browser import page, send

SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
UNSURE = "Xyzzy plugh, the thing about the matter."


async def _examples(routing: Any) -> list[tuple[str, str, str]]:
    async with routing.db.reading() as tx:
        rows = await tx.execute(select(learning.correction))
        return [(row.complaint_id, row.category, row.was) for row in rows]


async def test_a_word_is_a_lesson_until_it_is_taken_back(routing: Any, make: Any, id_of: Any) -> None:
    await routing.hear(*(make.received(n, narrative=f"{UNSURE} {n}", product=None) for n in (1, 2, 3)))
    before = await routing.case(1)
    assert before["state"] == "triage"
    found = (await page(routing, "/triage")).text
    assert f"{UNSURE} 1" in found, "the oldest first"
    assert f"{UNSURE} 2" not in found, "one at a time; the list beside it tells references alone"
    assert found.count("261102-AAAA-0000") >= 4
    keys = re.findall(r'name="category" value="(\w+)" data-key="(\d)"', found)
    assert [key for _, key in keys] == ["1", "2", "3", "4", "5", "6"]
    assert {code for code, _ in keys} == set(routing.http._transport.app.state.current.book.categories)

    sent = await send(routing, f"/triage/{id_of(1)}", category="channel", version=before["version"], department="all")
    assert sent.status_code == 303, sent.text
    after = await routing.case(1)
    assert (after["state"], after["category"], after["decided_by"]) == ("routed", "channel", "person")
    assert after["department"] == "digital_banking", "by the routing table, as the button said"
    assert await _examples(routing) == [(id_of(1), "channel", before["category"])]

    told = (await page(routing, sent.headers["location"])).text
    assert "is now “Service channel”" in told
    assert f"{UNSURE} 2" in told, "the next one is there at once"
    undone = await send(routing, "/triage/undo", case=id_of(1), version=after["version"], department="all")
    assert undone.status_code == 303, undone.text
    restored = await routing.case(1)
    same = ("state", "category", "department", "confidence", "decided_by", "severity", "product", "routing_reason")
    assert {n: restored[n] for n in same} == {n: before[n] for n in same}
    assert await _examples(routing) == []
    assert [(name, data.get("category") or data.get("department")) for name, data in await routing.published(1)] == [
        ("classified", before["category"]),
        ("routed", before["department"]),
        ("classified", "channel"),
        ("routed", "digital_banking"),
        ("classified", before["category"]),
        ("routed", before["department"]),
    ]
    assert f"{UNSURE} 1" in (await page(routing, undone.headers["location"])).text
    assert [a for _, a, _ in await routing.audited(1) if a != "case.read"][-2:] == ["case.triage", "case.triage_undone"]
    twice = await send(routing, "/triage/undo", case=id_of(1), version=restored["version"], department="all")
    assert twice.status_code == 409


@SQLITE
async def test_what_others_built_on_is_not_taken_back(routing: Any, make: Any, id_of: Any) -> None:
    await routing.hear(
        make.received(1, narrative=UNSURE, product=None), make.received(2, narrative="You charged a fee.")
    )
    sent = await send(routing, f"/triage/{id_of(1)}", category="fees", version=1, department="all")
    version = (await routing.case(1))["version"]
    await routing.do("claim")
    location = sent.headers["location"]
    assert "Undo" not in (await page(routing, location)).text
    for v in (version, version + 1):
        late = await send(routing, "/triage/undo", case=id_of(1), version=v, department="all")
        assert late.status_code == 409
        assert "somebody has worked on the case since" in late.text
    assert (await routing.case(1))["assignee"] == "key:officer"
    assert len(await _examples(routing)) == 1
    stale = await send(routing, f"/triage/{id_of(2)}", category="fees", version=7, department="all")
    assert (stale.status_code, "It has changed since you opened this page." in stale.text) == (409, True)


@SQLITE
async def test_who_reads_and_who_decides(routing: Any, make: Any, id_of: Any) -> None:
    await routing.hear(*(make.received(n, narrative=f"{UNSURE} {n}", product=None) for n in (1, 2)))
    first = (await page(routing, "/triage")).text
    cursor = re.search(r'data-key="s" href="/triage\?department=all&amp;after=([^"]+)"', first)
    assert cursor is not None
    skipped = (await page(routing, f"/triage?department=all&after={cursor.group(1)}")).text
    assert f"{UNSURE} 2" in skipped
    assert "Begin again with the oldest" in skipped
    seen = await page(routing, "/triage", me="auditor")
    assert UNSURE in seen.text
    assert "/triage/" not in seen.text, "no form to decide by"
    assert "triage.js" not in seen.text
    for who in ("manager", "admin", "officer", "agent"):
        assert (await page(routing, "/triage", me=who)).status_code == 403, "narratives are not for them here"
    for who in ("auditor", "manager", "officer"):
        assert (await send(routing, f"/triage/{id_of(1)}", me=who, category="fees", version=1)).status_code == 403
    assert (await routing.case(1))["state"] == "triage"
    assert ("key:auditor", "case.read") in [(who, what) for who, what, _ in await routing.audited(1)]
