"""What people do beside a case's own steps: its history, what other departments were asked, letters."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, Text, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from services.routing.store.base import Base, time


class Entry(Base, table=True):
    """A line of a case's history: a step, who took it, and their words, redacted. `detail` is JSON."""

    __tablename__ = "case_entry"

    id: str = Field(primary_key=True, max_length=36)
    complaint_id: str = Field(max_length=36)
    kind: str = Field(max_length=30)
    actor: str = Field(max_length=100)
    text: str | None = Field(default=None, sa_column=Column(Text))
    detail: str = Field(default="{}", sa_column=Column(Text, nullable=False))
    at: datetime = time(nullable=False)


class Consult(Base, table=True):
    """A question to another department. `answered_at` None: it still waits."""

    __tablename__ = "consult"

    id: str = Field(primary_key=True, max_length=36)
    complaint_id: str = Field(max_length=36)
    department: str = Field(max_length=40)
    question: str = Field(sa_column=Column(Text, nullable=False))
    asked_by: str = Field(max_length=100)
    asked_at: datetime = time(nullable=False)
    answer: str | None = Field(default=None, sa_column=Column(Text))
    answered_by: str | None = Field(default=None, max_length=100)
    answered_at: datetime | None = time()


class Letter(Base, table=True):
    """A letter to the complainant. `body` keeps `{complainant}` where intake puts the name. `state`: issued, sent or
    failed, as intake tells."""

    __tablename__ = "letter"

    id: str = Field(primary_key=True, max_length=36)
    complaint_id: str = Field(max_length=36)
    kind: str = Field(max_length=20)
    language: str = Field(max_length=10)
    template: str = Field(max_length=40)
    subject: str = Field(sa_column=Column(Text, nullable=False))
    body: str = Field(sa_column=Column(Text, nullable=False))
    issued_by: str = Field(max_length=100)
    issued_at: datetime = time(nullable=False)
    state: str = Field(default="issued", max_length=10)
    via: str | None = Field(default=None, max_length=10)
    reason: str | None = Field(default=None, max_length=200)
    settled_at: datetime | None = time()


entry: Any = Entry.__table__  # type: ignore[attr-defined]
consult: Any = Consult.__table__  # type: ignore[attr-defined]
letter: Any = Letter.__table__  # type: ignore[attr-defined]
Index("case_entry_case", entry.c.complaint_id, entry.c.id)
_MOVED = text("kind = 'transfer'")
Index("case_entry_transfer", entry.c.at, sqlite_where=_MOVED, postgresql_where=_MOVED)
Index("consult_case", consult.c.complaint_id)
Index("consult_waiting", consult.c.department, consult.c.answered_at)
Index("letter_case", letter.c.complaint_id)


async def entries(tx: AsyncSession, complaint_id: str, *, after: str | None = None, limit: int) -> Sequence[Entry]:
    """A case's history, oldest first, from the line after `after` on."""
    query = select(Entry).where(entry.c.complaint_id == complaint_id)
    if after is not None:
        query = query.where(entry.c.id > after)
    return (await tx.scalars(query.order_by(entry.c.id).limit(limit))).all()


async def latest(tx: AsyncSession, complaint_id: str, *, before: str | None = None, limit: int) -> Sequence[Entry]:
    """A case's history, newest first, from the line before `before` on."""
    query = select(Entry).where(entry.c.complaint_id == complaint_id)
    if before:
        query = query.where(entry.c.id < before)
    return (await tx.scalars(query.order_by(entry.c.id.desc()).limit(limit))).all()


async def consults(tx: AsyncSession, complaint_id: str) -> Sequence[Consult]:
    query = select(Consult).where(consult.c.complaint_id == complaint_id)
    return (await tx.scalars(query.order_by(consult.c.id))).all()


async def asked(tx: AsyncSession, departments: Sequence[str], limit: int) -> Sequence[Consult]:
    """What `departments` were asked and have not answered, the oldest first."""
    query = select(Consult).where(consult.c.department.in_(departments), consult.c.answered_at.is_(None))
    return (await tx.scalars(query.order_by(consult.c.id).limit(limit))).all()


async def letters(tx: AsyncSession, complaint_id: str) -> Sequence[Letter]:
    query = select(Letter).where(letter.c.complaint_id == complaint_id)
    return (await tx.scalars(query.order_by(letter.c.id))).all()


async def forget(tx: AsyncSession, complaint_id: str) -> None:
    """Drop all words of a complaint that is erased; who did what and when stays."""
    for one in await entries(tx, complaint_id, limit=100_000):
        one.text = None
    for question in await consults(tx, complaint_id):
        question.question, question.answer = "", None
    for written in await letters(tx, complaint_id):
        written.subject, written.body = "", ""
