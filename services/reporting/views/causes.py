"""Blocks of what people complain of, what lay behind it, and what was paid."""

from datetime import date
from decimal import Decimal

from services.reporting.figures import measures, reading
from services.reporting.views.block import (
    MOST_BARS,
    Block,
    Cell,
    Context,
    Make,
    largest,
    months,
    number,
    percent,
)
from services.reporting.views.charts import Chart


def distribution(basis: str, dimension: str, title: str, heading: str) -> Make:
    """How complaints of a basis fall among the codes of a dimension."""

    async def make(c: Context) -> Block:
        t = c.t
        counts = measures.ranked(await reading.counts(c.session, basis, dimension, c.chosen))
        total = sum(one.count for one in counts)
        rows = [
            (
                Cell(t.label(dimension, one.key), one.key, {dimension: one.key}),
                number(t, one.count),
                percent(t, one.count / total),
            )
            for one in counts
        ]
        shown = rows[:MOST_BARS]
        points = tuple({"x": row[0].text, "y": row[1].value} for row in shown)
        chart = Chart("bars", points, tuple(row[0].text for row in shown))
        note = t.gettext("The chart shows the {n} largest.", n=MOST_BARS) if len(rows) > MOST_BARS else ""
        columns = (t.gettext(heading), t.gettext("Complaints"), t.gettext("Share"))
        return Block(basis, t.gettext(title), columns, tuple(rows), chart if rows else None, largest(t, rows), note)

    return make


async def causes(c: Context) -> Block:
    """Root causes as a Pareto chart."""
    t = c.t
    found = [one for one in await measures.pareto(c.session, c.chosen) if one.count]
    rows = [
        (
            Cell(t.label("root_cause", one.key), one.key, {"root_cause": one.key}),
            number(t, one.count),
            percent(t, one.share),
            percent(t, one.together),
        )
        for one in found
    ]
    points = tuple(
        {"x": row[0].text, "y": one.count, "share": one.together} for row, one in zip(rows, found, strict=True)
    )
    chart = Chart("pareto", points, tuple(row[0].text for row in rows), t.gettext("Complaints"))
    columns = (t.gettext("Root cause"), t.gettext("Complaints"), t.gettext("Share"), t.gettext("With those above"))
    title = t.gettext("Root causes of decided complaints")
    return Block("causes", title, columns, tuple(rows), chart if rows else None, largest(t, rows))


async def types_by_month(c: Context) -> Block:
    """How the mix of types has changed."""
    t = c.t
    ranked = measures.ranked(await reading.counts(c.session, "received", "category", c.chosen))
    codes = [one.key for one in ranked[:5]]
    by_code = {
        code: await reading.over_time(c.session, "received", "month", c.chosen.narrowed_to("category", code))
        for code in codes
    }
    keys = months(c, *by_code.values())[-12:]
    series = tuple(t.label("category", code) for code in codes)
    rows, points = [], []
    for key in keys:
        label = t.month(date.fromisoformat(f"{key}-01"))
        rows.append((Cell(label, key), *(number(t, by_code[code].get(key, 0)) for code in codes)))
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
