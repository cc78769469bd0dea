"""What is done about a step that has not been taken: warn, record the miss, tell one level after the other. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.sla.domain.clock import Step
from services.sla.domain.post import Reached
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

    def with_step(self, step: Step) -> "Due":
        return Due(
            self.complaint_id,
            self.clock_id,
            self.kind,
            self.primary,
            step,
            self.department,
            self.branch,
            self.assignee,
            self.reference,
        )


Reach = Callable[[Due, str], Reached]
"""Who is told at the level of a role."""


def fire(due: Due, *, reach: Reach, now: datetime) -> tuple[Step, list[tuple[Event, Reached | None]]]:
    """Do the next thing that is due about a step: a warning; or the miss, and with it the first level; or one level
    more. Each event comes with who is told of it, if a person is.

    Each call moves the step on, so nothing is done twice, whatever the wall clock does in between.
    """
    step = due.step
    assert step.next_at is not None
    assert step.next_at <= now
    if step.missed_at is None and not step.historic and step.warned < len(step.warnings):
        warned = step.moved(warned=step.warned + 1, warned_at=now)
        event = DeadlineWarned(**_tag(due), due_at=step.due_at, warned_at=now, warning=warned.warned)
        return warned, [(event, reach(due, "officer"))]
    told: list[tuple[Event, Reached | None]] = []
    if step.missed_at is None:
        if not step.breach:  # nothing was broken: another limit applies from here on
            return step.moved(missed_at=now), []
        missed = DeadlineMissed(**_tag(due), due_at=step.due_at, missed_at=now, historic=step.historic)
        told.append((missed, None))
        if step.ladder is None or step.historic or step.rung_at(0) > now:
            return step.moved(missed_at=now), told
    assert step.ladder is not None
    again = step.rung == len(step.ladder.rungs)
    rung = step.ladder.rungs[-1 if again else step.rung]
    reached = reach(due, rung.role)
    repeats = step.repeats + 1 if again else 0
    escalated = ComplaintEscalated(
        **_tag(due),
        level=rung.level,
        role=rung.role,
        reason=MISSED,
        escalated_at=now,
        person=reached.person,
        via=reached.via,
        repeat=repeats,
    )
    told.append((escalated, reached))
    moved = step.moved(
        missed_at=step.missed_at or now,
        rung=step.rung if again else step.rung + 1,
        repeats=repeats,
        escalated_at=step.escalated_at or now,
        told_at=now,
        answered_at=None,
        answered_by=None,
    )
    return moved, told


def _tag(due: Due) -> dict[str, Any]:
    return {
        "complaint_id": due.complaint_id,
        "clock_id": due.clock_id,
        "kind": due.kind,
        "primary": due.primary,
        "step": due.step.name,
    }
