"""The read model in batches, in the order of an index, so that each batch begins where the last one ended and a million
rows cost a million rows. Never commits."""

from collections.abc import AsyncIterator, Sequence
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Date, Row, Select, String, Table, literal, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.store.base import counters, deadlines, facts, read_model

BATCH = 5000
_TYPES = {"day": Date(), "closed_day": Date()}


async def live(session: AsyncSession) -> int:
    """The slot that is read."""
    return int((await session.execute(select(read_model.c.live))).scalar_one())


async def batches(
    session: AsyncSession, query: Select[Any], table: Table, order: Sequence[str]
) -> AsyncIterator[Sequence[Row[Any]]]:
    """What `query` of `table` gives, in batches, by the columns `order`, which must be among those it selects and tell
    every row from every other."""
    key = [table.c[name] for name in order]
    query = query.order_by(*key).limit(BATCH)
    last: tuple[Any, ...] | None = None
    while True:
        page = query
        if last is not None:
            values = (literal(v, _TYPES.get(name) or String()) for name, v in zip(order, last, strict=True))
            page = query.where(tuple_(*key) > tuple_(*values))
        rows = (await session.execute(page)).all()
        if rows:
            yield rows
        if len(rows) < BATCH:
            return
        last = tuple(getattr(rows[-1], name) for name in order)


async def deadlines_of(session: AsyncSession, slot: int, ids: Sequence[str]) -> dict[str, list[Row[Any]]]:
    """The deadlines of complaints, by complaint, in the order of their keys."""
    wanted = (deadlines.c.complaint_id, deadlines.c.key, *(deadlines.c[name] for name in DEADLINE))
    query = select(*wanted).where(deadlines.c.slot == slot, deadlines.c.complaint_id.in_(ids))
    found: dict[str, list[Row[Any]]] = {}
    for row in (await session.execute(query.order_by(deadlines.c.complaint_id, deadlines.c.key))).all():
        found.setdefault(row[0], []).append(row)
    return found


DEADLINE = ("step", "rule", "kind", "is_primary", "result")
"""What an export tells of a deadline."""


def cells(slot: int, grain: str, days: tuple[date | None, date | None], narrowing: str) -> Select[Any]:
    """The counters of a grain on `days` from and to, both included; with `narrowing` (`channel=phone`) those narrowed
    so, and perhaps some whose names look alike."""
    since, until = days
    query = select(counters.c.series, counters.c.day, counters.c.code, counters.c["count"])
    query = query.where(counters.c.slot == slot, counters.c["count"] != 0, counters.c.series.like(f"{grain}:%"))
    if narrowing:
        query = query.where(counters.c.series.contains(f":{narrowing}:", autoescape=True))
    if since is not None:
        query = query.where(counters.c.day >= since)
    if until is not None:
        query = query.where(counters.c.day <= until)
    return query


def standing(slot: int, codes: Sequence[str], home: str, unstated: str, since: date, until: date) -> Select[Any]:
    """Complaints of a jurisdiction (or of parts: `uk-eng` is of `uk`) that were received by `until` and not closed
    before `since`, and where `home` is one of `codes` those that name no jurisdiction."""
    place = facts.c.jurisdiction
    mine: list[ColumnElement[bool]] = [place.ilike(like) for code in codes for like in (code, f"{code}-%")]
    if home.lower().split("-")[0] in codes:
        mine.append(place == unstated)
    names = (
        "complaint_id reference known day closed_day channel category product branch department severity language "
        "outcome root_cause redress currency jurisdiction"
    )
    query = select(*(facts.c[name] for name in names.split())).where(facts.c.slot == slot, or_(*mine))
    still = or_(facts.c.closed_day.is_(None), facts.c.closed_day >= since)
    return query.where(facts.c.day.is_not(None), facts.c.day <= until, still)
