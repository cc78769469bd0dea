"""The inbox makes each event act once; the parking lot keeps what cannot act from blocking what can."""

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.testing import capture_logs

from shared import inbox, parking
from shared.bus import Message
from shared.cloudevents import Envelope, encode
from shared.errors import NotFound, Unavailable
from shared.events import ComplaintAcknowledged, ComplaintClosed
from shared.inbox import Consumer, ParkingFull

TOPIC = "redress.routing.v1"
POSTGRES = pytest.mark.parametrize("backend", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
WANTED = frozenset((ComplaintAcknowledged.type, ComplaintClosed.type))


class Effects:
    """A handler whose effect is a row for each event, in order; it fails for the complaints in `poison`."""

    def __init__(self, desk: Any, **options: Any) -> None:
        self.desk = desk
        self.poison: set[str] = set()
        self.error: type[Exception] = RuntimeError
        self.attempts: list[str] = []
        self.consumer = Consumer(desk.db, self.handle, WANTED, desk.clock, **options)

    async def handle(self, tx: AsyncSession, events: Sequence[Envelope]) -> None:
        for event in events:
            self.attempts.append(event.id)
            row = {"id": event.id[-20:], "complaint": event.subject, "n": len(self.attempts)}
            await tx.execute(self.desk.things.insert().values(row))
            if event.subject in self.poison:
                raise self.error("what the complainant wrote")

    async def done(self, complaint: str | None = None) -> list[str]:
        """The ids of the events whose effect is there, in the order in which they acted."""
        where = f"WHERE complaint = '{complaint}'" if complaint else ""
        return [str(i) for i in await self.desk.column(f"SELECT id FROM thing {where} ORDER BY n")]


@pytest.fixture
def effects(desk: Any, monkeypatch: pytest.MonkeyPatch) -> Effects:
    sleep = asyncio.sleep
    monkeypatch.setattr(inbox.asyncio, "sleep", lambda seconds: sleep(min(seconds, 0.001)))
    return Effects(desk)


def _messages(desk: Any, *complaints: str) -> tuple[list[Message], list[str]]:
    """Events of these complaints, and their short ids."""
    envelopes = [desk.envelope(c) for c in complaints]
    messages = [Message(TOPIC, e.subject, encode(e).encode()) for e in envelopes]
    return messages, [e.id[-20:] for e in envelopes]


async def _parked(desk: Any, *, settled: bool = False) -> list[tuple[str, str]]:
    where = "IS NOT NULL" if settled else "IS NULL"
    async with desk.db.reading() as session:
        sql = f"SELECT coalesce(subject, ''), reason FROM parked WHERE settled_at {where} ORDER BY id"
        return [(r[0], r[1]) for r in await session.execute(text(sql))]


# --- once ---


async def test_each_event_acts_once_however_often_it_comes(effects: Effects) -> None:
    messages, ids = _messages(effects.desk, "a", "b", "a", "c")
    await effects.consumer.process(messages)
    await effects.consumer.process(messages)
    await effects.consumer.process([*messages[:2], *messages[:2]])
    more, more_ids = _messages(effects.desk, "a")
    await effects.consumer.process([*messages, *more, *more])

    assert await effects.done() == ids + more_ids
    assert await effects.desk.scalar("SELECT count(*) FROM inbox") == 5


async def test_two_processes_that_get_the_same_events_at_once_make_one_effect(
    effects: Effects, open_database: Any
) -> None:
    other = Effects(await open_database(effects.desk.db.url))
    for _ in range(5):
        messages, _ids = _messages(effects.desk, *[f"c{n}" for n in range(10)])
        await asyncio.gather(*(e.consumer.process(messages) for e in (effects, other) for _ in range(2)))

    done = await effects.done()
    assert len(done) == len(set(done)) == 50
    assert await effects.desk.scalar("SELECT count(*) FROM inbox") == 50
    assert await _parked(effects.desk) == []


async def test_effect_and_inbox_row_are_one_transaction(effects: Effects, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process dies between effect and inbox row: neither is there, and the event acts when it comes again."""

    class Killed(BaseException):
        pass

    async def die(*_: Any) -> None:
        raise Killed

    messages, ids = _messages(effects.desk, "a", "b")
    with monkeypatch.context() as patch:
        patch.setattr(inbox, "bulk_insert", die)
        with pytest.raises(Killed):
            await effects.consumer.process(messages)
    assert effects.attempts
    assert await effects.done() == []
    assert await effects.desk.scalar("SELECT count(*) FROM inbox") == 0

    await effects.consumer.process(messages)
    assert await effects.done() == ids


async def test_types_that_are_not_known_here_are_passed_over(effects: Effects) -> None:
    later = orjson.dumps({"specversion": "1.0", "type": "com.redress.complaint.praised.v1", "id": "x"})
    await effects.consumer.process([Message(TOPIC, "a", later)])
    assert await effects.desk.scalar("SELECT count(*) FROM inbox") == 0
    assert await _parked(effects.desk) == []


@POSTGRES
async def test_while_the_database_is_away_nothing_is_skipped_or_parked(
    effects: Effects, postgres: Any, eventually: Any
) -> None:
    messages, ids = _messages(effects.desk, "a", "b")
    await asyncio.to_thread(postgres.kill)
    try:
        with pytest.raises(Unavailable):
            await effects.consumer.process(messages)
    finally:
        await asyncio.to_thread(postgres.start)

    async def again() -> bool:
        try:
            await effects.consumer.process(messages)
        except Unavailable:
            return False
        return True

    assert await eventually(again, within=20)
    assert await effects.done() == ids
    assert await _parked(effects.desk) == []


@SQLITE
async def test_an_outage_inside_a_handler_is_no_reason_to_park(effects: Effects) -> None:
    effects.poison, effects.error = {"a"}, ConnectionError
    messages, ids = _messages(effects.desk, "a", "b")
    with pytest.raises(Unavailable):
        await effects.consumer.process(messages)
    assert await _parked(effects.desk) == []
    effects.poison.clear()
    await effects.consumer.process(messages)
    assert await effects.done() == ids


# --- parked ---

UNDECODABLE = {
    "empty": b"",
    "not JSON": b"{",
    "not UTF-8": b"\xff\xfe\x00\x01",
    "not an object": b"[]",
    "no CloudEvent": b'{"a": 1}',
    "type is a list": b'{"specversion": "1.0", "type": ["x"]}',
    "type is a number": b'{"specversion": "1.0", "type": 5}',
    "NULs": b"\x00" * 10,
    "large": b"[" * 100_000,
}


@pytest.mark.parametrize("raw", UNDECODABLE.values(), ids=UNDECODABLE)
@pytest.mark.parametrize("key", ["a", "", "k" * 500, "\x00\x01", "\ufffd"], ids=["a", "none", "long", "NUL", "odd"])
@SQLITE
async def test_what_cannot_be_decoded_is_parked_and_the_rest_flows(effects: Effects, raw: bytes, key: str) -> None:
    messages, ids = _messages(effects.desk, "b", "c")
    batch = [messages[0], Message(TOPIC, key, raw), messages[1]]
    await effects.consumer.process(batch)
    await effects.consumer.process(batch)

    assert await effects.done() == ids
    assert [reason for _, reason in await _parked(effects.desk)] == ["undecodable"]


@POSTGRES
async def test_postgresql_parks_whatever_a_stranger_sends(effects: Effects) -> None:
    messages, ids = _messages(effects.desk, "b")
    long = orjson.loads(messages[0].value)
    strange = [
        orjson.dumps(long | {"id": "i" * 65}),
        orjson.dumps(long | {"id": "i\x00"}),
        orjson.dumps(long | {"subject": "s" * 65, "data": {**long["data"], "complaint_id": "s" * 65}}),
        orjson.dumps(long | {"subject": "s\x00", "data": {**long["data"], "complaint_id": "s\x00"}}),
    ]
    keys = ["", "k" * 500, "\x00\x01", "\ufffd"]
    batch = [Message(TOPIC, k, r) for k in keys for r in [*UNDECODABLE.values(), *strange]]
    await effects.consumer.process([*batch, *messages])
    await effects.consumer.process([*batch, *messages])

    assert await effects.done() == ids
    assert {reason for _, reason in await _parked(effects.desk)} == {"undecodable"}
    assert len(await _parked(effects.desk)) == len({(m.key, m.value) for m in batch})


@SQLITE
async def test_extensions_of_another_kind_do_no_harm(effects: Effects) -> None:
    messages, ids = _messages(effects.desk, "a")
    body = orjson.loads(messages[0].value) | {"traceparent": 5, "correlationid": {"a": 1}, "later": "x"}
    await effects.consumer.process([Message(TOPIC, "a", orjson.dumps(body))])
    assert await effects.done() == ids


async def test_an_event_that_always_fails_is_parked_after_three_attempts_with_what_comes_behind_it(
    effects: Effects,
) -> None:
    effects.poison = {"bad"}
    messages, ids = _messages(effects.desk, "good", "bad", "other", "bad", "good")
    with capture_logs() as logs:
        await effects.consumer.process(messages)

    assert await effects.done() == [ids[0], ids[2], ids[4]]
    assert await _parked(effects.desk) == [("bad", "handler_failed"), ("bad", "behind")]
    row = (await _rows(effects.desk))[0]
    assert row["attempts"] == inbox.ATTEMPTS == 3
    assert row["error"].startswith("RuntimeError in handle:")
    assert "wrote" not in row["error"] + str(logs), "the message of an error may quote somebody"
    assert [entry["reason"] for entry in logs if entry["event"] == "event.parked"] == ["handler_failed", "behind"]

    later, later_ids = _messages(effects.desk, "bad", "good")
    await effects.consumer.process(later)
    assert (await effects.done())[-1] == later_ids[1]
    assert [r for _, r in await _parked(effects.desk)] == ["handler_failed", "behind", "behind"]

    await effects.consumer.process(messages)
    assert len(await _parked(effects.desk)) == 3, "a redelivery parks nothing twice"


async def _rows(desk: Any) -> list[dict[str, Any]]:
    async with desk.db.reading() as session:
        return [dict(r) for r in (await session.execute(text("SELECT * FROM parked ORDER BY id"))).mappings()]


async def test_an_undecodable_message_holds_back_the_later_events_of_its_complaint_alone(effects: Effects) -> None:
    messages, ids = _messages(effects.desk, "a", "b")
    await effects.consumer.process([Message(TOPIC, "a", b"{"), *messages])
    assert await effects.done() == [ids[1]]
    assert await _parked(effects.desk) == [("a", "undecodable"), ("a", "behind")]


async def _replay(effects: Effects, **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = await parking.replay(
        effects.desk.db, effects.handle, effects.desk.clock, actor="ops", **options
    )
    return found


async def test_after_the_fix_one_call_replays_everything_in_order(effects: Effects) -> None:
    effects.poison = {"x", "y"}
    messages, ids = _messages(effects.desk, "x", "y", "x", "y", "x")
    await effects.consumer.process(messages)
    assert await effects.done() == []

    effects.poison = set()
    assert await _replay(effects) == {"replayed": 5, "failed": [], "still": 0}
    assert await effects.done("x") == ids[0::2]
    assert await effects.done("y") == ids[1::2]
    assert await _parked(effects.desk) == []
    assert await _replay(effects) == {"replayed": 0, "failed": [], "still": 0}
    assert await effects.desk.column("SELECT action FROM audit") == ["parked.replayed"] * 5
    assert set(await effects.desk.column("SELECT actor FROM audit")) == {"ops"}

    await effects.consumer.process(messages)
    more, more_ids = _messages(effects.desk, "x")
    await effects.consumer.process(more)
    assert await effects.done("x") == [*ids[0::2], *more_ids], "it flows again, and nothing acts twice"


async def test_a_replay_stops_a_complaint_at_its_first_failure(effects: Effects) -> None:
    effects.poison = {"x", "y"}
    messages, ids = _messages(effects.desk, "x", "x", "y", "x", "y")
    await effects.consumer.process(messages)

    effects.poison = {"x"}
    found = await _replay(effects)
    assert (found["replayed"], found["still"]) == (2, 2)
    assert [f["error"] for f in found["failed"]] == ["RuntimeError"]
    assert await effects.done() == [ids[2], ids[4]]
    assert await _parked(effects.desk) == [("x", "handler_failed"), ("x", "behind"), ("x", "behind")]


async def test_a_replay_of_one_event_never_passes_an_earlier_one_of_its_complaint(effects: Effects) -> None:
    effects.poison = {"x"}
    messages, ids = _messages(effects.desk, "x", "x")
    await effects.consumer.process(messages)
    effects.poison = set()
    first, second = [r["id"] for r in await _rows(effects.desk)]

    assert (await _replay(effects, ids=[second]))["replayed"] == 0
    assert (await _replay(effects, ids=[first]))["replayed"] == 1
    assert (await _replay(effects, ids=[second]))["replayed"] == 1
    assert await effects.done() == ids


async def test_an_undecodable_message_fails_again_until_it_is_discarded_with_a_reason(effects: Effects) -> None:
    messages, ids = _messages(effects.desk, "a")
    bad = Message(TOPIC, "a", b"{")
    await effects.consumer.process([bad, *messages])
    found = await _replay(effects)
    assert [f["error"] for f in found["failed"]] == ["not JSON"]

    row = (await _rows(effects.desk))[0]
    await parking.discard(effects.desk.db, row["id"], actor="ops", reason="torn off", clock=effects.desk.clock)
    with pytest.raises(NotFound):
        await parking.discard(effects.desk.db, row["id"], actor="ops", reason="again", clock=effects.desk.clock)
    assert await _replay(effects) == {"replayed": 1, "failed": [], "still": 0}
    assert await effects.done() == ids
    kept = (await _rows(effects.desk))[0]
    assert (kept["payload"], kept["settled_how"]) == ("{", "discarded: torn off"), "the row stays"
    assert await effects.desk.column("SELECT action FROM audit ORDER BY seq") == ["parked.discarded", "parked.replayed"]

    await effects.consumer.process([bad])
    assert await _parked(effects.desk) == [], "a redelivery of what was discarded changes nothing"


async def test_the_same_undecodable_text_on_two_complaints_is_parked_for_both(effects: Effects) -> None:
    messages, _ = _messages(effects.desk, "a", "b")
    await effects.consumer.process([Message(TOPIC, "a", b"{"), Message(TOPIC, "b", b"{"), *messages])
    assert await effects.done() == []
    assert await _parked(effects.desk) == [
        ("a", "undecodable"), ("b", "undecodable"), ("a", "behind"), ("b", "behind"),
    ]  # fmt: skip


async def test_when_too_much_fails_it_stands_still_rather_than_park_a_whole_topic(
    desk: Any, monkeypatch: pytest.MonkeyPatch, effects: Effects
) -> None:
    few = Effects(desk, max_parked=2)
    few.poison = {"p", "q", "r"}
    messages, ids = _messages(desk, "p", "q", "p", "p", "r", "good")
    with pytest.raises(ParkingFull):
        await few.consumer.process(messages)
    assert [r for _, r in await _parked(desk)].count("handler_failed") == 2
    assert await few.done() == []

    few.poison = set()
    await few.consumer.process(messages)
    assert await few.done() == [ids[4], ids[5]], "it goes on where it stood"
    assert (await _replay(few))["replayed"] == 4
    assert await few.done("p") == [ids[0], ids[2], ids[3]]


async def test_what_is_parked_can_be_looked_at(effects: Effects) -> None:
    effects.poison = {"a"}
    messages, _ = _messages(effects.desk, "a")
    await effects.consumer.process([*messages, Message(TOPIC, "b", b"\xff{")])
    async with effects.desk.db.reading() as session:
        rows = await parking.unsettled(session, effects.desk.tables)
        assert await parking.count(session, effects.desk.tables) == 2
    assert [(r["subject"], r["reason"]) for r in rows] == [("a", "handler_failed"), ("b", "undecodable")]
    assert "payload" not in rows[0]
    full = await _rows(effects.desk)
    assert parking.payload_of(full[0])["subject"] == "a"  # type: ignore[arg-type]
    assert parking.payload_of(full[1]) == "\\xff{"  # type: ignore[arg-type]
