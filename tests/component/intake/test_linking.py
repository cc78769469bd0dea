"""Reports of one matter are suggested as a link, decided by an operator, and undone in one step; nobody loses one."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest

from services.intake import consumers
from shared.bus import Message
from shared.cloudevents import decode
from shared.events import TOPICS
from shared.inbox import Consumer

Make = Callable[..., dict[str, Any]]
SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
SAME = {"amount": {"value": "1280.50", "currency": "HKD"}, "product": "credit_card", "language": "en"}
IN_CHINESE = "信用卡被重複扣款1280.5元，11月20日只簽了一次。"


def _consumer(desk: Any) -> Consumer:
    zone = ZoneInfo("Asia/Hong_Kong")
    context = consumers.Context(desk.app.state.desk, lambda: desk.now, zone, "http://intake", ("en",))
    part = consumers.linking.PART
    return Consumer(desk.db, part.make(context), part.types, lambda: desk.now)


async def _hear(desk: Any, *, times: int = 1) -> None:
    """Let intake hear all that it has published so far."""
    rows = await desk.rows("SELECT key, payload FROM outbox ORDER BY seq")
    messages = [Message(TOPICS["intake"], row["key"], row["payload"].encode()) for row in rows]
    consumer = _consumer(desk)
    for _ in range(times):
        await consumer.process(messages)
    assert await desk.scalar("SELECT count(*) FROM parked") == 0


async def _take(desk: Any, body: dict[str, Any], *, after_hours: int = 1) -> str:
    desk.now += timedelta(hours=after_hours)
    answer = await desk.post(body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def _twice(desk: Any, complaint: Make, **second: Any) -> tuple[str, str]:
    """One matter told by phone and again, by default, by e-mail in another language."""
    told = "On 20 November my credit card was charged HK$1,280.50 twice for one purchase."
    first = await _take(desk, complaint(narrative=told, **SAME))
    again = {"channel": "email", "narrative": IN_CHINESE} | second
    return first, await _take(desk, complaint(**again), after_hours=30)


async def _links(desk: Any, **params: str) -> list[dict[str, Any]]:
    answer = await desk.http.get("/v1/links", params=params, headers=desk.headers("officer"))
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def _decide(desk: Any, id: str, verb: str, *, who: str = "officer", **params: str) -> Any:
    return await desk.http.post(f"/v1/links/{id}/{verb}", params=params, headers=desk.headers(who))


async def _told(desk: Any) -> list[tuple[str, str, str, str]]:
    """What has been published of links: (complaint, other, state, governs_from)."""
    rows = await desk.rows("SELECT payload FROM outbox WHERE type = 'com.redress.complaint.linked.v1' ORDER BY seq")
    found = []
    for row in rows:
        decode(row["payload"])
        data = orjson.loads(row["payload"])["data"]
        found.append((data["complaint_id"], data["other_id"], data["state"], data["governs_from"]))
    return found


async def _told_last(desk: Any) -> dict[str, str]:
    """By complaint: since when its clock runs, as last published."""
    return {complaint_id: governs_from for complaint_id, _, _, governs_from in await _told(desk)}


async def _received(desk: Any, id: str) -> str:
    return str((await desk.get(f"/v1/complaints/{id}")).json()["received_at"]).replace(".000Z", "Z")


async def test_one_matter_told_twice_is_suggested_once_however_often_it_is_heard(desk: Any, complaint: Make) -> None:
    first, second = await _twice(desk, complaint)
    await _hear(desk, times=2)

    (link,) = await _links(desk, state="suggested")
    assert (link["earlier"]["id"], link["later"]["id"]) == (first, second)
    assert {"same_amount", "same_subject"} <= set(link["reasons"])
    assert 0.65 <= link["score"] <= 1
    assert link["earlier"]["channel"] == "phone"
    assert await _told(desk) == [(second, first, "suggested", await _received(desk, second))]
    for id in (first, second):
        found = (await desk.get(f"/v1/complaints/{id}/links")).json()
        assert [one["id"] for one in found["items"]] == [link["id"]]
        assert found["governs_from"].replace(".000Z", "Z") == await _received(desk, id)
    assert await desk.scalar("SELECT count(*) FROM complaint") == 2


async def test_confirming_lets_the_earliest_receipt_govern_and_reset_undoes_it(desk: Any, complaint: Make) -> None:
    first, second = await _twice(desk, complaint)
    await _hear(desk)
    (link,) = await _links(desk)

    answer = await _decide(desk, link["id"], "confirm")
    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "confirmed"
    assert answer.json()["decided_by"] is not None
    assert (await _told(desk))[-1] == (second, first, "confirmed", await _received(desk, first))
    assert await _links(desk, state="suggested") == []

    assert (await _decide(desk, link["id"], "confirm", who="agent")).status_code == 200  # the same again: nothing new
    assert len(await _told(desk)) == 2

    undone = (await _decide(desk, link["id"], "reset", who="supervisor")).json()
    assert (undone["state"], undone["decided_at"], undone["decided_by"]) == ("suggested", None, None)
    assert (await _told(desk))[-1] == (second, first, "suggested", await _received(desk, second))

    assert (await _decide(desk, link["id"], "reject")).json()["state"] == "rejected"
    assert (await _decide(desk, link["id"], "reset")).json()["state"] == "suggested"
    actions = await desk.rows("SELECT action, subject FROM audit WHERE action LIKE 'link.%' ORDER BY seq")
    assert [row["action"] for row in actions] == [
        "link.suggested", "link.confirmed", "link.reset", "link.rejected", "link.reset",
    ]  # fmt: skip
    assert {row["subject"] for row in actions} == {second}


@SQLITE
async def test_who_decides_on_what_somebody_else_has_decided_is_told_the_state(desk: Any, complaint: Make) -> None:
    await _twice(desk, complaint)
    await _hear(desk)
    (link,) = await _links(desk)
    assert (await _decide(desk, link["id"], "reject")).status_code == 200

    late = await _decide(desk, link["id"], "confirm")
    assert late.status_code == 409
    assert late.json()["code"] == "link_decided"
    assert late.json()["errors"][0]["code"] == "rejected"
    stale = await _decide(desk, link["id"], "reset", expected="confirmed")
    assert stale.status_code == 409
    assert (await _links(desk))[0]["state"] == "rejected"
    assert (await _decide(desk, link["id"], "reset", expected="rejected")).status_code == 200


async def test_two_who_decide_at_once_differ_once(desk: Any, complaint: Make) -> None:
    await _twice(desk, complaint)
    await _hear(desk)
    (link,) = await _links(desk)
    answers = await asyncio.gather(*(_decide(desk, link["id"], verb) for verb in ("confirm", "reject") * 3))
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [200, 200, 200, 409, 409, 409]


async def test_five_reports_of_one_matter_make_four_links(desk: Any, complaint: Make) -> None:
    first, second = await _twice(desk, complaint)
    words = "credit card charged twice HK$1,280.50 on 20 November, refund please"
    later = [await _take(desk, complaint(channel=c, narrative=words)) for c in ("web_chat", "branch", "letter")]
    await _hear(desk)
    links = await _links(desk)
    assert len(links) == 4
    assert {side["id"] for link in links for side in (link["earlier"], link["later"])} == {first, second, *later}
    for link in links:
        assert (await _decide(desk, link["id"], "confirm")).status_code == 200
    start = await _received(desk, first)
    for id in (second, *later):
        assert (await _told_last(desk))[id] == start


async def test_a_decision_moves_the_clock_of_every_report_behind_it(desk: Any, complaint: Make) -> None:
    """A chain: the first and the last report have no identifier in common, the one between has both."""
    told = "On 20 November my credit card was charged HK$1,280.50 twice for one purchase."
    phone, email = {"phone": "91234567"}, {"email": "chan@example.com"}
    chain = [
        await _take(desk, complaint(narrative=told, complainant={"name": "Chan Example", **ways}, **SAME))
        for ways in (phone, phone | email, email)
    ]
    await _hear(desk)
    links = await _links(desk)
    assert [(link["earlier"]["id"], link["later"]["id"]) for link in links] == [tuple(chain[:2]), tuple(chain[1:])]
    start, middle, end = [await _received(desk, id) for id in chain]

    for steps in (
        [(1, "confirm", {chain[2]: middle}), (0, "confirm", {chain[1]: start, chain[2]: start})],
        [(0, "reset", {chain[1]: middle, chain[2]: middle}), (1, "reset", {chain[2]: end})],
    ):
        for number, verb, expected in steps:
            assert (await _decide(desk, links[number]["id"], verb)).status_code == 200
            last = await _told_last(desk)
            for id, governs_from in expected.items():
                assert last[id] == governs_from
                shown = (await desk.get(f"/v1/complaints/{id}/links")).json()["governs_from"]
                assert shown.replace(".000Z", "Z") == governs_from


@SQLITE
@pytest.mark.parametrize(
    ("second", "linked"),
    [
        ({"complainant": {"name": "Chan Example", "customer_no": "C-000001", "phone": "9123 4567"}}, True),
        ({"complainant": {"name": "Chan Example", "phone": "+852 9123-4567"}}, True),
        ({"complainant": {"name": "陳大文", "phone": "00852 91234567"}}, True),  # another script: nothing against it
        ({"complainant": {"name": "Wong Sample", "phone": "91234567"}}, False),  # a shared phone
        ({"complainant": {"name": "Chan Example", "customer_no": "C-000002", "phone": "91234567"}}, False),
        ({"complainant": {"name": "Chan Example", "phone": "91234568"}}, False),
        ({"complainant": {"name": "Chan Example"}}, False),  # a name alone tells nobody apart
        ({"complainant": {"name": "Chan Example", "email": "Chan@Example.com"}}, True),
        ({"complainant": {"anonymous": True}}, False),
    ],
)
async def test_one_person_is_known_by_any_of_their_numbers_and_two_are_never_joined(
    desk: Any, complaint: Make, second: dict[str, Any], linked: bool
) -> None:
    person = {"name": "Chan Example", "customer_no": "C-000001", "phone": "91234567", "email": "chan@example.com"}
    told = "On 20 November my credit card was charged HK$1,280.50 twice for one purchase."
    await _take(desk, complaint(narrative=told, complainant=person, **SAME))
    await _take(desk, complaint(channel="email", narrative=told, **SAME | second))
    await _hear(desk)
    assert len(await _links(desk)) == linked


@SQLITE
async def test_two_customers_with_one_phone_are_not_joined_through_a_third_report(desk: Any, complaint: Make) -> None:
    told = "On 20 November my credit card was charged HK$1,280.50 twice for one purchase."

    async def take(**person: str) -> str:
        return await _take(desk, complaint(narrative=told, complainant={"name": "Chan Example", **person}, **SAME))

    await take(customer_no="C-1", phone="91234567")
    await take(phone="91234567", email="chan@example.com")
    await take(customer_no="C-2", email="chan@example.com")
    await _hear(desk)
    one, other = await _links(desk)
    assert (await _decide(desk, one["id"], "confirm")).status_code == 200
    refused = await _decide(desk, other["id"], "confirm")
    assert refused.status_code == 422
    assert refused.json()["code"] == "different_persons"


@SQLITE
async def test_beyond_the_window_or_erased_or_history_nothing_is_suggested(desk: Any, complaint: Make) -> None:
    first = await _take(desk, complaint(**SAME))
    await _take(desk, complaint(**SAME), after_hours=31 * 24)
    await _hear(desk)
    assert await _links(desk) == []
    old = complaint(received_at="2026-11-24T10:00:00Z", **SAME)
    assert (await desk.post(old, who="history")).status_code == 201
    await _hear(desk)
    assert await _links(desk) == []

    async with desk.db.transaction() as tx:
        connection = await tx.connection()
        await connection.exec_driver_sql("DELETE FROM trait")
        await connection.exec_driver_sql("DELETE FROM inbox")
        await connection.exec_driver_sql(f"UPDATE complaint SET wrapped_key = x'' WHERE id = '{first}'")
    await _hear(desk)
    assert await desk.scalar("SELECT count(*) FROM trait") == 2


@SQLITE
async def test_the_work_list_pages_and_shows_no_personal_data(desk: Any, complaint: Make) -> None:
    for number in range(5):
        person = {"name": "Chan Example", "customer_no": f"C-{number}"}
        await _twice(desk, lambda **more: complaint(**more | {"complainant": person}))  # noqa: B023
    await _hear(desk)
    seen: list[str] = []
    cursor = ""
    while True:
        params = {"state": "suggested", "limit": "2"} | ({"cursor": cursor} if cursor else {})
        answer = (await desk.http.get("/v1/links", params=params, headers=desk.headers("auditor"))).json()
        assert "Chan" not in str(answer)
        seen += [link["id"] for link in answer["items"]]
        cursor = answer["next"]
        if not cursor:
            break
    assert len(seen) == len(set(seen)) == 5
    assert seen == sorted(seen)


@SQLITE
async def test_only_those_who_handle_complaints_decide_and_unknown_links_are_not_found(
    desk: Any, complaint: Make
) -> None:
    await _twice(desk, complaint)
    await _hear(desk)
    (link,) = await _links(desk)
    for who in ("auditor", "manager", "admin", "any", "phone"):
        assert (await _decide(desk, link["id"], "confirm", who=who)).status_code == 403
    assert (await desk.get("/v1/links", who="phone")).status_code == 403
    assert (await _decide(desk, "0" * 36, "confirm")).status_code == 404
    assert (await desk.get("/v1/complaints/0000/links")).status_code == 404
    assert (await _decide(desk, link["id"], "merge")).status_code == 422


async def test_reports_that_come_to_two_workers_at_once_find_each_other(desk: Any, complaint: Make) -> None:
    await _twice(desk, complaint)
    rows = await desk.rows("SELECT key, payload FROM outbox ORDER BY seq")
    messages = [Message(TOPICS["intake"], row["key"], row["payload"].encode()) for row in rows]
    await asyncio.gather(*(_consumer(desk).process([message]) for message in messages))
    assert await desk.scalar("SELECT count(*) FROM trait") == 2
    assert len(await _links(desk)) == 1
