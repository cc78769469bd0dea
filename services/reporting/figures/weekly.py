"""Figures by the week, around the day on which a measure started."""

from collections import Counter
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.domain.figure import Figure
from services.reporting.domain.measure import Weeks
from services.reporting.domain.selection import Selection
from services.reporting.figures.reading import narrowed, over_time
from services.reporting.store.base import facts


@dataclass(frozen=True, slots=True)
class Weekly:
    """One value for each week. `counts`: complaints; of a share, those that are part of it; of a mean, the sum of the
    ratings. `of`: of how many, None for plain counts."""

    counts: list[int]
    of: list[int] | None = None


async def first_day(session: AsyncSession, figure: Figure, chosen: Selection) -> date | None:
    """The first day in the period of `chosen` on which there is anything that the figure is made of, in the whole
    bank: before it the desk was not there yet, and that there is none then says nothing."""
    basis = figure.counted or (figure.part[0] if figure.part else "rated")
    return min(await _by_day(session, basis, Selection(chosen.since, chosen.until)), default=None)


async def weekly(session: AsyncSession, figure: Figure, weeks: Weeks, chosen: Selection) -> Weekly:
    """`figure`, one with `Figure.weekly`, of the complaints that are `chosen`, in `weeks`."""
    chosen = chosen.over(weeks.since, max(weeks.since, weeks.until))
    if figure.counted is not None:
        return Weekly(weeks.sums(await _by_day(session, figure.counted, chosen)))
    if figure.part is not None:
        basis, dimension, codes = figure.part
        hits: Counter[date] = Counter()
        for code in codes:
            hits.update(await _by_day(session, basis, chosen.narrowed_to(dimension, code)))
        return Weekly(weeks.sums(hits), weeks.sums(await _by_day(session, basis, chosen)))
    sums, of = Counter[date](), Counter[date]()
    column = facts.c[figure.rated or "overall"]
    query = select(facts.c.rated_day, func.sum(column), func.count()).where(column.is_not(None))
    query = narrowed(query, "rated_day", chosen).group_by(facts.c.rated_day)
    for day, total, n in (await session.execute(query)).all():
        sums[day], of[day] = int(total), int(n)
    return Weekly(weeks.sums(sums), weeks.sums(of))


async def _by_day(session: AsyncSession, basis: str, chosen: Selection) -> dict[date, int]:
    return {date.fromisoformat(day): n for day, n in (await over_time(session, basis, "day", chosen)).items()}
