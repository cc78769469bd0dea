"""Taking a complaint in: once, however often it is sent, and never half."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import orjson
import pytest

from services.intake.usecases import complaint as usecases
from shared import audit
from shared.cloudevents import decode
from shared.ids import normalise_reference

Make = Callable[..., dict[str, Any]]


async def _kept(desk: Any) -> tuple[int, int, int]:
    """How many complaints, events of them, and audit entries of them there are."""
    return (
        await desk.scalar("SELECT count(*) FROM complaint"),
        await desk.scalar("SELECT count(*) FROM outbox"),
        await desk.scalar("SELECT count(*) FROM audit WHERE action = 'complaint.received'"),
    )


async def test_a_complaint_is_answered_with_its_reference_and_kept(desk: Any, complaint: Make) -> None:
    answer = await desk.post(complaint(), who="phone", key="k-1")

    assert answer.status_code == 201
    found = answer.json()
    assert set(found) == {"id", "reference", "status", "received_at", "tracking"}
    assert found["status"] == "received"
    assert found["received_at"] == "2026-11-23T10:00:00.000Z"
    assert normalise_reference(found["reference"]) == found["reference"]
    assert found["reference"].startswith("261123-")
    assert found["tracking"]["url"].endswith(f"/v1/track/{found['reference']}")
    assert "idempotency-replayed" not in answer.headers
    assert await _kept(desk) == (1, 1, 1)


async def test_the_event_tells_everything_but_who(desk: Any, complaint: Make) -> None:
    body = complaint(
        narrative="Chan Example (chan@example.com, +852 9123 4567) was charged 120.00 twice.",
        complainant={"name": "Chan Example", "phone": "+852 9123 4567", "email": "chan@example.com"},
        amount={"value": "120.00", "currency": "HKD"},
        product="remittance",
        branch="Central",
        language="en",
        jurisdiction="hk",
        occurred_at="2026-11-20T09:30:00+08:00",
        desired_outcome="Pay it back to Chan Example",
    )
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {**desk.headers("phone"), "traceparent": f"00-{trace_id}-00f067aa0ba902b7-01", "X-Request-Id": "req-7"}
    answer = await desk.http.post("/v1/complaints", json=body, headers=headers)

    row = (await desk.rows("SELECT * FROM outbox"))[0]
    envelope = decode(row["payload"])
    event = envelope.data
    assert envelope.type == "com.redress.complaint.received.v1"
    assert envelope.subject == row["key"] == answer.json()["id"]
    assert envelope.traceparent is not None
    assert envelope.traceparent.split("-")[1] == trace_id
    assert envelope.correlationid == "req-7"
    assert event.reference == answer.json()["reference"]
    assert event.narrative == "[person] ([email], [person]) was charged 120.00 twice."
    assert event.desired_outcome == "Pay it back to [person]"
    assert (event.channel, event.product, event.branch) == ("phone", "remittance", "Central")
    assert (str(event.amount), event.currency) == ("120.00", "HKD")
    assert (event.language, event.jurisdiction) == ("en", "hk")
    assert event.occurred_at.isoformat() == "2026-11-20T09:30:00+08:00"
    assert len(event.customer_ref) == 32
    assert event.imported is False


async def test_one_person_has_one_pseudonym_and_another_has_another(desk: Any, complaint: Make) -> None:
    people = [
        {"name": "A", "customer_no": "C-1"},
        {"name": "B", "customer_no": " c-1 "},
        {"name": "A", "customer_no": "C-2"},
        {"name": "A"},
        {"anonymous": True},
    ]
    refs = []
    for person in people:
        id = (await desk.post(complaint(complainant=person))).json()["id"]
        refs.append(await desk.scalar(f"SELECT customer_ref FROM complaint WHERE id = '{id}'"))

    assert refs[0] == refs[1]
    assert refs[2] not in (None, refs[0])
    assert refs[3:] == [None, None], "a name alone tells nobody apart"


# --- sent again ---


async def test_the_same_key_and_body_fifty_at_once_get_the_same_answer_byte_for_byte(
    desk: Any, complaint: Make
) -> None:
    answers = await asyncio.gather(*(desk.post(complaint(), who="phone", key="again") for _ in range(50)))

    assert {a.status_code for a in answers} == {201}
    assert len({a.content for a in answers}) == 1
    assert await _kept(desk) == (1, 1, 1)
    desk.now += timedelta(days=3)
    later = await desk.post(complaint(), who="phone", key="again")
    assert (later.status_code, later.content) == (201, answers[0].content)
    assert later.headers["idempotency-replayed"] == "true"
    assert await _kept(desk) == (1, 1, 1)


async def test_two_processes_that_get_the_same_complaint_at_once_take_it_once(
    start: Any, migrated: Callable[[str], str], complaint: Make
) -> None:
    one = await start(migrated("intake"))
    other = await start(one.db.url, tokens=one.tokens)

    for n in range(5):
        sent = [d.post(complaint(), key=f"twin-{n}") for d in (one, other) for _ in range(10)]
        answers = await asyncio.gather(*sent)
        assert {a.status_code for a in answers} == {201}
        assert len({a.content for a in answers}) == 1
    assert await _kept(one) == (5, 5, 5)


async def test_the_same_body_written_differently_is_the_same(desk: Any, complaint: Make) -> None:
    first = await desk.post(complaint(language="en"), key="k")
    body = dict(reversed(complaint(language="en").items()))
    second = await desk.post(raw=orjson.dumps(body, option=orjson.OPT_INDENT_2), key="k")

    assert second.content == first.content


async def test_the_same_key_with_another_body_is_refused(desk: Any, complaint: Make) -> None:
    await desk.post(complaint(), key="k")
    other = complaint(narrative="Something else altogether.")

    answer = await desk.post(other, key="k")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "idempotency_key_reused"
    assert await _kept(desk) == (1, 1, 1)


async def test_the_same_key_with_two_bodies_at_once_takes_one_of_them(desk: Any, complaint: Make) -> None:
    bodies = [complaint(narrative=f"Number {n % 2}") for n in range(20)]
    answers = await asyncio.gather(*(desk.post(b, key="k") for b in bodies))

    assert sorted(a.status_code for a in answers) == [201] * 10 + [422] * 10
    assert {a.json()["code"] for a in answers if a.status_code == 422} == {"idempotency_key_reused"}
    assert await _kept(desk) == (1, 1, 1)


async def test_a_key_belongs_to_the_caller_who_used_it(desk: Any, complaint: Make) -> None:
    one = await desk.post(complaint(), who="phone", key="1")
    other = await desk.post(complaint(), who="any", key="1")

    assert one.status_code == other.status_code == 201
    assert one.json()["id"] != other.json()["id"]


async def test_without_a_key_the_same_body_is_a_second_complaint(desk: Any, complaint: Make) -> None:
    one, other = await desk.post(complaint()), await desk.post(complaint())

    assert one.json()["reference"] != other.json()["reference"]
    assert await _kept(desk) == (2, 2, 2)


@pytest.mark.parametrize(
    "key", ["", "x" * 256, "smörgås", "tab\there"], ids=["empty", "too long", "not ASCII", "not printable"]
)
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_an_unfit_key_is_refused(desk: Any, complaint: Make, key: str) -> None:
    headers = [(b"authorization", f"Bearer {desk.tokens['any']}".encode()), (b"idempotency-key", key.encode("latin-1"))]
    answer = await desk.http.post("/v1/complaints", json=complaint(), headers=headers)

    assert answer.status_code == 400
    assert answer.json()["code"] == "idempotency_key_invalid"


async def test_the_channels_own_reference_is_a_second_natural_key(desk: Any, complaint: Make) -> None:
    body = complaint(channel="web_form", channel_ref="form-77")
    first = await desk.post(body, who="web", key="k-1")
    without_key = await desk.post(body, who="web")
    other_key = await desk.post(body, who="web", key="k-2")
    assert first.content == without_key.content == other_key.content

    conflict = await desk.post(body | {"narrative": "Other words."}, who="web")
    assert conflict.status_code == 409
    assert conflict.json()["code"] == "channel_ref_conflict"

    elsewhere = await desk.post(body | {"channel": "web_chat"}, who="web")
    assert elsewhere.status_code == 201
    assert elsewhere.json()["id"] != first.json()["id"]
    assert await _kept(desk) == (2, 2, 2)


async def test_a_repeat_of_a_repeat_under_another_key_is_new(desk: Any, complaint: Make) -> None:
    """In one group: the first uses a spent key for another body, and is refused; the second is the first's twin by its
    channel_ref only, under a key of its own: nothing is known of it, so it is taken, and its own twin answers alike."""
    assert (await desk.post(complaint(), key="spent")).status_code == 201
    other = complaint(channel_ref="call-9")
    first, second, third = await asyncio.gather(
        desk.post(other, key="spent"), desk.post(other, key="fresh"), desk.post(other, key="fresh")
    )
    assert first.json()["code"] == "idempotency_key_reused"
    assert (second.status_code, third.status_code) == (201, 201)
    assert second.content == third.content
    assert await _kept(desk) == (2, 2, 2)


async def test_a_reference_that_is_taken_is_drawn_anew(
    desk: Any, complaint: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = iter(["261123-AAAA-AAAA8", "261123-AAAA-AAAA8", "261123-BBBB-BBBB3"])
    monkeypatch.setattr(usecases, "reference", lambda day: next(drawn))

    answers = [await desk.post(complaint()) for _ in range(2)]
    assert [a.status_code for a in answers] == [201, 201]
    assert [a.json()["reference"] for a in answers] == ["261123-AAAA-AAAA8", "261123-BBBB-BBBB3"]
    assert await _kept(desk) == (2, 2, 2)


async def test_five_hundred_at_once_are_each_taken_once_and_the_audit_chain_holds(desk: Any, complaint: Make) -> None:
    answers = await asyncio.gather(*(desk.post(complaint(narrative=f"No. {n}"), key=f"k{n}") for n in range(500)))

    assert {a.status_code for a in answers} == {201}
    assert len({a.json()["reference"] for a in answers}) == 500
    assert await _kept(desk) == (500, 500, 500)
    rows = [row async for row in audit.export(desk.db)]
    verdict = audit.verify(rows, expected_head=await audit.head(desk.db))
    assert verdict.broken_at is None


# --- who may ---


async def test_nobody_posts_without_a_key(desk: Any, complaint: Make) -> None:
    answer = await desk.post(complaint(), who=None)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["code"] == "unauthenticated"


@pytest.mark.parametrize("who", ["reader", "officer", "supervisor", "manager", "auditor", "admin"])
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_only_writers_may_post(desk: Any, complaint: Make, who: str) -> None:
    answer = await desk.post(complaint(), who=who)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert await _kept(desk) == (0, 0, 0)


async def test_a_key_posts_only_for_its_channels(desk: Any, complaint: Make) -> None:
    answer = await desk.post(complaint(channel="regulator"), who="phone")
    assert answer.status_code == 403
    assert answer.json()["code"] == "channel_not_allowed"
    assert answer.json()["errors"][0]["pointer"] == "/channel"
    assert (await desk.post(complaint(channel="regulator"), who="agent")).status_code == 201


async def test_history_needs_the_import_scope(desk: Any, complaint: Make) -> None:
    body = complaint(received_at="2024-02-29T23:30:00.123456+08:00")
    refused = await desk.post(body, who="phone")
    assert refused.status_code == 403
    assert refused.json()["code"] == "received_at_not_allowed"
    assert refused.json()["errors"][0]["pointer"] == "/received_at"

    taken = await desk.post(body, who="history", key="k")
    assert taken.status_code == 201
    assert taken.json()["received_at"] == "2024-02-29T15:30:00.123Z"
    assert taken.json()["reference"].startswith("240229-"), "the day in the bank's zone"
    assert (await desk.post(body, who="history", key="k")).content == taken.content
    event = decode(await desk.scalar("SELECT payload FROM outbox")).data
    assert event.imported is True
    assert event.received_at.isoformat() == "2024-02-29T23:30:00.123000+08:00"


async def test_all_channels_are_taken(desk: Any, complaint: Make) -> None:
    channels = ("phone", "web_chat", "mobile", "web_form", "email", "letter", "branch", "social", "regulator")
    answers = [await desk.post(complaint(channel=c)) for c in channels]
    assert {a.status_code for a in answers} == {201}


# --- when something is away ---


@pytest.mark.parametrize("backend", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
async def test_while_postgresql_is_away_it_answers_503_and_recovers_by_itself(
    desk: Any, complaint: Make, postgres: Any, eventually: Any
) -> None:
    assert (await desk.post(complaint(), key="before")).status_code == 201
    await asyncio.to_thread(postgres.kill)
    try:
        answers = await asyncio.gather(*(desk.post(complaint(), key=f"k{n}") for n in range(5)))
        for answer in answers:
            assert answer.status_code == 503
            assert answer.headers["content-type"] == "application/problem+json"
            assert int(answer.headers["retry-after"]) > 0
        assert (await desk.get("/health/ready", who=None)).status_code == 503
        assert (await desk.get("/health/live", who=None)).status_code == 200
    finally:
        await asyncio.to_thread(postgres.start)

    async def taken() -> bool:
        again: list[httpx.Response] = [await desk.post(complaint(), key=f"k{n}") for n in range(5)]
        return all(a.status_code == 201 for a in again)

    assert await eventually(taken, within=15)
    assert await _kept(desk) == (6, 6, 6)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_what_was_asked_before_the_stop_is_answered_and_nothing_after(
    start: Any, migrated: Callable[[str], str], complaint: Make
) -> None:
    desk = await start(migrated("intake"))
    waiting = [asyncio.create_task(desk.post(complaint(), key=f"k{n}")) for n in range(20)]
    await asyncio.sleep(0)
    while not desk.app.state.writer._queue:
        await asyncio.sleep(0)
    await desk.app.state.writer.stop()

    statuses = [(await w).status_code for w in waiting]
    assert set(statuses) <= {201, 503}
    assert await desk.scalar("SELECT count(*) FROM complaint") == statuses.count(201) > 0
    assert (await desk.post(complaint())).status_code == 503
