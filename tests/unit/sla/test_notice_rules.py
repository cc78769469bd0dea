"""Whom a notice reaches when and with what: nothing lost, nothing twice, nobody woken for what can wait."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sla.domain.notice import (
    RETRY,
    SENT,
    Breaker,
    Filter,
    NewNotice,
    Outcome,
    Rules,
    Waiting,
    again_at,
    gather,
    judge,
    not_before,
    way_of,
)
from services.sla.domain.post import Post, Quiet
from services.sla.gateways import chat
from services.sla.gateways.words import Line, Told, Writer
from services.sla.store.notices import NoticeRow
from shared.outbound import Answer

HONG_KONG = ZoneInfo("Asia/Hong_Kong")
NOON = datetime(2026, 3, 3, 4, 0, tzinfo=UTC)
WINDOW = Rules().window
MINUTES = st.integers(-600, 600).map(lambda m: timedelta(minutes=m))


@st.composite
def waitings(draw: st.DrawFn) -> list[Waiting]:
    many = draw(st.lists(st.tuples(st.booleans(), MINUTES), max_size=30))
    return [Waiting(str(n), urgent, NOON + offset) for n, (urgent, offset) in enumerate(many)]


@settings(max_examples=300)
@given(waitings())
def test_each_notice_is_in_one_message_or_waits_on(them: list[Waiting]) -> None:
    messages = gather(them, now=NOON, window=WINDOW)
    told = [id for message in messages for id in message.ids]
    assert len(told) == len(set(told))
    by_id = {w.id: w for w in them}
    assert {w.id for w in them if w.next_at <= NOON} <= set(told), "what is due goes"
    assert all(by_id[id].next_at <= NOON + WINDOW for id in told)
    assert all(by_id[id].urgent is message.urgent for message in messages for id in message.ids)
    assert len(messages) <= 2, "a reader gets one message, and one more of what is urgent"
    assert all(any(by_id[id].next_at <= NOON for id in message.ids) for message in messages)


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 12 * 60), st.booleans()), max_size=60))
def test_over_a_day_nothing_is_lost_or_told_twice(came: list[tuple[int, bool]]) -> None:
    quiet = Quiet(time(14), time(18))
    waiting: list[Waiting] = []
    told: dict[str, datetime] = {}
    ordinary: list[datetime] = []
    coming = sorted(came)
    for minute in range(24 * 60):
        now = NOON + timedelta(minutes=minute)
        while coming and NOON + timedelta(minutes=coming[0][0]) <= now:
            at, urgent = coming.pop(0)
            moment = NOON + timedelta(minutes=at)
            when = not_before(moment, urgent=urgent, quiet=quiet, zone=HONG_KONG, rules=Rules())
            waiting.append(Waiting(str(len(told) + len(waiting)), urgent, when))
        for message in gather(waiting, now=now, window=WINDOW):
            for id in message.ids:
                assert id not in told
                told[id] = now
            if not message.urgent:
                assert not quiet.covers(now, HONG_KONG) or now.astimezone(HONG_KONG).hour == 13
                ordinary.append(now)
        waiting = [w for w in waiting if w.id not in told]
    assert len(told) == len(came)
    assert waiting == []


@pytest.mark.parametrize(
    ("local", "urgent", "goes"),
    [
        ("2026-03-03T12:00", False, "2026-03-03T12:05"),
        ("2026-03-03T12:00", True, "2026-03-03T12:00"),
        ("2026-03-03T22:00", False, "2026-03-04T08:00"),
        ("2026-03-03T22:00", True, "2026-03-03T22:00"),
        ("2026-03-03T19:58", False, "2026-03-03T19:58"),  # before the quiet, not in the morning after
        ("2026-03-04T07:58", False, "2026-03-04T08:00"),
    ],
)
def test_when_a_notice_goes(local: str, urgent: bool, goes: str) -> None:
    at = datetime.fromisoformat(local).replace(tzinfo=HONG_KONG)
    quiet = Quiet(time(20), time(8))
    found = not_before(at, urgent=urgent, quiet=quiet, zone=HONG_KONG, rules=Rules())
    assert found == datetime.fromisoformat(goes).replace(tzinfo=HONG_KONG)


def new(**changes: Any) -> NewNotice:
    known: dict[str, Any] = {"kind": "escalation", "complaint_id": "c", "step": "final", "level": 1, "due_at": NOON}
    known |= {"department": "cards", "branch": None, "reached": None, "urgent": False, "at": NOON}
    return NewNotice(**(known | changes))


@pytest.mark.parametrize(
    ("changes", "urgent"),
    [({}, False), ({"level": 3}, True), ({"level": 3, "kind": "warning"}, False), ({"urgent": True}, True)],
)
def test_what_is_urgent(changes: dict[str, Any], urgent: bool) -> None:
    assert new(**changes).is_urgent(Rules()) is urgent


def test_empty_kinds_hear_nothing_by_themselves() -> None:
    assert Filter().wants(new())
    assert not Filter(kinds=frozenset()).wants(new())
    assert not Filter(minimum_level=2).wants(new())
    assert Filter(minimum_level=2).wants(new(kind="missed"))
    assert not Filter(departments=frozenset(("loans",))).wants(new())


@pytest.mark.parametrize(
    ("status", "state"),
    [(status, "sent") for status in (200, 202, 204)]
    + [(status, "never") for status in (302, 400, 401, 404, 410)]
    + [(status, "later") for status in (408, 425, 429, 500, 503)],
)
def test_what_an_answer_says(status: int, state: str) -> None:
    found = judge(status)
    assert (found.state, found.gone) == (state, status == 410)


def test_a_receiver_that_asks_for_time_gets_it() -> None:
    busy = judge(429, retry_after=900)
    again = again_at(busy, 1, since=NOON, now=NOON, chance=0.0)
    assert again is not None
    assert again >= NOON + timedelta(minutes=15)
    assert again_at(SENT, 1, since=NOON, now=NOON, chance=0.0) is None


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=100, max_size=100))
def test_it_is_tried_for_days_with_growing_pauses(chances: list[float]) -> None:
    now, tries = NOON, 1
    while (again := again_at(Outcome("later"), tries, since=NOON, now=now, chance=chances[tries % 100])) is not None:
        assert now < again <= now + RETRY.longest * 1.25
        now, tries = again, tries + 1
    assert RETRY.give_up_after <= now - NOON <= RETRY.give_up_after + RETRY.longest
    assert 12 < tries < 40


def test_a_recipient_that_does_not_answer_is_left_alone_for_longer_each_time() -> None:
    breaker = Breaker()
    pauses = []
    now = NOON
    for _ in range(10):
        until = breaker.fell("r", now, chance=0.5)
        assert breaker.holds("r", now)
        assert not breaker.holds("r", until)
        assert not breaker.holds("other", now)
        pauses.append(until - now)
        now = until
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (timedelta(seconds=10), timedelta(minutes=5))
    breaker.mended("r")
    assert not breaker.holds("r", NOON)


@pytest.mark.parametrize(
    ("changes", "person", "chats", "way"),
    [
        ({"email": "h@x"}, "h", [], ("email", "h@x")),
        ({"email": "h@x"}, "d", [], ("email", "h@x")),
        ({"email": "h@x", "deputy_email": "d@x"}, "d", [], ("email", "d@x")),
        ({"email": "h@x", "chat": "c"}, "h", ["c"], ("chat", "c")),
        ({"email": "h@x", "chat": "c"}, "h", [], ("email", "h@x")),
        ({"deputy_email": "d@x", "chat": "c"}, "d", ["c"], ("email", "d@x")),
        ({}, "h", [], None),
    ],
)
def test_the_way_to_somebody(changes: dict[str, Any], person: str, chats: list[str], way: Any) -> None:
    assert way_of(Post("p", "supervisor", holder="h", deputy="d", **changes), person, chats) == way


def row(n: int, **changes: Any) -> NoticeRow:
    known: dict[str, Any] = {"id": str(n), "kind": "warning", "complaint_id": f"c-{n}", "reference": f"R-{n}"}
    known |= {"step": "final", "level": 2, "due_at": NOON, "department": "cards", "branch": "b-1", "urgent": False}
    known |= {"was_due_at": NOON - timedelta(days=1), "via": "holder", "role": "supervisor", "granted": None}
    return NoticeRow(**(known | changes))


@pytest.mark.parametrize("language", ["zh-Hant", "zh-Hans", "en"])
@pytest.mark.parametrize(
    ("kind", "granted"),
    [(kind, None) for kind in ("warning", "missed", "escalation", "recalculated", "test")]
    + [("extension_decided", granted) for granted in (True, False)],
)
def test_each_kind_is_told_whole_in_each_language(language: str, kind: str, granted: bool | None) -> None:
    writer = Writer(language, HONG_KONG, "https://desk.example/{complaint_id}")
    told = writer.one(row(1, kind=kind, granted=granted))
    for text in (told.subject, told.plain()):
        assert "{" not in text
        assert "None" not in text
    if kind != "test":
        assert "R-1" in told.subject
        assert "12:00" in told.subject or kind == "test"
        assert "https://desk.example/c-1" in told.plain()
    if language != "en":
        assert "supervisor" not in told.plain()


LINES = st.lists(st.builds(Line, st.text(max_size=300), st.none() | st.just("https://desk.example/c")), max_size=60)


@settings(max_examples=150)
@given(st.text(min_size=1, max_size=200), LINES)
def test_chats_take_whatever_is_said_within_their_limits(subject: str, lines: list[Line]) -> None:
    told = Told(subject, tuple(lines), "Open")
    wecom = orjson.loads(chat.body(told, "wecom"))["markdown"]["content"]
    assert len(wecom.encode()) <= 4096
    slack = orjson.loads(chat.body(told, "slack"))["blocks"]
    assert len(slack[0]["text"]["text"]) <= 150
    assert len(slack[1]["text"]["text"]) <= 3000
    assert len(chat.body(told, "teams")) <= 28_000


def test_nothing_that_is_said_becomes_a_link_or_a_mention() -> None:
    told = Told("<!channel> [x](y)", (Line("a](http://evil) <@U1>", "https://desk.example/c"),), "Open")
    slack = orjson.loads(chat.body(told, "slack"))
    for marked_up in (slack["text"], slack["blocks"][1]["text"]["text"]):  # a header is plain text
        assert "<!channel>" not in marked_up
        assert "<@U1>" not in marked_up
    assert "a](http" not in orjson.loads(chat.body(told, "wecom"))["markdown"]["content"]


@pytest.mark.parametrize(
    ("answer", "state", "gone"),
    [
        (Answer(200, b'{"errcode":0}', None), "sent", False),
        (Answer(200, b'{"errcode":45009}', None), "later", False),
        (Answer(200, b'{"errcode":93000}', None), "never", True),
        (Answer(200, b"<html>", None), "later", False),
        (Answer(502, b"", None), "later", False),
        (Answer(404, b"", None), "never", True),
    ],
)
def test_what_wecom_answers(answer: Answer, state: str, gone: bool) -> None:
    found = chat.judge_answer("wecom", answer)
    assert (found.state, found.gone) == (state, gone)
