"""Each channel over HTTP: its facts are kept, sealed, and nothing personal leaves intake; a repeat answers the same."""

import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from services.intake.channels import branch, letter, phone, regulator, social, web_chat
from shared.cloudevents import decode

SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
EXAMPLES: dict[str, Any] = {
    "phone": phone.EXAMPLE,
    "web-chat": web_chat.EXAMPLE,
    "letter": letter.EXAMPLE,
    "branch": branch.EXAMPLE,
    "social": social.EXAMPLE,
    "regulator": regulator.EXAMPLE,
}
FACTS = {
    "phone": {"call_id", "agent", "recording", "caller_number", "call_language", "started_at", "seconds", "transcript"},
    "web-chat": {"session_id", "visitor", "transcript", "page", "transaction_ref"},
    "letter": {"received_on", "postal_ref", "register_no", "dated", "sender_address", "pages"},
    "branch": {"staff", "in_person", "form_no", "taken_on", "minor"},
    "social": {"network", "post_id", "url", "handle", "visibility", "posted_at"},
    "regulator": {"body", "reference", "received_on", "due_on", "text"},
}
EVERY = pytest.mark.parametrize("channel", sorted(EXAMPLES))
# what of the examples tells who somebody is
PERSONAL = [
    "chan example", "c-000001", "5555 0100", "c-000002", "王 example", "lee example", "1 example road", "rr 123 456",
    "wong example", "wong parent", "hungry.example", "1029384756", "ho example", "c-000003", "rec/2026", "chat-7f3a91",
    "call-2026", "tt-2026", "mr-2026", "cb/2026",
]  # fmt: skip


def _example(channel: str, **changes: Any) -> dict[str, Any]:
    found = deepcopy(EXAMPLES[channel]) | changes
    return {k: v for k, v in found.items() if v is not ...}


async def _post(desk: Any, channel: str, body: Any, *, who: str = "any", key: str | None = None) -> httpx.Response:
    return await desk.http.post(f"/v1/channels/{channel}", json=body, headers=desk.headers(who, key))


async def _event(desk: Any) -> Any:
    return decode((await desk.rows("SELECT payload FROM outbox ORDER BY seq DESC LIMIT 1"))[0]["payload"]).data


def _problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert found["code"] == code
    return found


def _fields(answer: httpx.Response) -> dict[str, str]:
    """Pointer -> code of what is refused."""
    return {e["pointer"]: e["code"] for e in _problem(answer, 422, "invalid_request")["errors"]}


@EVERY
async def test_a_channels_facts_are_kept_and_shown_to_staff(desk: Any, channel: str) -> None:
    body = _example(channel)
    answer = await _post(desk, channel, body, key="k")
    assert answer.status_code == 201, answer.text
    path = f"/v1/complaints/{answer.json()['id']}"

    found = (await desk.get(path)).json()
    assert found["channel"] == channel.replace("-", "_")
    assert set(found["facts"]) == FACTS[channel]
    for name, value in found["facts"].items():
        if not name.endswith("_at") and name != "transcript":
            assert value == body[name], name
    assert found["product"] == body["product"]
    seen_by_channel = (await desk.get(path, who="any")).json()
    assert "facts" not in seen_by_channel
    assert "complainant" not in seen_by_channel


@EVERY
async def test_nothing_personal_is_in_clear_in_the_database(desk: Any, channel: str) -> None:
    body = _example(channel)
    # said again where people say it: in what they want and in what they tell
    who = (body.get("complainant") or {}).get("name") or body.get("handle") or "王 Example"
    body["desired_outcome"] = f"Tell {who} why"
    if "narrative" in body:
        body["narrative"] += f" {who} {body.get('sender_address', '')} {body.get('handle', '')}"
    assert (await _post(desk, channel, body, key="k")).status_code == 201

    rows = {t: await desk.rows(f"SELECT * FROM {t}") for t in ("complaint", "outbox", "audit")}
    assert all(rows.values()), "there is something to search"
    kept = "\n".join(
        v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v)
        for table in rows.values()
        for row in table
        for v in row.values()
    )
    kept += str([orjson.loads(r["payload"]) for r in rows["outbox"]])
    assert [p for p in PERSONAL if p in kept.lower()] == []


@EVERY
async def test_sent_again_it_is_no_second_complaint(desk: Any, channel: str) -> None:
    body = _example(channel)
    first = await _post(desk, channel, body, key="k-1")
    again = await _post(desk, channel, body, key="k-1")
    without_key = await _post(desk, channel, body)
    other_key = await _post(desk, channel, body, key="k-2")

    for repeat in (again, without_key, other_key):
        assert (repeat.status_code, repeat.content) == (201, first.content)
        assert repeat.headers["idempotency-replayed"] == "true"
    assert await desk.scalar("SELECT count(*) FROM complaint") == 1
    assert await desk.scalar("SELECT count(*) FROM outbox") == 1

    changed = body | {"desired_outcome": "An apology"}
    _problem(await _post(desk, channel, changed, key="k-1"), 422, "idempotency_key_reused")
    _problem(await _post(desk, channel, changed), 409, "channel_ref_conflict")
    assert await desk.scalar("SELECT count(*) FROM complaint") == 1


@SQLITE
@EVERY
async def test_a_key_posts_for_its_own_channels_only(desk: Any, channel: str) -> None:
    body = _example(channel)
    own = {"phone": "phone", "web-chat": "web"}.get(channel, "agent")
    other = "web" if channel == "phone" else "phone"
    _problem(await _post(desk, channel, body, who=other), 403, "channel_not_allowed")
    _problem(await _post(desk, channel, body, who="reader"), 403, "forbidden")
    unknown = await desk.http.post(f"/v1/channels/{channel}", json=body)
    _problem(unknown, 401, "unauthenticated")
    assert await desk.scalar("SELECT count(*) FROM complaint") == 0
    assert (await _post(desk, channel, body, who=own)).status_code == 201


@SQLITE
async def test_the_documented_examples_are_taken_as_they_stand(desk: Any) -> None:
    page = (Path(__file__).parents[3] / "docs" / "api.md").read_text()
    found = re.findall(r"^post \w+ ([\w-]+) <<END\n(.*?)^END$", page, re.MULTILINE | re.DOTALL)
    assert {channel for channel, _ in found} == set(EXAMPLES)
    for channel, body in found:
        body = body.replace("$(date +%F)", "2026-11-23").replace("$(date +%Y)", "2026")
        answer = await _post(desk, channel, orjson.loads(body))
        assert answer.status_code == 201, (channel, answer.text)
    assert await desk.scalar("SELECT count(*) FROM complaint") == len(found)


# --- what each channel's shape means ---


@SQLITE
async def test_without_a_narrative_it_is_what_the_customer_said(desk: Any) -> None:
    await _post(desk, "phone", _example("phone"))
    event = await _event(desk)
    assert event.narrative == "我張信用卡收咗兩次年費，上個月打過嚟都冇人覆。"
    assert event.language == "zh-Hant", "who speaks Cantonese is written to in traditional characters"
    await _post(desk, "web-chat", _example("web-chat", narrative="汇款没到账。"))
    assert (await _event(desk)).narrative == "汇款没到账。"


@SQLITE
@pytest.mark.parametrize("channel", ["phone", "web-chat"])
async def test_a_conversation_in_which_the_customer_said_nothing_needs_a_narrative(desk: Any, channel: str) -> None:
    silent = [{"role": "agent", "text": "Hello?"}, {"role": "customer", "text": "  "}]
    for transcript in (silent, [], ...):
        assert _fields(await _post(desk, channel, _example(channel, transcript=transcript))) == {
            "/narrative": "narrative_missing"
        }
    taken = await _post(desk, channel, _example(channel, transcript=silent, narrative="She hung up in tears."))
    assert taken.status_code == 201


@SQLITE
async def test_a_signed_in_visitor_is_the_complainant(desk: Any) -> None:
    id = (await _post(desk, "web-chat", _example("web-chat"))).json()["id"]
    who = (await desk.get(f"/v1/complaints/{id}")).json()["complainant"]
    assert (who["customer_no"], who["name"]) == ("C-000002", "王 Example")

    named = _example("web-chat", session_id="s2", complainant={"name": "Wang E.", "phone": "+852 5555 0101"})
    id = (await _post(desk, "web-chat", named)).json()["id"]
    who = (await desk.get(f"/v1/complaints/{id}")).json()["complainant"]
    assert (who["customer_no"], who["name"], who["phone"]) == ("C-000002", "Wang E.", "+852 5555 0101")
    assert await desk.scalar("SELECT count(DISTINCT customer_ref) FROM complaint") == 1

    for other in ({"name": "Wang E.", "customer_no": "C-9"}, {"anonymous": True}):
        refused = await _post(desk, "web-chat", _example("web-chat", session_id="s3", complainant=other))
        assert _fields(refused) == {"/complainant": "not_the_visitor"}


@SQLITE
async def test_an_anonymous_visitor_may_leave_a_name_or_none(desk: Any) -> None:
    stranger = {"kind": "anonymous", "visitor_id": "v-1"}
    id = (await _post(desk, "web-chat", _example("web-chat", visitor=stranger))).json()["id"]
    assert (await desk.get(f"/v1/complaints/{id}")).json()["complainant"] == {"anonymous": True}
    named = _example("web-chat", session_id="s2", visitor=stranger, complainant={"name": "Ada Example"})
    id = (await _post(desk, "web-chat", named)).json()["id"]
    assert (await desk.get(f"/v1/complaints/{id}")).json()["complainant"]["name"] == "Ada Example"


@SQLITE
async def test_a_letters_day_of_receipt_in_the_banks_zone_starts_the_clock(desk: Any) -> None:
    answer = await _post(desk, "letter", _example("letter"))
    assert answer.json()["received_at"] == "2026-11-19T16:00:00.000Z", "midnight in Hong Kong"
    assert answer.json()["reference"].startswith("261120-")
    event = await _event(desk)
    assert event.received_at.isoformat() == "2026-11-19T16:00:00+00:00"
    assert event.imported is False


@SQLITE
@pytest.mark.parametrize(
    ("channel", "field"), [("letter", "received_on"), ("branch", "taken_on"), ("regulator", "received_on")]
)
async def test_no_day_lies_in_the_future_of_the_banks_zone(desk: Any, channel: str, field: str) -> None:
    desk.now = desk.now.replace(hour=17)  # already the 24th in Hong Kong
    assert (await _post(desk, channel, _example(channel, **{field: "2026-11-24"}, due_on=...))).status_code == 201
    refused = await _post(desk, channel, _example(channel, **{field: "2026-11-25"}, due_on=...))
    assert _fields(refused) == {f"/{field}": "in_the_future"}
    refused = await _post(desk, channel, _example(channel, **{field: "1989-12-31"}, due_on=...))
    assert _fields(refused) == {f"/{field}": "too_long_ago"}


@SQLITE
@pytest.mark.parametrize(("channel", "field"), [("letter", "received_on"), ("branch", "taken_on")])
async def test_paper_that_is_older_than_90_days_is_history(desk: Any, channel: str, field: str) -> None:
    taken = await _post(desk, channel, _example(channel, **{field: "2026-08-25"}))
    assert taken.status_code == 201, taken.text
    assert (await _event(desk)).imported is False
    old = _example(channel, register_no=..., form_no=..., **{field: "2026-08-24"})
    assert _fields(await _post(desk, channel, old)) == {f"/{field}": "too_long_ago"}
    assert (await _post(desk, channel, old, who="history")).status_code == 201
    assert (await _event(desk)).imported is True


@SQLITE
async def test_a_minor_needs_somebody_with_relation_and_authority(desk: Any) -> None:
    alone = _example("branch", representative=...)
    assert _fields(await _post(desk, "branch", alone)) == {"/representative": "minor_without_representative"}
    assert (await _post(desk, "branch", alone | {"minor": False})).status_code == 201
    half = _example("branch", form_no="F-2", representative={"name": "Wong Parent"})
    assert _fields(await _post(desk, "branch", half)) == {
        "/representative/relation": "missing",
        "/representative/authority": "missing",
    }
    id = (await _post(desk, "branch", _example("branch", form_no="F-3"))).json()["id"]
    who = (await desk.get(f"/v1/complaints/{id}")).json()["complainant"]
    assert who["representative"]["relation"] == "parent"
    assert who["representative"]["authority"] == "guardianship"


@SQLITE
@EVERY
async def test_nobody_acts_for_somebody_unknown(desk: Any, channel: str) -> None:
    body = _example(channel, visitor={"kind": "anonymous"}) if channel == "web-chat" else _example(channel)
    body |= (
        {"complainant": {"anonymous": True}, "minor": False}
        if channel == "branch"
        else {"complainant": {"anonymous": True}}
    )
    body["representative"] = {"name": "A Solicitor", "relation": "solicitor", "authority": "letter_of_authority"}
    assert _fields(await _post(desk, channel, body)) == {"/representative": "anonymous_with_representative"}


@SQLITE
async def test_a_form_number_is_its_branchs_own(desk: Any) -> None:
    first = await _post(desk, "branch", _example("branch"))
    other = await _post(desk, "branch", _example("branch", branch="HK-013", staff="S-9"))
    assert (first.status_code, other.status_code) == (201, 201)
    assert first.json()["id"] != other.json()["id"]


@SQLITE
async def test_a_post_has_a_number_or_an_address(desk: Any) -> None:
    assert _fields(await _post(desk, "social", _example("social", post_id=..., url=...))) == {
        "/post_id": "post_missing"
    }
    for script in ("javascript:alert(1)", "http://social.example/1"):
        assert _fields(await _post(desk, "social", _example("social", url=script))) == {
            "/url": "string_pattern_mismatch"
        }
    taken = await _post(desk, "social", _example("social", post_id=...))
    found = (await desk.get(f"/v1/complaints/{taken.json()['id']}")).json()
    assert found["channel_ref"] == "facebook https://social.example/bank/posts/1029384756"
    assert found["complainant"]["name"] == "@hungry.example", "the handle is all that is known"


@SQLITE
async def test_a_referral_brings_the_bodys_own_dates(desk: Any) -> None:
    taken = await _post(desk, "regulator", _example("regulator"))
    event = await _event(desk)
    assert event.referred_by == "HKMA"
    assert event.referred_at.isoformat() == "2026-11-15T16:00:00+00:00", "midnight in Hong Kong"
    assert event.imposed_due_at.isoformat() == "2026-12-07T15:59:59.999000+00:00", "the last moment that is in time"
    assert taken.json()["received_at"] == "2026-11-23T10:00:00.000Z", "the bank's own receipt is now"
    found = (await desk.get(f"/v1/complaints/{taken.json()['id']}")).json()
    assert found["channel_ref"] == "HKMA CB/2026/00917"

    same_number = _example("regulator", body="FMOS", narrative=...)
    assert (await _post(desk, "regulator", same_number)).status_code == 201, "two bodies may count alike"
    assert (await _event(desk)).narrative.startswith("We refer to the enclosed complaint")


@SQLITE
@pytest.mark.parametrize(
    ("due_on", "code"),
    [("2026-11-15", "before_receipt"), ("2037-01-01", "too_far_ahead"), ("9999-12-31", "too_far_ahead")],
)
async def test_a_deadline_that_makes_no_sense_is_refused(desk: Any, due_on: str, code: str) -> None:
    assert _fields(await _post(desk, "regulator", _example("regulator", due_on=due_on))) == {"/due_on": code}


@SQLITE
@EVERY
async def test_every_field_is_read_strictly(desk: Any, channel: str) -> None:
    assert _fields(await _post(desk, channel, _example(channel, unheard_of=1))) == {"/unheard_of": "extra_forbidden"}
    assert "/product" in _fields(await _post(desk, channel, _example(channel, product="x\x00y")))
    headers = desk.headers("any") | {"Content-Type": "application/json"}
    for raw in (b"{", b'{"narrative": "\\ud800"}', b"\xff"):
        answer = await desk.http.post(f"/v1/channels/{channel}", content=raw, headers=headers)
        _problem(answer, 400, "malformed_request")
    _problem(await _post(desk, channel, _example(channel), key="k" * 256), 400, "idempotency_key_invalid")
