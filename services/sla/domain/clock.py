"""What happens to one complaint's clock: it starts, its steps are met, or warned of, missed and escalated.

Which casework meets which step:
- `acknowledge`: the acknowledgement, or whatever says at least as much to the complainant: a response of either kind,
  or closure; the first of them.
- `interim`: a response, holding or final; or resolution or closure, after which nothing is left to hold.
- `final`: the final response; or closure of a complaint that was withdrawn. Resolution alone is not enough: the bank
  has decided, and the complainant still waits to be told.

A clock counts from receipt; from the earliest receipt among several reports of one matter, once that is confirmed. When
it so comes to count from another moment, steps that are taken stand as they were published; the others get new
deadlines, and a miss that the new deadline takes back is none any more.

What counts is when a step was taken (the time in the event), not when we heard of it. A step is settled once, by the
first fact that meets it, and then stands as it was published: events of one complaint come from routing in order, so
the first is the earliest unless routing's own record says otherwise. A miss that was fired meanwhile stays on record
beside a step that turns out to have been taken in time.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from services.sla.domain.policy import (
    TICK,
    Authority,
    Escalation,
    Limit,
    Pack,
    Policies,
    Rule,
    count,
    in_time,
    warn_at,
)
from shared.events import (
    ClockMet,
    ClockMoved,
    ClockStarted,
    ClockStep,
    ComplaintAcknowledged,
    ComplaintAssigned,
    ComplaintClosed,
    ComplaintEscalated,
    ComplaintLinked,
    ComplaintReceived,
    ComplaintResolved,
    ComplaintResponded,
    ComplaintRouted,
    DeadlineMissed,
    DeadlineWarned,
    Event,
    StepName,
)

State = Literal["running", "warned", "missed", "met", "met_late"]
MISSED = "deadline_missed"
"""The reason of an escalation: a stable code."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a complaint so far, from events in any order. Times are those of the deeds themselves.

    Of each deed the first is kept (`responded_at`: the first response of either kind). A later `routed_at` or
    `assigned_at` replaces an earlier one, and so does `governs_from`, the earliest receipt of the matter.
    `last_closed_at` differs from `closed_at` once a complaint was reopened.
    """

    received_at: datetime | None = None
    jurisdiction: str | None = None
    imported: bool = False
    department: str | None = None
    routed_at: datetime | None = None
    assignee: str | None = None
    assigned_at: datetime | None = None
    acknowledged_at: datetime | None = None
    responded_at: datetime | None = None
    final_response_at: datetime | None = None
    resolved_at: datetime | None = None
    withdrawn_at: datetime | None = None
    closed_at: datetime | None = None
    last_closed_at: datetime | None = None
    governs_from: datetime | None = None

    @property
    def start(self) -> datetime | None:
        """From when the clock counts; None until the complaint is known to be received."""
        return _earliest(self.received_at, self.governs_from) if self.received_at else None

    def learn(self, event: Event) -> "Facts":
        """What is known after `event`; events that tell nothing about deadlines change nothing."""
        match event:
            case ComplaintReceived():
                return replace(
                    self,
                    received_at=self.received_at or event.received_at,
                    jurisdiction=self.jurisdiction or event.jurisdiction,
                    imported=self.imported or event.imported,
                )
            case ComplaintLinked():  # whatever the link's state: it is what the confirmed ones come to
                return replace(self, governs_from=event.governs_from)
            case ComplaintRouted() if _later(self.routed_at, event.routed_at):
                return replace(self, department=event.department, routed_at=event.routed_at)
            case ComplaintAssigned() if _later(self.assigned_at, event.assigned_at):
                return replace(self, assignee=event.assignee, assigned_at=event.assigned_at)
            case ComplaintAcknowledged():
                return replace(self, acknowledged_at=_earliest(self.acknowledged_at, event.acknowledged_at))
            case ComplaintResponded():
                final = event.responded_at if event.final else None
                return replace(
                    self,
                    responded_at=_earliest(self.responded_at, event.responded_at),
                    final_response_at=_earliest(self.final_response_at, final),
                )
            case ComplaintResolved():
                withdrawn = event.resolved_at if event.outcome == "withdrawn" else None
                return replace(
                    self,
                    resolved_at=_earliest(self.resolved_at, event.resolved_at),
                    withdrawn_at=_earliest(self.withdrawn_at, withdrawn),
                )
            case ComplaintClosed():
                last = event.closed_at if _later(self.last_closed_at, event.closed_at) else self.last_closed_at
                return replace(self, closed_at=_earliest(self.closed_at, event.closed_at), last_closed_at=last)
            case _:
                return self

    def met_at(self, step: StepName) -> datetime | None:
        """When `step` was taken, as far as is known; see the module's docstring for what meets what."""
        match step:
            case "acknowledge":
                return _earliest(self.acknowledged_at, self.responded_at, self.closed_at)
            case "interim":
                return _earliest(self.responded_at, self.resolved_at, self.closed_at)
            case "final":
                return _earliest(self.final_response_at, self._closed_as_withdrawn())

    def _closed_as_withdrawn(self) -> datetime | None:
        """The closure that followed a withdrawal; one before it, of a complaint since reopened, was another matter."""
        for closed_at in (self.closed_at, self.last_closed_at):
            if self.withdrawn_at is not None and closed_at is not None and closed_at >= self.withdrawn_at:
                return closed_at
        return None


@dataclass(frozen=True, slots=True)
class Step:
    """One deadline of a clock, with a copy of the rule under which it was set.

    `due_at` is the last millisecond in time. `next_at` is when something must next be done about the step if it has
    not been taken by then: warn, or, once `due_at` is over, record the miss; None when nothing is left to do.
    `historic`: the deadline had passed before the complaint was imported.
    """

    name: StepName
    limit: Limit
    authority: Authority
    escalation: Escalation | None
    due_at: datetime
    warn_at: datetime | None
    next_at: datetime | None
    historic: bool = False
    warned_at: datetime | None = None
    missed_at: datetime | None = None
    escalated_at: datetime | None = None
    met_at: datetime | None = None

    @property
    def met_in_time(self) -> bool | None:
        """Whether the step was taken in time; None while it is not taken."""
        return None if self.met_at is None else in_time(self.met_at, self.due_at)

    @property
    def state(self) -> State:
        if self.met_at is not None:
            return "met" if self.met_in_time else "met_late"
        if self.missed_at is not None:
            return "missed"
        return "warned" if self.warned_at is not None else "running"


@dataclass(frozen=True, slots=True)
class Clock:
    """A running clock. `pack_reason`: why this pack applies; `zone`: the pack's; `opened_at`: when we began it."""

    id: str
    pack: str
    pack_version: str
    pack_reason: str
    zone: str
    opened_at: datetime
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Watch:
    """One complaint as this service sees it. `clock` is None until it is known that, and when, it was received."""

    complaint_id: str
    facts: Facts = field(default_factory=Facts)
    clock: Clock | None = None


def begin(
    watch: Watch, policies: Policies, *, clock_id: str, now: datetime, grace: timedelta
) -> tuple[Watch, list[Event]]:
    """Start the clock of a received complaint, and settle the steps that are known to be taken already.

    Of imported history, deadlines that have already passed wait `grace` for the casework that follows the import; if
    that does not come they are recorded as missed, as history: nobody is warned and nothing is escalated. Raises
    UncountableTime.
    """
    start = watch.facts.start
    assert start is not None
    assert watch.clock is None
    pack, reason = policies.choose(watch.facts.jurisdiction, start)
    patience = now + grace if watch.facts.imported else None
    steps = tuple(_step(rule, pack, start, patience=patience, now=now) for rule in pack.rules)
    clock = Clock(clock_id, pack.id, pack.version, reason, pack.zone.key, now, steps)
    started = ClockStarted(
        complaint_id=watch.complaint_id,
        clock_id=clock_id,
        pack=pack.id,
        pack_version=pack.version,
        started_at=start,
        steps=tuple(ClockStep(name=s.name, due_at=s.due_at, article=s.authority.article) for s in steps),
    )
    watch, met = settle(replace(watch, clock=clock))
    return watch, [started, *met]


def _step(rule: Rule, pack: Pack, received_at: datetime, *, patience: datetime | None, now: datetime) -> Step:
    """`patience` is set for imported history: nothing is fired before it over what lies in the past."""
    due_at = count(rule.limit, received_at, pack.zone).due_at
    warning = warn_at(rule.warn, received_at, due_at)
    historic = patience is not None and not in_time(now, due_at)
    next_at = warning or due_at + TICK
    if patience is not None and next_at <= now:
        next_at = patience
    return Step(rule.step, rule.limit, rule.authority, rule.escalation, due_at, warning, next_at, historic)


def recount(watch: Watch, *, now: datetime) -> tuple[Watch, list[Event]]:
    """Count the steps that are not taken from where the facts say now. Raises UncountableTime."""
    clock, start = watch.clock, watch.facts.start
    assert clock is not None
    assert start is not None
    moved = [step if step.met_at else _moved(step, start, ZoneInfo(clock.zone), now=now) for step in clock.steps]
    changed = tuple(new for old, new in zip(clock.steps, moved, strict=True) if new is not old)
    if not changed:
        return watch, []
    told = ClockMoved(
        complaint_id=watch.complaint_id,
        clock_id=clock.id,
        started_at=start,
        steps=tuple(ClockStep(name=s.name, due_at=s.due_at, article=s.authority.article) for s in changed),
        moved_at=now,
    )
    return replace(watch, clock=replace(clock, steps=tuple(moved))), [told]


def _moved(step: Step, start: datetime, zone: ZoneInfo, *, now: datetime) -> Step:
    due_at = count(step.limit, start, zone).due_at
    if due_at == step.due_at:
        return step
    # as long before the deadline as before
    warning = max(start, due_at - (step.due_at - step.warn_at)) if step.warn_at else None
    step = replace(step, due_at=due_at, warn_at=warning)
    if step.missed_at and not in_time(now, due_at):
        return step  # missed then as now, and told already
    if in_time(now, due_at):
        step = replace(step, historic=False, missed_at=None, escalated_at=None)
    warn_next = warning is not None and step.warned_at is None and not step.historic
    return replace(step, next_at=warning if warn_next else due_at + TICK)


def settle(watch: Watch) -> tuple[Watch, list[Event]]:
    """Mark the steps that the facts say were taken; each is published once."""
    if watch.clock is None:
        return watch, []
    events: list[Event] = []
    steps = []
    for step in watch.clock.steps:
        met_at = watch.facts.met_at(step.name) if step.met_at is None else None
        if met_at is not None:
            step = replace(step, met_at=met_at, next_at=None)
            events.append(
                ClockMet(
                    complaint_id=watch.complaint_id,
                    clock_id=watch.clock.id,
                    step=step.name,
                    due_at=step.due_at,
                    met_at=met_at,
                    in_time=in_time(met_at, step.due_at),
                )
            )
        steps.append(step)
    return (replace(watch, clock=replace(watch.clock, steps=tuple(steps))), events) if events else (watch, [])


def fire(complaint_id: str, clock_id: str, step: Step, *, now: datetime) -> tuple[Step, list[Event]]:
    """Do what is due about a step that has not been taken: warn of it once, afterwards record its miss and escalate.

    Each call moves the step on, so nothing is done twice, whatever the wall clock does in between.
    """
    assert step.next_at is not None
    assert step.next_at <= now
    if step.warn_at is not None and step.warned_at is None and not step.historic:
        warned = DeadlineWarned(
            complaint_id=complaint_id, clock_id=clock_id, step=step.name, due_at=step.due_at, warned_at=now
        )
        return replace(step, warned_at=now, next_at=step.due_at + TICK), [warned]
    missed = DeadlineMissed(
        complaint_id=complaint_id,
        clock_id=clock_id,
        step=step.name,
        due_at=step.due_at,
        missed_at=now,
        historic=step.historic,
    )
    step = replace(step, missed_at=now, next_at=None)
    if step.escalation is None or step.historic:
        return step, [missed]
    escalated = ComplaintEscalated(
        complaint_id=complaint_id,
        clock_id=clock_id,
        step=step.name,
        level=step.escalation.level,
        role=step.escalation.role,
        reason=MISSED,
        escalated_at=now,
    )
    return replace(step, escalated_at=now), [missed, escalated]


def _earliest(*moments: datetime | None) -> datetime | None:
    return min((m for m in moments if m is not None), default=None)


def _later(known: datetime | None, told: datetime) -> bool:
    return known is None or told >= known
