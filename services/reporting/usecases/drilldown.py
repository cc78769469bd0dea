"""From a figure down to the complaints that it counts."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.domain.place import BASES
from services.reporting.domain.selection import Selection
from services.reporting.figures.reading import narrowed
from services.reporting.store import deadlines, facts

SHOWN = (
    "complaint_id",
    "reference",
    "day",
    "closed_day",
    "status",
    "channel",
    "category",
    "product",
    "department",
    "branch",
    "severity",
    "outcome",
    "root_cause",
    "to_acknowledge",
    "to_respond",
    "to_close",
    "redress",
    "currency",
    "overall",
)


@dataclass(frozen=True, slots=True)
class Which:
    """Beside a selection: the complaints of a basis; or, of deadlines, those with a `step`, `rule` or `result`."""

    basis: str = "received"
    step: str | None = None
    rule: str | None = None
    result: str | None = None

    @property
    def day(self) -> str:
        return BASES[self.basis].day


async def complaints(
    session: AsyncSession, which: Which, chosen: Selection, *, after: str | None, limit: int
) -> list[dict[str, object]]:
    """The complaints that a figure counts, `limit` at most of those whose id comes `after`; in the order of their ids,
    which is that of their making."""
    query = narrowed(select(*(facts.c[name] for name in SHOWN)), which.day, chosen)
    wanted = {"step": which.step, "rule": which.rule, "result": which.result}
    conditions = [deadlines.c[name] == value for name, value in wanted.items() if value is not None]
    if conditions:
        if which.rule is None:
            conditions.append(deadlines.c.is_primary)
        theirs = (deadlines.c.slot == facts.c.slot) & (deadlines.c.complaint_id == facts.c.complaint_id)
        query = query.where(select(deadlines.c.key).where(theirs, *conditions).exists())
    if after is not None:
        query = query.where(facts.c.complaint_id > after)
    rows = await session.execute(query.order_by(facts.c.complaint_id).limit(limit))
    return [dict(row) for row in rows.mappings()]
