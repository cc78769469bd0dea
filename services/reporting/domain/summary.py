"""The public summary: what a bank tells everybody of the complaints of one quarter or half-year.

Counted are the complaints received in it, by type, by channel and by outcome, each by itself and with small counts
hidden (`suppression`): three short tables with one total, in which few counts are small. A quarter is counted once,
when something that covers it is published first: that count is kept (`Frozen`), and whatever is published later, also
the half-year of which it is a part, is made of it. Otherwise old and new together would tell what changed since.

Shares and times are given of groups that are large enough, whole per cent, and only where as few as are hidden
elsewhere are on neither side of the line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from services.reporting.domain import suppression
from services.reporting.domain.returns.table import Period
from services.reporting.domain.suppression import THRESHOLD, Dimension, Mark, Publication, Table, Value
from shared.errors import Invalid

Kind = Literal["category", "channel", "outcome"]
KINDS: tuple[Kind, ...] = ("category", "channel", "outcome")
LARGE = 20
"""Closed complaints of a group from which its times are told: as decision 18 has it, the threshold counts complaints,
and one person's are several."""

Counts = Mapping[tuple[str, str, str], int]
"""How many complaints there are of a type, a channel and an outcome."""


class NotOver(Invalid):
    """The period is not over: it is published when it is."""

    code = "period_not_over"


class NothingToPublish(Invalid):
    """Nothing can be told of this period without telling of single complaints."""

    code = "nothing_to_publish"


@dataclass(frozen=True, slots=True)
class Span:
    """A calendar quarter or half-year, as `2026-Q1` or `2026-H1`."""

    year: int
    kind: Literal["quarter", "half"]
    part: int

    @classmethod
    def read(cls, code: str) -> "Span":
        """Of `2026-Q1` or `2026-H1`. Raises ValueError."""
        year, _, rest = code.partition("-")
        return cls(int(year), {"Q": "quarter", "H": "half"}[rest[0]], int(rest[1]))  # type: ignore[arg-type]

    @property
    def code(self) -> str:
        return f"{self.year}-{'Q' if self.kind == 'quarter' else 'H'}{self.part}"

    @property
    def period(self) -> Period:
        return (Period.quarter if self.kind == "quarter" else Period.half)(self.year, self.part)

    @property
    def quarters(self) -> tuple["Span", ...]:
        if self.kind == "quarter":
            return (self,)
        return tuple(Span(self.year, "quarter", 2 * self.part - 1 + n) for n in range(2))

    def must_be_over(self, today: date) -> None:
        """Raises NotOver."""
        if self.period.until >= today:
            raise NotOver


@dataclass(frozen=True, slots=True)
class Frozen:
    """What must be kept of what was published, and never shown: the counts of each quarter that it covers, by its code,
    and what was told of them."""

    counts: Mapping[str, Counts]
    publication: Publication


def protect(
    span: Span, codes: Mapping[str, Sequence[str]], counts: Mapping[str, Counts], earlier: Sequence[Frozen]
) -> Frozen:
    """What may be told of `span`. `codes` are those of each kind that there can be; `counts` those of its quarters,
    which give way to what `earlier` publications of the same year have counted. Raises NotPublishable."""
    known = {quarter: one.counts[quarter] for one in earlier for quarter in one.counts}
    mine = {quarter.code: known.get(quarter.code, counts[quarter.code]) for quarter in span.quarters}
    everything = {**known, **mine}
    kinds = [Dimension(kind, _all_codes(kind, codes[kind], earlier)) for kind in KINDS]
    time = Dimension("quarter", tuple(sorted(everything)), {"half": {code: _half(code) for code in everything}})
    real: dict[tuple[str, ...], int] = {
        (*combination, quarter): n for quarter, found in everything.items() for combination, n in found.items()
    }
    tables = [Table((kind,), ((span.kind, span.code),)) for kind in KINDS]
    told = suppression.protect((*kinds, time), real, tables, earlier=[one.publication for one in earlier])
    return Frozen(mine, told)


def _all_codes(kind: str, codes: Sequence[str], earlier: Sequence[Frozen]) -> tuple[str, ...]:
    """A code that was told of once must stay, though the register has it no more."""
    before = [c for one in earlier for d in one.publication.dimensions if d.name == kind for c in d.codes]
    return tuple(dict.fromkeys([*codes, *before]))


def _half(quarter: str) -> str:
    span = Span.read(quarter)
    return Span(span.year, "half", (span.part + 1) // 2).code


@dataclass(frozen=True, slots=True)
class Times:
    """Of complaints closed in the period: the median in minutes, the shares in whole per cent closed within three days
    and eight weeks. None where it would tell of few."""

    median: int | None = None
    within_3_days: int | None = None
    within_8_weeks: int | None = None


def times(histogram: Mapping[int, int], median: int | None) -> Times:
    """`histogram` has how many took how long, in minutes on the grid of `place.on_grid`."""
    count = sum(histogram.values())
    if count < LARGE:
        return Times()

    def share(minutes: int) -> int | None:
        inside = sum(n for at, n in histogram.items() if at <= minutes)
        if min(inside, count - inside) < THRESHOLD:
            return None
        return (200 * inside + count) // (2 * count)  # half up

    return Times(median, share(3 * 24 * 60), share(56 * 24 * 60))


def document(
    span: Span, told: Publication, closing: Mapping[str, Times], labels: Mapping[str, Any], on: date
) -> dict[str, Any]:
    """What is published, in every language at once. `closing` has the times of all complaints (``) and by type; those
    of a type whose count is hidden are left out."""
    scope: dict[str, str] = {span.kind: span.code}

    def shown(value: Value) -> dict[str, Any]:
        return {"count": value, "hidden": None} if isinstance(value, int) else {"count": None, "hidden": str(value)}

    tables: dict[str, Any] = {}
    for kind in KINDS:
        codes = next(d.codes for d in told.dimensions if d.name == kind)
        tables[kind] = [{"code": code, **shown(told.value(**scope, **{kind: code}))} for code in codes]
    types = {code: one for code, one in closing.items() if code and _is_shown(told, scope, code)}
    return {
        "period": span.code,
        "from": span.period.since.isoformat(),
        "to": span.period.until.isoformat(),
        "counted_on": on.isoformat(),
        "fewer_than": told.threshold,
        "void": told.void,
        "total": shown(told.value(**scope)),
        **tables,
        "closing": _row(closing.get("", Times())),
        "closing_by_category": [{"code": code, **_row(one)} for code, one in types.items() if one != Times()],
        "labels": labels,
    }


def _is_shown(told: Publication, scope: Mapping[str, str], category: str) -> bool:
    codes = next(d.codes for d in told.dimensions if d.name == "category")
    return category in codes and not isinstance(told.value(**scope, category=category), Mark)


def _row(one: Times) -> dict[str, int | None]:
    return {
        "median_minutes": one.median,
        "within_3_days_percent": one.within_3_days,
        "within_8_weeks_percent": one.within_8_weeks,
    }


# --- what is kept, as JSON --------------------------------------------------------------------------------------------


def dump(frozen: Frozen) -> dict[str, Any]:
    """As plain values; the worlds, which prove the protection, are not kept: whoever checks finds others."""
    told = frozen.publication
    return {
        "counts": {
            quarter: [[*key, n] for key, n in sorted(found.items())] for quarter, found in frozen.counts.items()
        },
        "dimensions": [{"name": d.name, "codes": d.codes, "levels": d.levels} for d in told.dimensions],
        "tables": [{"axes": table.axes, "within": table.within} for table in told.tables],
        "threshold": told.threshold,
        "void": told.void,
        "values": [[sorted(cell), value] for cell, value in told.values.items()],
    }


def load(kept: Mapping[str, Any]) -> Frozen:
    """What `dump` gave."""
    counts = {q: {(a, b, c): n for a, b, c, n in found} for q, found in kept["counts"].items()}
    told = Publication(
        tuple(Dimension(d["name"], tuple(d["codes"]), d["levels"]) for d in kept["dimensions"]),
        tuple(Table(tuple(t["axes"]), tuple((a, b) for a, b in t["within"])) for t in kept["tables"]),
        kept["threshold"],
        {
            frozenset((level, code) for level, code in cell): value if isinstance(value, int) else Mark(value)
            for cell, value in kept["values"]
        },
        kept["void"],
    )
    return Frozen(counts, told)
