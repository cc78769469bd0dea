"""What is counted, and where: from events to facts, from facts to the cells of the counters.

A fact is what reporting knows of one complaint. Events of different services come in any order, so applying them is
commutative between services: whichever comes first, the fact ends the same. Each fact falls into cells; when a fact
changes, the cells that it leaves go down by one and those that it enters go up by one.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from shared.errors import FieldError, Invalid
from shared.events import (
    ClockEvent,
    ClockMet,
    ClockStarted,
    ComplaintAcknowledged,
    ComplaintAssigned,
    ComplaintClassified,
    ComplaintClosed,
    ComplaintEscalated,
    ComplaintReceived,
    ComplaintResolved,
    ComplaintResponded,
    ComplaintRouted,
    DeadlineMissed,
    DeadlineWarned,
    Event,
)

# Where a complaint is counted before anybody has said more.
UNCLASSIFIED = "unclassified"
UNROUTED = "unrouted"
OPEN = "open"

# What became of a deadline, and which word goes before which: the step taken ends it, whatever was said before.
RUNNING, DUE_SOON, LAPSED, MISSED, IN_TIME, LATE = "running", "due_soon", "lapsed", "missed", "in_time", "late"
_RANK = {RUNNING: 0, DUE_SOON: 1, LAPSED: 2, MISSED: 2, IN_TIME: 3, LATE: 3}


@dataclass(frozen=True, slots=True)
class Fact:
    """One complaint. `day` is that of its receipt in the bank's zone, None until its receipt has been heard of.

    `responded_at` is the final response. `steps` maps `<clock id>/<step>` to what became of that deadline.
    """

    complaint_id: str
    day: date | None = None
    received_at: datetime | None = None
    imported: bool = False
    channel: str | None = None
    product: str | None = None
    branch: str | None = None
    language: str | None = None
    category: str | None = None
    severity: str | None = None
    classified_at: datetime | None = None
    department: str | None = None
    routed_at: datetime | None = None
    assigned_at: datetime | None = None
    acknowledged_at: datetime | None = None
    responded_at: datetime | None = None
    outcome: str | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    escalation_level: int = 0
    steps: Mapping[str, str] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """How far it has come: the last stage that was reached."""
        stages = (
            ("closed", self.closed_at),
            ("resolved", self.resolved_at),
            ("responded", self.responded_at),
            ("acknowledged", self.acknowledged_at),
            ("assigned", self.assigned_at),
            ("routed", self.routed_at),
        )
        return next((name for name, at in stages if at is not None), "received")


class Volume(NamedTuple):
    """A cell of the counter of complaints. `outcome` is `open` until the bank has decided."""

    day: date
    channel: str
    category: str
    department: str
    outcome: str


class Deadline(NamedTuple):
    """A cell of the counter of deadlines; `day` is the complaint's, `result` one of the words above."""

    day: date
    channel: str
    category: str
    department: str
    step: str
    result: str


class Margin(NamedTuple):
    """A cell of the counters of one dimension by itself, from which figures of all complaints of a period are read
    without going through every combination: `dimension` is channel, category, department or outcome, and `code` its
    value; or it is `deadline`, and `code` is `<step>/<result>`."""

    dimension: str
    day: date
    code: str


Cell = Volume | Deadline | Margin


@dataclass(frozen=True, slots=True)
class Selection:
    """Which complaints are meant. `since` and `until` are days of receipt, both included; None leaves open."""

    since: date | None = None
    until: date | None = None
    channel: str | None = None
    category: str | None = None
    department: str | None = None

    @property
    def narrowed(self) -> bool:
        """Whether more is asked than a period."""
        return any(code is not None for code in (self.channel, self.category, self.department))

    def __post_init__(self) -> None:
        if self.since and self.until and self.since > self.until:
            raise Invalid("The period ends before it begins.", errors=(FieldError("from", "later than `to`"),))


def applied(fact: Fact, event: Event, zone: ZoneInfo) -> Fact:
    """`fact` after `event`; days are those of `zone`. A later classification, routing or decision replaces an earlier;
    of acknowledgements, responses and assignments the first counts."""
    match event:
        case ComplaintReceived():
            return replace(
                fact,
                day=event.received_at.astimezone(zone).date(),
                received_at=event.received_at,
                imported=event.imported,
                channel=event.channel,
                product=event.product,
                branch=event.branch,
                language=event.language or fact.language,
            )
        case ComplaintClassified() if _newer(event.classified_at, fact.classified_at):
            return replace(
                fact,
                category=event.category,
                severity=event.severity,
                classified_at=event.classified_at,
                language=fact.language or event.language,
            )
        case ComplaintRouted() if _newer(event.routed_at, fact.routed_at):
            return replace(fact, department=event.department, routed_at=event.routed_at)
        case ComplaintAssigned():
            return replace(fact, assigned_at=_first(fact.assigned_at, event.assigned_at))
        case ComplaintAcknowledged():
            return replace(fact, acknowledged_at=_first(fact.acknowledged_at, event.acknowledged_at))
        case ComplaintResponded() if event.final:
            return replace(fact, responded_at=_first(fact.responded_at, event.responded_at))
        case ComplaintResolved() if _newer(event.resolved_at, fact.resolved_at):
            return replace(fact, outcome=event.outcome, resolved_at=event.resolved_at)
        case ComplaintClosed() if _newer(event.closed_at, fact.closed_at):
            return replace(fact, closed_at=event.closed_at)
        case ComplaintEscalated():
            return replace(fact, escalation_level=max(fact.escalation_level, event.level))
        case ClockEvent() if not event.primary:
            return fact  # other regulators' clocks and the bank's own are not the deadlines that these figures count
        case ClockStarted():
            for step in event.steps:
                fact = _step(fact, event.clock_id, step.name, RUNNING)
            return fact
        case DeadlineWarned():
            return _step(fact, event.clock_id, event.step, DUE_SOON)
        case DeadlineMissed():
            return _step(fact, event.clock_id, event.step, LAPSED if event.historic else MISSED)
        case ClockMet():
            return _step(fact, event.clock_id, event.step, IN_TIME if event.in_time else LATE)
        case _:
            return fact


def _newer(at: datetime, known: datetime | None) -> bool:
    return known is None or at >= known


def _first(known: datetime | None, at: datetime) -> datetime:
    return at if known is None else min(known, at)


def _step(fact: Fact, clock_id: str, step: str, result: str) -> Fact:
    key = f"{clock_id}/{step}"
    known = fact.steps.get(key)
    if known is not None and _RANK[known] >= _RANK[result]:
        return fact
    return replace(fact, steps={**fact.steps, key: result})


def cells(fact: Fact) -> Iterator[Cell]:
    """Where `fact` counts: nowhere until its receipt is known; then in one cell of volume and one for each deadline,
    and in the margins of both."""
    if fact.day is None or fact.channel is None:
        return
    place = Volume(
        fact.day,
        fact.channel,
        fact.category or UNCLASSIFIED,
        fact.department or UNROUTED,
        fact.outcome or OPEN,
    )
    yield place
    for dimension in ("channel", "category", "department", "outcome"):
        yield Margin(dimension, fact.day, getattr(place, dimension))
    for key, result in fact.steps.items():
        step = key.rpartition("/")[2]
        yield Deadline(fact.day, place.channel, place.category, place.department, step, result)
        yield Margin("deadline", fact.day, f"{step}/{result}")


def tally(facts: Iterable[Fact]) -> Counter[Cell]:
    """What the counters must say of `facts`."""
    return Counter(cell for fact in facts for cell in cells(fact))


def change(before: Iterable[Fact], after: Iterable[Fact]) -> dict[Cell, int]:
    """By how much each cell moves when facts go from `before` to `after`; cells that stay are left out."""
    moved = tally(after)
    moved.subtract(tally(before))
    return {cell: by for cell, by in moved.items() if by}
