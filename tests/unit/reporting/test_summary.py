"""What is told of a quarter fits what was told before, and times tell of nobody."""

import orjson

from services.reporting.domain import summary


def test_times_tell_of_nobody() -> None:
    hour, day = 60, 24 * 60
    assert summary.times({hour: 19}, hour) == summary.Times(), "too few"
    assert summary.times({hour: 10, 9 * day: 10}, hour) == summary.Times(hour, 50, None), "all within 8 weeks"
    assert summary.times({hour: 16, 9 * day: 4}, hour) == summary.Times(hour, None, None), "four took longer"
    assert summary.times({hour: 5, 60 * day: 195}, 60 * day) == summary.Times(60 * day, 3, 3), "2.5 is 3"


def test_what_is_kept_comes_back_as_it_was() -> None:
    span = summary.Span.read("2025-Q1")
    codes = {"category": ("a", "b"), "channel": ("c", "d"), "outcome": ("e", "f")}
    found = {("a", "c", "e"): 40, ("b", "d", "f"): 9, ("a", "d", "e"): 1}
    frozen = summary.protect(span, codes, {"2025-Q1": found}, [])
    back = summary.load(orjson.loads(orjson.dumps(summary.dump(frozen))))
    assert back.counts == frozen.counts
    assert back.publication.values == frozen.publication.values
    assert back.publication.tables == frozen.publication.tables
    other = {**found, ("a", "c", "e"): 41}
    again = summary.protect(summary.Span.read("2025-H1"), codes, {"2025-Q1": other, "2025-Q2": found}, [back])
    assert again.counts["2025-Q1"] == found, "counted once"
