"""What the answers to a survey say, as charts and tables. Where too few answered nothing is told."""

from collections.abc import Mapping
from typing import Any

from services.reporting.views.block import Block, Cell
from services.reporting.views.charts import Chart
from shared.i18n import Translator

_HIDDEN = Cell("–")
_MOST = 15  # problems in the chart; the table has all


def by_aspect(t: Translator, found: Mapping[str, Any]) -> Block:
    """The mean of each aspect with its interval, and the share of the satisfied."""
    rows, points = [], []
    for aspect, one in found["aspects"].items():
        name = t.label("aspect", aspect)
        rows.append((Cell(name, aspect), *_standing(t, one)))
        if one is not None:
            mean = one["mean"]
            points.append({"x": name, "y": mean["value"], "low": mean["low"], "high": mean["high"]})
    return Block(
        "rated",
        t.gettext("Satisfaction by aspect"),
        (t.gettext("Aspect"), *_columns(t)),
        tuple(rows),
        _chart(t, points),
        said=t.gettext("Mean rating from 1 to 5; the line is the 95% interval.") if points else "",
    )


def by_group(t: Translator, found: Mapping[str, Any], by: str) -> Block:
    """How each group is satisfied overall, or by the first aspect that is asked; hidden groups say that they are."""
    aspect = "overall" if "overall" in found["aspects"] else next(iter(found["aspects"]))
    rows, points, hidden = [], [], 0
    for group in sorted(found["groups"], key=lambda one: str(one["code"])):
        code = group["code"]
        name = t.label(by, code)
        if group["answers"] is None:
            hidden += 1
            rows.append((Cell(name, code), Cell(t.gettext("hidden")), _HIDDEN, _HIDDEN))
            continue
        one = group["aspects"][aspect]
        rows.append((Cell(name, code), *_standing(t, one)))
        if one is not None:
            mean = one["mean"]
            points.append({"x": name, "y": mean["value"], "low": mean["low"], "high": mean["high"]})
    note = t.gettext(
        "Groups of fewer than {n} answers are hidden, and so many others that they cannot be computed back.",
        n=t.number(found["minimum"]),
    )
    return Block(
        "rated",
        t.gettext("By group: {aspect}", aspect=t.label("aspect", aspect)),
        (t.label("dimension", by), *_columns(t)),
        tuple(rows),
        _chart(t, points),
        said=t.gettext("Mean rating from 1 to 5; the line is the 95% interval.") if points else "",
        note=note if hidden else "",
    )


def problems(t: Translator, found: Mapping[str, Any]) -> Block:
    """What the words of the answers name most."""
    named = found["problems"]
    points = tuple({"x": one["term"], "y": one["answers"]} for one in named[:_MOST])
    return Block(
        "rated",
        t.gettext("What the answers name most"),
        (t.gettext("Term"), t.gettext("Answers")),
        tuple((Cell(one["term"]), Cell(t.number(one["answers"]), one["answers"])) for one in named),
        Chart("bars", points, tuple(str(p["x"]) for p in points), t.gettext("Answers")) if points else None,
        said=t.gettext("Terms in at least {n} answers.", n=t.number(found["minimum"])) if points else "",
    )


def _columns(t: Translator) -> tuple[str, str, str]:
    return t.gettext("Answers"), t.gettext("Mean (95% interval)"), t.gettext("Satisfied (95% interval)")


def _standing(t: Translator, one: Mapping[str, Any] | None) -> tuple[Cell, Cell, Cell]:
    if one is None:
        return Cell(t.gettext("too few")), _HIDDEN, _HIDDEN
    mean, share = one["mean"], one["satisfied"]

    def two(value: float) -> str:
        return t.number(round(value, 2))

    return (
        Cell(t.number(one["answers"]), one["answers"]),
        Cell(f"{two(mean['value'])} ({two(mean['low'])}–{two(mean['high'])})", mean["value"]),
        Cell(f"{t.percent(share['share'])} ({t.percent(share['low'])}–{t.percent(share['high'])})", share["share"]),
    )


def _chart(t: Translator, points: list[dict[str, Any]]) -> Chart | None:
    if not points:
        return None
    return Chart("interval", tuple(points), tuple(p["x"] for p in points), t.gettext("Mean rating"))
