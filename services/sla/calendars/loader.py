"""Builds the calendars from the library and the data beside this file, and applies the bank's overrides."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from services.sla.calendars.library import YEARS, holidays_of, regularly
from services.sla.calendars.located import DataError, Problem, line_of, parsed
from services.sla.domain.calendar import Calendar, Span, span

DATA = Path(__file__).parent / "calendars.toml"
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class CalendarError(DataError):
    """The calendars cannot be used. Every problem found is in `problems` and, a line each, in the text."""


class _Strict(BaseModel):
    """No unknown keys, no silent conversion: a slip of the pen is an error and not a default."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _spans(texts: list[str]) -> list[str]:
    spans = [span(text) for text in texts]
    for earlier, later in pairwise(spans):
        if later.since < earlier.until:
            raise ValueError("spans come in order and do not overlap")
    return texts


def _day(text: str) -> str:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text} is no day: write 2026-07-03") from None
    if day.year not in YEARS:
        raise ValueError(f"{text} lies outside of the years {YEARS[0]} to {YEARS[-1]}")
    return text


Spans = Annotated[list[str], AfterValidator(_spans)]
Why = Annotated[str, Field(min_length=1, max_length=200)]
Days = dict[Annotated[str, AfterValidator(_day)], Why]


class _Library(_Strict):
    country: str | None = None
    market: str | None = None
    subdiv: str | None = None
    categories: list[str] = []
    language: str | None = None


class _Regular(_Strict):
    weekday: Weekday
    which: Annotated[list[Annotated[int, Field(ge=1, le=5)]], Field(min_length=1)]
    since: date
    why: Why


class _Calendar(_Strict):
    zone: str
    library: _Library
    weekend: Annotated[list[Weekday], Field(max_length=6)]
    hours: Annotated[Spans, Field(min_length=1)]
    hours_on: dict[Weekday, Spans] = {}
    confirmed_to: date
    last_year: int = YEARS[-1]
    regular: list[_Regular] = []
    note: str = Field(max_length=400)

    def calendar(self, id: str) -> Calendar:
        years = range(YEARS[0], self.last_year + 1)
        names, made_up = holidays_of(**self.library.model_dump(), years=years)
        for rule in self.regular:
            for day in regularly(WEEKDAYS.index(rule.weekday), rule.which, rule.since, YEARS):
                names.setdefault(day, rule.why)
        weekend = frozenset(map(WEEKDAYS.index, self.weekend))
        return Calendar(
            id=id,
            version="",
            zone=ZoneInfo(self.zone),
            weekend=weekend,
            closed={day: names[day] for day in sorted(names) if day.weekday() not in weekend},
            opened={day: made_up[day] for day in sorted(made_up)},
            hours=_hours(((),) * 7, weekend, self.hours, self.hours_on),
            confirmed_to=self.confirmed_to,
        ).stamped()


class _Override(_Strict):
    close: Days = {}
    open: Days = {}
    confirmed_to: date | None = None
    hours: Annotated[Spans, Field(min_length=1)] | None = None
    hours_on: dict[Weekday, Spans] = {}

    @model_validator(mode="after")
    def _hangs_together(self) -> "_Override":
        if both := self.close.keys() & self.open.keys():
            raise ValueError(f"{', '.join(sorted(both))} cannot be both open and closed")
        return self

    def applied(self, old: Calendar) -> Calendar:
        close = {date.fromisoformat(day): why for day, why in self.close.items()}
        open = {date.fromisoformat(day): why for day, why in self.open.items()}
        closed = {day: why for day, why in {**old.closed, **close}.items() if day not in open}
        opened = {day: why for day, why in {**old.opened, **open}.items() if day not in close}
        return replace(
            old,
            closed=dict(sorted(closed.items())),
            opened=dict(sorted(opened.items())),
            hours=_hours(old.hours, old.weekend, self.hours, self.hours_on),
            confirmed_to=self.confirmed_to or old.confirmed_to,
        ).stamped()


_DATA = TypeAdapter(dict[str, _Calendar])
_OVERRIDES = TypeAdapter(dict[str, _Override])


def load(overrides: Path | None = None) -> Mapping[str, Calendar]:
    """Every calendar by its id, with what the file `overrides` changes. Raises CalendarError."""
    calendars = dict(_shipped())
    if overrides is None:
        return calendars
    try:
        raw, text = parsed(overrides)
    except DataError as error:
        raise CalendarError(error.problems) from None
    try:
        changes = _OVERRIDES.validate_python(raw)
    except ValidationError as error:
        raise CalendarError([_problem(overrides.name, text, e["loc"], str(e["msg"])) for e in error.errors()]) from None
    if problems := _problems(overrides.name, text, changes, calendars):
        raise CalendarError(problems)
    return {id: changes[id].applied(old) if id in changes else old for id, old in calendars.items()}


@cache
def _shipped() -> Mapping[str, Calendar]:
    raw, _ = parsed(DATA)
    return {id: entry.calendar(id) for id, entry in _DATA.validate_python(raw).items()}


def _hours(
    old: tuple[tuple[Span, ...], ...], weekend: frozenset[int], usual: list[str] | None, on: Mapping[Weekday, list[str]]
) -> tuple[tuple[Span, ...], ...]:
    """The spans of the seven days: as `on` says, else the `usual` ones of a working day, else as they were."""

    def of(n: int) -> tuple[Span, ...]:
        if (said := on.get(WEEKDAYS[n])) is not None:  # type: ignore[call-overload]
            return tuple(map(span, said))
        return tuple(map(span, usual)) if usual is not None and n not in weekend else old[n]

    return tuple(map(of, range(7)))


def _problems(
    file: str, text: str, changes: Mapping[str, _Override], calendars: Mapping[str, Calendar]
) -> list[Problem]:
    """What is wrong with overrides that are well formed."""
    found = []
    for id, change in changes.items():
        if id not in calendars:
            known = ", ".join(sorted(calendars))
            found.append(_problem(file, text, (id,), f"there is no such calendar; there are: {known}"))
            continue
        weekend = calendars[id].weekend
        for day in change.close:
            at = date.fromisoformat(day)
            if at.weekday() in weekend and at not in calendars[id].opened:
                name = WEEKDAYS[at.weekday()].capitalize()
                found.append(_problem(file, text, (id, "close", day), f"is a {name}, without work already"))
        if not any(change.applied(calendars[id]).hours):
            found.append(_problem(file, text, (id, "hours_on"), "no day of the week has working hours left"))
    return found


def _problem(file: str, text: str, loc: tuple[Any, ...], reason: str) -> Problem:
    key = [part for part in loc if part != "[key]"]
    return Problem(file, ".".join(map(str, key)), reason.removeprefix("Value error, "), line_of(text, key))
