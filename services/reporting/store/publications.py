"""What has been published, as it was. Rows are added and never changed. Never commits."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Column, Table, Text, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from services.reporting.store.base import Base, metadata
from shared.db import UtcDateTime


class PublicationRow(Base, table=True):
    """A public summary. `document` is what everybody may read, JSON; `kept` what must stay inside: the counts that
    were hidden in it, by which later ones are protected (`domain.summary`)."""

    __tablename__ = "publication"

    period: str = Field(primary_key=True, max_length=7)
    year: int = Field(index=True)
    published_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    published_by: str = Field(max_length=100)
    document: str = Field(sa_column=Column(Text, nullable=False))
    kept: str = Field(sa_column=Column(Text, nullable=False))


PUBLICATION: Table = metadata.tables["publication"]


async def document(session: AsyncSession, period: str) -> tuple[dict[str, Any], datetime] | None:
    """What was published of a period, and when; None if nothing was."""
    query = select(PUBLICATION.c.document, PUBLICATION.c.published_at).where(PUBLICATION.c.period == period)
    row = (await session.execute(query)).one_or_none()
    return None if row is None else (orjson.loads(row.document), row.published_at)


async def periods(session: AsyncSession) -> list[str]:
    """What has been published, the latest published first."""
    query = select(PUBLICATION.c.period)
    return list((await session.scalars(query.order_by(PUBLICATION.c.published_at.desc(), PUBLICATION.c.period))).all())


async def kept(session: AsyncSession, year: int) -> Sequence[Any]:
    """What must be kept of the publications of a year, in the order in which they were made: period, kept."""
    query = select(PUBLICATION.c.period, PUBLICATION.c.kept).where(PUBLICATION.c.year == year)
    return (await session.execute(query.order_by(PUBLICATION.c.published_at, PUBLICATION.c.period))).all()


async def alone(tx: AsyncSession) -> None:
    """Nobody else publishes until this unit of work ends; on SQLite there is one writer anyway."""
    if tx.get_bind().dialect.name == "postgresql":
        await tx.execute(text("LOCK TABLE publication IN SHARE ROW EXCLUSIVE MODE"))


async def add(
    tx: AsyncSession, period: str, year: int, document: dict[str, Any], kept: dict[str, Any], *, by: str, now: datetime
) -> None:
    values = {
        "period": period,
        "year": year,
        "published_at": now,
        "published_by": by,
        "document": orjson.dumps(document).decode(),
        "kept": orjson.dumps(kept).decode(),
    }
    await tx.execute(insert(PUBLICATION).values(**values))
