"""Incidents: complaints that are handled together under one plan."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Index, Text, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from services.routing.store.base import Base, time
from services.routing.store.case import ComplaintCase
from services.routing.store.case import table as case


class Incident(Base, table=True):
    """`plan` is JSON: what is to be done, by whom, by when, and whether it is done. `series` names the complaints that
    a rule or a surge has declared it for; of one series there is one open incident."""

    __tablename__ = "incident"

    id: str = Field(primary_key=True, max_length=36)
    title: str = Field(max_length=200)
    state: str = Field(default="open", max_length=10, index=True)
    cause: str = Field(max_length=20)
    department: str = Field(max_length=40)
    series: str | None = Field(default=None, max_length=300)
    plan: str = Field(default="[]", sa_column=Column(Text, nullable=False))
    findings: str | None = Field(default=None, sa_column=Column(Text))
    declared_by: str = Field(max_length=100)
    declared_at: datetime = time(nullable=False)
    closed_by: str | None = Field(default=None, max_length=100)
    closed_at: datetime | None = time()
    version: int = 1


incident: Any = Incident.__table__  # type: ignore[attr-defined]
_OPEN = incident.c.state == "open"
Index("incident_series", incident.c.series, unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN)


async def incidents(tx: AsyncSession, *, state: str | None, after: str | None, limit: int) -> Sequence[Incident]:
    """Newest first."""
    query = select(Incident).order_by(incident.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(incident.c.state == state)
    if after is not None:
        query = query.where(incident.c.id < after)
    return (await tx.scalars(query)).all()


async def locked(tx: AsyncSession, id: str) -> Incident | None:
    query = select(Incident).where(incident.c.id == id).with_for_update()
    return (await tx.scalars(query.execution_options(populate_existing=True))).one_or_none()


async def of_series(tx: AsyncSession, series: Collection[str]) -> dict[str, Incident]:
    """Series -> its open incident."""
    query = select(Incident).where(incident.c.series.in_(series), incident.c.state == "open")
    return {str(one.series): one for one in await tx.scalars(query)}


async def sizes(tx: AsyncSession, ids: Collection[str]) -> dict[str, int]:
    """Incident -> how many complaints it has."""
    query = select(case.c.incident_id, func.count()).where(case.c.incident_id.in_(ids)).group_by(case.c.incident_id)
    found = {str(id): int(n) for id, n in (await tx.execute(query)).all()}
    return {id: found.get(id, 0) for id in ids}


async def members(tx: AsyncSession, id: str, *, after: str | None, limit: int) -> Sequence[str]:
    """The complaints of an incident, by id."""
    query = select(case.c.complaint_id).where(case.c.incident_id == id).order_by(case.c.complaint_id).limit(limit)
    return (await tx.scalars(query.where(case.c.complaint_id > after) if after else query)).all()


async def alike(
    tx: AsyncSession, since: datetime, until: datetime | None = None, **facts: str | None
) -> Sequence[ComplaintCase]:
    """Cases of no incident yet that came in since then and are not closed; `facts`: columns and what they must hold
    (None: anything)."""
    wanted: ColumnElement[bool] = true()
    for name, value in facts.items():
        wanted = wanted & (case.c[name] == value) if value is not None else wanted
    query = select(ComplaintCase).where(
        case.c.received_at >= since,
        case.c.incident_id.is_(None),
        case.c.imported.is_(False),
        case.c.state != "closed",
        wanted,
    )
    if until is not None:
        query = query.where(case.c.received_at < until)
    return (await tx.scalars(query.order_by(case.c.complaint_id).with_for_update())).all()
