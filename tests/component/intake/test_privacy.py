"""Erasure, legal hold, subject access, vulnerability: over HTTP, on both databases."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from services.intake import store
from services.intake.worker import create_worker
from shared import audit, erasure, outbox
from shared.bus.local import LocalBus
from shared.cloudevents import decode
from shared.events import ComplaintAmended, ComplaintErased, ComplaintReceived, Event

PERSON = {"name": "Chan Example", "phone": "+852 2345 6789", "email": "chan@example.com", "customer_no": "C-000001"}
SAID = "The machine kept my card, and Mrs Lam at the counter laughed."


@pytest.fixture
async def taken(desk: Any, complaint: Any) -> dict[str, Any]:
    body = complaint(narrative=SAID, complainant=PERSON, desired_outcome="A word of apology", detail={"queue": "seven"})
    found: dict[str, Any] = (await desk.post(body, key="k-1")).json()
    return found


async def _status(desk: Any, id: str, status: str) -> None:
    async with desk.db.transaction() as tx:
        tx.add(store.complaint.Progress(complaint_id=id, status=status, deadlines="[]", updated_at=desk.now))


async def _call(desk: Any, method: str, path: str, who: str, body: Any = None) -> Any:
    return await desk.http.request(method, path, headers=desk.headers(who), json=body)


async def _events(desk: Any, kind: type[Event]) -> list[Any]:
    found = await desk.rows(f"SELECT payload FROM outbox WHERE type = '{kind.type}' ORDER BY seq")
    return [decode(row["payload"]).data for row in found]


async def _everything(desk: Any) -> bytes:
    """All that stands in the database, row by row."""
    said = b""
    for table in store.metadata.sorted_tables:
        for row in await desk.rows(f"SELECT * FROM {table.name}"):
            said += b"".join(v if isinstance(v, bytes) else str(v).encode() for v in row.values())
    return said


async def test_after_erasure_nothing_personal_can_be_read_anywhere(desk: Any, taken: dict[str, Any]) -> None:
    id = taken["id"]
    await _status(desk, id, "closed")
    kept = (await desk.rows("SELECT wrapped_key, sealed_person, customer_ref FROM complaint"))[0]
    answer = await _call(desk, "POST", f"/v1/complaints/{id}/erasure", "supervisor")
    assert answer.status_code == 200
    assert (answer.json()["ground"], answer.json()["erased_by"]) == ("request", "key:supervisor")

    left = await _everything(desk)
    for secret in (*PERSON.values(), SAID, "laughed", "apology", kept["customer_ref"]):
        assert secret.encode() not in left
    assert bytes(kept["wrapped_key"]) not in left
    assert bytes(kept["sealed_person"]) not in left
    received = (await _events(desk, ComplaintReceived))[0]
    assert (received.narrative, received.reference) == ("", taken["reference"])
    assert len(await _events(desk, ComplaintErased)) == 1

    shown = (await desk.get(f"/v1/complaints/{id}", who="officer")).json()
    assert shown["erased"] is True
    assert "narrative" not in shown
    tracked = await desk.http.get(f"/v1/track/{taken['reference']}", params={"token": taken["tracking"]["token"]})
    assert tracked.status_code == 404
    chain = [row async for row in audit.export(desk.db)]
    assert audit.verify(chain, expected_head=await audit.head(desk.db)).broken_at is None


async def test_the_same_request_again_is_still_no_second_complaint(
    desk: Any, taken: dict[str, Any], complaint: Any
) -> None:
    await _status(desk, taken["id"], "closed")
    await _call(desk, "POST", f"/v1/complaints/{taken['id']}/erasure", "supervisor")
    body = complaint(narrative=SAID, complainant=PERSON, desired_outcome="A word of apology", detail={"queue": "seven"})
    again = await desk.post(body, key="k-1")
    assert again.status_code == 201
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json()["id"] == taken["id"]
    assert again.json()["tracking"]["token"] == ""
    assert await desk.scalar("SELECT count(*) FROM complaint") == 1


async def test_erasing_twice_answers_the_same(desk: Any, taken: dict[str, Any]) -> None:
    await _status(desk, taken["id"], "closed")
    first, second = [await _call(desk, "POST", f"/v1/complaints/{taken['id']}/erasure", "admin") for _ in range(2)]
    assert first.json() == second.json()
    assert len(await _events(desk, ComplaintErased)) == 1


@pytest.mark.parametrize("status", ["received", "in_progress", "resolved"])
async def test_a_complaint_in_hand_is_not_erased(desk: Any, taken: dict[str, Any], status: str) -> None:
    await _status(desk, taken["id"], status)
    refused = await _call(desk, "POST", f"/v1/complaints/{taken['id']}/erasure", "supervisor")
    assert (refused.status_code, refused.json()["code"]) == (409, "still_open")
    assert (await desk.get(f"/v1/complaints/{taken['id']}")).json()["narrative"] == SAID


async def test_a_legal_hold_forbids_erasure_until_it_is_lifted(desk: Any, taken: dict[str, Any]) -> None:
    id = taken["id"]
    await _status(desk, id, "closed")
    placed = await _call(desk, "PUT", f"/v1/complaints/{id}/hold", "supervisor", {"reason": "HCA 0001/2026"})
    assert placed.status_code == 200
    same = await _call(desk, "PUT", f"/v1/complaints/{id}/hold", "admin", {"reason": "another"})
    assert same.json() == placed.json()
    assert (await _call(desk, "GET", f"/v1/complaints/{id}/hold", "auditor")).json()["reason"] == "HCA 0001/2026"
    refused = await _call(desk, "POST", f"/v1/complaints/{id}/erasure", "supervisor")
    assert (refused.status_code, refused.json()["code"]) == (409, "under_legal_hold")
    for _ in range(2):
        assert (await _call(desk, "DELETE", f"/v1/complaints/{id}/hold", "supervisor")).status_code == 204
    assert (await _call(desk, "GET", f"/v1/complaints/{id}/hold", "auditor")).status_code == 404
    assert (await _call(desk, "POST", f"/v1/complaints/{id}/erasure", "supervisor")).status_code == 200
    actions = await desk.rows(f"SELECT action FROM audit WHERE subject = '{id}' ORDER BY seq")
    assert [row["action"] for row in actions][1:] == ["hold.placed", "hold.lifted", "complaint.erased"]


@pytest.mark.parametrize("who", ["phone", "agent", "officer", "manager", "auditor", None])
async def test_who_may_not_decide_over_data_is_refused(desk: Any, taken: dict[str, Any], who: str | None) -> None:
    expected = 403 if who else 401
    for method, path, body in (
        ("POST", f"/v1/complaints/{taken['id']}/erasure", None),
        ("PUT", f"/v1/complaints/{taken['id']}/hold", {"reason": "x"}),
        ("DELETE", f"/v1/complaints/{taken['id']}/hold", None),
        ("POST", "/v1/subject-access", {"customer_no": "C-000001"}),
    ):
        assert (await _call(desk, method, path, who, body)).status_code == expected, path  # type: ignore[arg-type]


async def test_retention_erases_what_was_closed_long_ago_and_spares_what_is_held(
    desk: Any, complaint: Any, tmp_path: Any
) -> None:
    ids = [(await desk.post(complaint(narrative=f"No. {n}"))).json()["id"] for n in range(4)]
    for id, status in zip(ids, ("closed", "closed", "in_progress", "closed"), strict=True):
        await _status(desk, id, status)
    await _call(desk, "PUT", f"/v1/complaints/{ids[1]}/hold", "supervisor", {"reason": "court"})
    later = desk.now + timedelta(days=100)
    async with desk.db.transaction() as tx:
        await tx.execute(
            text("UPDATE progress SET updated_at = :at WHERE complaint_id = :id"),
            {"at": later if not desk.db.is_sqlite else later.strftime("%Y-%m-%d %H:%M:%S.%f"), "id": ids[3]},
        )
    settings = desk.app.state.settings.model_copy(update={"complaint_retention_days": 365})
    worker = create_worker(settings, desk.db, LocalBus(), clock=lambda: desk.now + timedelta(days=400))
    retention = next(timer for timer in worker._timers if timer.name == "retention")
    for _ in range(2):
        await retention.run()
    assert [row["complaint_id"] for row in await desk.rows("SELECT complaint_id FROM erasure")] == [ids[0]]
    assert [e.ground for e in await _events(desk, ComplaintErased)] == ["retention"]


async def test_nothing_is_erased_by_itself_unless_the_bank_says_so(desk: Any) -> None:
    worker = create_worker(desk.app.state.settings, desk.db, LocalBus())
    assert "retention" not in {timer.name for timer in worker._timers}


@pytest.mark.parametrize("by", [{"customer_no": " c-000001"}, {"customer_no": "C-000001", "email": "x@example.com"}])
async def test_a_person_is_given_all_that_is_kept_of_them_and_nobody_elses(
    desk: Any, taken: dict[str, Any], complaint: Any, by: dict[str, str]
) -> None:
    await desk.post(complaint(complainant={"name": "Lee Other", "customer_no": "C-000002"}))
    note = {"kind": "health", "note": "Hard of hearing", "review_on": "2027-05-01"}
    await _call(desk, "POST", f"/v1/complaints/{taken['id']}/vulnerabilities", "agent", note)
    answer = await _call(desk, "POST", "/v1/subject-access", "supervisor", by)
    assert answer.status_code == 200
    (found,) = answer.json()["complaints"]
    assert found["id"] == taken["id"]
    assert found["narrative"] == SAID
    assert {k: found["complainant"][k] for k in PERSON} == PERSON
    assert found["vulnerabilities"][0]["note"] == "Hard of hearing"
    rows = await desk.rows("SELECT subject FROM audit WHERE action = 'subject_access.exported'")
    assert [row["subject"] for row in rows] == [taken["id"]]


async def test_a_subject_must_be_named(desk: Any) -> None:
    refused = await _call(desk, "POST", "/v1/subject-access", "supervisor", {})
    assert refused.status_code == 422


async def test_a_vulnerability_is_read_by_few_and_every_reading_is_audited(desk: Any, taken: dict[str, Any]) -> None:
    path = f"/v1/complaints/{taken['id']}/vulnerabilities"
    note = {"kind": "life_event", "note": "Newly widowed", "review_on": "2027-01-31"}
    noted = await _call(desk, "POST", path, "agent", note)
    assert noted.status_code == 201
    second = await _call(desk, "POST", path, "officer", note | {"kind": "health"})
    for who in ("agent", "manager", "admin", "phone"):
        assert (await _call(desk, "GET", path, who)).status_code == 403
    for who in ("officer", "supervisor", "auditor"):
        items = (await _call(desk, "GET", path, who)).json()["items"]
        assert [item["note"] for item in items] == ["Newly widowed", "Newly widowed"]
    readers = await desk.rows("SELECT actor FROM audit WHERE action = 'vulnerability.read' ORDER BY seq")
    assert [row["actor"] for row in readers] == ["key:officer", "key:supervisor", "key:auditor"]
    assert b"widowed" not in await _everything(desk)

    assert [e.vulnerable for e in await _events(desk, ComplaintAmended)] == [True], "told once, not for each note"
    for one in (noted, noted, second):
        lifted = await _call(desk, "POST", f"{path}/{one.json()['id']}/lift", "officer")
        assert lifted.status_code == 200
    assert [e.vulnerable for e in await _events(desk, ComplaintAmended)] == [True, False]
    again = await _call(desk, "POST", f"{path}/{noted.json()['id']}/review", "officer", {"review_on": "2027-02-01"})
    assert (again.status_code, again.json()["code"]) == (409, "already_lifted")


async def test_vulnerabilities_come_up_for_review(desk: Any, taken: dict[str, Any]) -> None:
    path = f"/v1/complaints/{taken['id']}/vulnerabilities"
    days = ("2026-11-23", "2026-12-01", "2026-11-30")
    ids = [
        (await _call(desk, "POST", path, "agent", {"kind": "health", "note": "n", "review_on": day})).json()["id"]
        for day in days
    ]
    due = (await _call(desk, "GET", "/v1/vulnerabilities", "officer")).json()
    assert ([item["id"] for item in due["items"]], due["next"]) == ([ids[0]], None)
    assert "note" not in due["items"][0] or due["items"][0]["note"] is None
    page = (await _call(desk, "GET", "/v1/vulnerabilities?until=2026-12-31&limit=2", "officer")).json()
    rest = (await _call(desk, "GET", f"/v1/vulnerabilities?until=2026-12-31&cursor={page['next']}", "officer")).json()
    assert [item["id"] for item in page["items"] + rest["items"]] == sorted(ids)
    await _call(desk, "POST", f"{path}/{ids[0]}/review", "officer", {"review_on": "2027-01-01"})
    assert (await _call(desk, "GET", "/v1/vulnerabilities", "officer")).json()["items"] == []


@pytest.mark.parametrize("day", ["2026-11-22", "2027-11-25", "never"])
async def test_a_review_is_due_within_a_year(desk: Any, taken: dict[str, Any], day: str) -> None:
    body = {"kind": "health", "note": "n", "review_on": day}
    refused = await _call(desk, "POST", f"/v1/complaints/{taken['id']}/vulnerabilities", "agent", body)
    assert refused.status_code == 422
    assert [e["pointer"] for e in refused.json()["errors"]] == ["/review_on"]


async def test_what_does_not_exist_is_not_found(desk: Any) -> None:
    note = {"kind": "health", "note": "n", "review_on": "2027-01-01"}
    calls: Sequence[tuple[str, str, Any]] = (
        ("POST", "/v1/complaints/none/erasure", None),
        ("PUT", "/v1/complaints/none/hold", {"reason": "x"}),
        ("DELETE", "/v1/complaints/none/hold", None),
        ("POST", "/v1/complaints/none/vulnerabilities", note),
        ("GET", "/v1/complaints/none/vulnerabilities", None),
        ("POST", "/v1/complaints/none/vulnerabilities/x/lift", None),
    )
    for method, path, body in calls:
        assert (await _call(desk, method, path, "supervisor", body)).status_code == 404, path


async def test_words_leave_the_events_that_a_service_keeps(desk: Any, taken: dict[str, Any]) -> None:
    """What every other service does on hearing of an erasure; here for a parked event and one not of the complaint."""

    payload = (await desk.rows("SELECT payload FROM outbox"))[0]["payload"]
    assert orjson.loads(erasure.blanked(payload) or "")["data"]["narrative"] == ""
    assert erasure.blanked("no event") is None
    assert erasure.blanked("[]") is None
    told = outbox.row(ComplaintErased(complaint_id="x", ground="request", erased_at=desk.now), now=desk.now)
    assert erasure.blanked(told.payload) is None
    async with desk.db.transaction() as tx:
        assert await erasure.scrub(tx, store.tables, "another") == 0
        assert await erasure.scrub(tx, store.tables, taken["id"]) == 1
        assert await erasure.scrub(tx, store.tables, taken["id"]) == 0
