"""One number for each figure that a goal may be about (`domain.figure`), over some days."""

from collections import Counter

from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.domain.base import base_at, per_thousand
from services.reporting.domain.fact import LATE, MISSED
from services.reporting.domain.figure import FIGURES
from services.reporting.domain.selection import Selection
from services.reporting.figures import measures
from services.reporting.figures.reading import counts
from services.reporting.store import surveys

_DAY = 24 * 60  # minutes
_SATISFIED = ("4", "5")
_MEDIANS = {f"median_days_to_{of}": of for of in measures.DURATIONS}


async def current(session: AsyncSession, figure: str, chosen: Selection) -> float | None:
    """The figure with that key of the complaints that are `chosen`; None where there is nothing that it could be of: no
    median of no complaints, no share of none. A count of none is nought, unless the desk had not begun by then."""
    found = await _value(session, figure, chosen)
    if found == 0 and not await _total(session, "received", Selection(until=chosen.until)):
        return None
    return found


async def _value(session: AsyncSession, figure: str, chosen: Selection) -> float | None:
    if figure == "received_per_1000_customers":
        return await _per_thousand(session, chosen)
    if figure in ("missed_deadlines", "missed_deadlines_share"):
        return await _missed(session, chosen, share=figure.endswith("_share"))
    made = FIGURES[figure]
    if made.counted is not None:
        return float(await _total(session, made.counted, chosen))
    if made.part is not None:
        basis, dimension, codes = made.part
        found = await counts(session, basis, dimension, chosen)
        return _share(sum(found[code] for code in codes), found.total())
    if figure in _MEDIANS:
        middle = (await measures.durations(session, _MEDIANS[figure], chosen)).median
        return None if middle is None else middle / _DAY
    if (share := figure.removesuffix("_share")) in ("reopened", "disputed"):
        return (await measures.shares(session, chosen))[share].share
    ratings = await counts(session, "rated", made.rated or "overall", chosen)
    if figure == "satisfied_share":
        return _share(sum(ratings[rating] for rating in _SATISFIED), ratings.total())
    return _share(sum(int(rating) * n for rating, n in ratings.items()), ratings.total())


async def _total(session: AsyncSession, basis: str, chosen: Selection) -> int:
    # Every complaint has one code of each dimension, so any that is narrowed by already, or has few, will do.
    return (await counts(session, basis, next(iter(chosen.where), "department"), chosen)).total()


async def _missed(session: AsyncSession, chosen: Selection, *, share: bool) -> float | None:
    """Of the primary clocks of complaints received then: missed, and taken late; the share is of those that ended."""
    results: Counter[str] = Counter()
    for of_step in (await measures.deadlines(session, "step", chosen)).values():
        results.update(of_step)
    if not share:
        return float(results[MISSED] + results[LATE])
    kept = measures.kept(results)
    return None if kept is None else 1 - kept


async def _per_thousand(session: AsyncSession, chosen: Selection) -> float | None:
    """By the customers there were on the last day."""
    assert chosen.until is not None
    known = await surveys.base_counts(session, "customers", next(iter(chosen.where), None))
    base = base_at(known, "customers", chosen.where, chosen.until)
    return per_thousand(await _total(session, "received", chosen), base)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
