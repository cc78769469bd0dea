"""A block: a figure with its chart and the table behind it; and the cells and words that all blocks are made with."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.domain import selection as periods
from services.reporting.domain.selection import Selection
from services.reporting.views.charts import Chart
from shared.i18n import Translator

MOST_MONTHS = 24  # most that a chart by month shows
MOST_BARS = 20  # most bars in a chart; the table has all


@dataclass(frozen=True, slots=True)
class Context:
    """What blocks are made for: which complaints, in which language, on which day."""

    session: AsyncSession
    chosen: Selection
    t: Translator
    today: date


@dataclass(frozen=True, slots=True)
class Cell:
    """A value in a table: `text` as people read it, `value` as it is (for spreadsheets), `where` to what it narrows."""

    text: str
    value: Any = None
    where: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Block:
    """A chart and its table. `figure` is its key in the catalogue of figures, `said` is the chart in a sentence, `note`
    a remark below."""

    figure: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    chart: Chart | None = None
    said: str = ""
    note: str = ""


Make = Callable[[Context], Awaitable[Block]]


def number(t: Translator, n: float | None, digits: int | None = None) -> Cell:
    """A number, rounded to `digits` where given; a dash for none."""
    if n is None:
        return Cell("–")
    return Cell(t.number(n if digits is None else round(n, digits)), n)


def percent(t: Translator, share: float | None, digits: int = 1) -> Cell:
    """A share of one as a percentage; a dash for none."""
    return Cell("–") if share is None else Cell(t.percent(share, digits), share)


def duration(t: Translator, minutes: int | None) -> str:
    """A time as figures tell it apart: minutes below an hour, hours below three days, days beyond."""
    if minutes is None:
        return "–"
    if minutes < 60:
        return t.ngettext("{n} minute", "{n} minutes", minutes)
    if minutes < 72 * 60:
        return t.ngettext("{n} hour", "{n} hours", minutes // 60)
    return t.ngettext("{n} day", "{n} days", minutes // 1440)


def lasting(t: Translator, minutes: int | None) -> Cell:
    return Cell(duration(t, minutes), minutes)


def months(c: Context, *counts: Mapping[str, int]) -> list[str]:
    """The last months up to the end of the period or today, from the first that has anything."""
    known = sorted(key for one in counts for key in one)
    if not known:
        return []
    last = periods.name(min(c.chosen.until or c.today, c.today), "month")
    at = date.fromisoformat(f"{last}-01")
    found: list[str] = []
    while (key := periods.name(at, "month")) >= known[0] and len(found) < MOST_MONTHS:
        found.append(key)
        at = periods.following(at, "month", -1)
    return found[::-1]


def peak(t: Translator, rows: Sequence[tuple[Cell, ...]]) -> str:
    most = max(rows, key=lambda row: row[1].value or 0, default=None)
    if most is None or not most[1].value:
        return t.gettext("None in this period")
    return t.gettext("Highest: {count} ({when})", count=most[1].text, when=most[0].text)


def largest(t: Translator, rows: Sequence[tuple[Cell, ...]]) -> str:
    if not rows:
        return t.gettext("None in this period")
    first = rows[0]
    return t.gettext("Most: {what}, {count} ({share})", what=first[0].text, count=first[1].text, share=first[2].text)
