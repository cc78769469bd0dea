"""Yesterday's events still decode. The files in `golden/` were written by hand, one for each event type, and are never
written anew: a type may get further fields, and its file stays as it was."""

import asyncio
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
from aiokafka import AIOKafkaConsumer
from cloudevents.core.bindings.kafka import KafkaMessage, from_structured_event
from cloudevents.core.formats.json import JSONFormat
from pydantic import AwareDatetime

from deploy.infra import install
from deploy.infra.kafka import Kafka
from shared import outbox, trace
from shared.bus import Message
from shared.bus.kafka import KafkaBus
from shared.cloudevents import dataschema, decode, encode
from shared.events import EVENTS, TOPICS, ClockStep, Event

GOLDEN = Path(__file__).parent / "golden"
COMPLAINT = "01930000-0000-7000-8000-000000000001"
CLOCK = "01930000-0000-7000-8000-0000000000c1"
# What could hold who somebody is. `assignee` is a subject in the bank's directory and `customer_ref` a keyed hash.
PERSONAL = ("name", "phone", "email", "mobile", "address", "customer_no", "identity", "passport", "birth", "account")


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


EXPECTED: dict[str, dict[str, Any]] = {
    "complaint.received": {
        "reference": "260305-7T51-DVFS9",
        "channel": "phone",
        "narrative": "[person] was charged 120.00 twice; call [phone]. 收費錯誤",
        "received_at": _at("2026-03-05 02:00:00"),
        "customer_ref": "0123456789abcdef0123456789abcdef",
        "language": "en",
        "jurisdiction": "hk",
        "branch": "central",
        "product": "remittance",
        "amount": Decimal("120.00"),
        "currency": "HKD",
        "occurred_at": _at("2026-03-04 10:30:00"),
        "desired_outcome": "A refund to [person]",
        "imported": False,
    },
    "complaint.classified": {
        "category": "fees",
        "severity": "high",
        "rules": ("fees.double", "words.refund"),
        "confidence": 0.75,
        "language": "en",
        "classified_at": _at("2026-03-05 02:01:00"),
    },
    "complaint.routed": {
        "department": "payments",
        "reason": "category fees, product remittance",
        "routed_at": _at("2026-03-05 02:02:00"),
    },
    "complaint.assigned": {"assignee": "staff:7f3a", "assigned_at": _at("2026-03-05 02:03:00")},
    "complaint.acknowledged": {"acknowledged_at": _at("2026-03-05 02:04:00")},
    "complaint.responded": {"responded_at": _at("2026-03-05 02:05:00"), "final": True},
    "complaint.resolved": {
        "outcome": "partly_upheld",
        "root_cause": "system_failure",
        "redress_amount": Decimal("60.5"),
        "redress_currency": "HKD",
        "resolved_at": _at("2026-03-05 02:06:00"),
    },
    "complaint.closed": {"closed_at": _at("2026-03-05 02:07:00")},
    "clock.started": {
        "clock_id": CLOCK,
        "pack": "hk-hkma",
        "pack_version": "2026.1",
        "started_at": _at("2026-03-05 02:00:00"),
        "steps": (
            ClockStep(name="acknowledge", due_at=_at("2026-03-12 15:59:59"), article="SPM IC-4 4.1"),
            ClockStep(name="interim", due_at=_at("2026-04-04 15:59:59"), article=None),
            ClockStep(name="final", due_at=_at("2026-05-04 15:59:59"), article="SPM IC-4 4.3"),
        ),
    },
    "clock.moved": {
        "clock_id": CLOCK,
        "started_at": _at("2026-03-04 02:00:00"),
        "steps": (ClockStep(name="final", due_at=_at("2026-05-03 15:59:59"), article="SPM IC-4 4.3"),),
        "moved_at": _at("2026-03-06 02:00:00"),
    },
    "clock.paused": {
        "clock_id": CLOCK,
        "kind": "service",
        "primary": False,
        "reason": "waiting_for_complainant",
        "since": _at("2026-03-06 02:00:00"),
        "paused_at": _at("2026-03-06 02:00:01"),
    },
    "clock.resumed": {
        "clock_id": CLOCK,
        "kind": "service",
        "primary": False,
        "since": _at("2026-03-09 02:00:00"),
        "steps": (ClockStep(name="final", due_at=_at("2026-03-24 15:59:59"), article="3", provisional=True),),
        "resumed_at": _at("2026-03-09 02:00:01"),
    },
    "clock.extended": {
        "clock_id": CLOCK,
        "kind": "regulatory",
        "primary": True,
        "step": "final",
        "was_due_at": _at("2026-03-20 15:59:59"),
        "due_at": _at("2026-04-04 15:59:59"),
        "reason": "An expert looks at the signature of [person].",
        "article": "30 days",
        "approved_by": "staff:7f3a",
        "notice_required": True,
        "extended_at": _at("2026-03-19 02:00:00"),
    },
    "escalation.answered": {
        "clock_id": CLOCK,
        "kind": "regulatory",
        "primary": True,
        "step": "final",
        "level": 2,
        "answer": "handed_back",
        "answered_by": "staff:7f3a",
        "reason": "Ask [person] first.",
        "answered_at": _at("2026-05-06 02:00:00"),
    },
    "clock.met": {
        "clock_id": CLOCK,
        "step": "acknowledge",
        "due_at": _at("2026-03-12 15:59:59"),
        "met_at": _at("2026-03-05 02:04:00"),
        "in_time": True,
    },
    "deadline.warned": {
        "clock_id": CLOCK,
        "step": "final",
        "due_at": _at("2026-05-04 15:59:59"),
        "warned_at": _at("2026-04-27 01:00:00"),
    },
    "deadline.missed": {
        "clock_id": CLOCK,
        "step": "final",
        "due_at": _at("2026-05-04 15:59:59"),
        "missed_at": _at("2026-05-04 16:00:00"),
        "historic": False,
    },
    "complaint.escalated": {
        "clock_id": CLOCK,
        "step": "final",
        "level": 1,
        "role": "supervisor",
        "reason": "final response is late",
        "escalated_at": _at("2026-05-04 16:00:01"),
    },
    "complaint.amended": {
        "amended_at": _at("2026-03-05 02:08:00"),
        "vulnerable": True,
    },
    "complaint.message_added": {
        "message_id": "01930000-0000-7000-8000-0000000000d1",
        "direction": "in",
        "author": "complainant",
        "via": "email",
        "text": "Here is the slip. 附上收據 [phone]",
        "attachments": 1,
        "added_at": _at("2026-03-05 02:09:00"),
    },
    "complaint.withdrawn": {
        "withdrawn_at": _at("2026-03-05 02:10:00"),
        "reason": "Solved by [person]",
    },
    "complaint.linked": {
        "link_id": "01930000-0000-7000-8000-0000000000e1",
        "other_id": "01930000-0000-7000-8000-000000000002",
        "state": "confirmed",
        "score": 0.92,
        "reasons": ("near_text", "same_amount"),
        "governs_from": _at("2026-03-05 01:00:00"),
        "linked_at": _at("2026-03-05 02:11:00"),
    },
    "complaint.rated": {
        "overall": 4,
        "staff": 5,
        "product": 3,
        "handling": 2,
        "comment": "等得太久",
        "rated_at": _at("2026-03-05 02:12:00"),
    },
    "complaint.disputed": {
        "dispute_id": "01930000-0000-7000-8000-0000000000f1",
        "outcome": "rejected",
        "grounds": "The fee was never agreed",
        "disputed_at": _at("2026-03-05 02:13:00"),
    },
    "complaint.erased": {
        "ground": "retention",
        "erased_at": _at("2026-03-05 02:14:00"),
    },
    "complaint.notified": {
        "notice_id": "01930000-0000-7000-8000-0000000000a1",
        "kind": "letter",
        "via": "email",
        "state": "failed",
        "reason": "550 no such mailbox",
        "origin": "01930000-0000-7000-8000-0000000000b1",
        "settled_at": _at("2026-03-05 02:15:00"),
    },
    "complaint.letter_issued": {
        "letter_id": "01930000-0000-7000-8000-0000000000b1",
        "kind": "final",
        "language": "zh-Hant",
        "subject": "您的投訴",
        "body": "{complainant}：我們已完成調查。",
        "issued_at": _at("2026-03-05 02:16:00"),
    },
    "complaint.information_requested": {
        "request_id": "01930000-0000-7000-8000-0000000000b2",
        "question": "Which branch was it?",
        "language": "en",
        "reply_by": _at("2026-03-19 15:59:59"),
        "requested_at": _at("2026-03-05 02:17:00"),
    },
    "complaint.transferred": {
        "from_department": "cards",
        "department": "payments",
        "reason": "the transfer is ours, not [person]'s card",
        "transferred_at": _at("2026-03-05 02:10:00"),
    },
    "complaint.noted": {
        "note_id": "01930000-0000-7000-8000-0000000000d1",
        "noted_at": _at("2026-03-05 02:11:00"),
    },
    "complaint.consulted": {
        "consult_id": "01930000-0000-7000-8000-0000000000d2",
        "department": "legal",
        "state": "asked",
        "consulted_at": _at("2026-03-05 02:12:00"),
    },
    "complaint.information_received": {
        "received_at": _at("2026-03-05 02:13:00"),
    },
    "complaint.outcome_proposed": {
        "outcome": "goodwill",
        "root_cause": "none_found",
        "redress_amount": Decimal("60.50"),
        "redress_currency": "HKD",
        "needs": ("outcome", "severity"),
        "proposed_by": "staff:7f3a",
        "proposed_at": _at("2026-03-05 02:14:00"),
    },
    "complaint.outcome_reviewed": {
        "approved": False,
        "reviewed_by": "staff:91bc",
        "reason": "look at the fee table again",
        "reviewed_at": _at("2026-03-05 02:15:00"),
    },
    "complaint.delivered": {
        "via": "post",
        "rights_told": True,
        "delivered_at": _at("2026-03-05 02:16:00"),
    },
    "complaint.reopened": {
        "reason": "[person] sent the receipt",
        "reopened_at": _at("2026-03-05 02:17:00"),
    },
    "complaint.review_opened": {
        "cause": "dispute",
        "opened_at": _at("2026-03-05 02:18:00"),
    },
    "incident.declared": {
        "title": "Cash machines were down",
        "department": "complaint_office",
        "cause": "supervisor",
        "complaints": 12,
        "declared_at": _at("2026-03-05 02:19:00"),
    },
    "complaint.joined": {
        "incident_id": "01930000-0000-7000-8000-0000000000e1",
        "joined_at": _at("2026-03-05 02:20:00"),
    },
    "surge.detected": {
        "category": "fees",
        "product": "credit_card",
        "branch": "central",
        "channel": "phone",
        "observed": 12,
        "expected": 3.5,
        "since": _at("2026-03-04 00:00:00"),
        "until": _at("2026-03-05 00:00:00"),
        "detected_at": _at("2026-03-05 02:21:00"),
    },
    "staff.signed_out": {
        "session": "11112222333344445555666677778888",
        "directory_session": "08a5019c-17e1-4977-8f42-65a12843ea02",
        "staff": "staff:maria",
        "signed_out_at": _at("2026-03-05 02:23:00"),
    },
    "goal.missed": {
        "figure": "received",
        "dimension": "branch",
        "code": "central",
        "direction": "down",
        "baseline": 120.0,
        "target": 90.0,
        "value": 104.5,
        "owner_role": "manager",
        "owner_department": "branch_operations",
        "due_on": date(2026, 3, 4),
        "missed_at": _at("2026-03-05 02:22:00"),
    },
    "incident.closed": {
        "complaints": 12,
        "closed_at": _at("2026-03-05 02:20:00"),
    },
}
NAMES = sorted(EXPECTED)


def _golden(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDEN / f"com.redress.{name}.v1.json").read_text())
    return found


def test_every_event_has_its_golden_file_and_none_is_left_over() -> None:
    assert {p.stem for p in GOLDEN.glob("*.json")} == set(EVENTS)
    assert {f"com.redress.{name}.v1" for name in EXPECTED} == set(EVENTS)


@pytest.mark.parametrize("name", NAMES)
def test_a_golden_event_decodes_to_what_it_says(name: str) -> None:
    body = _golden(name)
    envelope = decode(json.dumps(body))

    assert envelope.id == body["id"]
    assert envelope.type == f"com.redress.{name}.v1"
    assert envelope.source == envelope.data.source == body["source"]
    assert envelope.subject == COMPLAINT
    assert envelope.time == datetime.fromisoformat(body["time"])
    assert envelope.traceparent == body["traceparent"]
    assert envelope.correlationid == body["correlationid"]
    assert type(envelope.data) is EVENTS[envelope.type]
    found = {k: getattr(envelope.data, k) for k in EXPECTED[name]}
    assert found == EXPECTED[name]
    assert envelope.data.complaint_id == COMPLAINT
    assert body["dataschema"] == dataschema(envelope.type)


@pytest.mark.parametrize("name", NAMES)
def test_fields_that_are_not_known_yet_are_passed_over(name: str) -> None:
    body = _golden(name)
    plain = decode(json.dumps(body))
    body |= {"sampledrate": 3, "partitionkey": "x"}
    body["data"] |= {"added_later": {"deep": [1]}, "another": None}
    for step in body["data"].get("steps", []):
        step["added_later"] = True
    assert decode(json.dumps(body)) == plain


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_today_reads_the_same(name: str) -> None:
    """Every field of the golden event is in what we write, whatever shape its value takes, and beside them only such as
    were added since, with the value that holds where nobody has said otherwise."""
    body = _golden(name)
    written = json.loads(encode(decode(json.dumps(body))))
    assert set(written) == set(body)
    assert {k: v for k, v in written.items() if k not in ("data", "time")} == {
        k: v for k, v in body.items() if k not in ("data", "time")
    }
    assert written["time"] == body["time"]
    added = set(written["data"]) - set(body["data"])
    defaults = {n: f.default for n, f in EVENTS[body["type"]].model_fields.items() if not f.is_required()}
    assert set(body["data"]) <= set(written["data"])
    assert {n: written["data"][n] for n in added} == {n: defaults[n] for n in added}
    assert decode(json.dumps(written)).data == decode(json.dumps(body)).data


@pytest.mark.parametrize("name", NAMES)
def test_a_golden_event_fits_the_schema_that_is_published(name: str) -> None:
    schema = EVENTS[f"com.redress.{name}.v1"].model_json_schema(mode="validation")
    jsonschema.Draft202012Validator.check_schema(schema)
    checker = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    checker.validate(_golden(name)["data"])
    for field in EXPECTED[name]:
        broken = _golden(name)["data"] | {field: [{"not": "this"}]}
        assert not checker.is_valid(broken), field
    written = json.loads(encode(decode(json.dumps(_golden(name)))))["data"]
    as_written = EVENTS[f"com.redress.{name}.v1"].model_json_schema(mode="serialization")
    jsonschema.Draft202012Validator(as_written).validate(written)


@pytest.mark.parametrize("event", EVENTS.values(), ids=lambda e: e.type)
def test_no_event_has_a_field_for_who_somebody_is(event: type[Event]) -> None:
    schema = event.model_json_schema()
    fields = set(schema["properties"])
    for inner in schema.get("$defs", {}).values():
        # a step of a clock has a name of its own
        fields |= set(inner.get("properties", {})) - ({"name"} if inner["title"] == "ClockStep" else set())
    assert not [f for f in fields for word in PERSONAL if word in f.split("_")]


@pytest.mark.parametrize("event", EVENTS.values(), ids=lambda e: e.type)
def test_every_time_in_an_event_is_aware(event: type[Event]) -> None:
    for name, field in event.model_fields.items():
        if name.endswith("_at"):
            assert AwareDatetime in (field.annotation, *get_args(field.annotation)), name


def test_every_source_has_its_topic() -> None:
    assert {e.source for e in EVENTS.values()} <= {f"/redress/{service}" for service in TOPICS}


# --- as others read them ---


def _like_the_cloudevents_package(raw: bytes) -> Any:
    headers = {"content-type": b"application/cloudevents+json"}
    return from_structured_event(KafkaMessage(headers=headers, key=None, value=raw), JSONFormat())


@pytest.mark.parametrize("name", NAMES)
def test_the_cloudevents_package_reads_what_we_write(name: str) -> None:
    written = encode(decode(json.dumps(_golden(name)))).encode()
    event = _like_the_cloudevents_package(written)
    assert event.get_type() == f"com.redress.{name}.v1"
    assert event.get_subject() == COMPLAINT
    assert event.get_specversion() == "1.0"
    assert event.get_datacontenttype() == "application/json"
    assert event.get_extension("traceparent").startswith("00-")
    assert event.get_data() == json.loads(written)["data"]


@pytest.mark.kafka
async def test_kcat_and_the_cloudevents_package_read_our_events_from_kafka_as_they_stand(
    kafka: Kafka, make_topics: Any
) -> None:
    (topic,) = await make_topics(1, partitions=2)
    token = trace.enter(trace.begin("req-1", None))
    events = [decode(json.dumps(_golden(name))).data for name in NAMES]
    rows = [outbox.row(event, now=datetime(2026, 3, 5, 2, tzinfo=UTC)) for event in events]
    trace.leave(token)
    bus = KafkaBus(kafka.bootstrap, client_id="golden")
    assert await bus.publish([Message(topic, r.key, r.payload.encode()) for r in rows]) == [True] * len(rows)
    await bus.stop()

    async with AIOKafkaConsumer(topic, bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest") as consumer:
        records = [await asyncio.wait_for(consumer.getone(), 20) for _ in rows]
    for record, row in zip(records, rows, strict=True):
        headers = dict(record.headers)
        assert headers == {"content-type": b"application/cloudevents+json"}
        message = KafkaMessage(headers=headers, key=record.key, value=record.value)
        event = from_structured_event(message, JSONFormat())
        assert record.key.decode() == COMPLAINT
        assert (event.get_id(), event.get_type()) == (row.event_id, row.type)
        assert event.get_data()["complaint_id"] == COMPLAINT
        assert event.get_extension("correlationid") == "req-1"

    kcat = install.find_kcat()
    if kcat is None:
        pytest.skip("kcat is not installed; the cloudevents package has read them")
    command = [
        str(kcat),
        "-C",
        "-b",
        kafka.bootstrap,
        "-t",
        topic,
        "-e",
        "-q",
        "-o",
        "beginning",
        "-f",
        "%k\\t%h\\t%s\\n",
    ]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    printed, _ = await asyncio.wait_for(process.communicate(), 30)
    lines = printed.decode().splitlines()
    assert process.returncode == 0
    assert len(lines) == len(rows)
    for line, row in zip(lines, rows, strict=True):
        key, header, value = line.split("\t")
        assert (key, header) == (COMPLAINT, "content-type=application/cloudevents+json")
        assert json.loads(value) == json.loads(row.payload)
        assert json.loads(value)["specversion"] == "1.0"
