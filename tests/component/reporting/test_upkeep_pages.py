"""What every service has for auditors and admins, looked at in one of them: audit trail, verification, keys, parked
events."""

import re
from datetime import timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import select, text

from services.reporting import consumers, store
from services.reporting.usecases import record
from shared import audit
from shared.bus import Message
from shared.events import TOPICS
from shared.security import keys
from tests.component.reporting.conftest import NOW, message
from tests.component.reporting.test_improvement_pages import SQLITE, signed_in

ID = "01900000-0000-7000-8000-000000000001"
EMPTY = {"form_token": ""}
SEQ = re.compile(r'<td class="number">([\d,]+)</td>')


async def enter(bench: Any, *entries: tuple[str, str, str, float], detail: Any = None) -> None:
    """Entries, each by whom, what, to what, and how many days ago."""
    async with bench.db.transaction() as tx:
        for actor, action, subject, days in entries:
            audit.add(tx, actor, action, subject, now=NOW - timedelta(days=days), detail=detail)


def numbers(page: str) -> list[int]:
    return [int(seq.replace(",", "")) for seq in SEQ.findall(page)]


async def test_the_trail_is_read_newest_first_page_by_page_and_narrowed(bench: Any) -> None:
    await enter(bench, *[("anna", "case.read", f"c-{n}", 60 - n / 2) for n in range(110)])
    moved = {"before": "routed", "changed": {"assignee": [None, "ben"]}, "scopes": ["a", "b", "c"]}
    await enter(bench, ("ben", "case.assign", ID, 1), detail=moved)
    await enter(bench, ("<b>eve", "case.read_all", "c-1", 0))
    async with await signed_in(bench, "auditor") as client:  # whose key is entry 113
        page = (await client.get("/audit?lang=en")).text
        assert numbers(page) == list(range(113, 63, -1))
        assert "<dt>assignee</dt><dd>– → ben</dd>" in page
        assert "<dt>scopes</dt><dd>a, b, c</dd>" in page
        assert "&lt;b&gt;eve" in page
        following = re.search(r'href="([^"]+)" rel="next"', page)
        assert following is not None
        second = (await client.get(following.group(1).replace("&amp;", "&"))).text
        assert numbers(second) == list(range(63, 13, -1))

        async def found(**asked: str) -> list[int]:
            return numbers((await client.get("/audit", params=asked)).text)

        assert await found(actor="ben") == [111]
        assert await found(action="case.assign") == [111]
        assert await found(action="case.re", subject="c-1") == [112, 2]
        assert await found(action="case_") == [], "what stands for any sign in a query is an ordinary one here"
        # entry n was made 60 - (n - 1) / 2 days before noon of 30 June, in Hong Kong
        assert await found(**{"from": "2025-06-01", "to": "2025-06-02", "actor": "anna"}) == [65, 64, 63, 62]
        wrong = await client.get("/audit?from=2025-06-02&to=2025-06-01&lang=en")
        assert wrong.status_code == 422
        assert 'aria-invalid="true"' in wrong.text
        file = await client.get("/audit/export?actor=ben")
        assert [orjson.loads(line)["seq"] for line in file.text.splitlines()] == [111]
        assert file.headers["content-type"].startswith("application/x-ndjson")
        whole = [orjson.loads(line) for line in (await client.get("/audit/export")).text.splitlines()]
        assert audit.verify(whole, expected_head=await audit.head(bench.db)).broken_at is None
        assert whole[-1]["action"] == "audit.exported"
        for page in ("/keys", "/parked", "/audit/verification", "/audit/compliance"):
            assert (await client.get(page)).status_code == 200, "an auditor reads everything"
        for page in ("/keys", "/parked/replay", "/parked/1/settle", "/keys/aaaa/revoke"):
            assert (await client.post(page, data={"name": "x"})).status_code == 403, "and changes nothing"
    async with await signed_in(bench, "manager") as client:
        for page in ("/audit", "/audit/export", "/audit/verification", "/audit/compliance", "/parked", "/keys"):
            assert (await client.get(page)).status_code == 403


@SQLITE
async def test_a_page_looks_through_so_many_entries_and_no_more(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.web.upkeep.audit.AT_ONCE", 10)
    await enter(bench, ("ben", "case.read", "c-1", 2), *[("anna", "case.read", "c-2", 1)] * 15)
    async with await signed_in(bench, "admin") as client:
        page = (await client.get("/audit?actor=ben&lang=en")).text
        assert numbers(page) == []
        assert "10 entries were looked through, back to 29 Jun 2025" in page
        following = re.search(r'href="([^"]+)" rel="next"', page)
        assert following is not None
        assert numbers((await client.get(following.group(1).replace("&amp;", "&"))).text) == [1]


async def test_verification_finds_a_changed_entry_a_cut_end_and_one_too_many(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.web.upkeep.verification.SLICE", 7)
    await enter(bench, *[("anna", "case.read", "c-1", 1)] * 30)

    client = await signed_in(bench, "auditor")

    async def verdict() -> str:
        assert (await client.post("/audit/verification", data=EMPTY)).status_code == 303
        await bench.app.state.verifier.wait()
        return str((await client.get("/audit/verification?lang=en")).text)

    async def spoil(sql: str) -> None:
        async with bench.db.transaction() as tx:
            await tx.execute(text(sql))

    whole = await verdict()
    assert "The chain holds" in whole
    assert "31</dd>" in whole, "with the entry of the auditor's own key"
    assert "data-refresh" not in whole
    await spoil("UPDATE audit SET actor = 'nobody' WHERE seq = 20")
    assert "The chain is broken at entry 20." in await verdict()
    await spoil("UPDATE audit SET actor = 'anna' WHERE seq = 20")
    assert "The chain holds" in await verdict()
    await spoil("UPDATE audit_head SET hash = '" + "1" * 64 + "'")
    assert "The end of the chain is missing" in await verdict()
    await client.aclose()


@SQLITE
async def test_verification_finds_entries_that_nobody_has_linked(bench: Any) -> None:
    await enter(bench, ("anna", "case.read", "c-1", 1))
    async with bench.db.transaction() as tx:
        await tx.execute(text("INSERT INTO audit SELECT 99, at, actor, action, subject, detail, hash FROM audit"))
    bench.app.state.verifier.start("test")
    # who verifies cannot write that down behind such an entry: it is told in the log, and here
    verdict = await bench.app.state.verifier._walk()
    assert (verdict.broken_at, verdict.flaw) == (2, "beyond")
    await bench.app.state.verifier.stop()


@SQLITE
async def test_a_key_is_shown_once_replaced_and_ended(bench: Any) -> None:
    async with await signed_in(bench, "admin") as client:
        wrong = await client.post("/keys?lang=en", data={"name": "no name!", "roles": ["officer"], "days": "0"})
        assert wrong.status_code == 422
        assert 'id="create-name-wrong"' in wrong.text
        assert 'id="create-days-wrong"' in wrong.text
        assert 'value="officer" checked' in wrong.text, "what was chosen stays"
        assert (await client.post("/keys", data={"name": "nothing"})).status_code == 422
        assert (await client.post("/keys", data={"name": "boss", "roles": "emperor"})).status_code == 422
        made = await client.post("/keys", data={"name": "chat", "scopes": "complaints:write", "channels": "web_chat"})
        assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
        token = re.search(r"rdk_[0-9a-f]{10}_[A-Za-z0-9_-]+", made.text)
        assert token is not None
        listed = (await client.get("/keys?lang=en")).text
        assert "chat" in listed
        assert "never" in listed
        assert token.group() not in listed
        twice = await client.post("/keys?lang=en", data={"name": "chat", "scopes": "complaints:read"})
        assert "A key of this name is in use" in twice.text
        id = token.group()[4:14]
        replaced = await client.post(f"/keys/{id}/rotate", data={"overlap": "24"})
        assert replaced.status_code == 201
        new = re.search(r"rdk_([0-9a-f]{10})_", replaced.text)
        assert new is not None
        ring = bench.app.state.authenticator.keys
        assert (await ring.check(token.group())).channels == {"web_chat"}
        assert ring.remembered(token.group()) is not None
        assert 'action="/keys/' in (await client.get(f"/keys/{id}")).text
        assert (await client.post(f"/keys/{id}/revoke", data=EMPTY)).status_code == 303
        assert ring.remembered(token.group()) is None, "not even for the seconds for which keys are remembered"
        assert (await client.get(f"/keys/{id}")).status_code == 404
        assert (await client.get(f"/keys/{new.group(1)}")).status_code == 200
    async with bench.db.transaction() as tx:
        old = NOW - timedelta(days=400)
        await keys.create(tx, store.tables, keys.NewKey("old", roles=["officer"]), actor="test", now=old)
    async with await signed_in(bench, "auditor") as client:
        listed = (await client.get("/keys?lang=en")).text
        assert listed.count("over a year old") == 1
        assert '<form class="entry"' not in listed


@SQLITE
async def test_parked_events_are_replayed_and_settled(
    bench: Any, a_story: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handler fails for one complaint; its later events wait behind; a second message cannot be read at all."""
    first, *later = [e for e in a_story(channel="phone") if e.type in consumers.HANDLED][:3]
    real = record.record

    async def failing(*args: Any, **more: Any) -> None:
        raise RuntimeError("a name that must not be told")

    monkeypatch.setattr(record, "record", failing)
    await bench.consumer().process([message(first.source.rpartition("/")[2], first)])
    monkeypatch.setattr(record, "record", real)
    await bench.consumer().process([message(e.source.rpartition("/")[2], e) for e in later])
    await bench.consumer().process([Message(TOPICS["intake"], "c-9", b"Mrs Chan, 9123 4567")])

    async def waiting() -> int:
        async with bench.db.reading() as session:
            found = await session.execute(select(store.tables.parked.c.id).where(_parked.settled_at.is_(None)))
        return len(found.all())

    _parked = store.tables.parked.c
    assert await waiting() == len(later) + 2
    async with await signed_in(bench, "auditor") as client:
        page = (await client.get("/parked?lang=en")).text
        assert page.count('<th scope="row">') == 2, "those that wait behind are counted with the one ahead"
        assert f'<td class="number">{len(later)}</td>' in page
        for hidden in ("must not be told", "Mrs Chan", "/parked/replay"):
            assert hidden not in page
        links = re.findall(r'href="(/parked/\d+)"', page)
        assert "Mrs Chan" not in (await client.get(links[1])).text
    async with await signed_in(bench, "admin") as client:
        sent = await client.post("/parked/replay", data=EMPTY)
        assert sent.status_code == 303, sent.text
        assert sent.headers["location"] == f"/parked?replayed={len(later) + 1}&failed=1&kept=1"
        told = (await client.get(sent.headers["location"] + "&lang=en")).text
        assert "1 failed again." in told
        assert await waiting() == 1
        assert (await client.post(links[0] + "/replay", data=EMPTY)).status_code == 404, "settled already"
        nothing = await client.post(links[1] + "/settle?lang=en", data={"reason": ""})
        assert nothing.status_code == 422
        assert 'id="settle-reason-wrong"' in nothing.text
        assert (await client.post(links[1] + "/settle", data={"reason": "sent by mistake"})).status_code == 303
        assert await waiting() == 0
        assert "Nothing is parked." in (await client.get("/parked?lang=en")).text
