"""What a management report says: figures of one month, put together from the blocks that the pages show."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.domain import selection as periods
from services.reporting.domain.proposal import Proposal, proposals
from services.reporting.domain.selection import Selection
from services.reporting.domain.surge import Kind
from services.reporting.figures import measures, reading
from services.reporting.figures.catalogue import CATALOGUE
from services.reporting.store import surges
from services.reporting.store.surges import SurgeRow
from services.reporting.views.block import Block, Cell, Context, duration
from services.reporting.views.charts import Chart
from services.reporting.views.pages import PAGES
from shared.i18n import Translator, mark

_SINCE_THEN = {"by-month", "backlog", "types-by-month", "closing"}  # blocks that show how things have come about
_LEFT_OUT = {"by-day", "ages", "load"}  # of the present, not of the month
Progress = Callable[[int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    lead: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A report of `month` (its first day) in `language`. `summary` are sentences, `definitions` name and meaning of
    each figure."""

    month: date
    language: str
    title: str
    bank: str
    made: str
    summary: tuple[str, ...]
    sections: tuple[Section, ...]
    definitions: tuple[tuple[str, str], ...]

    def dump(self) -> str:
        return orjson.dumps(self).decode()

    @classmethod
    def load(cls, text: str) -> "Document":
        found: dict[str, Any] = orjson.loads(text)
        sections = tuple(
            Section(one["title"], one["lead"], tuple(_block(b) for b in one["blocks"])) for one in found["sections"]
        )
        return cls(
            date.fromisoformat(found["month"]),
            found["language"],
            found["title"],
            found["bank"],
            found["made"],
            tuple(found["summary"]),
            sections,
            tuple((name, meaning) for name, meaning in found["definitions"]),
        )


def _block(found: dict[str, Any]) -> Block:
    chart = found["chart"]
    if chart is not None:
        tuples = {name: tuple(chart[name]) for name in ("points", "order", "series")}
        chart = Chart(**{**chart, **tuples})
    rows = tuple(tuple(Cell(**cell) for cell in row) for row in found["rows"])
    return Block(**{**found, "chart": chart, "rows": rows, "columns": tuple(found["columns"])})


async def make(
    session: AsyncSession, month: date, t: Translator, *, bank: str, made: str, today: date, progress: Progress
) -> Document:
    """The report of a month. `progress` hears how far it has come, in a hundred."""
    last = periods.following(month, "month") - timedelta(days=1)
    of_month = Context(session, Selection(month, last), t, min(last, today))
    since_then = replace(of_month, chosen=Selection(None, last))
    sections, n = [], 0
    every = sum(len(page.blocks) for page in PAGES.values())
    for page in PAGES.values():
        found = []
        for key, build in page.blocks.items():
            n += 1
            if key in _LEFT_OUT:
                continue
            found.append(await build(since_then if key in _SINCE_THEN else of_month))
            await progress(5 + 60 * n // every)
        sections.append(Section(t.gettext(page.title), t.gettext(page.lead), tuple(found)))
    sections.append(
        Section(
            t.gettext("Warnings and proposals"),
            t.gettext("What ran higher than chance explains, and what the figures suggest to do next."),
            (await _surges(of_month), await _proposals(of_month)),
        )
    )
    used = dict.fromkeys(block.figure for section in sections for block in section.blocks)
    definitions = tuple(
        (t.gettext(CATALOGUE[key].name), f"{t.gettext(CATALOGUE[key].formula)} {t.gettext(CATALOGUE[key].counts_on)}")
        for key in used
    )
    title = t.gettext("Complaints in {month}", month=t.month(month))
    summary = tuple(await _summary(of_month))
    return Document(month, t.language, title, bank, made, summary, tuple(sections), definitions)


async def _summary(c: Context) -> list[str]:
    """The month in a few sentences."""
    t = c.t
    now, before, year = await measures.comparison(c.session, "received", "month", c.chosen, today=c.today)
    closed = (await reading.counts(c.session, "closed", "outcome", c.chosen)).total()
    found = [
        t.gettext(
            "{received} complaints were received and {closed} closed.",
            received=t.number(now.count),
            closed=t.number(closed),
        )
    ]
    for earlier, same, other in (
        (before, mark("As many as the month before."), mark("{change} than the month before ({count}).")),
        (year, mark("As many as a year before."), mark("{change} than a year before ({count}).")),
    ):
        if not earlier.count:
            continue
        share = now.count / earlier.count - 1
        if share == 0:
            found.append(t.gettext(same))
            continue
        amount = t.percent(abs(share), 1)
        change = t.gettext("{share} more", share=amount) if share > 0 else t.gettext("{share} fewer", share=amount)
        found.append(t.gettext(other, change=change, count=t.number(earlier.count)))
    results: dict[str, int] = {}
    for counts in (await measures.deadlines(c.session, "step", c.chosen)).values():
        for result, n in counts.items():
            results[result] = results.get(result, 0) + n
    if (kept := measures.kept(results)) is not None:
        found.append(t.gettext("{share} of the deadlines that have passed were kept.", share=t.percent(kept, 1)))
    close = await measures.durations(c.session, "close", c.chosen)
    if close.median is not None:
        found.append(
            t.gettext("Half of the complaints closed took no longer than {time}.", time=duration(t, close.median))
        )
    causes = await measures.pareto(c.session, c.chosen)
    if causes:
        found.append(
            t.gettext(
                "The most frequent root cause was: {cause} ({share}).",
                cause=t.label("root_cause", causes[0].key),
                share=t.percent(causes[0].share, 1),
            )
        )
    return found


async def _surges(c: Context) -> Block:
    t = c.t
    found = await surges.every(c.session, c.chosen.since, c.chosen.until, 50)
    return surges_block(t, found, await surges.sides(c.session, [row.id for row in found]))


def surges_block(t: Translator, found: Sequence[SurgeRow], sides: Mapping[str, Sequence[SurgeRow]]) -> Block:
    """Surges as a table; `sides` are the others that are one with each, by its id."""
    rows = []
    for row in found:
        if row.theme is not None:
            what = t.gettext("In the text: {term}", term=row.theme)
        else:
            every = (row, *sides.get(row.id, ()))
            named = [(name, code) for one in every for name in Kind._fields if (code := getattr(one, name))]
            said = dict.fromkeys((t.label("dimension", name), t.label(name, code)) for name, code in named)
            what = " · ".join(t.gettext("{kind}: {name}", kind=kind, name=name) for kind, name in said)
        rows.append(
            (
                Cell(what, what),
                Cell(t.date(row.since), row.since),
                Cell(t.date(row.until), row.until),
                Cell(t.number(row.observed), row.observed),
                Cell(t.number(round(row.expected, 1)), round(row.expected, 1)),
            )
        )
    columns = (t.gettext("What"), t.gettext("From"), t.gettext("To"), t.gettext("Came"), t.gettext("Expected"))
    note = t.gettext("Expected: by the season, the weekday and the level of the weeks before.")
    return Block("received", t.gettext("Surges"), columns, tuple(rows), note=note if rows else "")


async def _proposals(c: Context) -> Block:
    """What the figures suggest for the next period."""
    return proposals_block(c.t, await proposed(c))


async def proposed(c: Context) -> tuple[Proposal, ...]:
    """Proposals drawn from the causes of the period, those of the one before, deadlines, and surges."""
    assert c.chosen.since is not None
    assert c.chosen.until is not None
    length = c.chosen.until - c.chosen.since
    earlier = c.chosen.over(c.chosen.since - length - timedelta(days=1), c.chosen.since - timedelta(days=1))
    causes = await reading.counts(c.session, "resolved", "root_cause", c.chosen)
    causes_before = await reading.counts(c.session, "resolved", "root_cause", earlier)
    by_department = await measures.deadlines(c.session, "department", c.chosen)
    found = await surges.every(c.session, c.chosen.since, c.chosen.until, 20)
    kinds = [
        (name, code)
        for row in found
        for name in ("category", "product", "branch", "channel")
        if (code := getattr(row, name))
    ]
    return proposals(causes, causes_before, by_department, kinds)


_WORDS: Mapping[str, str] = {
    "cause": mark("Plan a measure against: {what}. It lay behind {n} of the complaints decided ({share})."),
    "rising": mark("Find out why this grows: {what}. {n} now, {before} in the period before."),
    "late": mark("Help this department keep its deadlines: {what}. {share} were in time."),
    "surge": mark("Look into the surge: {what}."),
}


def proposals_block(t: Translator, found: tuple[Proposal, ...]) -> Block:
    rows = []
    for n, one in enumerate(found, 1):
        what = t.label(one.dimension, one.code)
        share = t.percent(one.share, 1) if one.share is not None else ""
        words = t.gettext(
            _WORDS[one.reason], what=what, n=t.number(one.count), share=share, before=t.number(one.before)
        )
        rows.append((Cell(t.number(n), n), Cell(words, None, {one.dimension: one.code})))
    columns = (t.gettext("No."), t.gettext("Proposal"))
    note = t.gettext("Drawn from the figures by rule; whether it is worth doing is for people to say.")
    return Block("causes", t.gettext("Proposals for the next period"), columns, tuple(rows), note=note)
