"""Escalation climbs level by level, each told once, until somebody acts; what somebody has taken on rests."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sla.domain import commands
from services.sla.domain.counting import TICK
from services.sla.packs import load
from shared.events import ComplaintEscalated, EscalationAnswered
from tests.unit.sla.desk import Desk, day, received, responded

POLICIES = load("hk-hkma")
LEVELS = [1, 2, 3, 4, 5]
AFTER = [0, 1, 3, 7, 14]  # days after the miss, as the ladder `regulatory` has it


def late() -> tuple[Desk, Any]:
    """A complaint whose acknowledgement was just missed, and when."""
    desk = Desk(POLICIES).hear(received())
    missed = desk.steps["acknowledge"].due_at + TICK
    return desk, missed


def told(desk: Desk, step: str = "acknowledge") -> list[ComplaintEscalated]:
    return [e for e in desk.published if isinstance(e, ComplaintEscalated) and e.step == step and e.primary]


def test_each_level_is_told_at_its_time_and_once() -> None:
    desk, missed = late()
    for level, days in zip(LEVELS, AFTER, strict=True):
        at = missed + timedelta(days=days)
        desk.engine(at - TICK)
        assert [e.level for e in told(desk)] == LEVELS[: level - 1]
        desk.engine(at)
        assert [e.level for e in told(desk)] == LEVELS[:level]
    assert {e.role for e in told(desk)} == {
        "supervisor",
        "branch_manager",
        "complaint_office",
        "internal_audit",
        "senior_management",
    }


def test_the_top_is_told_again_until_somebody_acts() -> None:
    desk, missed = late()
    for n in range(18):
        desk.engine(missed + timedelta(days=n))
    assert [(e.level, e.repeat) for e in told(desk)[5:]] == [(5, 1), (5, 2), (5, 3)]
    desk.hear(responded(missed + timedelta(days=17), final=True), now=missed + timedelta(days=17))
    desk.engine(missed + timedelta(days=60))
    assert len(told(desk)) == 8


def _answer(desk: Desk, now: Any, *, hand_back: bool = False, reason: str | None = None) -> None:
    desk.take(
        commands.answer(
            desk.watch,
            desk.clock(),
            POLICIES,
            step="acknowledge",
            hand_back=hand_back,
            reason=reason,
            actor="staff:9",
            now=now,
        )
    )


def test_what_somebody_has_taken_on_rests_as_long_as_the_ladder_is_patient_and_then_climbs_on() -> None:
    desk, missed = late()
    desk.engine(missed)
    at = missed + timedelta(hours=20)
    _answer(desk, at)
    assert isinstance(desk.published[-1], EscalationAnswered)
    assert desk.steps["acknowledge"].answered_by == "staff:9"
    desk.engine(at + timedelta(hours=24) - TICK)
    assert [e.level for e in told(desk)] == [1], "the second level would have been told after a day"
    desk.engine(at + timedelta(hours=24))
    assert [e.level for e in told(desk)] == [1, 2]
    assert desk.steps["acknowledge"].answered_at is None


def test_who_hands_back_says_why_and_the_level_below_has_its_time_again() -> None:
    desk, missed = late()
    desk.engine(missed + timedelta(days=1))
    assert [e.level for e in told(desk)] == [1, 2]
    with pytest.raises(commands.Invalid):
        _answer(desk, missed + timedelta(days=1), hand_back=True)
    at = missed + timedelta(days=2)
    _answer(desk, at, hand_back=True, reason="The department has the papers.")
    answered = desk.published[-1]
    assert isinstance(answered, EscalationAnswered)
    assert (answered.answer, answered.level) == ("handed_back", 2)
    desk.engine(at + timedelta(hours=23))
    assert [e.level for e in told(desk)] == [1, 2]
    desk.engine(at + timedelta(hours=24))
    assert [e.level for e in told(desk)] == [1, 2, 2], "it comes back where it was handed back from"


def test_nobody_answers_what_was_not_escalated_or_is_done() -> None:
    desk, missed = late()
    with pytest.raises(commands.NotEscalated):
        _answer(desk, missed)
    desk.engine(missed)
    _answer(desk, missed)
    with pytest.raises(commands.NotEscalated):
        _answer(desk, missed)
    desk.hear(responded(missed, final=True), now=missed)
    with pytest.raises(commands.NotEscalated):
        _answer(desk, missed, hand_back=True, reason="x")


@given(ticks=st.lists(st.floats(0, 40), min_size=1, max_size=30))
def test_whenever_the_engine_looks_each_level_is_told_once_and_in_order(ticks: list[float]) -> None:
    """Also after it was down for long, and with a clock that is set back."""
    desk, missed = late()
    for n in ticks:
        desk.engine(missed + timedelta(days=n))
    desk.engine(missed + timedelta(days=50))
    found = told(desk)
    assert [e.level for e in found if not e.repeat] == LEVELS
    repeats = [e.repeat for e in found if e.repeat]
    assert repeats == list(range(1, len(repeats) + 1))
    assert [e.level for e in found[len(LEVELS) :]] == [5] * len(repeats)


def test_nothing_is_broken_when_the_three_days_of_the_summary_resolution_are_over() -> None:
    desk = Desk(POLICIES).hear(received(jurisdiction="uk"))
    desk.engine(day(30))
    step = desk.clock("uk-disp-3bd").step("resolve")
    assert step is not None
    assert step.state == "lapsed"
    assert ("DeadlineMissed", "resolve") not in desk.told()
    assert ("DeadlineWarned", "resolve") in desk.told()
