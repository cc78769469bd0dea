"""The officers' queue: its order, who sees what, several cases at once and back, and that it changes by itself."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from services.routing import store
from services.routing.store.staff import Officer
from shared.events import (
    ClockExtended,
    ClockMet,
    ClockMoved,
    ClockPaused,
    ClockResumed,
    ClockStarted,
    ClockStep,
    DeadlineMissed,
)
from tests.component.routing.browsing import Browser, plain, references
from tests.component.routing.conftest import NOW, complaint_id

SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


def started(n: int, hours: float, **more: Any) -> ClockStarted:
    steps = (
        ClockStep(name="acknowledge", due_at=NOW + timedelta(hours=hours)),
        ClockStep(name="final", due_at=NOW + timedelta(days=40)),
    )
    return ClockStarted(**{**about(n), "pack": "p", "pack_version": "1", "started_at": NOW, "steps": steps, **more})


def about(n: int) -> dict[str, Any]:
    return {"complaint_id": complaint_id(n), "clock_id": f"clock-{n}"}


def ref(n: int) -> str:
    return f"261102-AAAA-{n:05d}"


async def works_in(routing: Any, who: str, department: str) -> None:
    async with routing.db.transaction() as tx:
        tx.add(Officer(id=f"key:{who}", department=department))


async def test_the_queue_is_in_the_order_of_the_time_left_whatever_came_first(routing: Any, make: Any) -> None:
    await routing.hear(started(2, -30), make.received(1))  # the clock of the second before its case
    await routing.hear(started(1, 30), make.received(2), make.received(3), make.received(4), started(3, 2))
    browser = Browser(routing, "officer")
    page = await browser.page("/queue?tab=all")
    assert references(page) == [ref(2), ref(3), ref(1), ref(4)]
    for words in ("Overdue by 30 hours", "2 hours left", "30 hours left", "Nothing is due"):
        assert words in plain(page)
    assert "✕" in page, "not by colour alone"

    met = ClockMet(**about(2), step="acknowledge", due_at=NOW, met_at=NOW, in_time=False)
    more = NOW + timedelta(hours=90)
    extended = ClockExtended(
        **about(3),
        step="acknowledge",
        was_due_at=NOW,
        due_at=more,
        reason="x",
        approved_by="a",
        notice_required=False,
        extended_at=NOW,
    )
    paused = ClockPaused(**about(1), reason="waiting", since=NOW, paused_at=NOW)
    missed = DeadlineMissed(**about(4), step="final", due_at=NOW - timedelta(days=9), missed_at=NOW)  # never heard of
    await routing.hear(met, extended, paused, missed)
    page = await browser.page("/queue?tab=all")
    assert references(page) == [ref(4), ref(3), ref(2), ref(1)]
    assert "Overdue by 9 days" in plain(page)
    assert "The clock stands still" in plain(page)

    soon = (ClockStep(name="final", due_at=NOW + timedelta(minutes=20)),)
    await routing.hear(
        ClockResumed(**about(1), since=NOW, steps=soon, resumed_at=NOW),
        ClockMoved(**about(4), started_at=NOW, steps=(), moved_at=NOW),
    )
    page = await browser.page("/queue?tab=all")
    assert references(page) == [ref(1), ref(3), ref(2), ref(4)]
    assert "20 minutes left" in plain(page)
    assert (await routing.case(1))["version"] == 1, "a clock is in nobody's way"


@SQLITE
async def test_a_later_primary_clock_takes_the_place_of_the_one_before(routing: Any, make: Any) -> None:
    await routing.hear(make.received(1), started(1, 1), started(1, 7, clock_id="bank", primary=False))
    await routing.hear(started(1, 50, clock_id="later"))
    assert "7 hours left" in plain(await Browser(routing, "officer").page("/queue?tab=all"))


async def test_tabs_filters_pages_and_search_find_what_is_wanted(routing: Any, make: Any) -> None:
    await works_in(routing, "officer", "cards")
    events = [make.received(n, channel="email" if n % 2 else "phone", branch=None) for n in range(1, 56)]
    await routing.hear(*events, make.received(60, "The mobile app crashed again", product="mobile_app"))
    elsewhere = (await routing.case(60))["department"]
    assert elsewhere != "cards"
    officer = Browser(routing, "officer")
    await officer.send(
        "/queue/bulk", verb="claim", case=[f"{complaint_id(1)}:1", f"{complaint_id(2)}:1", f"{complaint_id(60)}:1"]
    )
    assert references(await officer.page("/queue")) == [ref(1), ref(2), ref(60)], "an officer's own first"
    first = await officer.page("/queue?tab=department")
    assert len(references(first)) == 50
    following = first.split('class="button second" href="')[1].split('"')[0].replace("&amp;", "&")
    assert references(await officer.page(following)) == [ref(n) for n in range(51, 56)]
    assert ref(1) not in references(await officer.page("/queue?tab=unassigned"))
    odd = references(await officer.page("/queue?tab=unassigned&channel=email"))
    assert odd == [ref(n) for n in range(3, 56, 2)]
    assert references(await officer.page("/queue?tab=all&state=in_progress")) == [ref(1), ref(2), ref(60)]
    assert references(await officer.page(f"/queue?tab=all&department={elsewhere}")) == [ref(60)]
    assert references(await officer.page("/queue?tab=all&vulnerable=1")) == []
    assert references(await officer.page("/queue?tab=all&state=nonsense&cursor=")) != []
    assert "does not say where you work" in await Browser(routing, "supervisor").page("/queue?tab=department")

    found = await officer.get(f"/queue?q={ref(7).lower()}")
    assert (found.status_code, found.headers["location"]) == (303, f"/cases/{complaint_id(7)}")
    assert "No case has the reference 261102-XXXX" in plain(await officer.page("/queue?q=261102-XXXX"))


@SQLITE
async def test_who_sees_the_queue_and_who_may_act(routing: Any, make: Any) -> None:
    await routing.hear(make.received(1))
    assert (await Browser(routing, "agent").get("/queue")).status_code == 403
    assert (await routing.http.get("/queue", headers={"accept": "text/html"})).status_code == 401
    foreign = dict((await Browser(routing, "officer").signed_in()).headers) | {"x-form-token": "0" * 64}
    sent = await routing.http.post("/queue/bulk", headers=foreign, data={"verb": "claim", "case": complaint_id(1)})
    assert sent.status_code == 403, "another site's form"
    for who, acts, assigns in (
        ("officer", True, False),
        ("supervisor", True, True),
        ("manager", True, True),
        ("auditor", False, False),
        ("admin", False, False),
    ):
        page = await Browser(routing, who).page("/queue?tab=all")
        assert references(page) == [ref(1)]
        assert ('name="case"' in page, 'value="assign"' in page) == (acts, assigns), who
        assert "late fee" not in page, "nothing that was said is in a list"
    box = f"{complaint_id(1)}:1"
    assert (await Browser(routing, "auditor").send("/queue/bulk", verb="claim", case=box)).status_code == 403
    assert (await Browser(routing, "agent").get("/queue/live")).status_code == 403
    # an officer who asks for what is a supervisor's is told so
    sent = await Browser(routing, "officer").send("/queue/bulk", verb="assign", assignee="key:colleague", case=box)
    page = plain(await Browser(routing, "officer").page(sent.headers["location"]))
    assert "1 case did not" in page
    assert "This is for a supervisor or manager." in page
    assert (await routing.case(1))["assignee"] is None


async def test_several_at_once_say_what_became_of_each_and_are_taken_back(routing: Any, make: Any) -> None:
    await routing.hear(*(make.received(n) for n in range(1, 5)))
    await routing.do("claim", n=3, who="colleague")
    officer = Browser(routing, "officer")
    boxes = [f"{complaint_id(n)}:{version}" for n, version in ((1, 1), (2, 1), (3, 2), (4, 99))]
    sent = await officer.send("/queue/bulk?tab=all", verb="claim", case=boxes)
    assert sent.status_code == 303
    page = plain(await officer.page(sent.headers["location"]))
    assert "2 cases succeeded" in page
    assert f"{ref(3)} : colleague works on it already." in page
    assert f"{ref(4)} : The case has changed since you opened it." in page
    assert [(await routing.case(n))["assignee"] for n in (1, 2, 3, 4)] == ["key:officer"] * 2 + ["key:colleague", None]

    await routing.do("note", {"text": "Looked at it."}, n=2, who="supervisor")
    action = sent.headers["location"].partition("?")[0]
    other = Browser(routing, "supervisor")
    assert (await other.send(f"{action}/undo")).status_code == 404, "only one's own"
    undone = await officer.send(f"{action}/undo?tab=all")
    assert undone.status_code == 303
    page = plain(await officer.page(undone.headers["location"]))
    assert "This was taken back." in page
    assert "Not taken back: somebody has changed it since." in page
    first, second = await routing.case(1), await routing.case(2)
    assert (first["state"], first["assignee"], first["version"]) == ("routed", None, 3)
    assert (second["state"], second["assignee"]) == ("in_progress", "key:officer")
    assert (await officer.send(f"{action}/undo")).status_code == 409
    assert (await routing.published(1))[-1][0] == "routed"
    assert [action for _, action, _ in await routing.audited(1) if action != "case.read"][-2:] == [
        "case.claim",
        "case.undone",
    ]


@SQLITE
async def test_a_transfer_of_several_goes_back_to_whom_it_was(routing: Any, make: Any) -> None:
    await routing.hear(make.received(1))
    await routing.do("claim", n=1)
    officer, was = Browser(routing, "officer"), await routing.case(1)
    box = f"{complaint_id(1)}:2"
    refused = await officer.send("/queue/bulk?tab=all", verb="transfer", case=box, to_department="lending")
    assert refused.status_code == 422
    assert "Reason: This is needed." in plain(refused.text)
    assert 'value="lending" selected' in refused.text, "what was chosen stays"
    assert f'value="{box}" checked' in refused.text, "and what was ticked"
    assert "Tick at least one case." in (await officer.send("/queue/bulk", verb="claim")).text
    sent = await officer.send(
        "/queue/bulk?tab=all", verb="transfer", case=box, to_department="lending", reason="A loan."
    )
    assert (await routing.case(1))["department"] == "lending"
    await officer.send(sent.headers["location"].replace("?", "/undo?"))
    now = await routing.case(1)
    same = ("department", "assignee", "assigned_at", "state")
    assert {name: now[name] for name in same} == {name: was[name] for name in same}
    assert [name for name, _ in await routing.published(1)][-3:] == ["transferred", "routed", "assigned"]


@SQLITE
async def test_views_are_kept_for_oneself(routing: Any) -> None:
    officer = Browser(routing, "officer")
    kept = await officer.send("/queue/views?tab=all&severity=high&cursor=x", name="Grave ones")
    assert kept.headers["location"] == "/queue?tab=all&severity=high&kept=1#".rstrip("#")
    page = await officer.page("/queue")
    assert 'href="/queue?tab=all&amp;severity=high">Grave ones</a>' in page
    assert "Grave ones" not in await Browser(routing, "colleague").page("/queue")
    assert (await officer.send("/queue/views?tab=all")).status_code == 422, "a view has a name"
    async with routing.db.reading() as session:
        [view] = await store.queue.views(session, "key:officer")
    assert (await Browser(routing, "colleague").send(f"/queue/views/{view.id}/drop")).status_code == 404
    assert (await officer.send(f"/queue/views/{view.id}/drop?tab=all")).status_code == 303
    assert "Grave ones" not in await officer.page("/queue")


async def test_an_open_queue_hears_of_a_new_case_within_two_seconds(routing: Any, make: Any, eventually: Any) -> None:
    """Driven past httpx, whose transport waits for the end of an answer."""
    await works_in(routing, "officer", "cards")
    said: list[bytes] = []
    gone = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        said.append(message.get("body", b""))

    app: Any = routing.http._transport.app
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": "/queue/live",
        "query_string": b"tab=department",
        "headers": (await Browser(routing, "officer").signed_in()).headers.raw,
    }
    stream = asyncio.create_task(app(scope, receive, send))
    try:
        assert await eventually(lambda: b"retry: 2000\n\n" in said)
        await routing.hear(make.received(1))
        told = b"event: change\ndata: 1\n\n"
        assert await eventually(lambda: told in said, within=2.0), said
        said.clear()
        await routing.hear(make.received(2, "The mobile app crashed again", product="mobile_app", branch=None))
        await routing.do("transfer", {"department": "lending", "text": "A loan."}, n=1)
        assert await eventually(lambda: told in said, within=2.0), "one that leaves the queue changes it too"
        assert said.count(told) == 1, "another department's does not"
    finally:
        gone.set()
        stream.cancel()
        await asyncio.gather(stream, return_exceptions=True)
        app.state.live_queue.end()
