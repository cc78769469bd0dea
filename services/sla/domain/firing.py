"""What is done about a step that has not been taken: warn, record the miss, tell one level after the other. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from services.sla.domain.clock import Step
from shared.events import ClockKind, ComplaintEscalated, DeadlineMissed, DeadlineWarned, Event

MISSED = "deadline_missed"
"""The reason of an escalation: a stable code."""


@dataclass(frozen=True, slots=True)
class Due:
    """A step about which something is due, and what its events and notices say of the complaint."""

    complaint_id: str
    clock_id: str
    kind: ClockKind
    primary: bool
    step: Step
    department: str | None = None
    branch: str | None = None
    assignee: str | None = None
    reference: str | None = None


def fire(due: Due, *, now: datetime) -> tuple[Step, list[Event]]:
    """Do the next thing that is due about a step: a warning; or the miss, and with it the first level; or one level
    more.

    Each call moves the step on, so nothing is done twice, whatever the wall clock does in between.
    """
    step = due.step
    assert step.next_at is not None
    assert step.next_at <= now
    tag: dict[str, Any] = {
        "complaint_id": due.complaint_id,
        "clock_id": due.clock_id,
        "kind": due.kind,
        "primary": due.primary,
        "step": step.name,
    }
    if step.missed_at is not None:
        return _escalate(step, tag, now)
    if not step.historic and step.warned < len(step.warn_ats):
        warned = replace(step, warned=step.warned + 1, warned_at=now).planned(standing=False)
        return warned, [DeadlineWarned(**tag, due_at=step.due_at, warned_at=now, warning=warned.warned)]
    missed = replace(step, missed_at=now)
    if not step.breach:  # nothing was broken: another limit applies from here on
        return missed.planned(standing=False), []
    told: list[Event] = [DeadlineMissed(**tag, due_at=step.due_at, missed_at=now, historic=step.historic)]
    missed = missed.planned(standing=False)
    if missed.next_at is not None and missed.next_at <= step.next_at:
        missed, escalated = _escalate(missed, tag, now)
        told += escalated
    return missed, told


def _escalate(step: Step, tag: dict[str, Any], now: datetime) -> tuple[Step, list[Event]]:
    assert step.ladder is not None
    again = step.rung == len(step.ladder.rungs)
    rung = step.ladder.rungs[-1 if again else step.rung]
    told = replace(
        step,
        rung=step.rung if again else step.rung + 1,
        repeats=step.repeats + 1 if again else 0,
        escalated_at=step.escalated_at or now,
        told_at=now,
        answered_at=None,
        answered_by=None,
    ).planned(standing=False)
    event = ComplaintEscalated(
        **tag,
        level=rung.level,
        role=rung.role,
        reason=MISSED,
        escalated_at=now,
        repeat=told.repeats,
    )
    return told, [event]
