"""What protects the complainant: legal holds, erasures, and what staff must know of a vulnerable person."""

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import Column, Date, LargeBinary, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from services.intake.store.base import Base
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


async def vulnerabilities(tx: AsyncSession, complaint_id: str) -> Sequence[Vulnerability]:
    table = Vulnerability.__table__  # type: ignore[attr-defined]
    query = select(Vulnerability).where(table.c.complaint_id == complaint_id).order_by(table.c.id)
    return (await tx.scalars(query)).all()
