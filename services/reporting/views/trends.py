"""Blocks of how many complaints come and go."""

from datetime import date, timedelta

from services.reporting.figures import measures, reading
from services.reporting.figures.measures import AGES
from services.reporting.views.block import (
    MOST_MONTHS,
    Block,
    Cell,
    Context,
    months,
    number,
    peak,
    percent,
)
from services.reporting.views.charts import Chart
from shared.i18n import Translator, mark

_DAYS = 62  # most that a chart by day shows


async def by_month(c: Context) -> Block:
    """Complaints received and closed by month."""
    came = await reading.over_time(c.session, "received", "month", c.chosen)
    went = await reading.over_time(c.session, "closed", "month", c.chosen)
    keys = months(c, came, went)
    t = c.t
    rows, points = [], []
    series = (t.gettext("Received"), t.gettext("Closed"))
    for key in keys:
        label = t.month(date.fromisoformat(f"{key}-01"))
        rows.append((Cell(label, key), number(t, came.get(key, 0)), number(t, went.get(key, 0))))
        points += [{"x": label, "y": n.get(key, 0), "series": s} for s, n in zip(series, (came, went), strict=True)]
    chart = Chart("lines", tuple(points), tuple(row[0].text for row in rows), t.gettext("Complaints"), series=series)
    return Block(
        "received",
        t.gettext("Received and closed by month"),
        (t.gettext("Month"), *series),
        tuple(reversed(rows)),
        chart if rows else None,
        peak(t, rows),
    )


async def by_day(c: Context) -> Block:
    """Complaints received on each of the last days."""
    until = min(c.chosen.until or c.today, c.today)
    since = max(c.chosen.since or date.min, until - timedelta(days=_DAYS - 1))
    t = c.t
    counts = await reading.over_time(c.session, "received", "day", c.chosen.over(since, until))
    days = [since + timedelta(days=n) for n in range((until - since).days + 1)] if counts else []
    rows = [(Cell(t.date(day), day), number(t, counts.get(day.isoformat(), 0))) for day in days]
    points = tuple({"x": t.day(day), "y": row[1].value} for day, row in zip(days, rows, strict=True))
    chart = Chart("columns", points, tuple(t.day(day) for day in days), t.gettext("Complaints"))
    columns = (t.gettext("Day"), t.gettext("Complaints"))
    title = t.gettext("Received by day")
    return Block("received", title, columns, tuple(rows[::-1]), chart if rows else None, peak(t, rows))


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
                    number(t, now.count),
                    number(t, before.count),
                    _change(t, now.from_(before)),
                    number(t, year.count),
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
    found = (await measures.backlog_by_month(c.session, c.chosen, today=c.today))[-MOST_MONTHS:]
    rows = [(Cell(t.month(date.fromisoformat(f"{one.key}-01")), one.key), number(t, one.count)) for one in found]
    points = tuple({"x": row[0].text, "y": row[1].value} for row in rows)
    chart = Chart("columns", points, tuple(row[0].text for row in rows), t.gettext("Complaints"))
    columns = (t.gettext("Month"), t.gettext("Open at its end"))
    title = t.gettext("Open at the end of each month")
    return Block("backlog", title, columns, tuple(rows[::-1]), chart if rows else None, peak(t, rows))


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
        (Cell(name, name), number(t, n), percent(t, n / found.total if found.total else None))
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
