"""What a policy pack says, which pack applies to a complaint, and how a limit is counted to the millisecond."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from shared.errors import Invalid
from shared.events import StepName

Unit = Literal["hour", "calendar_day", "week"]
CountFrom = Literal["moment", "same_day", "next_day"]
StartEvent = Literal["received"]

TICK = timedelta(milliseconds=1)
"""The resolution of deadlines: a deadline is the last millisecond that is in time, all of it."""
_YEARS = range(1970, 2201)
_CODE = re.compile(r"[A-Za-z0-9-]{1,40}\Z")


class UncountableTime(Invalid):
    """Deadlines are counted from times between 1970 and 2200."""

    code = "uncountable_time"


@dataclass(frozen=True, slots=True)
class Limit:
    """How long a step may take: `length` units, counted from the start event.

    `hour`: elapsed time from the very moment. `calendar_day` and `week` (seven days): `count_from` says which day is
    day 1, the day of the start event itself (`same_day`) or the one after it (`next_day`), and the limit ends with the
    end of the last day, in the pack's time zone.
    """

    length: int
    unit: Unit
    count_from: CountFrom


@dataclass(frozen=True, slots=True)
class Authority:
    """Where a limit comes from. `confirmed`: somebody read the rule's own text. `effective_from`: it stands since."""

    source: str
    article: str
    confirmed: bool
    effective_from: date


@dataclass(frozen=True, slots=True)
class WarnRule:
    """When to warn: at a `share` (0 to 1) of the time allowed, or `lead` before the deadline; the earlier if both."""

    share: float | None = None
    lead: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Escalation:
    """Who must act when a step is missed: `role` at `level`. Level 1 is the department's head."""

    level: int
    role: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One step that a pack demands. `note` says in plain words what a user of the pack should know of it."""

    step: StepName
    limit: Limit
    authority: Authority
    warn: WarnRule | None = None
    escalation: Escalation | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Pack:
    """One version of the rules that apply in one or several jurisdictions.

    In force from `effective_from` to `effective_to` (None: until further notice), both days included. `titles` by
    language. `jurisdictions` are lower-case codes as complaints bear them; a pack's own id is one of them too.
    """

    id: str
    version: str
    titles: Mapping[str, str]
    jurisdictions: tuple[str, ...]
    zone: ZoneInfo
    start_event: StartEvent
    effective_from: date
    effective_to: date | None
    rules: tuple[Rule, ...]

    def in_force(self, day: date) -> bool:
        return self.effective_from <= day and (self.effective_to is None or day <= self.effective_to)


@dataclass(frozen=True, slots=True)
class Policies:
    """Every pack that is known, and the id of the bank's `default`."""

    packs: tuple[Pack, ...]
    default: str

    def choose(self, jurisdiction: str | None, received_at: datetime) -> tuple[Pack, str]:
        """The pack for a complaint and, in plain words, why this one. There always is one.

        The jurisdiction decides; unknown or missing, the bank's default. Of a pack's versions, the one in force on the
        day of receipt (in the pack's own zone); where none was, the nearest.
        """
        wanted = (jurisdiction or "").strip().lower()
        found = next((p.id for p in self.packs if wanted and (wanted == p.id or wanted in p.jurisdictions)), None)
        if found is not None:
            reason = f"Pack {found} covers jurisdiction {wanted}."
        elif wanted:
            # quoted only if it is a code: free text could hold anything
            named = f"jurisdiction {wanted}" if _CODE.match(wanted) else "the jurisdiction that the complaint names"
            reason = f"No pack covers {named}, so the bank's default pack {self.default} applies."
        else:
            reason = f"The complaint names no jurisdiction, so the bank's default pack {self.default} applies."
        versions = sorted((p for p in self.packs if p.id == (found or self.default)), key=lambda p: p.effective_from)
        pack, timing = _version(versions, received_at)
        return pack, f"{reason} {timing}"


def _version(versions: list[Pack], received_at: datetime) -> tuple[Pack, str]:
    """The version in force at `received_at`, else the last one before it, else the first, and why."""
    day = local(received_at, versions[0].zone).date()
    for pack in versions:
        if pack.in_force(day):
            return pack, f"Its version {pack.version} was in force on the day of receipt, {day}."
    earlier = [p for p in versions if p.effective_from <= day]
    if earlier:
        pack = earlier[-1]
        return pack, f"No version was in force on the day of receipt, {day}; {pack.version} was the last before it."
    pack = versions[0]
    return pack, f"The day of receipt, {day}, lies before its first version {pack.version}, which is applied."


@dataclass(frozen=True, slots=True)
class Count:
    """How a limit leads from receipt to deadline.

    `received` is the start in the pack's zone. For days and weeks, `first_day` is day 1 and `last_day` the day whose
    end is the deadline; None for hours. `due_at` (UTC) is the last millisecond that is in time.
    """

    limit: Limit
    received: datetime
    first_day: date | None
    last_day: date | None
    due_at: datetime

    @property
    def due_local(self) -> datetime:
        return self.due_at.astimezone(self.received.tzinfo)

    @property
    def explanation(self) -> str:
        """The count in plain English."""
        zone, limit = self.received.tzinfo, self.limit
        start = f"Received {self.received:%Y-%m-%d %H:%M:%S} ({zone})."
        if self.first_day is None:
            hours = f"{limit.length} hour{'s' if limit.length > 1 else ''} run from that moment"
            return f"{start} {hours}: in time until {_shown(self.due_local)}."
        days = limit.length
        weeks = ""
        if limit.unit == "week":
            days = limit.length * 7
            weeks = f" {limit.length} week{'s are' if limit.length > 1 else ' is'} {days} days."
        counted = (
            f"The day of receipt is not counted, so day 1 is {self.first_day}"
            if limit.count_from == "next_day"
            else f"The day of receipt, {self.first_day}, is day 1"
        )
        end = f"calendar day {days} is {self.last_day}: in time until the end of that day, {_shown(self.due_local)}."
        return f"{start}{weeks} {counted}; {end}"


def count(limit: Limit, received_at: datetime, zone: ZoneInfo) -> Count:
    """Count `limit` from `received_at`. Raises UncountableTime, ValueError for a naive time."""
    received = local(received_at, zone)
    if limit.unit == "hour":
        due = whole_millisecond(received_at.astimezone(UTC) + timedelta(hours=limit.length))
        return Count(limit, received, None, None, due)
    days = limit.length * 7 if limit.unit == "week" else limit.length
    first = received.date() + timedelta(days=1 if limit.count_from == "next_day" else 0)
    last = first + timedelta(days=days - 1)
    return Count(limit, received, first, last, end_of_day(last, zone))


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The last millisecond (UTC) of `day` on the clocks of `zone`, also where they are put forward or back at midnight.

    It lies just before the next day's midnight. Where that is skipped, its reading with the offset before the change
    is the moment of the change. Where it comes twice, the clocks may have gone back into `day` in between (the second
    one ends it) or not (the first one does): the last reading that has `day` just before it is right in each case.
    """
    midnight = datetime.combine(day + timedelta(days=1), time.min, zone)
    ends = (midnight.replace(fold=fold).astimezone(UTC) - TICK for fold in (0, 1))
    return max(end for end in ends if end.astimezone(zone).date() <= day)


def warn_at(rule: WarnRule | None, received_at: datetime, due_at: datetime) -> datetime | None:
    """When to warn of the deadline `due_at`: never before receipt, whole milliseconds; None where there is no rule."""
    if rule is None:
        return None
    moments = []
    if rule.share is not None:
        moments.append(received_at + (due_at - received_at) * rule.share)
    if rule.lead is not None:
        moments.append(due_at - rule.lead)
    return whole_millisecond(max(received_at, min(moments)).astimezone(UTC))


def in_time(moment: datetime, due_at: datetime) -> bool:
    """Whether `moment` meets a deadline: any part of the deadline's own millisecond still does."""
    return moment < due_at + TICK


def local(moment: datetime, zone: ZoneInfo) -> datetime:
    """`moment` on the clocks of `zone`. Raises UncountableTime, ValueError for a naive time."""
    if moment.tzinfo is None:
        raise ValueError("a time without an offset")
    if moment.year not in _YEARS:
        raise UncountableTime
    return moment.astimezone(zone)


def whole_millisecond(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _shown(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
