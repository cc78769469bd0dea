"""Blocks of where the work lies, and where complaints arise."""

from services.reporting.figures import measures, reading
from services.reporting.views.block import (
    MOST_BARS,
    Block,
    Cell,
    Context,
    Make,
    lasting,
    number,
)
from services.reporting.views.charts import Chart
from shared.i18n import mark


async def work_in_hand(c: Context) -> Block:
    """Open work by department; it names nobody."""
    t = c.t
    found = await measures.load(c.session)
    rows = [
        (
            Cell(t.label("department", one.department), one.department, {"department": one.department}),
            number(t, one.open),
            number(t, one.unassigned),
            number(t, one.officers),
            number(t, one.median),
            number(t, one.most),
        )
        for one in found
    ]
    points = tuple({"x": row[0].text, "y": row[1].value} for row in rows[:MOST_BARS])
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
        counts = measures.ranked(await reading.counts(c.session, "closed", dimension, c.chosen))[:MOST_BARS]
        rows = []
        for one in counts:
            found = await measures.durations(c.session, "close", c.chosen.narrowed_to(dimension, one.key))
            name = Cell(t.label(dimension, one.key), one.key, {dimension: one.key})
            rows.append((name, number(t, found.count), lasting(t, found.median), lasting(t, found.p90)))
        points = tuple({"x": row[0].text, "y": round((row[2].value or 0) / 1440, 1)} for row in rows)
        chart = Chart("bars", points, tuple(row[0].text for row in rows))
        columns = (t.gettext(heading), t.gettext("Closed"), t.gettext("Half within"), t.gettext("90% within"))
        note = t.gettext(
            "The bars show the days within which half were closed. The {n} with most closings.", n=MOST_BARS
        )
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
        rows.append((Cell(t.gettext(name), per), number(t, one.count), number(t, one.base), number(t, one.rate, 2)))
    branches = await measures.rates(c.session, "received", "customers", "branch", c.chosen, today=c.today)
    known = sorted((one for one in branches if one.rate is not None), key=lambda one: -(one.rate or 0))
    for one in known:
        name = t.gettext("{branch}: per thousand customers", branch=t.label("branch", one.key))
        numbers = (number(t, one.count), number(t, one.base), number(t, one.rate, 2))
        rows.append((Cell(name, one.key, {"branch": one.key}), *numbers))
    points = tuple({"x": t.label("branch", one.key), "y": round(one.rate or 0, 2)} for one in known[:MOST_BARS])
    chart = Chart("bars", points, tuple(str(p["x"]) for p in points))
    columns = (t.gettext("Measured by"), t.gettext("Complaints"), t.gettext("How many there are"), t.gettext("Rate"))
    title = t.gettext("Per thousand")
    note = t.gettext("How many there are is entered once, with the day from which it holds.")
    return Block("rates", title, columns, tuple(rows), chart if points else None, note=note)
