"""What intake hears from routing and sla, kept in `progress` so that one read answers how a complaint stands."""

from collections.abc import Sequence

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.intake.consumers.context import Part
from services.intake.store import complaint as store
from shared import trace
from shared.clock import rfc3339
from shared.cloudevents import Envelope
from shared.events import (
    UNDONE,
    ClockEvent,
    ClockExtended,
    ClockMet,
    ClockMoved,
    ClockResumed,
    ClockStarted,
    ComplaintAcknowledged,
    ComplaintAssigned,
    ComplaintClassified,
    ComplaintClosed,
    ComplaintEscalated,
    ComplaintResolved,
    ComplaintResponded,
    ComplaintRouted,
    DeadlineMissed,
    Event,
)

_KNOWN: tuple[type[Event], ...] = (
    ComplaintClassified,
    ComplaintRouted,
    ComplaintAssigned,
    ComplaintAcknowledged,
    ComplaintResponded,
    ComplaintResolved,
    ComplaintClosed,
    ClockStarted,
    ClockMoved,
    ClockResumed,
    ClockExtended,
    ClockMet,
    DeadlineMissed,
    ComplaintEscalated,
)


_INTERNAL = frozenset(("internal_escalation",))
"""Steps inside the bank, of which the complainant is not told."""


async def handle(tx: AsyncSession, events: Sequence[Envelope]) -> None:
    """Apply `events` in order. Routing's and sla's may come in any order between them; they touch different fields."""
    rows = await store.progress(tx, {e.subject for e in events})
    for event in events:
        with trace.following(event, service="intake"):
            row = rows.get(event.subject)
            if row is None:
                row = rows[event.subject] = store.Progress(
                    complaint_id=event.subject, status="received", deadlines="[]", updated_at=event.time
                )
                tx.add(row)
            _apply(row, event.data)
            row.updated_at = max(row.updated_at, event.time)


def _apply(row: store.Progress, event: Event) -> None:
    match event:
        case ComplaintClassified():
            row.category, row.severity = event.category, event.severity
        case ComplaintRouted():
            row.department = event.department
            taken_back = event.reason == UNDONE and row.status == "in_progress"
            row.status = "routed" if row.status == "received" or taken_back else row.status
        case ComplaintAssigned():
            row.status = "in_progress"
        case ComplaintResponded():
            if event.final:
                row.status, row.answered_at = "responded", event.responded_at
        case ComplaintResolved():
            row.status, row.outcome, row.resolved_at = "resolved", event.outcome, event.resolved_at
        case ComplaintClosed():
            row.status = "closed"
        case ComplaintEscalated():
            row.escalation_level = max(row.escalation_level, event.level)
        case ClockEvent() if not event.primary:
            pass  # the complainant is told the regulator's deadlines, not those that the bank sets itself
        case ClockStarted():
            row.deadlines = _dump(_begun(row, event))
        case ClockMoved() | ClockResumed():
            at = event.moved_at if isinstance(event, ClockMoved) else event.resumed_at
            for step in event.steps:
                # one that was missed before and is over still stays missed: nobody will tell of it again
                over = {"state": "running"} if step.due_at > at else {}
                row.deadlines = _with(row, step.name, {"due_at": rfc3339(step.due_at), **over})
        case ClockExtended():
            row.deadlines = _with(row, event.step, {"due_at": rfc3339(event.due_at), "state": "running"})
        case ClockMet():
            met = {"state": "met" if event.in_time else "late", "met_at": rfc3339(event.met_at)}
            row.deadlines = _with(row, event.step, {"due_at": rfc3339(event.due_at), **met})
        case DeadlineMissed():
            row.deadlines = _with(row, event.step, {"due_at": rfc3339(event.due_at), "state": "missed"})
        case _:
            pass  # acknowledged: sla tells of it as a met step


def _begun(row: store.Progress, event: ClockStarted) -> dict[str, dict[str, str]]:
    """The deadlines of a complaint's primary clock. Those of an earlier one are over when a later one takes its place;
    what is known of this one's steps came ahead of its start."""
    known = {d["step"]: d for d in orjson.loads(row.deadlines)}
    another = any(d.get("clock") not in (None, event.clock_id) for d in known.values())
    fresh: dict[str, dict[str, str]] = {
        s.name: {"step": s.name, "due_at": rfc3339(s.due_at), "state": "running", "clock": event.clock_id}
        for s in event.steps
    }
    return fresh if another else {**fresh, **known}


def _with(row: store.Progress, step: str, change: dict[str, str]) -> str:
    known = {d["step"]: d for d in orjson.loads(row.deadlines)}
    known[step] = {"step": step, **known.get(step, {}), **change}
    return _dump(known)


def _dump(deadlines: dict[str, dict[str, str]]) -> str:
    told = (d for d in deadlines.values() if d["step"] not in _INTERNAL)
    return orjson.dumps(sorted(told, key=lambda d: d["due_at"])).decode()


PART = Part(frozenset(e.type for e in _KNOWN), lambda _: handle)
