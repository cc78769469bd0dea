"""Measures: what the bank does so that a figure gets better, by when, by whom, at what cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal

from services.reporting.domain.figure import about_flaws, owner_flaws
from shared.errors import FieldError

Horizon = Literal["short", "medium", "long"]
Status = Literal["planned", "running", "done", "dropped"]
LONGEST = timedelta(days=3660)
WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Measure:
    """`starts_on` and `ends_on` are the plan, `started_on` and `ended_on` what came of it. `budget` is in `currency`.
    `comparable` are codes of `dimension`, such as branches, in which nothing was changed and which are otherwise like
    the one that the measure is for."""

    title: str
    figure: str
    horizon: Horizon
    owner_department: str
    starts_on: date
    ends_on: date
    status: Status = "planned"
    started_on: date | None = None
    ended_on: date | None = None
    dimension: str | None = None
    code: str | None = None
    comparable: tuple[str, ...] = ()
    budget: Decimal | None = None
    currency: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """Something to do for a measure, by a role, a department, or a role in a department."""

    title: str
    due_on: date
    owner_role: str | None = None
    owner_department: str | None = None
    done_on: date | None = None


def months_after(day: date, months: int) -> date:
    """The same day `months` later; where that month is too short, its last."""
    count = day.year * 12 + day.month - 1 + months
    first = date(count // 12, count % 12 + 1, 1)
    following = date((count + 1) // 12, (count + 1) % 12 + 1, 1)
    return min(first + timedelta(days=day.day - 1), following - timedelta(days=1))


def horizon(starts_on: date, ends_on: date) -> Horizon:
    """The horizon of a plan: short up to three months, medium up to twelve, long beyond. The programme speaks of 1 to 3
    and 4 to 12 months; what lies between three and four counts as medium."""
    after = ends_on + timedelta(days=1)  # both days are part of it
    if after <= months_after(starts_on, 3):
        return "short"
    return "medium" if after <= months_after(starts_on, 12) else "long"


def flaws(measure: Measure, today: date) -> list[FieldError]:
    """Why `measure` cannot be kept; empty when it can."""
    wrong = about_flaws(measure.figure, measure.dimension, measure.code)
    if measure.ends_on < measure.starts_on:
        wrong.append(FieldError("/ends_on", "is before the start", "measure_backwards"))
    elif measure.ends_on - measure.starts_on > LONGEST:
        wrong.append(FieldError("/ends_on", "is more than ten years after the start", "measure_too_long"))
    elif (found := horizon(measure.starts_on, measure.ends_on)) != measure.horizon:
        wrong.append(FieldError("/horizon", f"does not fit the days, which make it {found}", "wrong_horizon"))
    if (measure.budget is None) != (measure.currency is None):
        wrong.append(FieldError("/budget", "needs an amount and a currency", "budget_incomplete"))
    if measure.comparable and measure.dimension is None:
        wrong.append(FieldError("/comparable", "are codes of the dimension, and there is none", "dimension_missing"))
    if measure.code in measure.comparable:
        wrong.append(FieldError("/comparable", "holds the code that the measure is for", "compared_with_itself"))
    return wrong + _course_flaws(measure, today)


def _course_flaws(measure: Measure, today: date) -> list[FieldError]:
    """Whether the status and the days on which things happened fit together."""
    wrong = []
    begun, ended = measure.started_on, measure.ended_on
    if measure.status == "planned" and begun is not None:
        wrong.append(FieldError("/started_on", "a planned measure has not started", "not_started"))
    if measure.status in ("running", "done") and begun is None:
        wrong.append(FieldError("/started_on", f"a measure that is {measure.status} has started", "start_missing"))
    if measure.status in ("planned", "running") and ended is not None:
        wrong.append(FieldError("/ended_on", f"a measure that is {measure.status} has not ended", "not_ended"))
    if measure.status in ("done", "dropped") and ended is None:
        wrong.append(FieldError("/ended_on", f"a measure that is {measure.status} has ended", "end_missing"))
    for name, day in (("started_on", begun), ("ended_on", ended)):
        if day is not None and day > today:
            wrong.append(FieldError(f"/{name}", "is yet to come", "in_the_future"))
    if begun is not None and ended is not None and ended < begun:
        wrong.append(FieldError("/ended_on", "is before it started", "ended_before_start"))
    return wrong


def task_flaws(task: Task, today: date) -> list[FieldError]:
    """Why `task` cannot be kept; empty when it can."""
    wrong = owner_flaws(task.owner_role, task.owner_department)
    if task.done_on is not None and task.done_on > today:
        wrong.append(FieldError("/done_on", "is yet to come", "in_the_future"))
    return wrong


@dataclass(frozen=True, slots=True)
class Weeks:
    """The weeks before and after a measure started, whole ones, each seven days; `since` and `until` are the first and
    the last day of them all. `before` and `after` count weeks."""

    since: date
    until: date
    before: int
    after: int

    def sums(self, by_day: Mapping[date, int]) -> list[int]:
        """Counts by day as counts by week."""
        weeks = [0] * (self.before + self.after)
        for day, count in by_day.items():
            if self.since <= day <= self.until:
                weeks[(day - self.since) // WEEK] += count
        return weeks


def weeks_around(started_on: date, first: date, last: date, at_most: int) -> Weeks:
    """Whole weeks around the day on which a measure started: up to `at_most` on either side, none of which begins
    before `first` or ends after `last`."""
    before = min(max((started_on - first) // WEEK, 0), at_most)
    after = min(max((last + timedelta(days=1) - started_on) // WEEK, 0), at_most)
    since = started_on - before * WEEK
    return Weeks(since, started_on + after * WEEK - timedelta(days=1), before, after)
