"""Surges as they are kept: what was told of, and what became of it. Never commits."""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from typing import Any

import orjson
from sqlalchemy import Column, Table, Text, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from services.reporting.domain.surge import DayCount, Kind, Surge
from services.reporting.store.base import Base, facts, read_model
from shared.db import UtcDateTime


class SurgeRow(Base, table=True):
    """One surge. Of a kind (`category` to `channel`), or of a `theme`, whose other terms are `terms`. `part_of`: the
    surge whose complaints these mostly are, seen from another side, and which was told instead."""

    __tablename__ = "surge"

    id: str = Field(primary_key=True, max_length=36)
    category: str | None = Field(None, max_length=64)
    product: str | None = Field(None, max_length=64)
    branch: str | None = Field(None, max_length=64)
    channel: str | None = Field(None, max_length=64)
    theme: str | None = Field(None, max_length=80)
    terms: str = Field("", sa_column=Column(Text, nullable=False))
    since: date = Field(index=True)
    until: date
    observed: int
    expected: float
    limit: int
    p: float
    tentative: bool
    daily: str = Field(sa_column=Column(Text, nullable=False))
    over: bool = False
    part_of: str | None = Field(None, max_length=36)
    detected_at: datetime = Field(sa_type=UtcDateTime)


table: Table = SurgeRow.__table__  # type: ignore[attr-defined]


def surge_of(row: SurgeRow) -> Surge:
    """A row of a kind, as the domain has it."""
    daily = tuple(DayCount(date.fromisoformat(d), n, e) for d, n, e in orjson.loads(row.daily))
    kind = Kind(row.category, row.product, row.branch, row.channel)
    return Surge(
        kind, row.since, row.until, row.observed, row.expected, row.limit, row.p, row.tentative, daily, row.over
    )


def written(surge: Surge) -> dict[str, Any]:
    """What a row says of a surge, beside its id."""
    return {
        **surge.kind._asdict(),
        "since": surge.since,
        "until": surge.until,
        "observed": surge.observed,
        "expected": surge.expected,
        "limit": surge.limit,
        "p": surge.p,
        "tentative": surge.tentative,
        "daily": orjson.dumps([[one.day.isoformat(), one.observed, one.expected] for one in surge.daily]).decode(),
        "over": surge.over,
    }


async def recent(session: AsyncSession, since: date) -> Sequence[SurgeRow]:
    """Surges that go on or were there after a day, locked for whoever writes."""
    query = select(SurgeRow).where(or_(~table.c.over, table.c.until >= since))
    return (await session.scalars(query.order_by(table.c.since.desc(), table.c.id).with_for_update())).all()


async def every(session: AsyncSession, since: date | None, until: date | None, limit: int) -> Sequence[SurgeRow]:
    """Surges that touch a period, the latest first; of those that are one, the one that was told."""
    query = select(SurgeRow).where(table.c.part_of.is_(None))
    if since is not None:
        query = query.where(table.c.until >= since)
    if until is not None:
        query = query.where(table.c.since <= until)
    return (await session.scalars(query.order_by(table.c.since.desc(), table.c.id).limit(limit))).all()


async def complaints(session: AsyncSession, surge: Surge) -> set[str]:
    """The complaints of a surge."""
    live = select(read_model.c.live).scalar_subquery()
    query = select(facts.c.complaint_id).where(facts.c.slot == live, facts.c.day.between(surge.since, surge.until))
    query = query.where(*(facts.c[name] == code for name, code in surge.kind._asdict().items() if code))
    return set((await session.scalars(query)).all())


async def sides(session: AsyncSession, ids: Collection[str]) -> dict[str, list[SurgeRow]]:
    """Of surges that were told, the others that are one with each, by its id."""
    found: dict[str, list[SurgeRow]] = {id: [] for id in ids}
    query = select(SurgeRow).where(table.c.part_of.in_(ids)).order_by(table.c.p, table.c.id)
    for row in await session.scalars(query):
        found[str(row.part_of)].append(row)
    return found


def add(tx: AsyncSession, rows: Iterable[SurgeRow]) -> None:
    tx.add_all(rows)
