"""Blocks of what complainants say, and whether all are treated alike."""

from services.reporting.domain.fact import ASPECTS
from services.reporting.figures import measures, reading
from services.reporting.views.block import (
    Block,
    Cell,
    Context,
    lasting,
    number,
    percent,
)
from services.reporting.views.charts import Chart
from shared.i18n import mark


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
                number(t, n),
                number(t, mean, 2),
                percent(t, satisfied),
                *(number(t, counts[value]) for value in range(1, 6)),
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
        rows.append((name, number(t, n), number(t, mean, 2)))
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
                number(t, decided),
                percent(t, upheld / decided if decided else None),
                lasting(t, group.close.median),
                lasting(t, group.close.p90),
                percent(t, measures.kept(group.deadlines)),
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
            number(t, found[key].count),
            number(t, found[key].of),
            percent(t, found[key].share),
        )
        for key, name in _SHARES
    ]
    columns = (t.gettext("Complaints"), t.gettext("Count"), t.gettext("Of"), t.gettext("Share"))
    return Block("shares", t.gettext("How sound the handling is"), columns, tuple(rows))
