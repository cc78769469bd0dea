"""Charts, drawn on the server by Vega-Lite: grammar by Altair, pictures by vl-convert, no browser.

They are read in black and white too: one dark hue, and where there are several series each has its own dash, shape and
place in the legend. What a picture shows stands in the table behind it, for those who read with a screen reader.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import orjson

Kind = Literal["columns", "bars", "lines", "pareto", "stack", "interval"]
INK, SOFT, GRID, HUE = "#1a2027", "#515c68", "#dfe5ea", "#1f6f8f"
_SERIES = ("#0b5c7a", "#c2571a", "#5b8c2a", "#7a3d8f", "#444444")
_DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 4])
WIDTH, NARROW, HEIGHT = 640, 330, 220  # in pixels; narrow is for telephones
_RAMP = ("#7a1f14", "#cf7a53", "#ddd6c6", "#86b4c8", "#0b5c7a")  # from bad to good, told apart in grey too
_FIT = 72  # letters that fit side by side below the columns; those of Chinese count twice
FONTS = {
    "zh-Hant": "system-ui, 'PingFang HK', 'Microsoft JhengHei', 'Noto Sans CJK HK', 'Noto Sans CJK TC', sans-serif",
    "zh-Hans": "system-ui, 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', sans-serif",
    "en": "system-ui, 'Segoe UI', 'Noto Sans', Arial, sans-serif",
}


@dataclass(frozen=True, slots=True)
class Chart:
    """What is to be drawn. Each of `points` has `x` (a label), `y` (a number), and where there are several series
    `series` (a label); of an interval also `low` and `high`; of a Pareto chart `share`, nought to one. `percent`: `y`
    is a share; `ordered`: the series go from bad to good. `order` are the labels in their order.
    At the label `start` something began: a line is drawn there."""

    kind: Kind
    points: tuple[Mapping[str, Any], ...]
    order: tuple[str, ...]
    value: str = ""
    percent: bool = False
    series: tuple[str, ...] = ()
    ordered: bool = False
    line: float | None = None
    start: str = ""


def specification(chart: Chart, language: str, *, font: str | None = None, narrow: bool = False) -> dict[str, Any]:
    """The chart in Vega-Lite. `font` is the family of its letters, else those of the language's readers; `narrow`: as
    wide as a telephone."""
    import altair as alt

    grammar: Any = alt
    data = grammar.Data(values=[dict(point) for point in chart.points])
    axis_format = ".0%" if chart.percent else ",~r"
    y = alt.Y("y:Q", title=chart.value or None, axis=alt.Axis(format=axis_format, tickCount=5, tickMinStep=0.01))
    if not chart.percent:
        y = alt.Y("y:Q", title=chart.value or None, axis=alt.Axis(format=axis_format, tickCount=5, tickMinStep=1))
    width = NARROW if narrow else WIDTH
    fits = sum(_letters(label) + 2 for label in chart.order) <= _FIT * width / WIDTH
    labels = alt.Axis(
        title=None,
        labelAngle=0 if fits else -35,
        labelOverlap=False if len(chart.order) <= 8 else "greedy",
        labelLimit=120 if narrow else 180,
    )
    x = alt.X("x:N", sort=list(chart.order), axis=labels)
    base = alt.Chart(data)
    match chart.kind:
        case "columns":
            drawn: Any = base.mark_bar(color=HUE).encode(x=x, y=y)
        case "bars":
            across = alt.Axis(title=None, labelLimit=130 if narrow else 200)
            bars = base.encode(y=alt.Y("x:N", sort=list(chart.order), axis=across), x=alt.X("y:Q", axis=None))
            text = alt.Text("y:Q", format=".0%" if chart.percent else ",~r")
            drawn = bars.mark_bar(color=HUE) + bars.mark_text(align="left", dx=4, color=INK).encode(text=text)
        case "stack":
            colour = _colours(alt, chart.series, _RAMP if chart.ordered else _SERIES)
            drawn = base.mark_bar(stroke="#ffffff", strokeWidth=1).encode(
                x=x, y=y.stack("normalize") if chart.percent else y, color=colour, order="index:O"
            )
        case "lines":
            dash = alt.StrokeDash(
                "series:N",
                sort=list(chart.series),
                scale=alt.Scale(domain=list(chart.series), range=list(_DASHES[: len(chart.series)])),
            )
            shape = alt.Shape("series:N", sort=list(chart.series), scale=alt.Scale(domain=list(chart.series)))
            lines = base.encode(x=x, y=y, color=_colours(alt, chart.series))
            drawn = lines.mark_line(strokeWidth=2).encode(strokeDash=dash) + lines.mark_point(
                size=35, filled=True, opacity=1
            ).encode(shape=shape)
        case "interval":
            spans = base.encode(x=x)
            drawn = spans.mark_rule(color=INK, strokeWidth=2).encode(
                y=alt.Y("low:Q", title=chart.value or None, scale=alt.Scale(zero=False)), y2="high:Q"
            ) + spans.mark_point(filled=True, size=70, color=HUE, opacity=1).encode(y="y:Q")
        case "pareto":
            share = alt.Y("share:Q", axis=alt.Axis(format=".0%", orient="right", grid=False, title=None))
            drawn = alt.layer(
                base.mark_bar(color=HUE).encode(x=x, y=y),
                base.mark_line(color=INK, point=alt.OverlayMarkDef(color=INK, size=40)).encode(x=x, y=share),
            ).resolve_scale(y="independent")
    if chart.line is not None:
        rule = alt.Chart(grammar.Data(values=[{"y": chart.line}])).mark_rule(color=INK, strokeDash=[4, 3])
        drawn = drawn + rule.encode(y="y:Q")
    if chart.start:
        mark = alt.Chart(grammar.Data(values=[{"x": chart.start}])).mark_rule(color=INK, strokeWidth=2)
        drawn = drawn + mark.encode(x=x)
    height = max(60, 26 * len(chart.order)) if chart.kind == "bars" else HEIGHT
    family = font or FONTS[language]
    # a reader's own letters may be wider than those that the labels were measured with
    padding = {"left": 28 if chart.kind == "bars" else 8, "right": 20, "top": 8, "bottom": 8}
    found: dict[str, Any] = (
        drawn.properties(width=width, height=height, background="white", padding=padding)
        .configure(font=family)
        .configure_axis(labelColor=INK, titleColor=SOFT, gridColor=GRID, domainColor=SOFT, labelFontSize=12)
        .configure_view(stroke=None)
        .configure_legend(
            orient="top",
            title=None,
            labelColor=INK,
            labelFontSize=12,
            labelLimit=240,
            columnPadding=24,
            columns=2 if narrow else 0,
        )
        .to_dict()
    )
    return found


def _letters(label: str) -> int:
    return sum(2 if ord(letter) > 0x2E80 else 1 for letter in label)


def _colours(alt: Any, series: Sequence[str], colours: Sequence[str] = _SERIES) -> Any:
    scale = alt.Scale(domain=list(series), range=list(colours[: len(series)]))
    return alt.Color("series:N", sort=list(series), scale=scale)


async def svg(chart: Chart, language: str, *, font: str | None = None, narrow: bool = False) -> str:
    """As `drawn`, in a thread."""
    return await asyncio.to_thread(drawn, chart, language, font=font, narrow=narrow)


def drawn(chart: Chart, language: str, *, font: str | None = None, narrow: bool = False) -> str:
    """The chart as SVG, remembered: the same figures look the same. Takes some 50 ms, and blocks."""
    found = specification(chart, language, font=font, narrow=narrow)
    return _drawn(orjson.dumps(found, option=orjson.OPT_SORT_KEYS))


@lru_cache(maxsize=256)
def _drawn(spec: bytes) -> str:
    import vl_convert

    found: str = vl_convert.vegalite_to_svg(spec.decode())
    return found
