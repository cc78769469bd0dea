"""Blocks of whether deadlines are kept, and how long people wait."""

from datetime import date, timedelta

from services.reporting.domain import selection as periods
from services.reporting.domain.fact import IN_TIME, LATE, MISSED
from services.reporting.figures import measures, reading
from services.reporting.figures.measures import Durations
from services.reporting.views.block import (
    MOST_BARS,
    Block,
    Cell,
    Context,
    Make,
    lasting,
    months,
    number,
    percent,
)
from services.reporting.views.charts import Chart
from shared.i18n import Translator, mark

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
                    number(t, results.get(IN_TIME, 0)),
                    number(t, results.get(LATE, 0)),
                    number(t, results.get(MISSED, 0)),
                    percent(t, measures.kept(results)),
                )
            )
        past = [row for row in rows if row[4].value is not None]
        points = tuple({"x": row[0].text, "y": row[4].value} for row in past[:MOST_BARS])
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
        number(t, found.count),
        lasting(t, found.median),
        lasting(t, found.p90),
        lasting(t, found.p95),
        percent(t, found.within(3 * 24 * 60)),
    )


async def closing_by_month(c: Context) -> Block:
    """The median and the 90th percentile of the time to close, by month of closing."""
    t = c.t
    went = await reading.over_time(c.session, "closed", "month", c.chosen)
    keys = months(c, went)[-12:]
    series = (t.gettext("Half within"), t.gettext("90% within"))
    rows, points = [], []
    for key in keys:
        first = date.fromisoformat(f"{key}-01")
        last = periods.following(first, "month") - timedelta(days=1)
        since = max(first, c.chosen.since or first)
        until = min(last, c.chosen.until or last)
        found = await measures.durations(c.session, "close", c.chosen.over(since, until))
        label = t.month(first)
        rows.append((Cell(label, key), number(t, found.count), lasting(t, found.median), lasting(t, found.p90)))
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
