"""Charts show what was counted: nothing left out, nothing larger than it is."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from services.reporting.api.charts import HEIGHT, bars, columns, days, months, scale

counts = st.lists(st.integers(0, 100_000), min_size=1, max_size=400)


@given(counts)
def test_columns_stand_in_proportion_inside_the_plot(values: list[int]) -> None:
    chart = columns([(str(i), str(i), n) for i, n in enumerate(values)])
    top = chart.ticks[-1].value
    assert top >= max(values)
    for column, value in zip(chart.columns, values, strict=True):
        assert abs(column.height - HEIGHT * value / top) <= 0.06
        assert abs(column.top + column.height - HEIGHT) <= 0.11
        assert column.left >= 0
        assert column.left + column.width <= 100.01
        assert 0 <= column.middle <= 100
    assert (chart.peak.count if chart.peak else 0) == max(values)
    assert len([c for c in chart.columns if c.shown == "always"]) <= 3
    assert len([c for c in chart.columns if c.shown]) <= 5


@given(st.integers(0, 10**9))
def test_an_axis_has_few_round_ticks(largest: int) -> None:
    top, step = scale(largest)
    assert top >= max(largest, 1)
    assert top % step == 0
    assert 1 <= top // step <= 5
    assert str(step).rstrip("0") in ("1", "2", "5")


def test_days_and_months_without_complaints_are_shown_as_nought() -> None:
    assert days({"2024-02-28": 2, "2024-03-01": 1}, date(2024, 2, 28), date(2024, 3, 1)) == [
        (date(2024, 2, 28), 2),
        (date(2024, 2, 29), 0),
        (date(2024, 3, 1), 1),
    ]
    assert months({"2024-11": 2, "2025-01": 1}, date(2024, 11, 30), date(2025, 1, 1)) == [
        (date(2024, 11, 1), 2),
        (date(2024, 12, 1), 0),
        (date(2025, 1, 1), 1),
    ]


def test_bars_are_in_proportion_to_the_largest_and_shares_to_all() -> None:
    found = bars([("a", "A", 30), ("b", "B", 10)])
    assert [(b.width, b.share) for b in found] == [(100.0, 0.75), (33.33, 0.25)]
    assert bars([]) == []
