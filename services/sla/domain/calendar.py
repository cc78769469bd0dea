"""Working days and working hours of one place, every exception written out, so that a calendar is data: it can be
kept, compared, and counted with again years later. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from services.sla.domain.moments import first_shown

WEEKEND = "weekend"
_MIDNIGHT = "24:00"


@dataclass(frozen=True, slots=True)
class Span:
    """Working time within one day, by the clocks on the wall. `until` is not in it; `time.max` means midnight."""

    since: time
    until: time


@dataclass(frozen=True, slots=True)
class Calendar:
    """`version` names the whole content. `weekend`: days of the week, Monday is 0. `closed`: days that would be working
    days, and why they are none; `opened`: days that are worked although the weekend or a holiday speaks against it
    (make-up workdays, and what the bank has decided), and why; it wins over `closed`. `hours`: the spans of each day of
    the week, Monday first, in order; a day in `opened` has Monday's where its own day of the week has none. Beyond
    `confirmed_to` the holidays are not yet published, and what is counted there is provisional."""

    id: str
    version: str
    zone: ZoneInfo
    weekend: frozenset[int]
    closed: Mapping[date, str]
    opened: Mapping[date, str]
    hours: tuple[tuple[Span, ...], ...]
    confirmed_to: date

    def is_business_day(self, day: date) -> bool:
        if day.weekday() in self.weekend or day in self.closed:
            return day in self.opened
        return True

    def why(self, day: date) -> str:
        """Why `day` is no business day (the holiday's name, or `weekend`), or why it is one although it looks like
        none; empty for an ordinary business day."""
        if reason := self.opened.get(day) or self.closed.get(day):
            return reason
        return WEEKEND if day.weekday() in self.weekend else ""

    def spans(self, day: date) -> tuple[Span, ...]:
        """The working hours of `day` by the clocks on the wall, in order; none on a day that is no business day."""
        if not self.is_business_day(day):
            return ()
        return self.hours[day.weekday()] or (self.hours[0] if day in self.opened else ())

    def working(self, day: date) -> tuple[tuple[datetime, datetime], ...]:
        """The working time of `day` as moments in UTC, in order; right on days on which the clocks change: each bound
        is where the clocks first show it, so that a span may be longer or shorter than its bounds suggest."""
        zone = self.zone
        moments = ((first_shown(day, s.since, zone), first_shown(day, s.until, zone)) for s in self.spans(day))
        return tuple((since, until) for since, until in moments if since < until)

    def as_dict(self) -> dict[str, Any]:
        """The whole content as JSON can hold it; `of` reads it again."""
        return {
            "id": self.id,
            "version": self.version,
            "zone": self.zone.key,
            "weekend": sorted(self.weekend),
            "closed": {day.isoformat(): self.closed[day] for day in sorted(self.closed)},
            "opened": {day.isoformat(): self.opened[day] for day in sorted(self.opened)},
            "hours": [[f"{_written(s.since)}-{_written(s.until)}" for s in spans] for spans in self.hours],
            "confirmed_to": self.confirmed_to.isoformat(),
        }

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "Calendar":
        """The calendar that `as_dict` wrote. Raises ValueError, KeyError or TypeError for what it did not write."""
        return cls(
            id=data["id"],
            version=data["version"],
            zone=ZoneInfo(data["zone"]),
            weekend=frozenset(data["weekend"]),
            closed={date.fromisoformat(day): why for day, why in data["closed"].items()},
            opened={date.fromisoformat(day): why for day, why in data["opened"].items()},
            hours=tuple(tuple(span(text) for text in spans) for spans in data["hours"]),
            confirmed_to=date.fromisoformat(data["confirmed_to"]),
        )

    def stamped(self) -> "Calendar":
        """The same with the `version` that its content has: equal content, equal version, on every machine."""
        content = {key: value for key, value in self.as_dict().items() if key != "version"}
        written = json.dumps(content, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
        return replace(self, version=sha256(written.encode()).hexdigest()[:12])


def span(text: str) -> Span:
    """The span that is written `09:00-12:30`; `24:00` is the midnight that ends the day. Raises ValueError."""
    since, dash, until = text.partition("-")
    found = Span(time.fromisoformat(since), time.max if until == _MIDNIGHT else time.fromisoformat(until or "?"))
    if not dash or found.since.tzinfo or found.until.tzinfo or found.since >= found.until:
        raise ValueError(f"{text!r} is no span of time")
    return found


def _written(at: time) -> str:
    return _MIDNIGHT if at == time.max else at.isoformat("auto" if at.microsecond or at.second else "minutes")
