"""From the data file, the `holidays` library and the bank's own corrections to calendars with every day written out."""

import calendar as months
import hashlib
import tomllib
import warnings
from collections.abc import Iterator, Mapping
from datetime import date, time, timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.sla.domain.calendar import Calendar, Span

DATA = Path(__file__).with_name("calendars.toml")
YEARS = range(2015, 2041)
"""Years whose holidays are written out; beyond them only weekends are known, and a deadline is provisional anyway."""
MAKE_UP = "make-up workday"
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DayName = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class CalendarError(ValueError):
    """The calendars cannot be used; the text says, a line each, in which file, at which key, and why."""


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except Exception as error:
        raise ValueError("is no IANA time zone") from error
    return name


def _span(text: str) -> str:
    try:
        since, until = text.split("-")
        if time.fromisoformat(since) >= _until(until):
            raise ValueError
    except ValueError:
        raise ValueError("is no span of hours such as 09:00-12:30") from None
    return text


def _until(text: str) -> time:
    return time.max if text == "24:00" else time.fromisoformat(text)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


SpanText = Annotated[str, AfterValidator(_span)]


class _Source(_Strict):
    country: str | None = Field(None, pattern=r"^[A-Z]{2}$")
    market: str | None = Field(None, pattern=r"^[A-Z]{2,5}$")
    subdivision: str | None = None
    categories: tuple[str, ...] | None = Field(None, strict=False)

    @model_validator(mode="after")
    def _one(self) -> "_Source":
        if (self.country is None) == (self.market is None):
            raise ValueError("names a country or a market")
        return self


class _Off(_Strict):
    weekday: DayName
    which: list[Annotated[int, Field(ge=1, le=5)]] = Field(min_length=1)
    name: str = Field(min_length=1)


class _Data(_Strict):
    zone: Annotated[str, AfterValidator(_zone)]
    source: _Source
    weekend: list[DayName]
    hours: list[SpanText] = Field(min_length=1)
    hours_saturday: list[SpanText] | None = None
    off: list[_Off] = []
    confirmed_to: date
    close: dict[str, str] = {}
    open: dict[str, str] = {}

    @model_validator(mode="after")
    def _hangs_together(self) -> "_Data":
        if len(self.weekend) == len(DAYS):
            raise ValueError("weekend leaves no working day")
        for day in (*self.close, *self.open):
            try:
                date.fromisoformat(day)
            except ValueError:
                raise ValueError(f"close and open name days such as 2027-02-11, not {day}") from None
        if both := self.close.keys() & self.open.keys():
            raise ValueError(f"{', '.join(sorted(both))} is both closed and open")
        return self


def load(overrides: Path | None = None) -> dict[str, Calendar]:
    """Every calendar by id, with the bank's corrections. Raises CalendarError."""
    return _load(None) if overrides is None else _load.__wrapped__(overrides)


@cache  # what is shipped does not change, and takes a quarter of a second to write out
def _load(overrides: Path | None) -> dict[str, Calendar]:
    raw = _read(DATA)
    own = _read(overrides) if overrides is not None else {}
    problems: list[str] = []
    found: dict[str, Calendar] = {}
    for id in {**raw, **own}:
        file = overrides.name if overrides is not None and id in own else DATA.name
        try:
            found[id] = _build(id, _Data.model_validate({**raw.get(id, {}), **own.get(id, {})}))
        except ValidationError as error:
            for one in error.errors():
                place = ".".join(map(str, ("calendar", id, *one["loc"])))
                problems.append(f"{file}: {place}: {str(one['msg']).removeprefix('Value error, ')}")
        except (KeyError, NotImplementedError, ValueError) as error:
            problems.append(f"{file}: calendar.{id}.source: {error}")
    if problems:
        raise CalendarError("\n".join(problems))
    return found


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CalendarError(f"{path.name}: cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CalendarError(f"{path.name}: is no TOML: {error}") from None
    if unknown := raw.keys() - {"calendar"}:
        raise CalendarError(f"{path.name}: {', '.join(sorted(unknown))}: only [calendar.ID] stands in this file")
    found: dict[str, dict[str, Any]] = raw.get("calendar", {})
    return found


def _build(id: str, data: _Data) -> Calendar:
    weekend = frozenset(DAYS.index(d) for d in data.weekend)
    closed, opened = _published(data.source, weekend)
    closed |= {day: off.name for off in data.off for day in _monthly(off)}
    for day, why in data.close.items():
        closed[date.fromisoformat(day)] = why
        opened.pop(date.fromisoformat(day), None)
    for day, why in data.open.items():
        closed.pop(date.fromisoformat(day), None)
        opened[date.fromisoformat(day)] = why
    return of(
        {
            "id": id,
            "zone": data.zone,
            "weekend": sorted(weekend),
            "closed": {d.isoformat(): why for d, why in sorted(closed.items())},
            "opened": {d.isoformat(): why for d, why in sorted(opened.items())},
            "hours": [_hours(data, n, weekend) for n in range(len(DAYS))],
            "confirmed_to": data.confirmed_to.isoformat(),
        }
    )


def _hours(data: _Data, weekday: int, weekend: frozenset[int]) -> list[str]:
    if weekday in weekend:
        return []
    if DAYS[weekday] == "saturday" and data.hours_saturday is not None:
        return data.hours_saturday
    return data.hours


def _published(source: _Source, weekend: frozenset[int]) -> tuple[dict[date, str], dict[date, str]]:
    """Days off on what would be working days, and make-up workdays on weekends, as the library has them."""
    import holidays  # a tenth of a second, which the commands that count nothing need not spend

    options: dict[str, Any] = {"years": YEARS}
    if source.subdivision is not None:
        options["subdiv"] = source.subdivision
    if source.categories is not None:
        options["categories"] = source.categories
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some calendars begin later or end earlier than YEARS
        if source.country is not None:
            found: Any = holidays.country_holidays(source.country, **options)
        else:
            found = holidays.financial_holidays(str(source.market), **options)
        closed = {day: str(name) for day, name in found.items() if day.weekday() not in weekend}
        opened = {
            day: MAKE_UP
            for day in _every_day()
            if day.weekday() in weekend & found.weekend and found.is_working_day(day)
        }
    return closed, opened


def _every_day() -> Iterator[date]:
    day = date(YEARS.start, 1, 1)
    while day.year < YEARS.stop:
        yield day
        day += timedelta(days=1)


def _monthly(off: _Off) -> Iterator[date]:
    wanted = DAYS.index(off.weekday)
    for year in YEARS:
        for month in range(1, 13):
            first = (wanted - date(year, month, 1).weekday()) % 7 + 1
            for which in off.which:
                day = first + 7 * (which - 1)
                if day <= months.monthrange(year, month)[1]:
                    yield date(year, month, day)


def as_dict(found: Calendar) -> dict[str, Any]:
    """A calendar whole, ready for JSON."""
    return {
        "id": found.id,
        "zone": found.zone.key,
        "weekend": sorted(found.weekend),
        "closed": {d.isoformat(): why for d, why in sorted(found.closed.items())},
        "opened": {d.isoformat(): why for d, why in sorted(found.opened.items())},
        "hours": [[_text(span) for span in day] for day in found.hours],
        "confirmed_to": found.confirmed_to.isoformat(),
    }


def of(raw: Mapping[str, Any]) -> Calendar:
    """The calendar that `as_dict` gave. Its version is a digest of its content."""
    content = orjson.dumps({key: raw[key] for key in raw if key != "version"}, option=orjson.OPT_SORT_KEYS)
    digest = hashlib.sha256(content).hexdigest()[:16]
    return Calendar(
        id=raw["id"],
        version=str(raw.get("version") or f"{raw['id']}-{digest}"),
        zone=ZoneInfo(raw["zone"]),
        weekend=frozenset(raw["weekend"]),
        closed={date.fromisoformat(d): why for d, why in raw["closed"].items()},
        opened={date.fromisoformat(d): why for d, why in raw["opened"].items()},
        hours=tuple(tuple(_parsed(text) for text in day) for day in raw["hours"]),
        confirmed_to=date.fromisoformat(raw["confirmed_to"]),
    )


def _parsed(text: str) -> Span:
    since, until = text.split("-")
    return Span(time.fromisoformat(since), _until(until))


def _text(span: Span) -> str:
    until = "24:00" if span.until == time.max else f"{span.until:%H:%M}"
    return f"{span.since:%H:%M}-{until}"
