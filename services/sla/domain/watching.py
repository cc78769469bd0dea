"""What hearing of a complaint does to its clocks: they begin, move with the facts, and their steps are settled.
Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from services.sla.domain.clock import SYSTEM, Clock, Entered, Watch, enter, open_clock, told
from services.sla.domain.counting import in_time
from services.sla.domain.ledger import Entry, EntryKind
from services.sla.domain.policy import Choice, Policies
from shared.clock import rfc3339
from shared.events import (
    ClockMet,
    ClockMoved,
    ClockPaused,
    ClockResumed,
    ClockStarted,
    ComplaintInformationReceived,
    ComplaintInformationRequested,
    ComplaintReopened,
    Event,
    StepName,
)

MoveCause = Literal["linked", "new_facts", "reopened", "calendar"]
WAITING = "awaiting_complainant"
"""The reason of a pause while the bank waits for what it has asked the complainant for."""
_REOPENED: tuple[StepName, ...] = ("resolve", "final")


@dataclass(slots=True)
class Heard:
    """What came of an event: the complaint as it is now, the ledgers' new rows by clock, and what is published."""

    watch: Watch
    entries: list[tuple[str, Entry]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    begun: list[Clock] = field(default_factory=list)

    def take(self, entered: Entered) -> Clock:
        """Keep a clock as it has become, with its new rows."""
        self.watch = self.watch.with_clock(entered.clock)
        self.entries.extend((entered.clock.id, entry) for entry in entered.entries)
        return entered.clock


def hear(
    watch: Watch, event: Event, policies: Policies, *, new_id: Callable[[], str], grace: timedelta, now: datetime
) -> Heard:
    """Apply one event. `grace`: how long lapsed deadlines of imported history wait for the casework that follows the
    import; if that does not come they are recorded as missed, as history. Raises UncountableTime."""
    before = watch.facts
    heard = Heard(replace(watch, facts=before.learn(event)))
    facts = heard.watch.facts
    if facts.start is None:
        return heard
    if heard.watch.clocks and facts.start != before.start:
        _move(heard, policies, now=now)
    if not heard.watch.clocks or facts.subject != before.subject:
        _begin(heard, policies, new_id=new_id, patience=now + grace if facts.imported else None, now=now)
    _wait(heard, event, policies, now=now)
    if isinstance(event, ComplaintReopened):
        _reopen(heard, event.reopened_at, policies, now=now)
    settle(heard, policies, now=now)
    return heard


def _begin(
    heard: Heard, policies: Policies, *, new_id: Callable[[], str], patience: datetime | None, now: datetime
) -> None:
    """Begin the clocks that apply and do not run yet.

    A regulatory clock counts from receipt whenever we find out that it applies, and never ends by our finding out that
    another one does. A service clock that applies only since a complaint was classified counts from then, and takes the
    place of the one that it replaces.
    """
    facts = heard.watch.facts
    assert facts.start is not None
    first = not heard.watch.clocks
    running = {c.pack for c in heard.watch.clocks}
    chosen = policies.choose(facts.subject, facts.start)
    for choice in chosen:
        if choice.pack.id in running:
            continue
        late = not first and choice.pack.kind == "service"
        if not first and not _worth(choice, heard.watch, chosen):
            continue
        start = facts.classified_at if late and facts.classified_at else facts.start
        if choice.primary:
            _demote(heard)
        entered = open_clock(
            choice,
            policies.calendar(choice.pack),
            start,
            clock_id=new_id(),
            cap=facts.imposed_due_at if choice.primary else None,
            patience=patience,
            now=now,
        )
        heard.watch = replace(heard.watch, clocks=(*heard.watch.clocks, entered.clock))
        clock = heard.take(entered)
        heard.begun.append(clock)
        heard.events.append(
            ClockStarted(
                **clock.tag(heard.watch.complaint_id),
                pack=clock.pack,
                pack_version=clock.pack_version,
                started_at=clock.start,
                steps=told(clock.steps),
            )
        )
    if not first:
        _supersede(heard, chosen, policies, now=now)


def _worth(choice: Choice, watch: Watch, chosen: Iterable[Choice]) -> bool:
    """Whether a clock found to apply later is begun: the bank's default pack is not, once another regulator's runs, nor
    is anything on a complaint that is closed."""
    return watch.facts.closed_at is None and not (choice.fallback and any(c.kind == "regulatory" for c in watch.clocks))


def _demote(heard: Heard) -> None:
    clocks = tuple(replace(c, primary=False) if c.primary else c for c in heard.watch.clocks)
    heard.watch = replace(heard.watch, clocks=clocks)


def _supersede(heard: Heard, chosen: Iterable[Choice], policies: Policies, *, now: datetime) -> None:
    replaced = {id for choice in chosen if choice.pack.kind == "service" for id in choice.pack.replaces}
    for clock in heard.watch.clocks:
        if clock.kind == "service" and clock.pack in replaced and clock.ended_at is None:
            heard.take(_enter(clock, "ended", policies, at=now, now=now, reason="superseded"))


def _move(heard: Heard, policies: Policies, *, now: datetime) -> None:
    """Count from where the facts say now: an earlier report of the same matter governs, or does no longer."""
    start = heard.watch.facts.start
    assert start is not None
    for clock in heard.watch.clocks:
        if clock.ended_at is not None or not any(s.open for s in clock.steps):
            continue
        moved = _enter(clock, "moved", policies, at=start, now=now, reason="linked", detail={"start": rfc3339(start)})
        heard.take(moved)
        _tell_moved(heard, clock, moved.clock, "linked", now)


def recalculate(watch: Watch, policies: Policies, *, now: datetime) -> Heard:
    """Count the open deadlines with today's edition of their calendars, where that is another one than they were
    counted with: holidays that were guessed are published now. Raises UncountableTime."""
    heard = Heard(watch)
    for clock in watch.clocks:
        pack = policies.pack(clock.pack, clock.pack_version)
        calendar = policies.calendar(pack) if pack else None
        if calendar is None or calendar.version == clock.calendar or clock.ended_at is not None:
            continue
        if not any(s.open for s in clock.steps):
            continue
        moved = enter(
            clock,
            "moved",
            at=clock.start,
            now=now,
            actor=SYSTEM,
            reason="calendar",
            calendars=policies.editions,
            calendar=calendar.version,
            detail={"start": rfc3339(clock.start)},
        )
        heard.take(moved)
        _tell_moved(heard, clock, moved.clock, "calendar", now)
    return heard


def _wait(heard: Heard, event: Event, policies: Policies, *, now: datetime) -> None:
    """While the bank waits for the complainant, the clocks whose pack permits it stand still."""
    facts = heard.watch.facts
    for clock in heard.watch.clocks:
        pack = policies.pack(clock.pack, clock.pack_version)
        if pack is None or pack.suspension is None or WAITING not in pack.suspension.reasons:
            continue
        begun = any(c.id == clock.id for c in heard.begun)
        if (isinstance(event, ComplaintInformationRequested) or begun) and facts.waiting_since is not None:
            if not clock.standing and clock.ended_at is None:
                stand(heard, clock, policies, since=facts.waiting_since, reason=WAITING, actor=SYSTEM, now=now)
        elif clock.standing and facts.waiting_since is None:
            at = event.received_at if isinstance(event, ComplaintInformationReceived) else now
            go_on(heard, clock, policies, since=at, actor=SYSTEM, reason=WAITING, now=now)


def stand(
    heard: Heard, clock: Clock, policies: Policies, *, since: datetime, reason: str, actor: str, now: datetime
) -> None:
    """Pause a clock; whether its pack permits that is the caller's to know."""
    since = max(since, clock.start, clock.pauses[-1].until or since if clock.pauses else since)
    clock = heard.take(_enter(clock, "paused", policies, at=since, now=now, reason=reason, actor=actor))
    tag = clock.tag(heard.watch.complaint_id)
    heard.events.append(ClockPaused(**tag, reason=reason, since=since, paused_at=now))


def go_on(
    heard: Heard, clock: Clock, policies: Policies, *, since: datetime, reason: str, actor: str, now: datetime
) -> None:
    """Let a paused clock run again."""
    since = max(since, clock.pauses[-1].since)
    clock = heard.take(_enter(clock, "resumed", policies, at=since, now=now, reason=reason, actor=actor))
    steps = told(s for s in clock.steps if s.open)
    tag = clock.tag(heard.watch.complaint_id)
    heard.events.append(ClockResumed(**tag, since=since, steps=steps, resumed_at=now))


def _reopen(heard: Heard, at: datetime, policies: Policies, *, now: datetime) -> None:
    """The bank's own clock begins anew for what is to be done again; a regulator's knows no reopening."""
    for clock in heard.watch.clocks:
        names = [n for n in _REOPENED if (step := clock.step(n)) is not None and step.met_at is not None]
        if clock.kind != "service" or not names or clock.ended_at is not None:
            continue
        again = _enter(clock, "reopened", policies, at=at, now=now, reason="reopened", detail={"steps": names})
        heard.take(again)
        _tell_moved(heard, clock, again.clock, "reopened", now)


def settle(heard: Heard, policies: Policies, *, now: datetime) -> None:
    """Mark the steps that the facts say were taken; each is published once."""
    facts = heard.watch.facts
    for clock in heard.watch.clocks:
        for step in clock.steps:
            if not step.open:
                continue
            again = step.line.since > clock.start
            met_at = facts.met_again_at(step.name, step.line.since) if again else facts.met_at(step.name)
            if again and met_at is None and step.name not in _REOPENED:
                met_at = facts.met_at(step.name)  # what was restarted may have been taken since
                met_at = met_at if met_at and met_at >= step.line.since else None
            if met_at is not None:
                clock = met(heard, clock, step.name, policies, at=met_at, actor=SYSTEM, reason="casework", now=now)


def met(
    heard: Heard,
    clock: Clock,
    name: StepName,
    policies: Policies,
    *,
    at: datetime,
    actor: str,
    reason: str,
    now: datetime,
) -> Clock:
    """Settle one step of a clock as taken at `at`."""
    detail = {"step": name, "met_at": rfc3339(at)}
    clock = heard.take(_enter(clock, "met", policies, at=at, now=now, reason=reason, actor=actor, detail=detail))
    step = clock.step(name)
    assert step is not None
    heard.events.append(
        ClockMet(
            **clock.tag(heard.watch.complaint_id),
            step=name,
            due_at=step.due_at,
            met_at=at,
            in_time=in_time(at, step.due_at),
        )
    )
    return clock


def _enter(
    clock: Clock,
    kind: EntryKind,
    policies: Policies,
    *,
    at: datetime,
    now: datetime,
    reason: str,
    actor: str = SYSTEM,
    detail: Mapping[str, Any] | None = None,
) -> Entered:
    return enter(clock, kind, at=at, now=now, actor=actor, reason=reason, calendars=policies.editions, detail=detail)


def _tell_moved(heard: Heard, before: Clock, after: Clock, cause: MoveCause, now: datetime) -> None:
    """Publish the deadlines that are others than before, if any are."""
    pairs = zip(before.steps, after.steps, strict=True)
    changed = [new for old, new in pairs if new.open and (new.due_at != old.due_at or not old.open)]
    if changed:
        tag = after.tag(heard.watch.complaint_id)
        heard.events.append(ClockMoved(**tag, started_at=after.start, steps=told(changed), cause=cause, moved_at=now))
