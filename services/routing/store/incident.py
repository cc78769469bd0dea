"""Incidents: complaints that are handled together under one plan."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Text, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from services.routing.store.base import Base, time


class Incident(Base, table=True):
    """`plan` is JSON: what is to be done, by whom, by when, and whether it is done."""

    __tablename__ = "incident"

    id: str = Field(primary_key=True, max_length=36)
    title: str = Field(max_length=200)
    state: str = Field(default="open", max_length=10, index=True)
    cause: str = Field(max_length=20)
    department: str = Field(max_length=40)
    plan: str = Field(default="[]", sa_column=Column(Text, nullable=False))
    findings: str | None = Field(default=None, sa_column=Column(Text))
    declared_by: str = Field(max_length=100)
    declared_at: datetime = time(nullable=False)
    closed_by: str | None = Field(default=None, max_length=100)
    closed_at: datetime | None = time()
    version: int = 1


incident: Any = Incident.__table__  # type: ignore[attr-defined]


async def incidents(tx: AsyncSession, *, state: str | None, after: str | None, limit: int) -> Sequence[Incident]:
    """Newest first."""
    query = select(Incident).order_by(incident.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(incident.c.state == state)
    if after is not None:
        query = query.where(incident.c.id < after)
    return (await tx.scalars(query)).all()
