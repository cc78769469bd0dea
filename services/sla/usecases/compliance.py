"""Compliance checks of clocks (`domain.compliance`)."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any

import orjson
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncSession

from services.sla.domain import compliance as rules
from services.sla.domain.counting import Pause
from services.sla.store import compliance as store
from services.sla.store.mapping import step_of
from shared.compliance import Check, Fact, Find, Finding, Period, Place, sift
from shared.i18n import mark

Fetch = Callable[[AsyncSession, Period, tuple[datetime, str] | None, int], Any]


def checks() -> list[Check]:
    """Those of the service."""
    return [
        Check(
            "late_unextended",
            mark("Final response late and not extended"),
            mark(
                "A final response comes in time, or its deadline is extended before it passes. By day of the deadline."
            ),
            _found(_late, lambda row, _: _late_facts(row), "due_at", "clock_id"),
        ),
        Check(
            "late_untold",
            mark("Late, and nobody was told"),
            mark("When a deadline is missed, the first level of the escalation is told within an hour of its time."),
            _found(_untold, _untold_facts, "missed_at", "key"),
        ),
        Check(
            "extended_unreasoned",
            mark("Extended without a reason"),
            mark("An extension states why the bank needs more time."),
            _found(_extended(again=False), lambda row, _: _extension(row), "recorded_at", "key"),
        ),
        Check(
            "extended_again",
            mark("Extended more than once"),
            mark("The same deadline of a clock is extended once."),
            _found(_extended(again=True), lambda row, _: _again(row), "recorded_at", "key"),
        ),
        Check(
            "paused_long",
            mark("Paused too long"),
            mark("A clock stands still for {n} days at most. By the day on which they were over."),
            _paused,
            {"n": rules.LONGEST_PAUSE.days},
        ),
    ]


def _found(fetch: Fetch, judge: Callable[[RowMapping, Period], dict[str, Fact] | None], at: str, key: str) -> Find:
    async def find(session: AsyncSession, period: Period, after: Place | None, limit: int) -> list[Finding]:
        async def more(behind: Place | None, most: int) -> Sequence[RowMapping]:
            found: Sequence[RowMapping] = await fetch(session, period, _after(behind), most)
            return found

        def finding(row: RowMapping) -> Finding | None:
            facts = judge(row, period)
            return None if facts is None else Finding(row[at], row[key], row["complaint_id"], _about(row) | facts)

        return await sift(more, finding, lambda row: Place(row[at], row[key]), after, limit)

    return find


def _after(place: Place | None) -> tuple[datetime, str] | None:
    return None if place is None else (place.at, place.key)


def _about(row: RowMapping) -> dict[str, Fact]:
    return {"reference": row["reference"] or "–", "department": row["department"] or "–", "pack": row["pack"]}


async def _late(
    session: AsyncSession, period: Period, after: tuple[datetime, str] | None, limit: int
) -> Sequence[RowMapping]:
    return await store.late(session, period.start, period.end, after, limit)


def _late_facts(row: RowMapping) -> dict[str, Fact]:
    return {"due_at": row["due_at"], "met_at": row["met_at"] or "–"}


async def _untold(
    session: AsyncSession, period: Period, after: tuple[datetime, str] | None, limit: int
) -> Sequence[RowMapping]:
    return await store.untold(session, period.start, period.end, after, limit)


def _untold_facts(row: RowMapping, period: Period) -> dict[str, Fact] | None:
    step = step_of(row)
    pauses = [_pause(*one) for one in orjson.loads(row["pauses"])]
    if not rules.untold(step, pauses, row["ended_at"], period.now):
        return None
    return {"step": step.name, "due_at": step.due_at, "told_by": step.rung_at(0), "met_at": step.met_at or "–"}


def _pause(since: str, until: str | None) -> Pause:
    return Pause(datetime.fromisoformat(since), datetime.fromisoformat(until) if until else None)


def _extended(*, again: bool) -> Fetch:
    async def fetch(
        session: AsyncSession, period: Period, after: tuple[datetime, str] | None, limit: int
    ) -> Sequence[RowMapping]:
        return await store.extensions(session, period.start, period.end, after, limit, again=again)

    return fetch


def _extension(row: RowMapping) -> dict[str, Fact] | None:
    if not rules.unreasoned(row["reason"]) and "before" not in row:
        return None
    detail = orjson.loads(row["detail"])
    return {"step": detail["step"], "extended_to": date.fromisoformat(detail["until"]), "by": row["actor"]}


def _again(row: RowMapping) -> dict[str, Fact] | None:
    step = orjson.loads(row["detail"])["step"]
    before = [orjson.loads(line) for line in row["before"].split("\n")]
    times = sum(one["step"] == step for one in before)
    return None if not times else {**(_extension(row) or {}), "times": times + 1}


async def _paused(session: AsyncSession, period: Period, after: Place | None, limit: int) -> list[Finding]:
    longest = rules.LONGEST_PAUSE

    async def fetch(behind: Place | None, most: int) -> Sequence[RowMapping]:
        begun = None if behind is None else (behind.at - longest, behind.key)
        until = min(period.end, period.now) - longest
        return await store.pauses(session, period.start - longest, until, longest, begun, most)

    def finding(row: RowMapping) -> Finding:
        facts: dict[str, Fact] = {"paused_at": row["at"], "resumed_at": row["resumed"] or "–", "by": row["actor"]}
        return Finding(row["at"] + longest, row["key"], row["complaint_id"], _about(row) | facts)

    return await sift(fetch, finding, lambda row: Place(row["at"] + longest, row["key"]), after, limit)
