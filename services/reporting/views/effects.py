"""What a measure changed, as a chart and a table, and the values of figures in words."""

from collections.abc import Sequence

from services.reporting.domain.figure import FIGURES
from services.reporting.domain.measure import WEEK
from services.reporting.usecases.measures import Judged
from services.reporting.views.block import Block, Cell
from services.reporting.views.charts import Chart
from shared.i18n import Translator


def said(t: Translator, figure: str, value: float | None) -> str:
    """A figure's value as people read it."""
    if value is None:
        return "–"
    match FIGURES[figure].unit:
        case "share":
            return t.percent(value, 1)
        case "days":
            return t.gettext("{n} days", n=t.number(round(value, 1)))
        case "complaints":
            return t.number(round(value))
        case _:
            return t.number(round(value, 2))


def block(t: Translator, figure: str, judged: Judged) -> Block:
    """The figure by week, before and after the start. What it is compared with stands beside it."""
    weeks, seen, share = judged.weeks, judged.seen, FIGURES[figure].unit == "share"
    values: Sequence[float | None] = seen.counts
    if seen.of is not None:
        values = [count / n if n else None for count, n in zip(seen.counts, seen.of, strict=True)]
    begins = [weeks.since + i * WEEK for i in range(len(seen.counts))]
    labels = [t.date(day) for day in begins]
    before, after = t.gettext("Before the start"), t.gettext("Since the start")
    others = t.gettext("Compared with, together")
    points = [
        {"x": label, "y": value, "series": before if i < weeks.before else after}
        for i, (label, value) in enumerate(zip(labels, values, strict=True))
        if value is not None
    ]
    series: tuple[str, ...] = (before, after)
    if judged.others is not None:
        series += (others,)
        points += [{"x": x, "y": n, "series": others} for x, n in zip(labels, judged.others, strict=True)]
    start = labels[weeks.before] if weeks.before < len(labels) else ""
    name = t.label("figure", figure)
    chart = Chart("lines", tuple(points), tuple(labels), name, share, series, start=start)
    return Block(
        figure,
        t.gettext("By week, before and since the start"),
        (t.gettext("Week from"), t.gettext("When"), name, *((others,) if judged.others is not None else ())),
        tuple(
            (
                Cell(t.date(day), day),
                Cell(before if i < weeks.before else after),
                Cell(said(t, figure, values[i]), values[i]),
                *((Cell(t.number(judged.others[i]), judged.others[i]),) if judged.others is not None else ()),
            )
            for i, day in reversed(list(enumerate(begins)))
        ),
        chart if points else None,
        note=t.gettext("The upright line marks the start.") if start else "",
    )
