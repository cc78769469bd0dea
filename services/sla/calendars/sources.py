"""Where the days of each calendar come from: the library's part and note, and what the bank's own file changes, with
the line on which it does."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from services.sla.calendars.loader import DATA
from services.sla.calendars.located import line_of, parsed


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that the bank's file says otherwise, on its `line`. `day`: which it closes or opens, and then `why` is
    the reason; of hours and ends `why` is what it sets."""

    what: Literal["close", "open", "confirmed_to", "hours", "hours_on"]
    day: date | None
    why: str
    line: int


@dataclass(frozen=True, slots=True)
class Source:
    """`library`: the place or market that the `holidays` library knows; `note`: what to know before relying on it;
    `file`: the bank's own, empty where it changes nothing here."""

    library: str
    note: str
    file: str = ""
    changes: tuple[Change, ...] = ()


def sources(overrides: Path | None = None) -> Mapping[str, Source]:
    """The source of every calendar by its id. `overrides` as `load` has taken it. Raises DataError."""
    shipped, _ = parsed(DATA)
    raw, text = parsed(overrides) if overrides else ({}, "")
    found = {}
    for id, entry in shipped.items():
        library = entry["library"]
        place = [library.get(part) for part in ("country", "subdiv", "market")]
        changes = tuple(_changes(id, raw.get(id, {}), text))
        file = overrides.name if overrides and changes else ""
        found[id] = Source(" ".join(filter(None, place)), entry["note"], file, changes)
    return found


def _changes(id: str, raw: Mapping[str, object], text: str) -> list[Change]:
    found = []
    for what in ("close", "open"):
        days = raw.get(what, {})
        assert isinstance(days, dict)  # `load` has looked at it
        found += [
            Change(what, date.fromisoformat(day), why, line_of(text, (id, what, day))) for day, why in days.items()
        ]
    if "confirmed_to" in raw:
        found.append(Change("confirmed_to", None, str(raw["confirmed_to"]), line_of(text, (id, "confirmed_to"))))
    if isinstance(hours := raw.get("hours"), list):
        found.append(Change("hours", None, ", ".join(hours), line_of(text, (id, "hours"))))
    if isinstance(on := raw.get("hours_on"), dict):
        for weekday, spans in on.items():
            said = f"{weekday} {', '.join(spans)}"
            found.append(Change("hours_on", None, said, line_of(text, (id, "hours_on", weekday))))
    return found
