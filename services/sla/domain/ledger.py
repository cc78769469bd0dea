"""A clock is a ledger: what happened to it, row by row, never changed; its deadlines are what the rows come to.

Whoever has the rows and the calendars that they name finds the deadline that the desk stood by (`replay`), at any
moment of the past too. The very function that keeps a running clock (`apply`) replays it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Literal

from services.sla.domain.calendar import Calendar
from services.sla.domain.counting import Limit, Pause, count, end_of_day
from shared.clock import rfc3339
from shared.events import StepName

EntryKind = Literal["started", "moved", "paused", "resumed", "extended", "restarted", "reopened", "met", "ended"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One row. `at`: when it took effect; `recorded_at`: when we wrote it down; `actor`: who, `reason`: why (a code or
    plain words, no personal data); `calendar`: the edition of the calendar that counts from here on.

    `detail` by kind: `started` {start, steps: {name: [length, unit, count_from]}, caps: {name: moment}}; `moved`
    {start}; `extended` {step, until: day}; `restarted` and `reopened` {steps: [name]}; `met` {step, met_at}; others
    nothing.
    """

    seq: int
    kind: EntryKind
    at: datetime
    recorded_at: datetime
    actor: str
    reason: str
    calendar: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Line:
    """One deadline: its limit, from when it is counted, what it was extended to or capped at, and what that comes to.
    Once met it stands as it was."""

    limit: Limit
    since: datetime
    due_at: datetime
    provisional: bool = False
    extended_to: date | None = None
    cap: datetime | None = None
    met_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class State:
    """What the rows of a ledger come to."""

    start: datetime
    calendar: str
    lines: Mapping[StepName, Line]
    pauses: tuple[Pause, ...] = ()
    ended_at: datetime | None = None

    @property
    def paused(self) -> bool:
        return bool(self.pauses) and self.pauses[-1].until is None


def replay(entries: Iterable[Entry], calendars: Mapping[str, Calendar]) -> State:
    """What `entries`, in order, come to; `calendars` by edition. Raises UncountableTime, ValueError for no entries."""
    state: State | None = None
    for entry in entries:
        state = apply(state, entry, calendars)
    if state is None:
        raise ValueError("a ledger begins with its start")
    return state


def apply(state: State | None, entry: Entry, calendars: Mapping[str, Calendar]) -> State:
    """The state after `entry`. Raises UncountableTime."""
    calendar = calendars[entry.calendar]
    detail = entry.detail
    if state is None:
        return _started(entry, calendar)
    match entry.kind:
        case "moved":
            start = datetime.fromisoformat(detail["start"])
            # a step that was restarted by itself has a beginning of its own
            since = {n: start if line.since == state.start else line.since for n, line in state.lines.items()}
            state = replace(state, start=start)
            lines = {n: replace(line, since=since[n]) if not line.met_at else line for n, line in state.lines.items()}
            state = replace(state, lines=lines)
        case "paused":
            state = replace(state, pauses=(*state.pauses, Pause(entry.at, None)))
        case "resumed":
            *before, last = state.pauses
            state = replace(state, pauses=(*before, replace(last, until=entry.at)))
        case "extended":
            state = _with(state, [detail["step"]], extended_to=date.fromisoformat(detail["until"]))
        case "restarted" | "reopened":
            state = _with(state, detail["steps"], since=entry.at, extended_to=None, met_at=None)
        case "met":
            return _with(state, [detail["step"]], met_at=datetime.fromisoformat(detail["met_at"]))
        case "ended":
            return replace(state, ended_at=entry.at)
        case "started":
            raise ValueError("a ledger starts once")
    state = replace(state, calendar=entry.calendar)
    lines = {n: line if line.met_at else counted(line, calendar, state.pauses) for n, line in state.lines.items()}
    return replace(state, lines=lines)


def counted(line: Line, calendar: Calendar, pauses: tuple[Pause, ...]) -> Line:
    """`line` with its deadline counted anew. A deadline that a regulator has imposed is never passed by ours."""
    if line.extended_to is not None:
        due, provisional = end_of_day(line.extended_to, calendar.zone), False
    else:
        lasting = tuple(p for p in pauses if p.until is None or p.until > line.since)
        found = count(line.limit, line.since, calendar, lasting)
        due, provisional = found.due_at, found.provisional
    if line.cap is not None and line.cap < due:
        due, provisional = line.cap, False
    if (due, provisional) == (line.due_at, line.provisional):
        return line
    return replace(line, due_at=due, provisional=provisional)


def _started(entry: Entry, calendar: Calendar) -> State:
    if entry.kind != "started":
        raise ValueError("a ledger begins with its start")
    start = datetime.fromisoformat(entry.detail["start"])
    caps: Mapping[str, str] = entry.detail.get("caps", {})
    lines: dict[StepName, Line] = {}
    for name, (length, unit, count_from) in entry.detail["steps"].items():
        cap = datetime.fromisoformat(caps[name]) if name in caps else None
        lines[name] = counted(Line(Limit(length, unit, count_from), start, start, cap=cap), calendar, ())
    return State(start, entry.calendar, lines)


def _with(state: State, names: Iterable[StepName], **change: Any) -> State:
    lines = dict(state.lines)
    for name in names:
        lines[name] = replace(lines[name], **change)
    return replace(state, lines=lines)


def started(start: datetime, limits: Mapping[StepName, Limit], caps: Mapping[StepName, datetime]) -> dict[str, Any]:
    """The detail of the first entry."""
    detail: dict[str, Any] = {
        "start": rfc3339(start),
        "steps": {name: [limit.length, limit.unit, limit.count_from] for name, limit in limits.items()},
    }
    return detail | ({"caps": {name: rfc3339(at) for name, at in caps.items()}} if caps else {})
