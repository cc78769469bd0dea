"""Surveys and bases: what may be defined, answered and looked up."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.reporting.domain.base import Bases, Count, base_at, per_thousand
from services.reporting.domain.questionnaire import Answer, Question, Survey, answer_flaws, flaws, locked

OFFERED = ("zh-Hant", "zh-Hans", "en")
SURVEY = Survey(
    kind="customer_periodic",
    title="Spring",
    languages=("en", "zh-Hant"),
    questions=(
        Question("overall", {"en": "All in all?", "zh-Hant": "整體？"}),
        Question("staff", {"en": "Our staff?", "zh-Hant": "職員？"}),
        Question(None, {"en": "What else?", "zh-Hant": "其他？"}),
    ),
    opens_on=date(2025, 6, 1),
    closes_on=date(2025, 6, 30),
)
ANSWER = Answer({"overall": 4}, "Queues", branch="central", language="en")


def codes(survey: Survey) -> set[tuple[str, str]]:
    return {(e.pointer, e.code) for e in flaws(survey, OFFERED)}


def test_a_sound_survey_has_no_flaws() -> None:
    assert codes(SURVEY) == set()


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"languages": ("en", "de")}, ("/languages/1", "unknown_language")),
        ({"languages": ("en", "en")}, ("/languages/1", "repeated")),
        ({"languages": ("en",)}, ("/questions/0/text", "languages_differ")),
        ({"closes_on": date(2025, 5, 1)}, ("/closes_on", "survey_backwards")),
        ({"closes_on": date(2027, 5, 1)}, ("/closes_on", "survey_too_long")),
        ({"questions": SURVEY.questions[2:]}, ("/questions", "aspect_missing")),
        ({"questions": (*SURVEY.questions, SURVEY.questions[2])}, ("/questions", "repeated")),
        ({"questions": (*SURVEY.questions, SURVEY.questions[0])}, ("/questions/3/aspect", "repeated")),
        ({"questions": (replace(SURVEY.questions[0], aspect="So so"),)}, ("/questions/0/aspect", "invalid")),
    ],
)
def test_what_cannot_be_a_survey_is_said_by_field(changes: dict[str, object], found: tuple[str, str]) -> None:
    assert found in codes(replace(SURVEY, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("survey", "answer", "found"),
    [
        (SURVEY, ANSWER, set()),
        (SURVEY, Answer({}, "words alone"), set()),
        (SURVEY, Answer({}), {("/ratings", "answer_empty")}),
        (SURVEY, Answer({"overall": 6}), {("/ratings", "out_of_bounds")}),
        (SURVEY, Answer({"speed": 3}), {("/ratings", "unknown_aspect")}),
        (SURVEY, replace(ANSWER, language="zh-Hans"), {("/language", "unknown_language")}),
        (replace(SURVEY, questions=SURVEY.questions[:2]), ANSWER, {("/words", "not_asked")}),
        (replace(SURVEY, kind="staff"), ANSWER, {("/branch", "not_asked")}),
    ],
)
def test_an_answer_must_fit_its_survey(survey: Survey, answer: Answer, found: set[tuple[str, str]]) -> None:
    assert {(e.pointer, e.code) for e in answer_flaws(survey, answer)} == found


def test_staff_results_wait_for_the_end_and_customers_results_do_not() -> None:
    staff = replace(SURVEY, kind="staff")
    assert SURVEY.may_be_read(date(2025, 6, 2))
    assert not staff.may_be_read(date(2025, 6, 30))
    assert staff.may_be_read(date(2025, 7, 1))
    assert (SURVEY.groups, staff.groups) == (("department", "branch"), ("department",))
    assert [SURVEY.is_open(date(2025, m, d)) for m, d in ((5, 31), (6, 1), (6, 30), (7, 1))] == [
        False,
        True,
        True,
        False,
    ]


def test_what_was_asked_is_locked_and_how_long_is_not() -> None:
    assert locked(SURVEY, replace(SURVEY, questions=SURVEY.questions[:1]))
    assert locked(SURVEY, replace(SURVEY, kind="staff"))
    assert not locked(SURVEY, replace(SURVEY, title="Summer", closes_on=date(2025, 7, 31), invited=10))


# --- bases ---

COUNTS = [
    Count("customers", date(2025, 1, 1), 1000),
    Count("customers", date(2025, 4, 1), 1200),
    Count("customers", date(2025, 2, 1), 80, "branch", "central"),
    Count("branches", date(2025, 1, 1), 12),
]


@pytest.mark.parametrize(
    ("kind", "where", "day", "found"),
    [
        ("customers", {}, date(2024, 12, 31), None),
        ("customers", {}, date(2025, 1, 1), 1000),
        ("customers", {}, date(2025, 3, 31), 1000),
        ("customers", {}, date(2025, 4, 1), 1200),
        ("customers", {"branch": "central"}, date(2025, 5, 1), 80),
        ("customers", {"branch": "north"}, date(2025, 5, 1), None),
        ("customers", {"branch": "central", "product": "card"}, date(2025, 5, 1), None),
        ("branches", {}, date(2030, 1, 1), 12),
        ("accounts", {}, date(2030, 1, 1), None),
    ],
)
def test_the_newest_count_that_was_valid_then_is_found(
    kind: str, where: dict[str, str], day: date, found: int | None
) -> None:
    assert base_at(COUNTS, kind, where, day) == found
    assert base_at(COUNTS[::-1], kind, where, day) == found


@given(st.dictionaries(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(0, 10**9)), st.dates())
def test_a_count_is_valid_from_its_day_until_the_next(entries: dict[date, int], day: date) -> None:
    known = Bases(Count("customers", since, n) for since, n in entries.items())
    before = [since for since in entries if since <= day]
    assert known.at("customers", {}, day) == (entries[max(before)] if before else None)


def test_nothing_is_divided_by_nought() -> None:
    assert per_thousand(3, 1500) == 2
    assert per_thousand(3, 0) is per_thousand(3, None) is None
