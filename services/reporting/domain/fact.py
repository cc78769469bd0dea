"""A fact: what reporting knows of one complaint, and how an event adds to it.

Events come late, twice, and in any order, also those of one service. So everything here is commutative and idempotent:
of a register, such as the classification, the newest word counts; of a milestone, such as the acknowledgement, the
first; of a deadline, what its clock said last. Whatever the order, the fact ends the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson

from shared.events import (
    ClockEvent,
    ClockMet,
    ClockMoved,
    ClockStarted,
    ComplaintAcknowledged,
    ComplaintAmended,
    ComplaintAssigned,
    ComplaintClassified,
    ComplaintClosed,
    ComplaintDisputed,
    ComplaintErased,
    ComplaintEscalated,
    ComplaintRated,
    ComplaintReceived,
    ComplaintReopened,
    ComplaintResolved,
    ComplaintResponded,
    ComplaintRouted,
    DeadlineMissed,
    DeadlineWarned,
    Event,
)

# What became of a deadline, and which word goes before which: the step taken ends it, whatever was said before.
RUNNING, DUE_SOON, LAPSED, MISSED, IN_TIME, LATE = "running", "due_soon", "lapsed", "missed", "in_time", "late"
RESULTS = {RUNNING: 0, DUE_SOON: 1, LAPSED: 2, MISSED: 2, IN_TIME: 3, LATE: 3}
_ANEW = "anew"  # a reopened clock runs again: what was said before counts no more

REDRESS_UNIT = Decimal("0.0001")
"""Redress is kept as a whole number of these units of its currency; the wire allows four decimals."""

HEARD = frozenset(
    event.type
    for event in (
        ComplaintReceived,
        ComplaintAmended,
        ComplaintDisputed,
        ComplaintErased,
        ComplaintRated,
        ComplaintClassified,
        ComplaintRouted,
        ComplaintAssigned,
        ComplaintAcknowledged,
        ComplaintResponded,
        ComplaintResolved,
        ComplaintClosed,
        ComplaintReopened,
        ComplaintEscalated,
        ClockStarted,
        ClockMoved,
        ClockMet,
        DeadlineWarned,
        DeadlineMissed,
    )
)
"""The types of events that tell something of a complaint that counts."""

ASPECTS = ("overall", "staff", "product", "handling")


@dataclass(frozen=True, slots=True)
class Deadline:
    """One step of one clock. `rule` is the policy pack, None until the clock's start has been heard of; `said` holds
    what was said of it by event id, in order; `primary`: of the clock that the complainant was told."""

    step: str
    kind: str
    primary: bool
    rule: str | None = None
    said: tuple[tuple[str, str], ...] = ()

    @property
    def result(self) -> str:
        """Since the clock last ran anew, the word of the highest rank; of two of one rank, the later."""
        found = RUNNING
        for _, word in self.said:
            if word == _ANEW:
                found = RUNNING
            elif RESULTS[word] >= RESULTS[found]:
                found = word
        return found

    def hearing(self, id: str, word: str) -> "Deadline":
        return replace(self, said=tuple(sorted({*self.said, (id, word)})))


@dataclass(frozen=True, slots=True)
class Fact:
    """One complaint. Milestones (`acknowledged_at`, `responded_at`: the final response, `reopened_at`, `disputed_at`)
    are those of the first time. `redress` counts REDRESS_UNITs. `stamps` says as of when each register is known, as
    `<time>/<event id>`. `repeat`: the same person had complained within the year before."""

    complaint_id: str
    reference: str | None = None
    received_at: datetime | None = None
    imported: bool = False
    channel: str | None = None
    branch: str | None = None
    jurisdiction: str | None = None
    stated_product: str | None = None
    stated_language: str | None = None
    customer_ref: str | None = None
    repeat: bool = False
    vulnerable: bool = False
    category: str | None = None
    severity: str | None = None
    found_product: str | None = None
    found_language: str | None = None
    department: str | None = None
    assignee: str | None = None
    acknowledged_at: datetime | None = None
    responded_at: datetime | None = None
    outcome: str | None = None
    root_cause: str | None = None
    redress: int | None = None
    currency: str | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    reopened_at: datetime | None = None
    disputed_at: datetime | None = None
    rated_at: datetime | None = None
    ratings: Mapping[str, int] = field(default_factory=dict)
    escalation_level: int = 0
    erased: bool = False
    stamps: Mapping[str, str] = field(default_factory=dict)
    deadlines: Mapping[str, Deadline] = field(default_factory=dict)

    @property
    def product(self) -> str | None:
        return self.found_product or self.stated_product

    @property
    def language(self) -> str | None:
        return self.stated_language or self.found_language

    @property
    def decided(self) -> bool:
        """The bank has decided, and has not opened the matter again since."""
        return self.stamps.get("resolved", "") > self.stamps.get("reopened", "")

    @property
    def closed(self) -> bool:
        return self.stamps.get("closed", "") > self.stamps.get("reopened", "")

    @property
    def officer(self) -> str | None:
        """Who works on it; whoever did before it went to another department does no longer."""
        return self.assignee if self.stamps.get("assigned", "") > self.stamps.get("routed", "") else None

    @property
    def status(self) -> str:
        """How far it has come: the last stage that was reached."""
        stages = (
            ("closed", self.closed),
            ("resolved", self.decided),
            ("responded", self.responded_at),
            ("acknowledged", self.acknowledged_at),
            ("assigned", self.officer),
            ("routed", self.department),
        )
        return next((name for name, reached in stages if reached), "received")

    def dump(self) -> str:
        """As JSON, without what is as it was at the beginning."""
        known = {name: value for name in _FIELDS if (value := getattr(self, name)) and name != "complaint_id"}
        return orjson.dumps(known).decode()

    @classmethod
    def load(cls, complaint_id: str, known: str) -> "Fact":
        values: dict[str, Any] = orjson.loads(known)
        for name in _TIMES & values.keys():
            values[name] = datetime.fromisoformat(values[name])
        if deadlines := values.get("deadlines"):
            values["deadlines"] = {
                key: Deadline(**{**one, "said": tuple((id, word) for id, word in one["said"])})
                for key, one in deadlines.items()
            }
        return cls(complaint_id, **values)


_FIELDS = tuple(Fact.__dataclass_fields__)
_TIMES = {name for name in _FIELDS if name.endswith("_at")}


def applied(fact: Fact, event: Event, id: str) -> Fact:
    """`fact` after `event`, whose id is `id`: a UUIDv7, so of two events of one moment the later has the greater."""
    match event:
        case ComplaintReceived():
            return replace(
                fact,
                reference=event.reference,
                received_at=event.received_at.astimezone(UTC),
                imported=event.imported,
                channel=event.channel,
                branch=event.branch,
                jurisdiction=event.jurisdiction,
                stated_product=event.product,
                stated_language=event.language,
                customer_ref=None if fact.erased else event.customer_ref,
            )
        case ComplaintErased():
            return replace(fact, erased=True, customer_ref=None)
        case ComplaintAmended() if event.vulnerable is not None:
            return _newest(fact, "amended", event.amended_at, id, vulnerable=event.vulnerable)
        case ComplaintRated():
            ratings = {name: n for name in ASPECTS if (n := getattr(event, name)) is not None}
            return _newest(fact, "rated", event.rated_at, id, rated_at=event.rated_at, ratings=ratings)
        case ComplaintDisputed():
            return replace(fact, disputed_at=_first(fact.disputed_at, event.disputed_at))
        case ComplaintClassified():
            found = {
                "category": event.category,
                "severity": event.severity,
                "found_product": event.product,
                "found_language": event.language,
            }
            return _newest(fact, "classified", event.classified_at, id, **found)
        case ComplaintRouted():
            return _newest(fact, "routed", event.routed_at, id, department=event.department)
        case ComplaintAssigned():
            return _newest(fact, "assigned", event.assigned_at, id, assignee=event.assignee)
        case ComplaintAcknowledged():
            return replace(fact, acknowledged_at=_first(fact.acknowledged_at, event.acknowledged_at))
        case ComplaintResponded() if event.final:
            return replace(fact, responded_at=_first(fact.responded_at, event.responded_at))
        case ComplaintResolved():
            paid = event.redress_amount
            decision = {
                "resolved_at": event.resolved_at,
                "outcome": event.outcome,
                "root_cause": event.root_cause,
                "redress": None if paid is None else int(paid / REDRESS_UNIT),
                "currency": event.redress_currency,
            }
            return _newest(fact, "resolved", event.resolved_at, id, **decision)
        case ComplaintClosed():
            return _newest(fact, "closed", event.closed_at, id, closed_at=event.closed_at)
        case ComplaintReopened():
            first = _first(fact.reopened_at, event.reopened_at)
            return _newest(replace(fact, reopened_at=first), "reopened", event.reopened_at, id)
        case ComplaintEscalated():
            return replace(fact, escalation_level=max(fact.escalation_level, event.level))
        case ClockEvent():
            return _clock(fact, event, id)
        case _:
            return fact


def _newest(fact: Fact, register: str, at: datetime, id: str, **values: Any) -> Fact:
    stamp = f"{at.astimezone(UTC).isoformat(timespec='microseconds')}/{id}"
    if stamp <= fact.stamps.get(register, ""):
        return fact
    return replace(fact, stamps={**fact.stamps, register: stamp}, **values)


def _first(known: datetime | None, at: datetime) -> datetime:
    return at if known is None else min(known, at)


def _clock(fact: Fact, event: ClockEvent, id: str) -> Fact:
    match event:
        case ClockStarted():
            for step in event.steps:
                fact = _step(fact, event, step.name, id, RUNNING, event.pack)
            return fact
        case ClockMoved(cause="reopened"):
            for step in event.steps:
                fact = _step(fact, event, step.name, id, _ANEW)
            return fact
        case DeadlineWarned():
            return _step(fact, event, event.step, id, DUE_SOON)
        case DeadlineMissed():
            return _step(fact, event, event.step, id, LAPSED if event.historic else MISSED)
        case ClockMet():
            return _step(fact, event, event.step, id, IN_TIME if event.in_time else LATE)
        case _:
            return fact


def _step(fact: Fact, event: ClockEvent, step: str, id: str, word: str, rule: str | None = None) -> Fact:
    key = f"{event.clock_id}/{step}"
    known = fact.deadlines.get(key) or Deadline(step, event.kind, event.primary)
    heard = known.hearing(id, word)
    if rule is not None:
        heard = replace(heard, rule=rule)
    if heard == known:
        return fact
    return replace(fact, deadlines={**fact.deadlines, key: heard})
