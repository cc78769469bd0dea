"""Redacted words of recent complaints. Never commits."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.store.base import texts

_BETWEEN = "\n"  # no term holds a line break


async def keep_texts(tx: AsyncSession, rows: Sequence[tuple[str, date, str, Collection[str]]]) -> None:
    """Keep complaints' id, day, first words and terms; once, however often they come."""
    if not rows:
        return
    insert: Any = sqlite.insert if tx.get_bind().dialect.name == "sqlite" else postgresql.insert
    values = [
        {"complaint_id": id, "day": day, "excerpt": excerpt, "terms": _BETWEEN.join(sorted(terms))}
        for id, day, excerpt, terms in sorted(rows)
    ]
    await tx.execute(insert(texts).on_conflict_do_nothing(), values)


async def forget_texts(tx: AsyncSession, ids: Collection[str] = (), *, before: date | None = None) -> None:
    """Forget these complaints' words, or those from before a day."""
    if ids:
        await tx.execute(delete(texts).where(texts.c.complaint_id.in_(ids)))
    if before is not None:
        await tx.execute(delete(texts).where(texts.c.day < before))


async def term_counts(
    session: AsyncSession, since: date, until: date, *, most: int
) -> tuple[Counter[str], list[frozenset[str]]]:
    """In how many complaints of a period each term stands, and the terms of each; of `most` complaints at most, spread
    evenly over the period."""
    within = texts.c.day.between(since, until)
    of = int((await session.execute(select(func.count()).where(within))).scalar_one())
    query = select(texts.c.terms).where(within).order_by(texts.c.day, texts.c.complaint_id)
    step = max(1, -(-of // most))
    counts: Counter[str] = Counter()
    documents = []
    for n, (terms,) in enumerate(await session.execute(query)):
        if n % step == 0:
            document = frozenset(terms.split(_BETWEEN)) if terms else frozenset()
            counts.update(document)
            documents.append(document)
    return counts, documents
