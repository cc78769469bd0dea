"""Which deadline of a case comes next, from what sla has told of its clocks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(slots=True)
class CaseClock:
    """A clock of a case: the steps that are not taken yet with their deadlines. While paused, none comes nearer."""

    primary: bool = True
    paused: bool = False
    steps: dict[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Next:
    """The step that is due first, and when; `due_at` None with a step: the clocks stand still; without: none runs."""

    due_at: datetime | None = None
    step: str | None = None


def next_of(clocks: Iterable[CaseClock]) -> Next:
    """What is due first among all clocks that run."""
    running: list[tuple[datetime, str]] = []
    standing: list[tuple[datetime, str]] = []
    for clock in clocks:
        (standing if clock.paused else running).extend((due, step) for step, due in clock.steps.items())
    if running:
        due, step = min(running)
        return Next(due, step)
    return Next(None, min(standing)[1]) if standing else Next()


LEVELS: Mapping[str, float] = {"overdue": 0, "today": 24, "soon": 72}
"""How near a deadline is: level -> up to how many hours before it; beyond them all `ahead`."""


def nearness(due_at: datetime, now: datetime) -> str:
    """`overdue`, `today` (within 24 hours), `soon` (within 72) or `ahead`."""
    hours = (due_at - now).total_seconds() / 3600
    return next((level for level, most in LEVELS.items() if hours <= most), "ahead")
