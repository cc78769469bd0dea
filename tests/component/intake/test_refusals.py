"""Whatever is sent, the answer is a complaint taken or a problem that says where it lies; never a failure of ours."""

import json
import string
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

Make = Callable[..., dict[str, Any]]
SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


def _problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert found["status"] == status
    assert found["code"] == code
    assert found["type"] == f"urn:redress:problem:{code}"
    assert found["instance"] == f"urn:redress:request:{answer.headers['x-request-id']}"
    return found


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "unknown channel": ({"channel": "telex"}, "/channel", "literal_error"),
    "no channel": ({"channel": ...}, "/channel", "missing"),
    "empty narrative": ({"narrative": ""}, "/narrative", "blank"),
    "blank narrative": ({"narrative": " \n\u3000 "}, "/narrative", "blank"),
    "narrative too long": ({"narrative": "長" * 20_001}, "/narrative", "too_long"),
    "narrative is a number": ({"narrative": 5}, "/narrative", "string_type"),
    "NUL in the narrative": ({"narrative": "a\x00b"}, "/narrative", "control_character"),
    "escape sequence": ({"narrative": "a\x1b[2Jb"}, "/narrative", "control_character"),
    "C1 control": ({"narrative": "a\x85b"}, "/narrative", "control_character"),
    "noncharacter": ({"narrative": "a\uffffb"}, "/narrative", "control_character"),
    "no complainant": ({"complainant": ...}, "/complainant", "missing"),
    "nobody": ({"complainant": {}}, "/complainant", "name_missing"),
    "anonymous with a name": (
        {"complainant": {"anonymous": True, "name": "A"}}, "/complainant", "anonymous_with_person",
    ),
    "unfit phone": (
        {"complainant": {"name": "A", "phone": "ring me"}}, "/complainant/phone", "string_pattern_mismatch",
    ),
    "phone and newline": (
        {"complainant": {"name": "A", "phone": "12345678\n"}}, "/complainant/phone", "string_pattern_mismatch",
    ),
    "unfit e-mail": ({"complainant": {"name": "A", "email": "a@b"}}, "/complainant/email", "email"),
    "control in e-mail": ({"complainant": {"name": "A", "email": "a\x01@b.example"}}, "/complainant/email",
                          "control_character"),
    "control in name": ({"complainant": {"name": "A\x07"}}, "/complainant/name", "control_character"),
    "unknown field": ({"urgent": True}, "/urgent", "extra_forbidden"),
    "unknown field of the complainant": (
        {"complainant": {"name": "A", "age": 7}}, "/complainant/age", "extra_forbidden",
    ),
    "occurred in the future": ({"occurred_at": "2026-11-23T10:05:01Z"}, "/occurred_at", "in_the_future"),
    "occurred long ago": ({"occurred_at": "1989-12-31T00:00:00Z"}, "/occurred_at", "too_long_ago"),
    "the end of time": ({"occurred_at": "9999-12-31T23:59:59-12:00"}, "/occurred_at", "in_the_future"),
    "the beginning of time": ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "/occurred_at", "too_long_ago"),
    "no offset": ({"occurred_at": "2026-11-20T10:00:00"}, "/occurred_at", "timezone_aware"),
    "no such day": ({"occurred_at": "2026-02-30T10:00:00Z"}, "/occurred_at", "datetime_from_date_parsing"),
    "received in the future": ({"received_at": "2027-01-01T00:00:00Z"}, "/received_at", "in_the_future"),
    "negative amount": ({"amount": {"value": "-1", "currency": "HKD"}}, "/amount/value", "greater_than_equal"),
    "five decimals": ({"amount": {"value": "0.00001", "currency": "HKD"}}, "/amount/value", "decimal_max_places"),
    "amount too large": (
        {"amount": {"value": "100000000000000", "currency": "HKD"}}, "/amount/value", "decimal_whole_digits",
    ),
    "huge exponent": ({"amount": {"value": "1e999999999", "currency": "HKD"}}, "/amount/value", ""),
    "not a number": ({"amount": {"value": "NaN", "currency": "HKD"}}, "/amount/value", "finite_number"),
    "infinite": ({"amount": {"value": "Infinity", "currency": "HKD"}}, "/amount/value", "finite_number"),
    "unknown currency": ({"amount": {"value": "1", "currency": "XYZ"}}, "/amount/currency", "currency"),
    "no currency": ({"amount": {"value": "1"}}, "/amount/currency", "missing"),
    "unknown language": ({"language": "fr"}, "/language", "literal_error"),
    "unfit jurisdiction": ({"jurisdiction": "Hong Kong"}, "/jurisdiction", "string_pattern_mismatch"),
    "product too long": ({"product": "p" * 65}, "/product", "string_too_long"),
    "channel_ref too long": ({"channel_ref": "r" * 201}, "/channel_ref", "too_long"),
    "outcome too long": ({"desired_outcome": "r" * 2001}, "/desired_outcome", "too_long"),
    "too many details": ({"detail": {str(n): "" for n in range(51)}}, "/detail", "too_long"),
    "detail not flat": ({"detail": {"a/b~c": {"d": 1}}}, "/detail/a~1b~0c", "string_type"),
    "control in detail": ({"detail": {"a": "\x00"}}, "/detail/a", "control_character"),
}  # fmt: skip


@SQLITE
@pytest.mark.parametrize("case", REFUSED)
async def test_a_value_that_cannot_be_taken_is_named(desk: Any, complaint: Make, case: str) -> None:
    changes, pointer, code = REFUSED[case]
    found = _problem(await desk.post(complaint(**changes), who="history"), 422, "invalid_request")

    assert pointer in [e["pointer"] for e in found["errors"]]
    if code:
        assert code in [e["code"] for e in found["errors"] if e["pointer"] == pointer]
    assert await desk.scalar("SELECT count(*) FROM complaint") == 0


@SQLITE
async def test_every_wrong_field_is_named_and_no_value_is_quoted(desk: Any, complaint: Make) -> None:
    body = complaint(channel="secret-1", complainant={"name": "secret-2\x00", "phone": "secret-3"}, language="secret-4")
    answer = await desk.post(body)

    found = _problem(answer, 422, "invalid_request")
    pointers = {e["pointer"] for e in found["errors"]}
    assert pointers == {"/channel", "/complainant/name", "/complainant/phone", "/language"}
    assert "secret" not in answer.text


@SQLITE
@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{", b"{]", b"nul", b'{"channel": "phone",}', b'{"narrative": "\xff\xfe"}', b'\xef\xbb\xbf{"a": 1}',
        b'{"narrative": "\\ud83d"}', b'{"narrative": "\\ude00\\ud83d"}', b'{"narrative": "a\x00b"}', b"[" * 100_000,
        b'{"detail": ' * 5_000, b"\x00\x01\x02", "｛｝".encode(), b"NaN, Infinity",
    ],
)  # fmt: skip
async def test_what_is_no_json_is_a_bad_request(desk: Any, raw: bytes) -> None:
    found = _problem(await desk.post(raw=raw), 400, "malformed_request")
    assert found["errors"][0]["pointer"] == ""
    assert found["errors"][0]["code"] == "json_invalid"


@SQLITE
@pytest.mark.parametrize("raw", [b"null", b"true", b"0", b'"text"', b"[]", b"[{}]", b"1e999", b"-0"])
async def test_json_that_is_no_object_is_refused(desk: Any, raw: bytes) -> None:
    _problem(await desk.post(raw=raw), 422, "invalid_request")


@SQLITE
async def test_a_surrogate_pair_is_an_ordinary_character(desk: Any) -> None:
    raw = b'{"channel":"phone","narrative":"\\ud83d\\ude00 \xf0\x9f\x98\x80","complainant":{"anonymous":true}}'
    id = (await desk.post(raw=raw)).json()["id"]
    assert (await desk.get(f"/v1/complaints/{id}")).json()["narrative"] == "😀 😀"


@SQLITE
@pytest.mark.parametrize("declared", [True, False], ids=["with Content-Length", "in chunks"])
@pytest.mark.parametrize("size", [262_145, 1_000_000], ids=["one byte over", "1 MB"])
async def test_a_body_over_the_limit_is_refused(desk: Any, declared: bool, size: int) -> None:
    body = b'{"narrative": "' + "😀".encode() * (size // 4)
    body = body.ljust(size, b" ")[:size]

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    answer = await desk.http.post(
        "/v1/complaints", content=body if declared else chunks(), headers=desk.headers("any", "k")
    )
    found = _problem(answer, 413, "payload_too_large")
    assert found["errors"] == [{"pointer": "", "detail": found["detail"], "code": "payload_too_large"}]


@SQLITE
async def test_the_longest_narrative_of_emoji_is_taken_whole(desk: Any, complaint: Make) -> None:
    narrative = "😀" * 20_000
    answer = await desk.post(complaint(narrative=narrative))
    assert answer.status_code == 201
    found = (await desk.get(f"/v1/complaints/{answer.json()['id']}")).json()
    assert found["narrative"] == narrative


@SQLITE
async def test_unknown_places_and_methods_are_problems_too(desk: Any) -> None:
    _problem(await desk.get("/v1/nothing"), 404, "not_found")
    answer = await desk.http.put("/v1/complaints", headers=desk.headers("any"))
    _problem(answer, 405, "method_not_allowed")
    assert "POST" in answer.headers["allow"]


async def test_names_that_grow_when_redacted_do_not_burst_their_column(desk: Any, complaint: Make) -> None:
    answer = await desk.post(complaint(complainant={"name": "ab"}, product="ab" * 32, branch="ab" * 32))
    assert answer.status_code == 201


@pytest.mark.parametrize("value", ["0", "0.0001", "99999999999999.9999", "1E+3", 12.5, 0])
async def test_every_amount_within_the_limits_is_kept(desk: Any, complaint: Make, value: Any) -> None:
    answer = await desk.post(complaint(amount={"value": value, "currency": "JPY"}))
    assert answer.status_code == 201
    assert (await desk.get(f"/v1/complaints/{answer.json()['id']}")).status_code == 200


# --- anything at all ---

_anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=8,
)
_text = st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn")), min_size=1, max_size=60).filter(str.strip)
_times = st.datetimes(
    datetime(1990, 1, 2),  # noqa: DTZ001
    datetime(2026, 11, 22),  # noqa: DTZ001
    timezones=st.timezones(),
).map(datetime.isoformat)
_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "channel": st.sampled_from(["phone", "web_form", "email", "letter"]),
    "narrative": _text,
    "complainant": st.just({"anonymous": True})
    | st.fixed_dictionaries(
        {"name": _text},
        optional={
            "phone": st.text(string.digits + "+ ()-", min_size=3, max_size=20),
            "email": st.emails(),
            "customer_no": _text,
        },
    ),
    "channel_ref": _text,
    "branch": _text,
    "product": _text,
    "amount": st.fixed_dictionaries(
        {
            "value": st.decimals(0, 10**13, places=4).map(str) | st.integers(0, 10**13),
            "currency": st.sampled_from(["HKD", "JPY"]),
        }
    ),
    "occurred_at": _times,
    "received_at": _times,
    "desired_outcome": _text,
    "language": st.sampled_from(["en", "zh-Hant", "zh-Hans"]),
    "jurisdiction": st.from_regex(r"[a-z]{2}(-[a-z0-9]{1,5}){0,3}", fullmatch=True),
    "detail": st.dictionaries(_text, st.text(max_size=60), max_size=5),
}
_ODD_TIMES = st.datetimes(timezones=st.timezones() | st.none()).map(datetime.isoformat)
_ODD_AMOUNTS = st.fixed_dictionaries(
    {"value": st.decimals().map(str) | st.floats() | st.integers(), "currency": st.sampled_from(["HKD", "hkd"])}
)


@st.composite
def _bodies(draw: st.DrawFn) -> Any:
    """Complaints that are nearly right, so that the fuzz gets past the first check, and now and then anything."""
    chosen = draw(st.sets(st.sampled_from(sorted(_FIELDS))))
    body = {name: draw(_FIELDS[name]) for name in chosen | {"channel", "narrative", "complainant"}}
    for name in draw(st.sets(st.sampled_from([*sorted(_FIELDS), "other"]), max_size=1)):
        body[name] = draw(_anything | _ODD_TIMES | _ODD_AMOUNTS)
    return body


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(body=_bodies() | _anything)
async def test_no_body_whatever_makes_it_fail(desk: Any, body: Any) -> None:
    try:
        raw = orjson.dumps(body)
    except (TypeError, orjson.JSONEncodeError):  # lone surrogates and large numbers: the long way
        raw = json.dumps(body).encode()
    answer = await desk.post(raw=raw, who="history", key="k" if len(raw) % 7 == 0 else None)

    event(f"answered {answer.status_code}")
    assert answer.status_code in {201, 400, 409, 422}, answer.text
    if answer.status_code != 201:
        assert answer.headers["content-type"] == "application/problem+json"
        return
    id = answer.json()["id"]
    found = await desk.get(f"/v1/complaints/{id}")
    assert found.status_code == 200
    assert found.json()["narrative"] == body["narrative"], "kept as it was written"
