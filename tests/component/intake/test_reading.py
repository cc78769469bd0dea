"""Who may see what of a complaint, and that looking at personal data leaves a trace."""

from collections.abc import Callable
from typing import Any

import pytest

from shared.ids import normalise_reference

Make = Callable[..., dict[str, Any]]
PERSONAL = {"narrative", "complainant", "desired_outcome", "detail", "channel_ref"}
SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


@pytest.fixture
async def taken(desk: Any, complaint: Make) -> dict[str, Any]:
    """A receipt."""
    body = complaint(
        complainant={"name": "Chan Example", "phone": "+852 9123 4567", "email": "chan@example.com"},
        desired_outcome="An apology",
        detail={"queue": "7"},
        channel_ref="call-1",
        product="atm",
        language="en",
        jurisdiction="hk",
        amount={"value": "12.5", "currency": "HKD"},
    )
    answer = await desk.post(body, who="phone")
    found: dict[str, Any] = answer.json()
    return found


async def _reads(desk: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await desk.rows("SELECT actor, subject FROM audit WHERE action = 'complaint.read'")
    return found


@pytest.mark.parametrize("who", ["agent", "officer", "supervisor", "auditor"])
async def test_whose_work_needs_it_sees_everything_and_is_audited(desk: Any, taken: dict[str, Any], who: str) -> None:
    found = (await desk.get(f"/v1/complaints/{taken['id']}", who=who)).json()

    assert found["narrative"] == "The machine kept my card and nobody rang back."
    assert found["complainant"] == {
        "name": "Chan Example",
        "phone": "+852 9123 4567",
        "email": "chan@example.com",
        "customer_no": None,
        "preferred_channel": None,
        "representative": None,
    }
    assert found["desired_outcome"] == "An apology"
    assert found["detail"] == {"queue": "7"}
    assert found["channel_ref"] == "call-1"
    assert await _reads(desk) == [{"actor": f"key:{who}", "subject": taken["id"]}]


@SQLITE
@pytest.mark.parametrize("who", ["phone", "reader", "manager", "admin"])
async def test_others_see_how_it_stands_without_personal_data(desk: Any, taken: dict[str, Any], who: str) -> None:
    answer = await desk.get(f"/v1/complaints/{taken['id']}", who=who)

    assert answer.status_code == 200
    found = answer.json()
    assert not PERSONAL & set(found)
    assert found == {
        "id": taken["id"],
        "reference": taken["reference"],
        "channel": "phone",
        "status": "received",
        "received_at": "2026-11-23T10:00:00Z",
        "type": None,
        "severity": None,
        "department": None,
        "outcome": None,
        "escalation_level": 0,
        "deadlines": [],
        "branch": None,
        "product": "atm",
        "language": "en",
        "jurisdiction": "hk",
        "imported": False,
        "message_count": 0,
    }
    assert "Chan" not in answer.text
    assert await _reads(desk) == []


@SQLITE
async def test_a_channels_key_sees_its_own_channels_alone(desk: Any, taken: dict[str, Any]) -> None:
    answer = await desk.get(f"/v1/complaints/{taken['id']}", who="web")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    nowhere = await desk.get("/v1/complaints/00000000-0000-7000-8000-000000000000", who="web")
    assert nowhere.json()["detail"] == answer.json()["detail"], "nobody learns that it exists"


@SQLITE
async def test_a_key_that_only_writes_reads_nothing(desk: Any, taken: dict[str, Any]) -> None:
    assert (await desk.get(f"/v1/complaints/{taken['id']}", who="history")).status_code == 403
    assert (await desk.get(f"/v1/complaints/{taken['id']}", who=None)).status_code == 401


@SQLITE
async def test_an_anonymous_complaint_says_so(desk: Any, complaint: Make) -> None:
    id = (await desk.post(complaint(complainant={"anonymous": True}))).json()["id"]
    found = (await desk.get(f"/v1/complaints/{id}")).json()
    assert found["complainant"] == {"anonymous": True}


@pytest.mark.parametrize("id", ["nothing", "%F0%9F%98%80", "x" * 5000, "..%2F..", "'; --"])
async def test_an_id_that_is_none_is_not_found(desk: Any, id: str) -> None:
    answer = await desk.get(f"/v1/complaints/{id}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "path", ["/v1/complaints/%00", "/v1/complaints/a%00b", "/v1/track/%00", "/v1/track/a?token=%00"]
)
async def test_an_address_with_a_nul_is_a_bad_request(desk: Any, path: str) -> None:
    answer = await desk.get(path)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")


# --- the complainant's view ---


async def test_the_tracking_token_opens_the_complainants_view(desk: Any, taken: dict[str, Any]) -> None:
    path = f"/v1/track/{taken['reference']}"
    token = taken["tracking"]["token"]

    by_header = await desk.get(path, who=None, **{"X-Tracking-Token": token})
    by_query = await desk.get(f"{path}?token={token}", who=None)

    assert by_header.status_code == by_query.status_code == 200
    assert by_header.json() == by_query.json()
    assert by_header.json() == {
        "reference": taken["reference"],
        "status": "received",
        "received_at": "2026-11-23T10:00:00Z",
        "deadlines": [],
        "outcome": None,
        "may": ["write", "withdraw"],
        "messages": [],
        "attachments": [],
        "rating": None,
        "disputes": [],
        "withdrawn_at": None,
        "rights": [],
    }


@SQLITE
async def test_a_reference_is_read_as_people_write_it(desk: Any, taken: dict[str, Any]) -> None:
    token = taken["tracking"]["token"]
    plain = taken["reference"].replace("-", "")
    swapped = taken["reference"].lower().replace("0", "o").replace("1", "l")
    for typed in (plain, plain.lower(), f" {taken['reference']} ", swapped):
        answer = await desk.http.get(f"/v1/track/{typed}", params={"token": token})
        assert answer.status_code == 200, typed
        assert answer.json()["reference"] == taken["reference"]


@SQLITE
async def test_a_wrong_token_or_reference_opens_nothing_and_tells_nothing(
    desk: Any, complaint: Make, taken: dict[str, Any]
) -> None:
    other = (await desk.post(complaint())).json()
    token = taken["tracking"]["token"]
    reference = taken["reference"]
    slip = next(
        reference[:-1] + c for c in "0123456789" if normalise_reference(reference[:-1] + c) is None
    )  # its check character does not fit
    tried = [
        (reference, ""),
        (reference, token[:-1]),
        (reference, token + "="),
        (reference, other["tracking"]["token"]),
        (reference, "é😀"),
        (other["reference"], token),
        (slip, token),
        ("nothing", token),
    ]
    answers = [await desk.http.get(f"/v1/track/{r}", params={"token": t}) for r, t in tried]
    assert [a.status_code for a in answers] == [404] * len(tried)
    assert len({a.json()["detail"] for a in answers}) == 1


@SQLITE
async def test_a_token_without_end_is_refused(desk: Any, taken: dict[str, Any]) -> None:
    answer = await desk.http.get(f"/v1/track/{taken['reference']}", params={"token": "x" * 101})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "token"
