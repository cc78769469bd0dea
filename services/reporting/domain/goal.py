"""Goals: a figure that should come from a baseline to a target by a day, and how that stands.

**What a goal is measured by.** The figure of the last whole month, quarter or year (`period`), so that weekends, and
months that have just begun, move nothing.

**The path** from baseline to target is a straight line over the days from `starts_on` to `due_on`. A figure that is at
least as good as the line on the last day that it covers is on track. This is a rule of thumb, and says nothing about
chance: a figure that goes up and down by itself is behind every now and then, though nothing is wrong.

**The end.** Whoever has reached the target early may lose it again, so a goal is settled only once `due_on` is over, by
the last whole period up to that day; then it is reached or missed for good.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from services.reporting.domain.figure import BOUNDS, FIGURES, about_flaws, owner_flaws
from services.reporting.domain.selection import beginning
from shared.errors import FieldError

Direction = Literal["down", "up"]
Period = Literal["month", "quarter", "year"]
Standing = Literal["on_track", "behind", "reached", "missed", "no_data"]
LONGEST = timedelta(days=3660)
_DAY = timedelta(days=1)
_EQUAL = 1e-9  # what adding up floats may be off


@dataclass(frozen=True, slots=True)
class Goal:
    """`figure` is a key of `domain.figure.FIGURES`, of all complaints or of those with `code` in `dimension`. The owner
    is a role, a department, or both."""

    title: str
    figure: str
    direction: Direction
    baseline: float
    target: float
    starts_on: date
    due_on: date
    period: Period = "month"
    dimension: str | None = None
    code: str | None = None
    owner_role: str | None = None
    owner_department: str | None = None
    note: str | None = None


def flaws(goal: Goal) -> list[FieldError]:
    """Why `goal` cannot be kept; empty when it can."""
    wrong = about_flaws(goal.figure, goal.dimension, goal.code)
    wrong += owner_flaws(goal.owner_role, goal.owner_department)
    if goal.figure in FIGURES:
        least, most = BOUNDS[FIGURES[goal.figure].unit]
        for name, value in (("baseline", goal.baseline), ("target", goal.target)):
            if not least <= value <= most:
                wrong.append(FieldError(f"/{name}", f"is not between {least:g} and {most:g}", "out_of_bounds"))
    if goal.baseline == goal.target or (goal.target < goal.baseline) != (goal.direction == "down"):
        detail = f"is not {'below' if goal.direction == 'down' else 'above'} the baseline"
        wrong.append(FieldError("/target", detail, "wrong_direction"))
    if goal.due_on <= goal.starts_on:
        wrong.append(FieldError("/due_on", "is not after the start", "goal_backwards"))
    elif goal.due_on - goal.starts_on > LONGEST:
        wrong.append(FieldError("/due_on", "is more than ten years after the start", "goal_too_long"))
    elif window(goal.period, goal.due_on)[0] < goal.starts_on:
        detail = f"leaves no whole {goal.period} in which the target could be reached"
        wrong.append(FieldError("/due_on", detail, "goal_too_short"))
    return wrong


def window(period: str, day: date) -> tuple[date, date]:
    """The first and the last day of the last whole month, quarter or year that was over at the end of `day`."""
    last = beginning(day + _DAY, period) - _DAY
    return beginning(last, period), last


def measured(goal: Goal, today: date) -> tuple[date, date]:
    """The days whose figure tells how `goal` stands today: today is not over, and what comes after the goal's own day
    has no say in it."""
    return window(goal.period, min(today - _DAY, goal.due_on))


def expected(goal: Goal, day: date) -> float:
    """Where the path is on `day`: at the baseline before it begins, at the target after it ends."""
    share = (day - goal.starts_on) / (goal.due_on - goal.starts_on)
    return goal.baseline + (goal.target - goal.baseline) * min(max(share, 0.0), 1.0)


def as_good(goal: Goal, value: float, mark: float) -> bool:
    """Whether `value` is where the goal would have it: at `mark` or beyond."""
    return value <= mark + _EQUAL if goal.direction == "down" else value >= mark - _EQUAL


def standing(goal: Goal, value: float | None, today: date) -> Standing:
    """How `goal` stands today, `value` being its figure over the days of `measured`; None where there is none."""
    if value is None:
        return "no_data"
    if as_good(goal, value, goal.target):
        return "reached"
    if today > goal.due_on:
        return "missed"
    return "on_track" if as_good(goal, value, expected(goal, measured(goal, today)[1])) else "behind"
