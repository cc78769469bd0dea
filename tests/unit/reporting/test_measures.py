"""A measure's plan, course and horizon fit together, and its effect is told from whole weeks."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.reporting.domain.effect import Effect, Verdict
from services.reporting.domain.measure import (
    Measure,
    Task,
    Weeks,
    flaws,
    horizon,
    months_after,
    task_flaws,
    weeks_around,
)
from services.reporting.usecases import saying
from services.reporting.usecases.saying import sentence
from shared import i18n

TODAY = date(2025, 6, 30)
LOCALE = Path(saying.__file__).parents[1] / "locale"
MEASURE = Measure(
    title="A second counter at noon",
    figure="received",
    horizon="short",
    owner_department="branch_operations",
    starts_on=date(2025, 3, 1),
    ends_on=date(2025, 5, 31),
    dimension="branch",
    code="central",
    comparable=("north",),
    budget=Decimal("40000"),
    currency="HKD",
)
days = st.dates(date(2000, 1, 1), date(2060, 1, 1))


def codes(measure: Measure) -> set[tuple[str, str]]:
    return {(e.pointer, e.code) for e in flaws(measure, TODAY)}


@pytest.mark.parametrize(
    ("starts_on", "ends_on", "found"),
    [
        (date(2025, 3, 1), date(2025, 3, 31), "short"),
        (date(2025, 3, 1), date(2025, 5, 31), "short"),
        (date(2025, 3, 1), date(2025, 6, 1), "medium"),
        (date(2025, 3, 1), date(2026, 2, 28), "medium"),
        (date(2025, 3, 1), date(2026, 3, 1), "long"),
        (date(2024, 11, 30), date(2025, 2, 27), "short"),
        (date(2024, 11, 30), date(2025, 2, 28), "medium"),
    ],
)
def test_the_horizon_follows_from_the_days(starts_on: date, ends_on: date, found: str) -> None:
    assert horizon(starts_on, ends_on) == found


@given(days, st.integers(0, 24))
def test_months_later_is_the_same_day_or_the_last_of_a_shorter_month(day: date, months: int) -> None:
    later = months_after(day, months)
    assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == months
    assert later.day == day.day or (later.day < day.day and (later + timedelta(days=1)).day == 1)


def test_a_sound_measure_has_no_flaws() -> None:
    assert codes(MEASURE) == set()
    ran = replace(MEASURE, status="done", started_on=date(2025, 3, 3), ended_on=date(2025, 6, 1))
    assert codes(ran) == set()
    assert codes(replace(MEASURE, status="dropped", ended_on=TODAY)) == set()


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"figure": "happiness"}, ("/figure", "unknown_figure")),
        ({"ends_on": date(2025, 2, 1)}, ("/ends_on", "measure_backwards")),
        ({"ends_on": date(2045, 2, 1)}, ("/ends_on", "measure_too_long")),
        ({"horizon": "long"}, ("/horizon", "wrong_horizon")),
        ({"currency": None}, ("/budget", "budget_incomplete")),
        ({"dimension": None, "code": None}, ("/comparable", "dimension_missing")),
        ({"comparable": ("central",)}, ("/comparable", "compared_with_itself")),
        ({"started_on": TODAY}, ("/started_on", "not_started")),
        ({"ended_on": TODAY}, ("/ended_on", "not_ended")),
        ({"status": "running"}, ("/started_on", "start_missing")),
        ({"status": "done", "started_on": TODAY}, ("/ended_on", "end_missing")),
        ({"status": "running", "started_on": date(2025, 7, 1)}, ("/started_on", "in_the_future")),
        (
            {"status": "done", "started_on": TODAY, "ended_on": date(2025, 6, 1)},
            ("/ended_on", "ended_before_start"),
        ),
    ],
)
def test_what_cannot_be_a_measure_is_said_by_field(changes: dict[str, object], found: tuple[str, str]) -> None:
    assert found in codes(replace(MEASURE, **changes))  # type: ignore[arg-type]


def test_a_task_is_somebodys_and_not_done_tomorrow() -> None:
    task = Task("Find a room", TODAY, owner_role="manager")
    assert task_flaws(task, TODAY) == []
    assert [e.code for e in task_flaws(replace(task, owner_role=None), TODAY)] == ["owner_missing"]
    assert [e.code for e in task_flaws(replace(task, done_on=TODAY + timedelta(days=1)), TODAY)] == ["in_the_future"]


@given(days, st.integers(-400, 900), st.integers(-100, 900), st.integers(1, 104))
def test_weeks_are_whole_and_within_what_is_known(start: date, first: int, last: int, at_most: int) -> None:
    known, until = start - timedelta(days=first), start + timedelta(days=last)
    weeks = weeks_around(start, known, until, at_most)
    assert 0 <= weeks.before <= at_most
    assert 0 <= weeks.after <= at_most
    assert weeks.since == start - timedelta(weeks=weeks.before)
    assert weeks.until == start + timedelta(weeks=weeks.after, days=-1)
    assert weeks.before == 0 or weeks.since >= known
    assert weeks.after == 0 or weeks.until <= until


def test_days_go_to_their_weeks_and_others_nowhere() -> None:
    weeks = Weeks(date(2025, 3, 3), date(2025, 3, 23), 2, 1)
    by_day = {date(2025, 3, 2): 100, date(2025, 3, 3): 1, date(2025, 3, 9): 2, date(2025, 3, 10): 4}
    assert weeks.sums(by_day | {date(2025, 3, 23): 8, date(2025, 3, 24): 100}) == [3, 4, 8]


# --- in words ---


def _effect(verdict: Verdict, ratio: float, low: float, high: float, measure: str = "rate_ratio") -> Effect:
    return Effect(verdict, measure, ratio, low, high, 0.01, 30, 20)  # type: ignore[arg-type]


@pytest.mark.parametrize("language", ["en", "zh-Hant", "zh-Hans"])
@pytest.mark.parametrize(
    ("effect", "numbers"),
    [
        (_effect(Verdict.FEWER, 0.8, 0.7, 0.9), ["20%", "10%", "30%"]),
        (_effect(Verdict.MORE, 1.5, 1.2, 1.8), ["50%", "20%", "80%"]),
        (_effect(Verdict.NO_CLEAR_EFFECT, 0.9, 0.7, 1.15), ["30%", "15%"]),
        (_effect(Verdict.NO_CLEAR_EFFECT, 2, 0.1, 40), []),
        (_effect(Verdict.FEWER, 0.5, 0.4, 0.6, measure="odds_ratio"), ["0.5", "0.4", "0.6"]),
        (_effect(Verdict.MORE, 1.5, 1.4, 1.6, measure="odds_ratio"), ["1.5", "1.4", "1.6"]),
        (_effect(Verdict.NO_CLEAR_EFFECT, 1, 0.4, 1.6, measure="odds_ratio"), ["0.4", "1.6"]),
        (_effect(Verdict.FEWER, -0.5, -0.7, -0.3, measure="difference"), ["0.5", "0.3", "0.7"]),
        (_effect(Verdict.MORE, 0.5, 0.3, 0.7, measure="difference"), ["0.5", "0.3", "0.7"]),
        (_effect(Verdict.NO_CLEAR_EFFECT, 0.1, -0.3, 0.5, measure="difference"), ["-0.3", "0.5"]),
    ],
)
def test_the_sentence_has_the_numbers_in_every_language(effect: Effect, numbers: list[str], language: str) -> None:
    t = i18n.translator(language, ZoneInfo("Asia/Hong_Kong"), LOCALE)
    found = sentence(effect, t)
    assert all(number in found for number in numbers), found
    assert (language == "en") == found.isascii()
    assert saying.caveats(effect, t)


def test_with_too_little_the_sentence_says_so_and_claims_nothing() -> None:
    t = i18n.translator("en", ZoneInfo("Asia/Hong_Kong"), LOCALE)
    effect = Effect(Verdict.TOO_LITTLE_DATA, "rate_ratio", None, None, None, None, 3, 1)
    assert sentence(effect, t) == "There is too little to go by yet: 3 weeks before the start and 1 weeks since."
    assert saying.caveats(effect, t) == []
