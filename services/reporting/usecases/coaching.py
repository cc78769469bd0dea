"""What a department may learn from: causes that come again with one type of complaint, with examples of their words.

Nothing here knows who worked on a complaint: no officer, no reference, no count by person.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.domain.place import OPEN
from services.reporting.domain.selection import Selection
from services.reporting.figures.reading import narrowed
from services.reporting.store import facts
from services.reporting.store.base import texts

LEAST = 3
"""How often a pair must have come to be one: less is chance, and would point to single cases."""
EXAMPLES = 2
_NO_CAUSE = (OPEN, "none_found")


@dataclass(frozen=True, slots=True)
class Pair:
    """A root cause with a type of complaint, how many complaints were decided as that, and how many in the period
    before; `examples` are the first words of some, redacted."""

    root_cause: str
    category: str
    count: int
    before: int
    examples: tuple[str, ...]


async def pairs(session: AsyncSession, chosen: Selection, before: Selection, *, most: int) -> tuple[list[Pair], int]:
    """The pairs that recur among the complaints decided in the period of `chosen`, the most frequent first, `most` at
    most; and how many complaints had a cause at all. `before` is the same of the period to compare with."""
    counted = {(cause, kind): int(n) for cause, kind, n in (await session.execute(_counted(chosen))).all()}
    earlier = {(cause, kind): int(n) for cause, kind, n in (await session.execute(_counted(before))).all()}
    recurring = sorted(((-n, *pair) for pair, n in counted.items() if n >= LEAST))[:most]
    examples: dict[tuple[str, str], list[str]] = {}
    for cause, kind, excerpt in (await session.execute(_examples(chosen))).all():
        examples.setdefault((cause, kind), []).append(excerpt)
    found = [
        Pair(cause, kind, -n, earlier.get((cause, kind), 0), tuple(examples.get((cause, kind), ())))
        for n, cause, kind in recurring
    ]
    return found, sum(counted.values())


def _counted(chosen: Selection) -> Select[Any]:
    query = select(facts.c.root_cause, facts.c.category, func.count()).where(facts.c.root_cause.not_in(_NO_CAUSE))
    return narrowed(query, "resolved_day", chosen).group_by(facts.c.root_cause, facts.c.category)


def _examples(chosen: Selection) -> Select[Any]:
    """The latest of each pair of which the words are kept."""
    latest = func.row_number().over(
        partition_by=(facts.c.root_cause, facts.c.category),
        order_by=(facts.c.resolved_day.desc(), facts.c.complaint_id.desc()),
    )
    query = select(facts.c.root_cause, facts.c.category, texts.c.excerpt, latest.label("n"))
    query = query.join(texts, texts.c.complaint_id == facts.c.complaint_id)
    query = query.where(facts.c.root_cause.not_in(_NO_CAUSE), texts.c.excerpt != "")
    ranked = narrowed(query, "resolved_day", chosen).subquery()
    return (
        select(ranked.c.root_cause, ranked.c.category, ranked.c.excerpt)
        .where(ranked.c.n <= EXAMPLES)
        .order_by(ranked.c.root_cause, ranked.c.category, ranked.c.n)
    )
