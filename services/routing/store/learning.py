"""What the classifier learns from: officers' corrections, and the models themselves."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, LargeBinary, Text, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from services.routing.store.base import Base, time


class Correction(Base, table=True):
    """What a person decided about a complaint after reading it: a training example. The latest one counts."""

    __tablename__ = "correction"

    complaint_id: str = Field(primary_key=True, max_length=36)
    category: str = Field(max_length=40)
    product: str | None = Field(default=None, max_length=64)
    was: str = Field(max_length=40)
    by: str = Field(max_length=100)
    at: datetime = time(nullable=False)


class TrainedModel(Base, table=True):
    """A model. `state`: candidate, in_use, retired or refused. `figures` (JSON) are its own and those of the model that
    it was compared with, on the same held-out texts."""

    __tablename__ = "trained_model"

    version: str = Field(primary_key=True, max_length=80)
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    state: str = Field(max_length=10, index=True)
    figures: str = Field(sa_column=Column(Text, nullable=False))
    compared_with: str = Field(max_length=80)
    trained_by: str = Field(max_length=100)
    trained_at: datetime = time(nullable=False)
    decided_by: str | None = Field(default=None, max_length=100)
    decided_at: datetime | None = time()


correction: Any = Correction.__table__  # type: ignore[attr-defined]
model: Any = TrainedModel.__table__  # type: ignore[attr-defined]
_FACTS = [column for column in model.c if column.name != "content"]


async def corrections(tx: AsyncSession) -> Sequence[Correction]:
    return (await tx.scalars(select(Correction).order_by(correction.c.complaint_id))).all()


async def models(tx: AsyncSession) -> list[dict[str, Any]]:
    """All models without their content, newest first."""
    rows = (await tx.execute(select(*_FACTS).order_by(model.c.trained_at.desc()))).all()
    return [dict(row._mapping) for row in rows]


async def in_use(tx: AsyncSession) -> str | None:
    """The version of the model that decides; None: the one that the project ships."""
    found: str | None = await tx.scalar(select(model.c.version).where(model.c.state == "in_use"))
    return found
