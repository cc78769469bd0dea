"""What the complainant says afterwards: a rating, a dispute, a withdrawal."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Column, LargeBinary, SmallInteger, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from services.intake.store.base import Base
from shared.db import UtcDateTime


class Rating(Base, table=True):
    """How satisfied the complainant is, 1 to 5 each; the last one given counts. The comment opens with the complaint's
    data key, purpose `rating`."""

    __tablename__ = "rating"

    complaint_id: str = Field(primary_key=True, max_length=36)
    overall: int = Field(sa_column=Column(SmallInteger, nullable=False))
    staff: int | None = Field(default=None, sa_column=Column(SmallInteger))
    product: int | None = Field(default=None, sa_column=Column(SmallInteger))
    handling: int | None = Field(default=None, sa_column=Column(SmallInteger))
    sealed_comment: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    rated_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class Dispute(Base, table=True):
    """The complainant does not accept `outcome`, decided at `resolved_at`. `sealed_grounds` opens with purpose
    `dispute:<id>`."""

    __tablename__ = "dispute"

    id: str = Field(primary_key=True, max_length=36)
    complaint_id: str = Field(max_length=36, index=True)
    outcome: str = Field(max_length=20)
    sealed_grounds: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    disputed_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    resolved_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class Withdrawal(Base, table=True):
    """The complainant takes the complaint back. `sealed_reason` opens with purpose `withdrawal`."""

    __tablename__ = "withdrawal"

    complaint_id: str = Field(primary_key=True, max_length=36)
    sealed_reason: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    withdrawn_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


async def disputes(tx: AsyncSession, complaint_id: str) -> Sequence[Dispute]:
    table = Dispute.__table__  # type: ignore[attr-defined]
    query = select(Dispute).where(table.c.complaint_id == complaint_id).order_by(table.c.id)
    return (await tx.scalars(query)).all()
