"""Blocks: a figure with its chart and the table behind it. One function a block, each reading its own figures."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.domain import selection as periods
from services.reporting.domain.fact import ASPECTS, IN_TIME, LATE, MISSED
from services.reporting.domain.selection import Selection
from services.reporting.figures import measures, reading
from services.reporting.figures.measures import AGES, Durations
from services.reporting.views.charts import Chart
from shared.i18n import Translator, mark

_MONTHS = 24  # most that a chart by month shows
_DAYS = 62  # most that a chart by day shows
_MOST = 20  # most bars in a chart; the table has all


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


def _number(t: Translator, n: float | None, digits: int | None = None) -> Cell:
    if n is None:
        return Cell("–")
    return Cell(t.number(n if digits is None else round(n, digits)), n)


def _percent(t: Translator, share: float | None, digits: int = 1) -> Cell:
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


def _lasting(t: Translator, minutes: int | None) -> Cell:
    return Cell(duration(t, minutes), minutes)


# --- trends ---


async def by_month(c: Context) -> Block:
    """Complaints received and closed by month."""
    came = await reading.over_time(c.session, "received", "month", c.chosen)
    went = await reading.over_time(c.session, "closed", "month", c.chosen)
    keys = _months(c, came, went)
    t = c.t
    rows, points = [], []
    series = (t.gettext("Received"), t.gettext("Closed"))
    for key in keys:
        label = t.month(date.fromisoformat(f"{key}-01"))
        rows.append((Cell(label, key), _number(t, came.get(key, 0)), _number(t, went.get(key, 0))))
        points += [{"x": label, "y": n.get(key, 0), "series": s} for s, n in zip(series, (came, went), strict=True)]
    chart = Chart("lines", tuple(points), tuple(row[0].text for row in rows), t.gettext("Complaints"), series=series)
    return Block(
        "received",
        t.gettext("Received and closed by month"),
        (t.gettext("Month"), *series),
        tuple(reversed(rows)),
        chart if rows else None,
        _peak(t, rows),
    )


def _months(c: Context, *counts: Mapping[str, int]) -> list[str]:
    """The last months up to the end of the period or today, from the first that has anything."""
    known = sorted(key for one in counts for key in one)
    if not known:
        return []
    last = periods.name(min(c.chosen.until or c.today, c.today), "month")
    at = date.fromisoformat(f"{last}-01")
    found: list[str] = []
    while (key := periods.name(at, "month")) >= known[0] and len(found) < _MONTHS:
        found.append(key)
        at = periods.following(at, "month", -1)
    return found[::-1]


def _peak(t: Translator, rows: Sequence[tuple[Cell, ...]]) -> str:
    most = max(rows, key=lambda row: row[1].value or 0, default=None)
    if most is None or not most[1].value:
        return t.gettext("None in this period")
    return t.gettext("Highest: {count} ({when})", count=most[1].text, when=most[0].text)


async def by_day(c: Context) -> Block:
    """Complaints received on each of the last days."""
    until = min(c.chosen.until or c.today, c.today)
    since = max(c.chosen.since or date.min, until - timedelta(days=_DAYS - 1))
    t = c.t
    counts = await reading.over_time(c.session, "received", "day", c.chosen.over(since, until))
    days = [since + timedelta(days=n) for n in range((until - since).days + 1)] if counts else []
    rows = [(Cell(t.date(day), day), _number(t, counts.get(day.isoformat(), 0))) for day in days]
    points = tuple({"x": t.day(day), "y": row[1].value} for day, row in zip(days, rows, strict=True))
    chart = Chart("columns", points, tuple(t.day(day) for day in days), t.gettext("Complaints"))
    columns = (t.gettext("Day"), t.gettext("Complaints"))
    title = t.gettext("Received by day")
    return Block("received", title, columns, tuple(rows[::-1]), chart if rows else None, _peak(t, rows))


_COMPARED = (("received", mark("Received")), ("closed", mark("Closed")), ("reopened", mark("Reopened")))
_GRAINS = (("month", mark("This month")), ("quarter", mark("This quarter")), ("year", mark("This year")))


async def compared(c: Context) -> Block:
    """This month, quarter and year beside the ones before and those of last year."""
    t, rows = c.t, []
    at = min(c.chosen.until or c.today, c.today)
    for basis, name in _COMPARED:
        for grain, period in _GRAINS:
            now, before, year = await measures.comparison(c.session, basis, grain, c.chosen, today=at)
            rows.append(
                (
                    Cell(f"{t.gettext(name)} · {t.gettext(period)}", f"{basis}/{grain}"),
                    _number(t, now.count),
                    _number(t, before.count),
                    _change(t, now.from_(before)),
                    _number(t, year.count),
                    _change(t, now.from_(year)),
                )
            )
    columns = (
        t.gettext("Period"),
        t.gettext("Complaints"),
        t.gettext("The period before"),
        t.gettext("Change"),
        t.gettext("A year before"),
        t.gettext("Change on the year"),
    )
    note = t.gettext("A period that is not over is compared with as many days of the others.")
    return Block("received", t.gettext("Compared with before"), columns, tuple(rows), note=note)


def _change(t: Translator, share: float | None) -> Cell:
    if share is None:
        return Cell("–")
    sign = "+" if share > 0 else ""
    return Cell(f"{sign}{t.percent(share, 1)}", share)


async def backlog_by_month(c: Context) -> Block:
    """What was open at the end of each month."""
    t = c.t
    found = (await measures.backlog_by_month(c.session, c.chosen, today=c.today))[-_MONTHS:]
    rows = [(Cell(t.month(date.fromisoformat(f"{one.key}-01")), one.key), _number(t, one.count)) for one in found]
    points = tuple({"x": row[0].text, "y": row[1].value} for row in rows)
    chart = Chart("columns", points, tuple(row[0].text for row in rows), t.gettext("Complaints"))
    columns = (t.gettext("Month"), t.gettext("Open at its end"))
    title = t.gettext("Open at the end of each month")
    return Block("backlog", title, columns, tuple(rows[::-1]), chart if rows else None, _peak(t, rows))


async def ages(c: Context) -> Block:
    """What is open now, by age."""
    t = c.t
    found = await measures.backlog(c.session, c.chosen, today=c.today)
    names, low = [], 0
    for most in AGES:
        names.append(t.gettext("{low} to {high} days", low=low, high=most))
        low = most + 1
    names.append(t.gettext("more than {n} days", n=AGES[-1]))
    rows = [
        (Cell(name, name), _number(t, n), _percent(t, n / found.total if found.total else None))
        for name, n in zip(names, found.bands, strict=True)
    ]
    points = tuple({"x": row[0].text, "y": row[1].value} for row in rows)
    chart = Chart("columns", points, tuple(names), t.gettext("Complaints"))
    columns = (t.gettext("Waiting for"), t.gettext("Complaints"), t.gettext("Share"))
    said = t.ngettext("{n} open complaint", "{n} open complaints", found.total)
    if found.oldest is not None:
        said += " · " + t.ngettext("the oldest for {n} day", "the oldest for {n} days", found.oldest)
    title = t.gettext("Open complaints by age")
    return Block("backlog", title, columns, tuple(rows), chart if found.total else None, said)


# --- distributions ---


def distribution(basis: str, dimension: str, title: str, heading: str) -> Make:
    """How complaints of a basis fall among the codes of a dimension."""

    async def make(c: Context) -> Block:
        t = c.t
        counts = measures.ranked(await reading.counts(c.session, basis, dimension, c.chosen))
        total = sum(one.count for one in counts)
        rows = [
            (
                Cell(t.label(dimension, one.key), one.key, {dimension: one.key}),
                _number(t, one.count),
                _percent(t, one.count / total),
            )
            for one in counts
        ]
        shown = rows[:_MOST]
        points = tuple({"x": row[0].text, "y": row[1].value} for row in shown)
        chart = Chart("bars", points, tuple(row[0].text for row in shown))
        note = t.gettext("The chart shows the {n} largest.", n=_MOST) if len(rows) > _MOST else ""
        columns = (t.gettext(heading), t.gettext("Complaints"), t.gettext("Share"))
        return Block(basis, t.gettext(title), columns, tuple(rows), chart if rows else None, _largest(t, rows), note)

    return make


def _largest(t: Translator, rows: Sequence[tuple[Cell, ...]]) -> str:
    if not rows:
        return t.gettext("None in this period")
    first = rows[0]
    return t.gettext("Most: {what}, {count} ({share})", what=first[0].text, count=first[1].text, share=first[2].text)


async def causes(c: Context) -> Block:
    """Root causes as a Pareto chart."""
    t = c.t
    found = [one for one in await measures.pareto(c.session, c.chosen) if one.count]
    rows = [
        (
            Cell(t.label("root_cause", one.key), one.key, {"root_cause": one.key}),
            _number(t, one.count),
            _percent(t, one.share),
            _percent(t, one.together),
        )
        for one in found
    ]
    points = tuple(
        {"x": row[0].text, "y": one.count, "share": one.together} for row, one in zip(rows, found, strict=True)
    )
    chart = Chart("pareto", points, tuple(row[0].text for row in rows), t.gettext("Complaints"))
    columns = (t.gettext("Root cause"), t.gettext("Complaints"), t.gettext("Share"), t.gettext("With those above"))
    title = t.gettext("Root causes of decided complaints")
    return Block("causes", title, columns, tuple(rows), chart if rows else None, _largest(t, rows))


async def types_by_month(c: Context) -> Block:
    """How the mix of types has changed."""
    t = c.t
    ranked = measures.ranked(await reading.counts(c.session, "received", "category", c.chosen))
    codes = [one.key for one in ranked[:5]]
    by_code = {
        code: await reading.over_time(c.session, "received", "month", c.chosen.narrowed_to("category", code))
        for code in codes
    }
    keys = _months(c, *by_code.values())[-12:]
    series = tuple(t.label("category", code) for code in codes)
    rows, points = [], []
    for key in keys:
        label = t.month(date.fromisoformat(f"{key}-01"))
        rows.append((Cell(label, key), *(_number(t, by_code[code].get(key, 0)) for code in codes)))
        points += [
            {"x": label, "y": by_code[code].get(key, 0), "series": name, "index": i}
            for i, (code, name) in enumerate(zip(codes, series, strict=True))
        ]
    labels = tuple(row[0].text for row in rows)
    chart = Chart("stack", tuple(points), labels, t.gettext("Complaints"), series=series)
    title = t.gettext("The most frequent types by month")
    return Block(
        "received",
        title,
        (t.gettext("Month"), *series),
        tuple(rows[::-1]),
        chart if rows else None,
        t.gettext("The last {n} months", n=len(keys)) if rows else t.gettext("None in this period"),
    )


# --- deadlines and times ---

_STEPS = ("first_contact", "acknowledge", "interim", "provisional_credit", "internal_escalation", "resolve", "final")


def kept_by(by: str, title: str, heading: str) -> Make:
    """Deadlines kept, by step, rule or department."""

    async def make(c: Context) -> Block:
        t = c.t
        found = await measures.deadlines(c.session, by, c.chosen)
        order = sorted(found, key=lambda code: (_STEPS.index(code) if code in _STEPS else len(_STEPS), code))
        rows = []
        for code in order:
            results = found[code]
            name, where = _deadline_name(t, by, code)
            rows.append(
                (
                    Cell(name, code, where),
                    _number(t, results.get(IN_TIME, 0)),
                    _number(t, results.get(LATE, 0)),
                    _number(t, results.get(MISSED, 0)),
                    _percent(t, measures.kept(results)),
                )
            )
        past = [row for row in rows if row[4].value is not None]
        points = tuple({"x": row[0].text, "y": row[4].value} for row in past[:_MOST])
        chart = Chart("bars", points, tuple(str(p["x"]) for p in points), percent=True)
        columns = (
            t.gettext(heading),
            t.gettext("In time"),
            t.gettext("Late"),
            t.gettext("Missed"),
            t.gettext("Share in time"),
        )
        worst = min(past, key=lambda row: row[4].value, default=None)
        said = t.gettext("None in this period")
        if worst is not None:
            said = t.gettext("Least in time: {what}, {share}", what=worst[0].text, share=worst[4].text)
        return Block("deadlines", t.gettext(title), columns, tuple(rows), chart if points else None, said)

    return make


def _deadline_name(t: Translator, by: str, code: str) -> tuple[str, dict[str, str]]:
    if by == "rule":
        rule, _, step = code.rpartition("/")
        return f"{rule} · {t.label('step', step)}", {}
    return t.label(by, code), {"department": code} if by == "department" else {}


_DURATIONS = (
    ("acknowledge", mark("To acknowledge")),
    ("respond", mark("To the final response")),
    ("close", mark("To close")),
)


async def times(c: Context) -> Block:
    """How long it took."""
    t = c.t
    rows = []
    for of, name in _DURATIONS:
        found = await measures.durations(c.session, of, c.chosen)
        rows.append((Cell(t.gettext(name), of), *_times(t, found)))
    columns = (
        t.gettext("From receipt"),
        t.gettext("Complaints"),
        t.gettext("Half within"),
        t.gettext("90% within"),
        t.gettext("95% within"),
        t.gettext("Share within 3 days"),
    )
    return Block("close", t.gettext("How long it takes"), columns, tuple(rows))


def _times(t: Translator, found: Durations) -> tuple[Cell, ...]:
    return (
        _number(t, found.count),
        _lasting(t, found.median),
        _lasting(t, found.p90),
        _lasting(t, found.p95),
        _percent(t, found.within(3 * 24 * 60)),
    )


async def closing_by_month(c: Context) -> Block:
    """The median and the 90th percentile of the time to close, by month of closing."""
    t = c.t
    went = await reading.over_time(c.session, "closed", "month", c.chosen)
    keys = _months(c, went)[-12:]
    series = (t.gettext("Half within"), t.gettext("90% within"))
    rows, points = [], []
    for key in keys:
        first = date.fromisoformat(f"{key}-01")
        last = periods.following(first, "month") - timedelta(days=1)
        since = max(first, c.chosen.since or first)
        until = min(last, c.chosen.until or last)
        found = await measures.durations(c.session, "close", c.chosen.over(since, until))
        label = t.month(first)
        rows.append((Cell(label, key), _number(t, found.count), _lasting(t, found.median), _lasting(t, found.p90)))
        points += [
            {"x": label, "y": minutes / 1440, "series": name}
            for name, minutes in zip(series, (found.median, found.p90), strict=True)
            if minutes is not None
        ]
    columns = (t.gettext("Month"), t.gettext("Closed"), *series)
    labels = tuple(row[0].text for row in rows)
    chart = Chart("lines", tuple(points), labels, t.gettext("Days"), series=series)
    title = t.gettext("Time to close by month")
    said = t.gettext("Half within {time} in {when}", time=rows[-1][2].text, when=rows[-1][0].text) if rows else ""
    return Block("close", title, columns, tuple(rows[::-1]), chart if points else None, said)


# --- places ---


async def work_in_hand(c: Context) -> Block:
    """Open work by department; it names nobody."""
    t = c.t
    found = await measures.load(c.session)
    rows = [
        (
            Cell(t.label("department", one.department), one.department, {"department": one.department}),
            _number(t, one.open),
            _number(t, one.unassigned),
            _number(t, one.officers),
            _number(t, one.median),
            _number(t, one.most),
        )
        for one in found
    ]
    points = tuple({"x": row[0].text, "y": row[1].value} for row in rows[:_MOST])
    chart = Chart("bars", points, tuple(str(p["x"]) for p in points))
    columns = (
        t.gettext("Department"),
        t.gettext("Open"),
        t.gettext("Nobody has taken"),
        t.gettext("Officers with work"),
        t.gettext("The middle officer has"),
        t.gettext("At most"),
    )
    title = t.gettext("Work in hand")
    note = t.gettext("As it is now, whatever is chosen above.")
    said = t.ngettext("{n} open complaint", "{n} open complaints", sum(one.open for one in found))
    return Block("load", title, columns, tuple(rows), chart if rows else None, said, note)


def closing_by(dimension: str, title: str, heading: str) -> Make:
    """How long closing takes under each code of a dimension."""

    async def make(c: Context) -> Block:
        t = c.t
        counts = measures.ranked(await reading.counts(c.session, "closed", dimension, c.chosen))[:_MOST]
        rows = []
        for one in counts:
            found = await measures.durations(c.session, "close", c.chosen.narrowed_to(dimension, one.key))
            name = Cell(t.label(dimension, one.key), one.key, {dimension: one.key})
            rows.append((name, _number(t, found.count), _lasting(t, found.median), _lasting(t, found.p90)))
        points = tuple({"x": row[0].text, "y": round((row[2].value or 0) / 1440, 1)} for row in rows)
        chart = Chart("bars", points, tuple(row[0].text for row in rows))
        columns = (t.gettext(heading), t.gettext("Closed"), t.gettext("Half within"), t.gettext("90% within"))
        note = t.gettext("The bars show the days within which half were closed. The {n} with most closings.", n=_MOST)
        return Block("close", t.gettext(title), columns, tuple(rows), chart if rows else None, note=note)

    return make


_PER = (
    ("customers", mark("Per thousand customers")),
    ("accounts", mark("Per thousand accounts")),
    ("branches", mark("Per thousand branches")),
)


async def per_thousand(c: Context) -> Block:
    """Complaints beside how many customers, accounts and branches there are; and by branch, where that is known."""
    t, rows = c.t, []
    for per, name in _PER:
        (one,) = await measures.rates(c.session, "received", per, None, c.chosen, today=c.today)
        rows.append((Cell(t.gettext(name), per), _number(t, one.count), _number(t, one.base), _number(t, one.rate, 2)))
    branches = await measures.rates(c.session, "received", "customers", "branch", c.chosen, today=c.today)
    known = sorted((one for one in branches if one.rate is not None), key=lambda one: -(one.rate or 0))
    for one in known:
        name = t.gettext("{branch}: per thousand customers", branch=t.label("branch", one.key))
        numbers = (_number(t, one.count), _number(t, one.base), _number(t, one.rate, 2))
        rows.append((Cell(name, one.key, {"branch": one.key}), *numbers))
    points = tuple({"x": t.label("branch", one.key), "y": round(one.rate or 0, 2)} for one in known[:_MOST])
    chart = Chart("bars", points, tuple(str(p["x"]) for p in points))
    columns = (t.gettext("Measured by"), t.gettext("Complaints"), t.gettext("How many there are"), t.gettext("Rate"))
    title = t.gettext("Per thousand")
    note = t.gettext("How many there are is entered once, with the day from which it holds.")
    return Block("rates", title, columns, tuple(rows), chart if points else None, note=note)


# --- people ---


async def satisfaction(c: Context) -> Block:
    """What complainants said, by aspect."""
    t = c.t
    found = await measures.ratings(c.session, c.chosen)
    rows, points = [], []
    for aspect in ASPECTS:
        counts = found[aspect]
        n = sum(counts.values())
        mean = sum(value * m for value, m in counts.items()) / n if n else None
        satisfied = (counts[4] + counts[5]) / n if n else None
        name = t.label("aspect", aspect)
        rows.append(
            (
                Cell(name, aspect),
                _number(t, n),
                _number(t, mean, 2),
                _percent(t, satisfied),
                *(_number(t, counts[value]) for value in range(1, 6)),
            )
        )
        points += [{"x": name, "y": counts[value], "series": str(value), "index": value} for value in range(1, 6) if n]
    labels = tuple(row[0].text for row in rows if row[1].value)
    series = ("1", "2", "3", "4", "5")
    chart = Chart(
        "stack", tuple(points), labels, t.gettext("Share of answers"), percent=True, series=series, ordered=True
    )
    columns = (
        t.gettext("Aspect"),
        t.gettext("Answers"),
        t.gettext("Mean"),
        t.gettext("Satisfied (4 or 5)"),
        *series,
    )
    overall = rows[0]
    said = t.gettext("None in this period")
    if overall[1].value:
        said = t.gettext("Overall {mean} of 5; {share} satisfied", mean=overall[2].text, share=overall[3].text)
    title = t.gettext("Satisfaction after the decision")
    return Block("rated", title, columns, tuple(rows), chart if points else None, said)


async def satisfaction_by_department(c: Context) -> Block:
    """Overall satisfaction by department."""
    t = c.t
    counts = measures.ranked(await reading.counts(c.session, "rated", "department", c.chosen))
    rows = []
    for one in counts:
        theirs = await reading.counts(c.session, "rated", "overall", c.chosen.narrowed_to("department", one.key))
        n = theirs.total()
        mean = sum(int(value) * m for value, m in theirs.items()) / n if n >= _FEW else None
        name = Cell(t.label("department", one.key), one.key, {"department": one.key})
        rows.append((name, _number(t, n), _number(t, mean, 2)))
    told = [row for row in rows if row[2].value is not None]
    points = tuple({"x": row[0].text, "y": round(row[2].value, 2)} for row in told)
    chart = Chart("bars", points, tuple(row[0].text for row in told))
    columns = (t.gettext("Department"), t.gettext("Answers"), t.gettext("Mean"))
    note = t.gettext("No mean of fewer than {n} answers.", n=_FEW)
    title = t.gettext("Overall satisfaction by department")
    return Block("rated", title, columns, tuple(rows), chart if told else None, note=note)


_FEW = 5  # a mean of fewer answers says more about one person than about a department


async def fairness(c: Context) -> Block:
    """Vulnerable customers beside others."""
    t = c.t
    found = await measures.fairness(c.session, c.chosen)
    names = {"yes": t.gettext("Vulnerable customers"), "no": t.gettext("All others")}
    rows = []
    for key, group in found.items():
        decided = group.outcomes.total()
        upheld = group.outcomes["upheld"] + group.outcomes["partly_upheld"]
        rows.append(
            (
                Cell(names[key], key, {"vulnerable": key}),
                _number(t, decided),
                _percent(t, upheld / decided if decided else None),
                _lasting(t, group.close.median),
                _lasting(t, group.close.p90),
                _percent(t, measures.kept(group.deadlines)),
            )
        )
    columns = (
        t.gettext("Complainants"),
        t.gettext("Decided"),
        t.gettext("Upheld"),
        t.gettext("Half closed within"),
        t.gettext("90% within"),
        t.gettext("Deadlines in time"),
    )
    note = t.gettext(
        "A difference may have other reasons: vulnerable customers complain of other things, through other channels."
    )
    title = t.gettext("Vulnerable customers compared with others")
    return Block("fairness", title, columns, tuple(rows), note=note)


_SHARES = (
    ("reopened", mark("Reopened, against closings")),
    ("disputed", mark("Decision disputed, against closings")),
    ("upheld", mark("Upheld wholly or partly, of those decided")),
    ("repeat", mark("From somebody who had complained within a year")),
    ("vulnerable", mark("From vulnerable customers")),
)


async def shares(c: Context) -> Block:
    """Shares that say how sound the handling is."""
    t = c.t
    found = await measures.shares(c.session, c.chosen)
    rows = [
        (
            Cell(t.gettext(name), key),
            _number(t, found[key].count),
            _number(t, found[key].of),
            _percent(t, found[key].share),
        )
        for key, name in _SHARES
    ]
    columns = (t.gettext("Complaints"), t.gettext("Count"), t.gettext("Of"), t.gettext("Share"))
    return Block("shares", t.gettext("How sound the handling is"), columns, tuple(rows))


async def redress(c: Context) -> Block:
    """What was paid, by root cause."""
    t = c.t
    found = await measures.redress(c.session, "root_cause", c.chosen)
    rows = [
        (
            Cell(t.label("root_cause", one.key), one.key, {"root_cause": one.key}),
            Cell(one.currency, one.currency),
            Cell(t.amount(one.amount), float(one.amount)),
        )
        for one in found
    ]
    totals: dict[str, Decimal] = {}
    for one in found:
        totals[one.currency] = totals.get(one.currency, Decimal()) + one.amount
    said = " · ".join(f"{currency} {t.amount(amount)}" for currency, amount in sorted(totals.items()))
    columns = (t.gettext("Root cause"), t.gettext("Currency"), t.gettext("Amount"))
    title = t.gettext("Redress paid by root cause")
    return Block("redress", title, columns, tuple(rows), said=said or t.gettext("None in this period"))
