"""Pages of packs, calendars, notices, posts and subscriptions: who may look, who may change, and that it is audited."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from services.sla import store
from services.sla.calendars import load as load_calendars
from services.sla.calendars.sources import sources
from services.sla.packs import load as load_packs
from services.sla.usecases.current import Current
from tests.component.sla.browsing import Browser, forms_of
from tests.component.sla.conftest import RECEIVED
from tests.component.sla.test_clock_pages import LANGUAGES, SQLITE, words_of

PAGES = ("/packs", "/packs/hk-hkma/2023-01-06", "/calendars", "/calendars/hk", "/notices", "/posts", "/subscriptions")
POST = {"id": "cards-head", "role": "supervisor", "department": "cards", "holder": "s-1042", "deputy": "s-2077"}


@pytest.fixture
def browse(web: Any) -> Any:
    return lambda who: Browser(web.app, web.tokens[who])


async def audited(sla: Any) -> list[tuple[str, str, str]]:
    trail = sla.db.tables.audit
    async with sla.db.reading() as session:
        rows = await session.execute(select(trail.c.actor, trail.c.action, trail.c.subject).order_by(trail.c.seq))
        return [(actor, action, subject) for actor, action, subject in rows if not action.startswith("key.")]


@SQLITE
async def test_each_role_sees_what_is_its_own(web: Any, browse: Any) -> None:
    changing = {"officer": set(), "auditor": set(), "manager": {"/feeds"}, "supervisor": {"/feeds", "/posts"}}
    changing["admin"] = {"/feeds", "/posts", "/subscriptions", "/packs/hk-hkma/2023-01-06/confirm"}
    changing["admin"].add("/calendars/hk/confirm")
    for who, expected in changing.items():
        reader, found = browse(who), set[str]()
        for path in PAGES:
            if (path, who) == ("/subscriptions", "officer"):
                assert (await reader.get(path)).status_code == 403
                continue
            page = await reader.get(path)
            assert page.status_code == 200, (who, path)
            assert len(page.content) < 100_000
            found |= forms_of(page.text).keys()
        assert found == expected, who
    for action in (*changing["admin"], "/posts/x/remove", "/notices/01900000-0000-7000-8000-000000000001/retry"):
        for who in ("auditor", "officer", "agent"):
            assert (await browse(who).http.post(action, data={"id": "x"})).status_code == 403, (who, action)
    for path in PAGES:
        assert (await web.http.get(path)).status_code == 401
        assert (await browse("agent").get(path)).status_code == 403
        for language in LANGUAGES:
            assert (await browse("admin").get(f"{path}?lang={language}")).status_code == 200


async def test_an_edition_is_confirmed_once_and_by_name(web: Any, sla: Any, browse: Any) -> None:
    for page, subject in (("/packs/hk-hkma/2023-01-06", "hk-hkma"), ("/calendars/hk", "hk")):
        admin, kind = browse("admin"), page[1:].partition("s/")[0]
        assert "Nobody of the bank has confirmed this edition." in await admin.read(page)
        empty = await admin.send(page, f"{page}/confirm")
        assert (empty.status_code, 'id="confirm-note-wrong"' in empty.text) == (422, True)
        other = await admin.http.post(f"{page}/confirm", data={"edition": "0" * 12, "note": "the text"})
        assert (other.status_code, "goes by another edition" in other.text) == (409, True)
        (form,) = (await admin.forms(page))[f"{page}/confirm"]
        for _ in range(2):
            filled = form | {"note": "Compared with the text; call 9123 4567"}
            assert (await admin.http.post(f"{page}/confirm", data=filled)).status_code == 303
        ((actor, action, _),) = (entry for entry in await audited(sla) if entry[2] == subject)
        assert action == f"{kind}.confirmed"
        said = words_of(await browse("officer").read(page))
        assert f"Confirmed by {actor}, 1 Mar 2026 10:00. Compared with the text; call [phone]" in said
    changed = load_packs("hk-hkma").pack("hk-hkma", "2023-01-06")
    assert changed is not None
    stands = web.app.state.current.policies.pack("hk-hkma", "2023-01-06")
    assert changed.edition != stands.edition, "the tests' own pack warns less"
    web.app.state.current = Current(load_packs("hk-hkma"))
    assert "Nobody of the bank has confirmed" in await browse("admin").read("/packs/hk-hkma/2023-01-06")


@SQLITE
async def test_a_complaint_is_tried_and_nothing_is_kept(web: Any, sla: Any, browse: Any) -> None:
    said = words_of(await browse("officer").read("/packs?pack=hk-hkma&received=2026-03-01T10:00"))
    assert "Acknowledgement Due 8 Mar 2026 23:59" in said
    assert "Final response Due 30 Apr 2026 23:59" in said
    assert "day 1 is 2 Mar 2026" in said
    web.app.state.current = Current(load_packs("hk-hkma"))
    said = words_of(await browse("officer").read("/packs?pack=bank-service&received=2026-03-01T10:00"))
    assert "The pack is the bank's own standard." in said
    assert "Business day 10 is 13 Mar 2026" in said
    assert await sla.scalar("SELECT count(*) FROM clock") == 0
    assert await audited(sla) == []
    for query, wrong in (("pack=none&received=2026-03-01T10:00", "pack"), ("pack=hk-hkma&received=1", "received")):
        answer = await browse("officer").get(f"/packs?{query}")
        assert (answer.status_code, f'id="simulate-{wrong}-wrong"' in answer.text) == (422, True)


@SQLITE
async def test_a_calendar_tells_its_holidays_and_what_the_bank_changes(web: Any, browse: Any, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('# ours\n[hk.close]\n2026-09-08 = "Tropical cyclone"\n')
    web.app.state.calendar_sources = sources(own)
    web.app.state.current = Current(load_packs("hk-hkma", calendars=load_calendars(own)))
    said = words_of(await browse("auditor").read("/calendars/hk"))
    assert "Closed 8 Sept 2026: Tropical cyclone (own.toml:3)" in said
    assert "Sept 2026 8 Sept Tropical cyclone" in said, "in the list of its month"
    assert "General holidays (Cap. 149)" in said
    assert re.search(r"Jan 2027 1 Jan .*? · provisional", said)
    assert (await browse("auditor").get("/calendars/atlantis")).status_code == 404


@SQLITE
async def test_posts_change_by_forms(web: Any, sla: Any, browse: Any) -> None:
    head = browse("supervisor")
    assert (await head.send("/posts", "/posts", **POST)).status_code == 303
    again = await head.send("/posts", "/posts", **POST)
    assert (again.status_code, "Another post has this name already." in again.text) == (422, True)
    page, away = "/posts/cards-head", "/posts/cards-head/absences"
    assert "s-1042 (holds the post)" in words_of(await head.read(page))
    backwards = await head.send(page, away, whose="holder", first="2026-03-09", last="2026-03-01")
    assert (backwards.status_code, "The last day is before the first." in backwards.text) == (422, True)
    assert (await head.send(page, away, whose="holder", first="2026-02-27", last="2026-03-09")).status_code == 303
    assert "s-2077 (stands in)" in words_of(await head.read(page)), "while the holder is away the deputy is reached"

    stale = (await head.forms(page))[page][0]
    change = {**POST, "holder": "s-3000", "quiet_start": "20:00", "quiet_end": "08:00", "weekends": "yes"}
    assert (await head.send(page, page, **change)).status_code == 303
    late = await head.http.post(page, data=stale | change | {"holder": "s-4000"})
    assert (late.status_code, "has changed since you opened" in late.text) == (409, True)
    said = words_of(await browse("auditor").read(page))
    assert "s-3000" in said
    assert "20:00–08:00 · and at weekends" in said
    assert "27 Feb 2026 – 9 Mar 2026" in said, "absences stay"
    (kept,) = (await web.get("/v1/posts")).json()["items"]
    assert (kept["quiet"]["weekends"], len(kept["absences"]), kept["version"]) == (True, 1, 3)

    assert (await head.send(page, away)).status_code == 303, "the first form of the list takes an absence out"
    assert (await head.send(page, f"{page}/remove")).status_code == 303
    assert (await head.get(page)).status_code == 404
    actions = [action for _, action, subject in await audited(sla) if subject == "cards-head"]
    assert actions == ["post.created", *["post.changed"] * 3, "post.deleted"]


@SQLITE
async def test_a_secret_is_shown_once(web: Any, sla: Any, browse: Any) -> None:
    admin = browse("admin")
    wanted = {"name": "Operations", "format": "webhook", "url": "https://bank.example/deadlines", "language": "en"}
    bad = await admin.send("/subscriptions", "/subscriptions", **{**wanted, "url": "http://10.0.0.1/x"})
    assert (bad.status_code, 'id="subscribe-url-wrong"' in bad.text) == (422, True)
    made = await admin.send("/subscriptions", "/subscriptions", **wanted, kinds="missed escalation", department="cards")
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    (secret,) = re.findall(r"whsec_[A-Za-z0-9+/=]+", made.text)
    chat = {**wanted, "format": "slack", "name": "Cards", "url": "https://hooks.slack.com/services/T0/B0/hidden"}
    assert (await admin.send("/subscriptions", "/subscriptions", **chat)).status_code == 303

    page = await browse("auditor").read("/subscriptions")
    assert "Operations" in page
    for hidden in (secret, "/services/T0"):
        assert hidden not in page
    assert "Operations" not in await browse("manager").read("/subscriptions"), "only feeds are theirs"
    actions = await admin.forms("/subscriptions")
    (rotate,) = (a for a in actions if a.endswith("/rotate"))
    turned = await admin.send("/subscriptions", rotate)
    assert re.findall(r"whsec_[A-Za-z0-9+/=]+", turned.text) not in ([], [secret])
    for verb, words in (("test", None), ("off", "switched off")):
        assert (await admin.send("/subscriptions", rotate.replace("rotate", verb))).status_code == 303
        assert words is None or words in await admin.read("/subscriptions")

    feed = await browse("manager").send("/subscriptions", "/feeds", department="cards")
    (address,) = re.findall(r"http://sla(/v1/feeds/[\w-]+\.ics)", feed.text)
    assert (await web.http.get(address)).status_code == 200
    off = next(a for a in await admin.forms("/subscriptions") if a.startswith("/feeds/"))
    assert (await admin.send("/subscriptions", off)).status_code == 303
    assert (await web.http.get(address)).status_code == 404


@SQLITE
async def test_what_could_not_be_told_is_sent_again(web: Any, sla: Any, make: Any, browse: Any) -> None:
    await sla.hear(make.received(), make.routed())
    await sla.engine(day=8)
    async with sla.db.transaction() as tx:
        notices = store.metadata.tables["notice"]
        await tx.execute(notices.update().values(state="failed", reason="no mailbox", attempts=3, next_at=None))
    assert (await browse("officer").forms("/notices")) == {}
    head = browse("supervisor")
    page = await head.read("/notices?state=failed")
    assert "3 attempts: no mailbox" in words_of(page)
    action = next(iter(await head.forms("/notices?state=failed")))
    assert (await head.send("/notices?state=failed", action)).status_code == 303
    assert action not in await head.read("/notices?state=failed")
    again = await head.http.post(action, data={"again": "1"})
    assert (again.status_code, "Only a notice that has failed" in again.text) == (409, True)
    assert ("notice.retried") in [action for _, action, _ in await audited(sla)]
    sla.now[0] = RECEIVED + timedelta(days=9)
