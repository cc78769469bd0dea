"""One complaint's clocks in memory: hears events as a consumer does, fires what is due as an engine does, takes
commands as the API does; keeps what is published and every row of the ledgers."""

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from services.sla.domain.clock import Clock, Step, Watch
from services.sla.domain.firing import Due, fire
from services.sla.domain.ledger import Entry
from services.sla.domain.policy import Policies
from services.sla.domain.post import Reached
from services.sla.domain.watching import Heard, hear, recalculate
from shared.events import (
    ComplaintAcknowledged,
    ComplaintClassified,
    ComplaintClosed,
    ComplaintInformationReceived,
    ComplaintInformationRequested,
    ComplaintLinked,
    ComplaintReceived,
    ComplaintReopened,
    ComplaintResolved,
    ComplaintResponded,
    Event,
)

ID = "01900000-0000-7000-8000-000000000001"
RECEIVED = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)  # 10:00 in Hong Kong, a Sunday
GRACE = timedelta(seconds=60)


def day(n: float) -> datetime:
    return RECEIVED + timedelta(days=n)


def received(**changes: Any) -> ComplaintReceived:
    base = {"complaint_id": ID, "reference": "260301-AAAA-AAAAA", "channel": "phone", "narrative": "redacted"}
    return ComplaintReceived(**{**base, "received_at": RECEIVED, **changes})


def acknowledged(at: datetime) -> ComplaintAcknowledged:
    return ComplaintAcknowledged(complaint_id=ID, acknowledged_at=at)


def responded(at: datetime, *, final: bool) -> ComplaintResponded:
    return ComplaintResponded(complaint_id=ID, responded_at=at, final=final)


def resolved(at: datetime, outcome: Any = "upheld") -> ComplaintResolved:
    return ComplaintResolved(complaint_id=ID, outcome=outcome, root_cause="system_failure", resolved_at=at)


def closed(at: datetime) -> ComplaintClosed:
    return ComplaintClosed(complaint_id=ID, closed_at=at)


def reopened(at: datetime) -> ComplaintReopened:
    return ComplaintReopened(complaint_id=ID, reason="again", reopened_at=at)


def asked(at: datetime) -> ComplaintInformationRequested:
    return ComplaintInformationRequested(complaint_id=ID, request_id="r", question="q", requested_at=at)


def answered(at: datetime) -> ComplaintInformationReceived:
    return ComplaintInformationReceived(complaint_id=ID, received_at=at)


def classified(at: datetime, **changes: Any) -> ComplaintClassified:
    base = {"category": "fees", "severity": "normal", "confidence": 0.9, "classified_at": at}
    return ComplaintClassified(complaint_id=ID, **(base | changes))


def linked(governs_from: datetime) -> ComplaintLinked:
    base: dict[str, Any] = {"link_id": "l", "other_id": "o", "state": "confirmed", "score": 0.9}
    return ComplaintLinked(complaint_id=ID, governs_from=governs_from, linked_at=governs_from, **base)


def _nobody(_due: Due, _role: str) -> Reached:
    return Reached("staff:1", "p", "holder", "supervisor")


class Desk:
    def __init__(self, policies: Policies) -> None:
        self.policies = policies
        self.watch = Watch(ID)
        self.published: list[Event] = []
        self.rows: defaultdict[str, list[Entry]] = defaultdict(list)
        self._ids = count(1)

    def hear(self, event: Event, now: datetime = RECEIVED) -> "Desk":
        return self.take(
            hear(self.watch, event, self.policies, new_id=lambda: f"clock-{next(self._ids)}", grace=GRACE, now=now)
        )

    def take(self, heard: Heard) -> "Desk":
        self.watch = heard.watch
        self.published += heard.events
        for clock_id, entry in heard.entries:
            self.rows[clock_id].append(entry)
        return self

    def recalculate(self, policies: Policies, now: datetime) -> "Desk":
        past = {c.version: c for c in self.policies.calendars.values()}
        self.policies = replace(policies, past=past)
        return self.take(recalculate(self.watch, self.policies, now=now))

    def engine(self, now: datetime) -> "Desk":
        """Everything due at `now`, the earliest first."""
        while due := [(s.next_at, c, s) for c in self.watch.clocks for s in c.steps if s.next_at and s.next_at <= now]:
            _, clock, step = min(due, key=lambda found: found[0])
            moved, told = fire(Due(ID, clock.id, clock.kind, clock.primary, step), reach=_nobody, now=now)
            steps = tuple(moved if s is step else s for s in clock.steps)
            self.watch = self.watch.with_clock(replace(clock, steps=steps))
            self.published += [event for event, _ in told]
        return self

    def clock(self, pack: str | None = None) -> Clock:
        """The clock under a pack; the primary one if none is named."""
        found = (c for c in self.watch.clocks if c.pack == pack or (pack is None and c.primary))
        return next(found)

    @property
    def steps(self) -> dict[str, Step]:
        """Those of the primary clock."""
        return {s.name: s for s in self.clock().steps} if self.watch.clocks else {}

    @property
    def states(self) -> dict[str, str]:
        return {name: s.state for name, s in self.steps.items()}

    def told(self) -> list[tuple[str, str]]:
        """What was published after the start, as (event, step)."""
        return [(type(e).__name__, str(getattr(e, "step", ""))) for e in self.published[1:]]
