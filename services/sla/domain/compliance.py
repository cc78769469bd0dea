"""What of a clock broke a rule of how clocks are kept."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from services.sla.domain.clock import Step
from services.sla.domain.counting import Pause

PATIENCE = timedelta(hours=1)
"""Within which the first level is to be told once its time has come: the desk may have been down for a moment."""
LONGEST_PAUSE = timedelta(days=30)
"""Longer, nobody waits for the complainant any more: somebody has forgotten the case."""


def untold(step: Step, pauses: Sequence[Pause], ended_at: datetime | None, now: datetime) -> bool:
    """Whether a step is, or was, late without the first level having been told in time. A clock that stood still after
    its first level's time tells nobody meanwhile."""
    if not step.breach or step.historic or step.missed_at is None or step.ladder is None or not step.ladder.rungs:
        return False
    if step.rung > 0:
        return False
    due = step.rung_at(0)
    if any(pause.until is None or pause.until > due for pause in pauses):
        return False
    over = min(moment for moment in (step.met_at, ended_at, now) if moment is not None)
    return over > due + PATIENCE


def unreasoned(reason: str) -> bool:
    return not reason.strip()
