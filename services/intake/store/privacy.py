"""What protects the complainant: legal holds, erasures, and what staff must know of a vulnerable person."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Column, Date, LargeBinary, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from services.intake.store.attachment import Attachment
from services.intake.store.base import Base
from services.intake.store.complaint import Complaint, Progress
from services.intake.store.correspondence import Dispatch, MailThread, Message
from services.intake.store.link import Trait
from services.intake.store.person import NamePart
from services.intake.store.voice import Dispute, Rating, Withdrawal
from shared.db import UtcDateTime


class Hold(Base, table=True):
    """A complaint that must not be erased, and why. Lifted by deleting the row; both are audited."""

    __tablename__ = "hold"

    complaint_id: str = Field(primary_key=True, max_length=36)
    reason: str = Field(max_length=200)
    placed_by: str = Field(max_length=100)
    placed_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class Erasure(Base, table=True):
    """A complaint whose personal data is gone. `ground`: request or retention."""

    __tablename__ = "erasure"

    complaint_id: str = Field(primary_key=True, max_length=36)
    ground: str = Field(max_length=20)
    erased_by: str = Field(max_length=100)
    erased_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class Vulnerability(Base, table=True):
    """What makes a complainant vulnerable. `kind` is a code; `sealed_note` opens with the complaint's data key, purpose
    `vulnerability:<id>`. To be looked at again on `review_on`; `lifted_at` ends it."""

    __tablename__ = "vulnerability"

    id: str = Field(primary_key=True, max_length=36)
    complaint_id: str = Field(max_length=36, index=True)
    kind: str = Field(max_length=30)
    sealed_note: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    review_on: date = Field(sa_column=Column(Date, nullable=False, index=True))
    noted_by: str = Field(max_length=100)
    noted_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    lifted_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


_hold: Any = Hold.__table__  # type: ignore[attr-defined]
_vulnerability: Any = Vulnerability.__table__  # type: ignore[attr-defined]


async def hold(tx: AsyncSession, complaint_id: str) -> Hold | None:
    return await tx.get(Hold, complaint_id)


async def holds(tx: AsyncSession, before: str | None, limit: int) -> Sequence[Hold]:
    """Those in force, of the newest complaints first, from behind the complaint `before` on."""
    query = select(Hold)
    if before:
        query = query.where(_hold.c.complaint_id < before)
    return (await tx.scalars(query.order_by(_hold.c.complaint_id.desc()).limit(limit))).all()


async def erasures(tx: AsyncSession, before: str | None, limit: int) -> Sequence[Erasure]:
    """What has been erased, of the newest complaints first, from behind the complaint `before` on."""
    table: Any = Erasure.__table__  # type: ignore[attr-defined]
    query = select(Erasure)
    if before:
        query = query.where(table.c.complaint_id < before)
    return (await tx.scalars(query.order_by(table.c.complaint_id.desc()).limit(limit))).all()


async def erasure(tx: AsyncSession, complaint_id: str) -> Erasure | None:
    return await tx.get(Erasure, complaint_id)


async def vulnerabilities(tx: AsyncSession, complaint_id: str) -> Sequence[Vulnerability]:
    """All of a complaint, oldest first, lifted ones among them."""
    query = select(Vulnerability).where(_vulnerability.c.complaint_id == complaint_id).order_by(_vulnerability.c.id)
    return (await tx.scalars(query)).all()


async def vulnerability(tx: AsyncSession, complaint_id: str, id: str) -> Vulnerability | None:
    """One, kept from others until the unit of work ends."""
    query = select(Vulnerability).where(_vulnerability.c.id == id, _vulnerability.c.complaint_id == complaint_id)
    return (await tx.scalars(query.with_for_update())).first()


async def due_for_review(tx: AsyncSession, until: date, after: str, limit: int) -> Sequence[Vulnerability]:
    """Those to be looked at again on or before `until`, by id, from `after` on."""
    due = (_vulnerability.c.review_on <= until, _vulnerability.c.lifted_at.is_(None), _vulnerability.c.id > after)
    return (await tx.scalars(select(Vulnerability).where(*due).order_by(_vulnerability.c.id).limit(limit))).all()


async def out_of_retention(tx: AsyncSession, closed_before: datetime, limit: int) -> Sequence[str]:
    """Complaints closed before a moment, neither held nor erased."""
    progress: Any = Progress.__table__  # type: ignore[attr-defined]
    erased: Any = Erasure.__table__  # type: ignore[attr-defined]
    query = (
        select(progress.c.complaint_id)
        .outerjoin(_hold, _hold.c.complaint_id == progress.c.complaint_id)
        .outerjoin(erased, erased.c.complaint_id == progress.c.complaint_id)
        .where(progress.c.status == "closed", progress.c.updated_at < closed_before)
        .where(_hold.c.complaint_id.is_(None), erased.c.complaint_id.is_(None))
    )
    return (await tx.scalars(query.order_by(progress.c.updated_at).limit(limit))).all()


async def of_person(tx: AsyncSession, customer_refs: Collection[str]) -> Sequence[Complaint]:
    """All complaints of a person known by one of these references, oldest first."""
    table: Any = Complaint.__table__  # type: ignore[attr-defined]
    query = select(Complaint).where(table.c.customer_ref.in_(customer_refs)).order_by(table.c.received_at, table.c.id)
    return (await tx.scalars(query)).all()


async def blank(tx: AsyncSession, complaint_id: str) -> None:
    """Take everything sealed, and every hash of a person, out of what hangs on a complaint. Rows that count stay."""
    mine = {"complaint_id": complaint_id}
    for model, values in _BLANKS:
        await tx.execute(update(model).filter_by(**mine).values(**values))
    for gone in (Trait, NamePart, MailThread, Vulnerability):
        await tx.execute(delete(gone).filter_by(**mine))
    await tx.execute(update(Dispatch).filter_by(**mine, state="waiting").values(state="cancelled", next_at=None))


_BLANKS: tuple[tuple[type[Base], dict[str, object]], ...] = (
    (Message, {"sealed_body": b""}),
    (Dispatch, {"sealed_to": b"", "sealed_content": b"", "error": None}),
    (Attachment, {"sealed_name": b"", "wrapped_key": b"", "key_id": "", "state": "erased"}),
    (Rating, {"sealed_comment": None}),
    (Dispute, {"sealed_grounds": b""}),
    (Withdrawal, {"sealed_reason": None}),
)
