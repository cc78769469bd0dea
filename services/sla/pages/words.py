"""Deadlines in words, in the reader's language: how they were counted, what is left of them, why a pack applies."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from services.sla.domain.calendar import WEEKEND
from services.sla.domain.counting import Count, Day, Limit
from shared.i18n import Translator, mark

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
SIGNS = {"running": "→", "warned": "!", "missed": "✕", "lapsed": "–", "met": "✓", "met_late": "✓", "ended": "–"}
"""By state of a step: a mark that tells it apart without colour; the words beside it are what is read out."""
LOOKS = {"running": "on_track", "warned": "behind", "missed": "missed", "met": "reached", "met_late": "missed"}
_BEGAN = {
    "received": mark("Received {moment} ({zone})."),
    "sent_to_portal": mark("Sent to the firm's portal {moment} ({zone})."),
    "forwarded_by_regulator": mark("Forwarded by the regulator {moment} ({zone})."),
    "supplement_completed": mark("Papers complete {moment} ({zone})."),
}
_ANEW = mark("Counted anew from {moment} ({zone}).")
_REASONS = (
    (r"Pack \S+ covers jurisdiction (?P<code>[^,.\s]+)\.", mark("The pack is for this jurisdiction: {code}.")),
    (r"Pack \S+ covers (?P<code>.+?)\.", mark("The pack is for such complaints: {code}.")),
    (
        r"The complaint names no jurisdiction, so the bank's default pack \S+ applies\.",
        mark("The complaint names no jurisdiction, so the bank's default pack applies."),
    ),
    (r"No pack covers .+?, so .+? applies\.", mark("No pack covers its jurisdiction, so the bank's default applies.")),
    (
        r"The packs of .+? are for other kinds of complaints, so .+? applies\.",
        mark("The packs of its jurisdiction are for other kinds of complaints, so the bank's default applies."),
    ),
    (r"Pack \S+ is the bank's own standard\.", mark("The pack is the bank's own standard.")),
)
_TIMING = (
    (
        r"Its version (?P<version>\S+) was in force on the day of receipt, (?P<day>\S+)\.",
        mark("Its version {version} was in force on the day of receipt, {day}."),
    ),
    (
        r"No version was in force on the day of receipt, (?P<day>\S+); (?P<version>\S+) was the last before it\.",
        mark("No version was in force on the day of receipt, {day}; {version} was the last before it."),
    ),
    (
        r"The day of receipt, (?P<day>\S+), lies before its first version (?P<version>\S+), which is applied\.",
        mark("The day of receipt, {day}, lies before its first version {version}, which is applied."),
    ),
)


def limit(t: Translator, found: Limit) -> str:
    """`10 business days`."""
    n = found.length
    match found.unit:
        case "hour":
            return t.ngettext("{n} hour", "{n} hours", n)
        case "working_hour":
            return t.ngettext("{n} working hour", "{n} working hours", n)
        case "calendar_day":
            return t.ngettext("{n} calendar day", "{n} calendar days", n)
        case "business_day":
            return t.ngettext("{n} business day", "{n} business days", n)
        case "week":
            return t.ngettext("{n} week", "{n} weeks", n)


def left(t: Translator, until: datetime, now: datetime) -> str:
    """How long until then, or how long ago that was: `2 days left`, `3 hours late`."""
    late = now > until
    span = abs(until - now)
    if span >= 2 * _DAY:
        n = span // _DAY
        return (
            t.ngettext("{n} day late", "{n} days late", n) if late else t.ngettext("{n} day left", "{n} days left", n)
        )
    if span >= _HOUR:
        n = span // _HOUR
        if late:
            return t.ngettext("{n} hour late", "{n} hours late", n)
        return t.ngettext("{n} hour left", "{n} hours left", n)
    n = span // timedelta(minutes=1)
    if late:
        return t.ngettext("{n} minute late", "{n} minutes late", n)
    return t.ngettext("{n} minute left", "{n} minutes left", n)


def explained(t: Translator, found: Count, start_event: str = "received", *, anew: bool = False) -> str:
    """How a limit leads to its deadline, sentence by sentence, on the clocks of the pack's zone. `anew`: it was counted
    again from a later moment than the start event."""
    zone = found.start.tzinfo
    there = replace(t, zone=zone) if isinstance(zone, ZoneInfo) else t
    began = _ANEW if anew else _BEGAN[start_event]
    said = [t.gettext(began, moment=there.datetime(found.start), zone=str(zone))]
    n, due = found.limit.length, there.datetime(found.due_at)
    if found.first_day is None or found.last_day is None:
        if found.limit.unit == "hour":
            said.append(t.ngettext("{n} hour runs from that moment.", "{n} hours run from that moment.", n))
        else:
            said.append(
                t.ngettext(
                    "{n} working hour runs while the bank is at work.",
                    "{n} working hours run while the bank is at work.",
                    n,
                )
            )
        said.append(t.gettext("In time until {moment}.", moment=due))
    else:
        days = n * 7 if found.limit.unit == "week" else n
        if found.limit.unit == "week":
            said.append(t.ngettext("{n} week is {days} days.", "{n} weeks are {days} days.", n, days=t.number(days)))
        first, last = t.date(found.first_day), t.date(found.last_day)
        if found.limit.count_from == "next_day":
            said.append(t.gettext("That day is not counted, so day 1 is {day}.", day=first))
        elif found.first_day == found.start.date():
            said.append(t.gettext("That day itself, {day}, is day 1.", day=first))
        else:
            said.append(t.gettext("That day is no business day, so day 1 is {day}.", day=first))
        business = found.limit.unit == "business_day"
        end = mark("Business day {n} is {day}: in time until the end of that day, {moment}.")
        plain = mark("Calendar day {n} is {day}: in time until the end of that day, {moment}.")
        said.append(t.gettext(end if business else plain, n=t.number(days), day=last, moment=due))
        if found.paused_days:
            paused = found.paused_days
            said.append(
                t.ngettext(
                    "{n} day is left out because the clock stood still.",
                    "{n} days are left out because the clock stood still.",
                    paused,
                )
            )
    if found.provisional:
        said.append(t.gettext("Provisional: the holidays of some of these days are not yet published."))
    return _together(t, said)


def skipped(t: Translator, days: Sequence[Day]) -> dict[str, Any]:
    """Which days of a count were left out: how many of weekends, and each holiday with its name; and the days that
    count although they look like none."""
    weekend = sum(d.number is None and d.why == WEEKEND for d in days)
    known = (WEEKEND, "paused", "day of receipt", "outside working hours")
    return {
        "weekend": t.ngettext("{n} weekend day", "{n} weekend days", weekend) if weekend else "",
        "holidays": [(d.day, d.why) for d in days if d.number is None and d.why not in known],
        "worked": [(d.day, d.why) for d in days if d.number is not None and d.why and ":" not in d.why],
    }


def because(t: Translator, reason: str) -> str:
    """Why a pack applies; as it was written down where these words do not know it."""
    for pattern, text in _REASONS:
        if not (why := re.match(pattern, reason)):
            continue
        rest = reason[why.end() :].strip()
        said = [t.gettext(text, **why.groupdict())]
        for when, words in _TIMING:
            if timing := re.fullmatch(when, rest):
                named = timing.groupdict()
                day = t.date(datetime.fromisoformat(named["day"]).date())
                return _together(t, [*said, t.gettext(words, version=named["version"], day=day)])
        if not rest:
            return _together(t, said)
    return reason


def _together(t: Translator, sentences: Sequence[str]) -> str:
    """Sentences one after the other: Chinese puts no space between them."""
    return ("" if t.language.startswith("zh") else " ").join(sentences)
