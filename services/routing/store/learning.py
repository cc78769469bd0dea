"""What the classifier learns from: officers' corrections, and the models themselves."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, LargeBinary, Text, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer
from sqlmodel import Field

from services.routing.store.base import Base, time
from services.routing.store.case import ComplaintCase


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


case: Any = ComplaintCase.__table__  # type: ignore[attr-defined]
correction: Any = Correction.__table__  # type: ignore[attr-defined]
model: Any = TrainedModel.__table__  # type: ignore[attr-defined]
model_content: Any = TrainedModel.content
_FACTS = [column for column in model.c if column.name != "content"]


async def corrections(tx: AsyncSession) -> list[tuple[str, str, str, str | None]]:
    """Complaint, its text, what a person said of its type and product; none whose text was erased."""
    query = (
        select(correction.c.complaint_id, case.c.narrative, correction.c.category, correction.c.product)
        .join(case, case.c.complaint_id == correction.c.complaint_id)
        .where(case.c.narrative != "")
        .order_by(correction.c.complaint_id)
    )
    return [(id, text, category, product) for id, text, category, product in (await tx.execute(query)).all()]


async def models(tx: AsyncSession) -> list[dict[str, Any]]:
    """All models without their content, newest first."""
    rows = (await tx.execute(select(*_FACTS).order_by(model.c.trained_at.desc()))).all()
    return [dict(row._mapping) for row in rows]


async def in_use(tx: AsyncSession) -> str | None:
    """The version of the model that decides; None: the one that the project ships."""
    found: str | None = await tx.scalar(select(model.c.version).where(model.c.state == "in_use"))
    return found


async def content(tx: AsyncSession, version: str) -> bytes:
    """The bytes of a model that is known."""
    return bytes((await tx.execute(select(model.c.content).where(model.c.version == version))).scalar_one())


async def locked(tx: AsyncSession) -> Sequence[TrainedModel]:
    """All models, kept from others until the unit of work ends: one change of model at a time."""
    query = select(TrainedModel).options(defer(model_content)).order_by(model.c.version).with_for_update()
    return (await tx.scalars(query)).all()
