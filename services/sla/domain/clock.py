"""A complaint's clocks: they start, move, stand still, are extended, and their steps are met, or warned of, missed and
escalated.

Two kinds of clock: a regulatory one does only what its rule permits; nothing else moves it later (a change of priority,
a merge, reopening, waiting for the customer). A service clock is the bank's own: it waits while the bank waits for the
complainant and begins anew when a complaint is reopened.

A step is settled once, by the first fact that meets it, and then stands as it was published. A miss that was fired
meanwhile stays on record beside a step that turns out to have been taken in time.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from services.sla.domain import ledger
from services.sla.domain.calendar import Calendar
from services.sla.domain.counting import TICK, Pause, in_time, warn_at
from services.sla.domain.facts import Facts
from services.sla.domain.ledger import Entry, EntryKind, Line
from services.sla.domain.policy import Authority, Choice, Ladder, WarnRule
from shared.events import ClockKind, ClockStep, StepName

StepState = Literal["running", "warned", "missed", "lapsed", "met", "met_late", "ended"]
SYSTEM = "system:sla"


@dataclass(frozen=True, slots=True)
class Step:
    """One deadline of a clock, with a copy of the rule under which it was set.

    `line` is what the ledger says. `next_at` is when something must next be done about the step if it has not been
    taken by then (warn, record the miss, tell the next level up, tell the top again); None when nothing is left to do.
    `historic`: the deadline had passed before the complaint was imported. `warned`: how many warnings went out. `rung`:
    how many levels were told; `repeats`: how often the top one was told again; `held`: seconds for which the ladder has
    been held by people who took it on. `answered_at`: since when somebody has taken the escalation on. `act_by`: when
    work must begin at the latest, as long as such complaints usually take.
    """

    name: StepName
    line: Line
    authority: Authority
    warnings: tuple[WarnRule, ...]
    ladder: Ladder | None
    breach: bool
    next_at: datetime | None = None
    historic: bool = False
    warned: int = 0
    warned_at: datetime | None = None
    missed_at: datetime | None = None
    rung: int = 0
    repeats: int = 0
    escalated_at: datetime | None = None
    told_at: datetime | None = None
    answered_at: datetime | None = None
    answered_by: str | None = None
    held: int = 0
    ended: bool = False
    act_by: datetime | None = None

    @property
    def due_at(self) -> datetime:
        """The last millisecond in time."""
        return self.line.due_at

    @property
    def met_at(self) -> datetime | None:
        return self.line.met_at

    @property
    def met_in_time(self) -> bool | None:
        """Whether the step was taken in time; None while it is not taken."""
        return None if self.met_at is None else in_time(self.met_at, self.due_at)

    @property
    def open(self) -> bool:
        return self.met_at is None and not self.ended

    @property
    def state(self) -> StepState:
        if self.met_at is not None:
            return "met" if self.met_in_time or not self.breach else "met_late"
        if self.ended:
            return "ended"
        if self.missed_at is not None:
            return "missed" if self.breach else "lapsed"
        return "warned" if self.warned else "running"

    @property
    def warn_ats(self) -> tuple[datetime, ...]:
        """When warnings are planned, in order."""
        if not self.warnings:
            return ()
        found = (warn_at(rule, self.line.since, self.due_at) for rule in self.warnings)
        return tuple(sorted(at for at in found if at is not None))

    def rung_at(self, index: int) -> datetime:
        """When the ladder's level number `index` is to be told, if nothing is done by then."""
        assert self.ladder is not None
        rung = self.ladder.rungs[index]
        share = (self.due_at - self.line.since) * rung.share if rung.share is not None else timedelta(0)
        return self.due_at + TICK + rung.after + share + timedelta(seconds=self.held)

    def planned(self, *, standing: bool) -> "Step":
        """The step with `next_at` as its state asks; `standing`: its clock is paused."""
        return replace(self, next_at=None if standing else self._next())

    def moved(self, **change: Any) -> "Step":
        """The step after something was done about it, with what follows. One new value, since engines make
        thousands."""
        whole = {**{name: getattr(self, name) for name in _STEP_FIELDS}, **change}
        moved = Step(**whole)
        object.__setattr__(moved, "next_at", moved._next())  # nobody has seen it yet
        return moved

    def _next(self) -> datetime | None:
        if not self.open:
            return None
        if self.missed_at is None:
            moments = () if self.historic else self.warn_ats
            return moments[self.warned] if self.warned < len(moments) else self.due_at + TICK
        if self.ladder is None or self.historic or not self.breach:
            return None
        if self.rung < len(self.ladder.rungs):
            return self.rung_at(self.rung)
        if self.ladder.repeat is None or self.told_at is None:
            return None
        again = self.told_at + self.ladder.repeat
        return max(again, self.answered_at + self.ladder.patience) if self.answered_at else again

    def held_until(self, moment: datetime) -> "Step":
        """The step with its ladder held, so that its next level is not told before `moment`, and those above it keep
        their distance."""
        if self.ladder is None or self.rung >= len(self.ladder.rungs):
            return self
        late = moment - self.rung_at(self.rung)
        return replace(self, held=self.held + max(0, math.ceil(late.total_seconds())))


_STEP_FIELDS = tuple(f.name for f in fields(Step))


@dataclass(frozen=True, slots=True)
class Clock:
    """A running clock. `reason`: why this pack applies; `zone`: the pack's; `opened_at`: when we began it; `calendar`:
    the edition that counts; `seq`: how many rows its ledger has."""

    id: str
    pack: str
    pack_version: str
    kind: ClockKind
    primary: bool
    reason: str
    zone: str
    opened_at: datetime
    start: datetime
    calendar: str
    seq: int
    pauses: tuple[Pause, ...] = ()
    ended_at: datetime | None = None
    steps: tuple[Step, ...] = ()

    @property
    def state(self) -> ledger.State:
        lines = {s.name: s.line for s in self.steps}
        return ledger.State(self.start, self.calendar, lines, self.pauses, self.ended_at)

    @property
    def standing(self) -> bool:
        """Whether it is paused."""
        return bool(self.pauses) and self.pauses[-1].until is None

    def step(self, name: StepName) -> Step | None:
        return next((s for s in self.steps if s.name == name), None)

    def tag(self, complaint_id: str) -> dict[str, Any]:
        """What each of its events says of the clock."""
        return {"complaint_id": complaint_id, "clock_id": self.id, "kind": self.kind, "primary": self.primary}


@dataclass(frozen=True, slots=True)
class Watch:
    """One complaint as this service sees it. It has no clocks until it is known that, and when, it was received."""

    complaint_id: str
    facts: Facts = field(default_factory=Facts)
    clocks: tuple[Clock, ...] = ()

    @property
    def primary(self) -> Clock | None:
        return next((c for c in self.clocks if c.primary), None)

    def with_clock(self, clock: Clock) -> "Watch":
        return replace(self, clocks=tuple(clock if c.id == clock.id else c for c in self.clocks))


@dataclass(frozen=True, slots=True)
class Entered:
    """A clock and the rows that its ledger has gained."""

    clock: Clock
    entries: tuple[Entry, ...]


def open_clock(
    choice: Choice,
    calendar: Calendar,
    start: datetime,
    *,
    clock_id: str,
    cap: datetime | None = None,
    patience: datetime | None = None,
    now: datetime,
) -> Entered:
    """Begin a clock under a pack. `cap`: a deadline that a regulator has imposed on the final step. `patience` is set
    for imported history: nothing is fired before it over what lies in the past. Raises UncountableTime."""
    pack = choice.pack
    limits = {rule.step: rule.limit for rule in pack.rules}
    caps: dict[StepName, datetime] = {"final": cap} if cap is not None and "final" in limits else {}
    entry = Entry(1, "started", start, now, SYSTEM, pack.id, calendar.version, ledger.started(start, limits, caps))
    state = ledger.apply(None, entry, {calendar.version: calendar})
    steps = []
    for rule in pack.rules:
        line = state.lines[rule.step]
        historic = patience is not None and not in_time(now, line.due_at)
        step = Step(rule.step, line, rule.authority, rule.warnings, rule.ladder, rule.breach, historic=historic)
        step = step.planned(standing=False)
        if patience is not None and step.next_at is not None and step.next_at <= now:
            step = replace(step, next_at=patience)
        steps.append(step)
    clock = Clock(
        id=clock_id,
        pack=pack.id,
        pack_version=pack.version,
        kind=pack.kind,
        primary=choice.primary,
        reason=choice.reason,
        zone=calendar.zone.key,
        opened_at=now,
        start=state.start,
        calendar=calendar.version,
        seq=1,
        steps=tuple(steps),
    )
    return Entered(clock, (entry,))


def enter(
    clock: Clock,
    kind: EntryKind,
    *,
    at: datetime,
    now: datetime,
    actor: str,
    reason: str,
    calendars: Mapping[str, Calendar],
    calendar: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> Entered:
    """The clock after one more row. `calendar`: the edition that counts from here on, if it is another one. Steps whose
    deadline moved are watched anew: a miss that the new deadline takes back is none any more, and what was warned of
    already is not warned of again. Raises UncountableTime."""
    entry = Entry(clock.seq + 1, kind, at, now, actor, reason, calendar or clock.calendar, detail or {})
    state = ledger.apply(clock.state, entry, calendars)
    again = set(detail["steps"]) if detail and kind in ("restarted", "reopened") else set()
    standing = state.paused
    ended = state.ended_at is not None
    steps = []
    for step in clock.steps:
        new = replace(step, line=state.lines[step.name], ended=ended)
        if step.name in again:
            new = _afresh(new)
        elif new.due_at != step.due_at and in_time(now, new.due_at):
            new = replace(_unmissed(new), historic=False)
        waits = step.next_at is not None and step.historic and new.due_at == step.due_at
        if new != step or standing != clock.standing:
            new = replace(new, next_at=step.next_at) if waits and new.open else new.planned(standing=standing)
        steps.append(new)
    clock = replace(
        clock,
        start=state.start,
        calendar=state.calendar,
        pauses=state.pauses,
        ended_at=state.ended_at,
        seq=entry.seq,
        steps=tuple(steps),
    )
    return Entered(clock, (entry,))


def _unmissed(step: Step) -> Step:
    return replace(
        step,
        missed_at=None,
        rung=0,
        repeats=0,
        escalated_at=None,
        told_at=None,
        answered_at=None,
        answered_by=None,
        held=0,
    )


def _afresh(step: Step) -> Step:
    return replace(_unmissed(step), warned=0, warned_at=None, historic=False)


def told(steps: Iterable[Step]) -> tuple[ClockStep, ...]:
    """The deadlines of `steps` as events tell them."""
    return tuple(
        ClockStep(name=s.name, due_at=s.due_at, article=s.authority.article, provisional=s.line.provisional)
        for s in steps
    )
