"""The geometry of the dashboard's charts: numbers in, places in percent or pixels out. Drawing is the templates'."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from math import ceil, floor, log10

HEIGHT = 168  # pixels of the plot; the width is the reader's, so everything across is in percent
_LABELS = 3  # below a column chart, as many as fit a telephone; where there is room, one more between each two


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `left`, `width` and `middle` in percent across, `top` and `height` in pixels. `key` is the label in
    full.

    `shown`: where its label is written below: "always", "wide" (where there is room) or "" (only in its tooltip).
    `anchor`: how that label sits at `middle`, in SVG's words.
    """

    key: str
    label: str
    count: int
    left: float
    width: float
    middle: float
    top: float
    height: float
    shown: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Tick:
    value: int
    y: float


@dataclass(frozen=True, slots=True)
class Columns:
    columns: list[Column]
    ticks: list[Tick]
    peak: Column | None


def columns(items: Sequence[tuple[str, str, int]]) -> Columns:
    """A column for each of `items` (key, label, count), in order."""
    top_value, step = scale(max((count for *_, count in items), default=0))
    ticks = [Tick(value, HEIGHT - HEIGHT * value / top_value) for value in range(0, top_value + 1, step)]
    slot = 100 / max(len(items), 1)
    gap = 0.2 if len(items) <= 62 else 0.0
    always = _spread(len(items), _LABELS)
    wide = {(a + b) // 2 for a, b in pairwise(always)}
    found = []
    for i, (key, label, count) in enumerate(items):
        height = HEIGHT * count / top_value
        width = round(slot * (1 - gap), 3)
        middle = round((i + 0.5) * slot, 3)
        # the outermost labels would stick out of the plot if they stood in the middle below a narrow column
        narrow = len(items) > _LABELS
        anchor = "start" if narrow and i == 0 else "end" if narrow and i == len(items) - 1 else "middle"
        if anchor != "middle":
            middle = 0.0 if anchor == "start" else 100.0
        shown = "always" if i in always else "wide" if i in wide else ""
        left = round(i * slot + slot * gap / 2, 3)
        found.append(
            Column(key, label, count, left, width, middle, round(HEIGHT - height, 1), round(height, 1), shown, anchor)
        )
    peak = max(found, key=lambda c: c.count, default=None)
    return Columns(found, ticks, peak if peak and peak.count else None)


def scale(largest: int) -> tuple[int, int]:
    """The top of an axis that holds `largest`, and the distance of its ticks: 1, 2 or 5 times a power of ten."""
    if largest <= 1:
        return 1, 1
    rough = largest / 4
    power = 10 ** max(0, floor(log10(rough)))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough)
    return ceil(largest / step) * step, step


def _spread(length: int, most: int) -> list[int]:
    """At most `most` indexes, evenly spread, with the first and the last."""
    if length <= most:
        return list(range(length))
    return [round(i * (length - 1) / (most - 1)) for i in range(most)]


def days(counts: dict[str, int], since: date, until: date) -> list[tuple[date, int]]:
    """Every day from `since` to `until` with its count, nought included."""
    return [
        (day, counts.get(day.isoformat(), 0))
        for day in (since + timedelta(days=n) for n in range((until - since).days + 1))
    ]


def months(counts: dict[str, int], since: date, until: date) -> list[tuple[date, int]]:
    """Every month from that of `since` to that of `until`, by its first day, with its count, nought included."""
    found, at = [], since.replace(day=1)
    while at <= until:
        found.append((at, counts.get(f"{at:%Y-%m}", 0)))
        at = (at + timedelta(days=32)).replace(day=1)
    return found


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: `width` in percent of the largest, `share` of all, nought to one."""

    key: str
    label: str
    count: int
    width: float
    share: float


def bars(items: Sequence[tuple[str, str, int]]) -> list[Bar]:
    """A bar for each of `items` (key, label, count)."""
    largest = max((count for *_, count in items), default=0) or 1
    total = sum(count for *_, count in items) or 1
    return [Bar(key, label, count, round(100 * count / largest, 2), count / total) for key, label, count in items]
