"""A goal stands where its figure is beside the straight line from baseline to target, and is settled once its day is
over."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services import reporting
from services.reporting.domain.base import KINDS
from services.reporting.domain.figure import BOUNDS, FIGURES
from services.reporting.domain.goal import Goal, Standing, expected, flaws, measured, standing, window
from services.reporting.domain.measure import Horizon, Status
from services.reporting.domain.place import BASES
from services.reporting.domain.questionnaire import Kind as SurveyKind
from shared import i18n

GOAL = Goal(
    title="A fifth fewer complaints about fees",
    figure="received",
    direction="down",
    baseline=120,
    target=60,
    starts_on=date(2025, 1, 1),
    due_on=date(2025, 12, 31),
    dimension="category",
    code="fees",
    owner_department="cards",
)
UP = replace(GOAL, figure="satisfaction_overall", direction="up", baseline=3.0, target=4.0)
days = st.dates(date(2024, 6, 1), date(2026, 6, 1))


def codes(goal: Goal) -> list[tuple[str, str]]:
    return [(e.pointer, e.code) for e in flaws(goal)]


def test_a_sound_goal_has_no_flaws() -> None:
    assert codes(GOAL) == codes(UP) == []


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"figure": "happiness"}, ("/figure", "unknown_figure")),
        ({"dimension": None}, ("/dimension", "filter_incomplete")),
        ({"code": None}, ("/code", "filter_incomplete")),
        ({"dimension": "assignee", "code": "staff:1"}, ("/dimension", "unknown_dimension")),
        ({"owner_department": None}, ("/owner_department", "owner_missing")),
        ({"direction": "up"}, ("/target", "wrong_direction")),
        ({"target": 120}, ("/target", "wrong_direction")),
        ({"target": 180}, ("/target", "wrong_direction")),
        ({"due_on": date(2025, 1, 1)}, ("/due_on", "goal_backwards")),
        ({"due_on": date(2045, 1, 1)}, ("/due_on", "goal_too_long")),
        ({"due_on": date(2025, 1, 30)}, ("/due_on", "goal_too_short")),
        ({"period": "year", "due_on": date(2025, 12, 30)}, ("/due_on", "goal_too_short")),
        ({"figure": "upheld_share", "baseline": 0.4, "target": -0.1}, ("/target", "out_of_bounds")),
        ({"figure": "satisfaction_staff", "direction": "up", "baseline": 3, "target": 6}, ("/target", "out_of_bounds")),
    ],
)
def test_what_cannot_be_a_goal_is_said_by_field(changes: dict[str, object], found: tuple[str, str]) -> None:
    assert found in codes(replace(GOAL, **changes))  # type: ignore[arg-type]


def test_every_figure_is_in_a_known_unit_and_made_of_a_known_basis() -> None:
    for figure in FIGURES.values():
        assert figure.unit in BOUNDS
        assert figure.counted is None or figure.counted in BASES
        if figure.part:
            assert figure.part[1] in BASES[figure.part[0]].dimensions
        if figure.rated:
            assert figure.rated in BASES["rated"].measures


@pytest.mark.parametrize("language", list(i18n.LANGUAGES))
def test_every_code_has_a_label(language: str) -> None:
    t = i18n.translator(language, ZoneInfo("Asia/Hong_Kong"), Path(reporting.__file__).parent / "locale")
    kinds = {
        "figure": FIGURES,
        "standing": get_args(Standing),
        "horizon": get_args(Horizon),
        "measure_status": get_args(Status),
        "survey_kind": get_args(SurveyKind),
        "base": KINDS,
    }
    assert not [code for kind, codes in kinds.items() for code in codes if t.label(kind, code) == code]


@pytest.mark.parametrize(
    ("period", "day", "found"),
    [
        ("month", date(2025, 3, 30), (date(2025, 2, 1), date(2025, 2, 28))),
        ("month", date(2025, 3, 31), (date(2025, 3, 1), date(2025, 3, 31))),
        ("quarter", date(2025, 3, 31), (date(2025, 1, 1), date(2025, 3, 31))),
        ("quarter", date(2025, 5, 2), (date(2025, 1, 1), date(2025, 3, 31))),
        ("year", date(2025, 12, 30), (date(2024, 1, 1), date(2024, 12, 31))),
        ("year", date(2025, 12, 31), (date(2025, 1, 1), date(2025, 12, 31))),
    ],
)
def test_a_figure_is_that_of_the_last_whole_period(period: str, day: date, found: tuple[date, date]) -> None:
    assert window(period, day) == found


@given(st.sampled_from(["month", "quarter", "year"]), days)
def test_the_last_whole_period_is_over_and_the_next_is_not(period: str, day: date) -> None:
    first, last = window(period, day)
    assert first <= last <= day
    assert window(period, last) == (first, last)
    assert window(period, first - timedelta(days=1))[1] == first - timedelta(days=1)


def test_the_path_is_a_straight_line_and_ends_at_the_target() -> None:
    assert expected(GOAL, date(2024, 5, 1)) == expected(GOAL, GOAL.starts_on) == 120
    assert expected(GOAL, GOAL.starts_on + timedelta(days=182)) == pytest.approx(90)
    assert expected(GOAL, GOAL.due_on) == expected(GOAL, date(2027, 1, 1)) == 60


@pytest.mark.parametrize(
    ("goal", "value", "today", "found"),
    [
        (GOAL, None, date(2025, 7, 2), "no_data"),
        (GOAL, expected(GOAL, date(2025, 6, 30)), date(2025, 7, 2), "on_track"),
        (GOAL, 89, date(2025, 7, 2), "on_track"),
        (GOAL, 95, date(2025, 7, 2), "behind"),
        (GOAL, 60, date(2025, 7, 2), "reached"),
        (GOAL, expected(GOAL, date(2025, 11, 30)), date(2025, 12, 31), "on_track"),
        (GOAL, 61, date(2026, 1, 1), "missed"),
        (GOAL, 60, date(2026, 1, 1), "reached"),
        (UP, 3.4, date(2025, 7, 2), "behind"),
        (UP, 3.6, date(2025, 7, 2), "on_track"),
        (UP, 4.0, date(2025, 7, 2), "reached"),
        (UP, 3.9, date(2026, 1, 1), "missed"),
    ],
)
def test_a_goal_stands_by_the_path_until_its_day_and_then_by_the_target(
    goal: Goal, value: float | None, today: date, found: str
) -> None:
    assert standing(goal, value, today) == found


def test_what_comes_after_its_day_has_no_say_in_it() -> None:
    assert measured(GOAL, date(2025, 12, 31)) == (date(2025, 11, 1), date(2025, 11, 30))
    assert measured(GOAL, date(2026, 1, 1)) == measured(GOAL, date(2027, 6, 1)) == (date(2025, 12, 1), GOAL.due_on)


@given(st.floats(0, 200), st.floats(0, 50), days)
def test_a_better_figure_never_stands_worse(value: float, better: float, today: date) -> None:
    order = ["missed", "behind", "on_track", "reached"]
    assert order.index(standing(GOAL, max(value - better, 0), today)) >= order.index(standing(GOAL, value, today))
