"""The envelope: what goes in comes out, and what is refused is never quoted."""

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from shared.clock import rfc3339
from shared.cloudevents import Envelope, Undecodable, decode, encode, peek_type
from shared.db import UtcDateTime
from shared.events import EVENTS, ComplaintAcknowledged, ComplaintReceived, ComplaintResolved, Event

AT = datetime(2026, 11, 23, 10, tzinfo=UTC)

_text = st.text(st.characters(exclude_categories=("Cs",)), max_size=50)
_ids = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=64)
_times = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
_money = st.decimals(0, 10**12, places=4)
_events = st.one_of(
    st.builds(
        ComplaintReceived,
        complaint_id=_ids,
        reference=_text,
        channel=_text,
        narrative=_text,
        received_at=_times,
        customer_ref=st.none() | _text,
        amount=st.none() | _money,
        currency=st.none() | st.just("HKD"),
        occurred_at=st.none() | _times,
        imported=st.booleans(),
    ),
    st.builds(
        ComplaintResolved,
        complaint_id=_ids,
        outcome=st.sampled_from(["upheld", "rejected"]),
        root_cause=_text,
        redress_amount=st.none() | _money,
        resolved_at=_times,
    ),
)


@given(event=_events, id=_ids, time=_times, trace=st.none() | _text, correlation=st.none() | _text)
def test_what_goes_in_comes_out(
    event: Event, id: str, time: datetime, trace: str | None, correlation: str | None
) -> None:
    time = time.replace(microsecond=time.microsecond // 1000 * 1000)
    envelope = Envelope(
        id, event.source, event.type, event.complaint_id, time, event, trace or None, correlation or None
    )
    written = encode(envelope)
    assert decode(written) == decode(written.encode()) == envelope
    assert json.loads(written)["specversion"] == "1.0"
    assert peek_type(written) == event.type


def test_money_keeps_its_digits_and_is_written_as_text() -> None:
    event = ComplaintReceived(
        complaint_id="c", reference="r", channel="phone", narrative="n", received_at=AT, amount=Decimal("0.10")
    )
    envelope = Envelope("i", event.source, event.type, "c", AT, event)
    assert json.loads(encode(envelope))["data"]["amount"] == "0.10"
    assert str(decode(encode(envelope)).data.amount) == "0.10"  # type: ignore[attr-defined]


def _body(**changes: Any) -> dict[str, Any]:
    event = ComplaintAcknowledged(complaint_id="c-1", acknowledged_at=AT)
    body = json.loads(encode(Envelope("i-1", event.source, event.type, "c-1", AT, event)))
    return {k: v for k, v in (body | changes).items() if v is not ...}


SECRET = "geheim-4711"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (SECRET, "not a JSON object"),
        ([SECRET], "not a JSON object"),
        ({SECRET: 1}, "not CloudEvents 1.0"),
        (_body(specversion="0.3"), "not CloudEvents 1.0"),
        (_body(id=...), "attribute 'id' is missing"),
        (_body(id=""), "attribute 'id' is missing"),
        (_body(id=5), "attribute 'id' is missing"),
        (_body(id=SECRET * 10), "attribute 'id' is no identifier"),
        (_body(id=f"{SECRET}\x00"), "attribute 'id' is no identifier"),
        (_body(source=...), "attribute 'source' is missing"),
        (_body(subject=None), "attribute 'subject' is missing"),
        (_body(time=...), "attribute 'time' is missing"),
        (_body(type=SECRET), "an event type that is not known here"),
        (_body(time=SECRET), "attribute 'time' is no RFC 3339 time"),
        (_body(time="2026-11-23T10:00:00"), "attribute 'time' has no offset"),
        (_body(subject=SECRET), "subject and data name different complaints"),
        (_body(data=...), "data does not fit com.redress.complaint.acknowledged.v1: data"),
        (_body(data=SECRET), "data does not fit com.redress.complaint.acknowledged.v1: data"),
        (
            _body(data={"complaint_id": "c-1"}),
            "data does not fit com.redress.complaint.acknowledged.v1: acknowledged_at",
        ),
        (
            _body(data={"complaint_id": [SECRET], "acknowledged_at": SECRET}),
            "data does not fit com.redress.complaint.acknowledged.v1: acknowledged_at, complaint_id",
        ),
    ],
)
def test_each_fault_has_its_reason_and_quotes_nothing(body: Any, reason: str) -> None:
    with pytest.raises(Undecodable, match=f"^{re.escape(reason)}$") as raised:
        decode(orjson.dumps(body))
    assert SECRET not in str(raised.value)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None, "nor does a traceback"


def test_what_is_no_json_quotes_nothing() -> None:
    with pytest.raises(Undecodable, match=r"^not JSON$"):
        decode(f"{{{SECRET}".encode())


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=10,
)


@given(raw=st.binary(max_size=200) | _json.map(orjson.dumps))
def test_anything_at_all_decodes_or_is_undecodable(raw: bytes) -> None:
    with pytest.raises(Undecodable):
        decode(raw)
    assert peek_type(raw) is None or isinstance(peek_type(raw), str)


@given(
    type=st.sampled_from(sorted(EVENTS)),
    field=st.sampled_from(["id", "source", "type", "subject", "time", "data", "traceparent", "correlationid"]),
    value=_json,
    data=st.dictionaries(st.sampled_from(["complaint_id", "acknowledged_at", "steps", "level", "confidence"]), _json),
)
def test_a_nearly_right_event_decodes_or_is_undecodable(type: str, field: str, value: Any, data: Any) -> None:
    body = _body(type=type, data={"complaint_id": "c-1", **data})
    body[field] = value
    try:
        envelope = decode(orjson.dumps(body))
    except Undecodable:
        return
    assert isinstance(envelope.data, EVENTS[envelope.type])
    assert isinstance(envelope.traceparent, str | None)
    assert envelope.time.utcoffset() is not None


def test_times_are_written_in_utc_to_the_millisecond_and_naive_ones_refused() -> None:
    local = datetime.fromisoformat("2026-11-23T18:00:00.123456+08:00")
    assert rfc3339(local) == "2026-11-23T10:00:00.123Z"
    assert datetime.fromisoformat(rfc3339(local)) - local < timedelta(milliseconds=1)
    with pytest.raises(ValueError, match="offset"):
        rfc3339(datetime(2026, 11, 23))  # noqa: DTZ001


def test_an_hour_that_comes_twice_is_two_times() -> None:
    first, second = (datetime(2026, 10, 25, 1, 30, tzinfo=ZoneInfo("Europe/London"), fold=fold) for fold in (0, 1))
    assert first == second, "to Python, who compares what the clock shows"
    assert [rfc3339(t) for t in (first, second)] == ["2026-10-25T00:30:00.000Z", "2026-10-25T01:30:00.000Z"]
    kept = UtcDateTime().bind_processor(sqlite.dialect())
    assert kept is not None
    assert [kept(t) for t in (first, second)] == ["2026-10-25 00:30:00.000000", "2026-10-25 01:30:00.000000"]
