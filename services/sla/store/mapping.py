"""Between rows and the domain's values."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

import orjson

from services.sla.domain.clock import Clock, Step, Watch
from services.sla.domain.counting import Limit, Pause
from services.sla.domain.facts import Facts
from services.sla.domain.ledger import Entry, Line
from services.sla.domain.policy import Authority, Ladder, Rung, WarnRule
from services.sla.store.base import CLOCK, COMPLAINT, ENTRY, STEP
from shared.clock import rfc3339

FACTS = tuple(f.name for f in fields(Facts))
COMPLAINT_COLUMNS = tuple(COMPLAINT.columns.keys())
CLOCK_COLUMNS = tuple(CLOCK.columns.keys())
STEP_COLUMNS = tuple(STEP.columns.keys())
ENTRY_COLUMNS = tuple(ENTRY.columns.keys())
MOVING = (
    "since", "due_at", "provisional", "extended_to", "met_at", "next_at", "act_by", "historic", "warned", "warned_at",
    "missed_at", "rung", "repeats", "escalated_at", "told_at", "answered_at", "answered_by", "held", "ended", "state",
)  # fmt: skip
"""What of a step changes once it is there."""
FIRED = (
    "next_at", "warned", "warned_at", "missed_at", "rung", "repeats", "escalated_at", "told_at", "answered_at",
    "answered_by", "state",
)  # fmt: skip
"""What of a step changes when something is done about it."""
TURNING = ("is_primary", "start", "calendar", "seq", "pauses", "ended_at")
"""What of a clock changes once it is there."""
_PLAIN = (
    "next_at", "historic", "warned", "warned_at", "missed_at", "rung", "repeats", "escalated_at", "told_at",
    "answered_at", "answered_by", "held", "ended",
)  # fmt: skip

Row = Mapping[Any, Any]


def facts_of(row: Row) -> Facts:
    return Facts(**{name: row[name] for name in FACTS})


def facts_values(facts: Facts) -> tuple[Any, ...]:
    """In the order of FACTS."""
    return tuple(getattr(facts, name) for name in FACTS)


def clock_of(row: Row, steps: Sequence[Step]) -> Clock:
    pauses = tuple(
        Pause(datetime.fromisoformat(since), datetime.fromisoformat(until) if until else None)
        for since, until in orjson.loads(row["pauses"])
    )
    return Clock(
        id=row["clock_id"],
        pack=row["pack"],
        pack_version=row["pack_version"],
        kind=row["kind"],
        primary=row["is_primary"],
        reason=row["reason"],
        zone=row["zone"],
        opened_at=row["opened_at"],
        start=row["start"],
        calendar=row["calendar"],
        seq=row["seq"],
        pauses=pauses,
        ended_at=row["ended_at"],
        steps=tuple(sorted(steps, key=lambda s: (s.due_at, s.name))),
    )


def clock_values(complaint_id: str, clock: Clock) -> dict[str, Any]:
    pauses = [[rfc3339(p.since), rfc3339(p.until) if p.until else None] for p in clock.pauses]
    plain = ("pack", "pack_version", "kind", "reason", "zone", "opened_at", "start", "calendar", "seq", "ended_at")
    return {
        "clock_id": clock.id,
        "complaint_id": complaint_id,
        "is_primary": clock.primary,
        "pauses": orjson.dumps(pauses).decode(),
        **{name: getattr(clock, name) for name in plain},
    }


def step_of(row: Row) -> Step:
    warnings, ladder, breach = _watched(row["watching"])
    return Step(
        name=row["name"],
        line=Line(
            limit=Limit(row["length"], row["unit"], row["count_from"]),
            since=row["since"],
            due_at=row["due_at"],
            provisional=row["provisional"],
            extended_to=row["extended_to"],
            cap=row["cap"],
            met_at=row["met_at"],
        ),
        authority=Authority(row["source"], row["article"], row["confirmed"], row["effective_from"]),
        warnings=warnings,
        ladder=ladder,
        breach=breach,
        act_by=row["act_by"],
        **{name: row[name] for name in _PLAIN},
    )


NEEDED = ("name", "length", "unit", "count_from", "since", "due_at", "watching", "act_by", *_PLAIN)
"""The columns that `fired_step` takes, in this order."""
_UNASKED = Authority("", "", False, date.min)


def fired_step(values: Sequence[Any]) -> Step:
    """A step that is not met, as far as firing asks for it, from the columns NEEDED."""
    name, length, unit, count_from, since, due_at, watching, act_by, *plain = values
    warnings, ladder, breach = _watched(watching)
    line = Line(Limit(length, unit, count_from), since, due_at)
    return Step(name, line, _UNASKED, warnings, ladder, breach, act_by=act_by, **dict(zip(_PLAIN, plain, strict=True)))


def step_values(step: Step) -> dict[str, Any]:
    """Every column but the ids of clock and complaint."""
    line, authority = step.line, step.authority
    return {
        "name": step.name,
        "length": line.limit.length,
        "unit": line.limit.unit,
        "count_from": line.limit.count_from,
        "since": line.since,
        "due_at": line.due_at,
        "provisional": line.provisional,
        "extended_to": line.extended_to,
        "cap": line.cap,
        "met_at": line.met_at,
        "source": authority.source,
        "article": authority.article,
        "confirmed": authority.confirmed,
        "effective_from": authority.effective_from,
        "watching": _watching(step.warnings, step.ladder, step.breach),
        "act_by": step.act_by or line.due_at,
        "state": step.state,
        **{name: getattr(step, name) for name in _PLAIN},
    }


def entry_of(row: Row) -> Entry:
    plain = ("seq", "kind", "at", "recorded_at", "actor", "reason", "calendar")
    return Entry(**{name: row[name] for name in plain}, detail=orjson.loads(row["detail"]))


def entry_values(clock_id: str, entry: Entry) -> tuple[Any, ...]:
    """In the order of ENTRY_COLUMNS."""
    known = {"clock_id": clock_id, "detail": orjson.dumps(dict(entry.detail)).decode()}
    return tuple(known[n] if n in known else getattr(entry, n) for n in ENTRY_COLUMNS)


def watches(complaints: Iterable[Row], clocks: Iterable[Row], steps: Iterable[Row]) -> dict[str, Watch]:
    """Complaints with their clocks in the order in which they were begun."""
    of_clock: dict[str, list[Step]] = {}
    for row in steps:
        of_clock.setdefault(row["clock_id"], []).append(step_of(row))
    of_complaint: dict[str, list[Clock]] = {}
    for row in clocks:
        clock = clock_of(row, of_clock.get(row["clock_id"], ()))
        of_complaint.setdefault(row["complaint_id"], []).append(clock)
    found = {}
    for row in complaints:
        id = row["complaint_id"]
        found[id] = Watch(id, facts_of(row), tuple(sorted(of_complaint.get(id, ()), key=lambda c: c.id)))
    return found


@lru_cache(maxsize=512)  # every complaint under one rule has the same text
def _watched(text: str) -> tuple[tuple[WarnRule, ...], Ladder | None, bool]:
    raw = orjson.loads(text)
    warnings = tuple(
        WarnRule(share, timedelta(seconds=lead) if lead is not None else None) for share, lead in raw["warn"]
    )
    ladder = None
    if raw["ladder"] is not None:
        found = raw["ladder"]
        rungs = tuple(
            Rung(level, role, timedelta(seconds=after), share) for level, role, after, share in found["rungs"]
        )
        repeat = timedelta(seconds=found["repeat"]) if found["repeat"] is not None else None
        ladder = Ladder(found["id"], rungs, repeat, timedelta(seconds=found["patience"]))
    return warnings, ladder, raw["breach"]


@lru_cache(maxsize=512)
def _watching(warnings: tuple[WarnRule, ...], ladder: Ladder | None, breach: bool) -> str:
    found = None
    if ladder is not None:
        found = {
            "id": ladder.id,
            "rungs": [[r.level, r.role, r.after.total_seconds(), r.share] for r in ladder.rungs],
            "repeat": ladder.repeat.total_seconds() if ladder.repeat else None,
            "patience": ladder.patience.total_seconds(),
        }
    warn = [[w.share, w.lead.total_seconds() if w.lead is not None else None] for w in warnings]
    return orjson.dumps({"warn": warn, "ladder": found, "breach": breach}).decode()


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
