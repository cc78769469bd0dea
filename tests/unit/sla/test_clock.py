"""A clock starts once, a step is met once, warned of once, missed once, whatever comes in whatever order."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sla.domain.facts import Facts
from services.sla.domain.policy import Pack, Policies, Rule
from services.sla.packs import load
from shared.events import (
    ClockMet,
    ClockStarted,
    ComplaintAssigned,
    ComplaintEscalated,
    ComplaintRouted,
    DeadlineMissed,
    DeadlineWarned,
    Event,
)
from tests.unit.sla import desk as world
from tests.unit.sla.desk import GRACE, ID, RECEIVED, acknowledged, closed, day, received, resolved, responded


def _plain(pack: Pack) -> Pack:
    """With one warning and one level of escalation for each step."""

    def rule(one: Rule) -> Rule:
        ladder = one.ladder and replace(one.ladder, rungs=one.ladder.rungs[:1], repeat=None)
        return replace(one, ladder=ladder, warnings=one.warnings[:1])

    return replace(pack, rules=tuple(map(rule, pack.rules)))


WHOLE = load("hk-hkma")
POLICIES = replace(WHOLE, packs=tuple(_plain(p) for p in WHOLE.packs if p.id == "hk-hkma"))
DUE = {  # by hand: the end of 8 March, 31 March and 30 April in Hong Kong
    "acknowledge": datetime(2026, 3, 8, 15, 59, 59, 999000, tzinfo=UTC),
    "interim": datetime(2026, 3, 31, 15, 59, 59, 999000, tzinfo=UTC),
    "final": datetime(2026, 4, 30, 15, 59, 59, 999000, tzinfo=UTC),
}


def Desk(policies: Policies = POLICIES) -> world.Desk:
    return world.Desk(policies)


def test_the_clock_starts_at_receipt_with_every_deadline() -> None:
    desk = Desk().hear(received(jurisdiction="hk"), now=day(0.5))

    (started,) = desk.published
    assert isinstance(started, ClockStarted)
    assert started.started_at == RECEIVED
    assert (started.pack, started.pack_version) == ("hk-hkma", "2023-01-06")
    assert {s.name: s.due_at for s in started.steps} == DUE
    assert all(s.article for s in started.steps)
    assert desk.clock().opened_at == day(0.5)
    assert "covers jurisdiction hk" in desk.clock().reason


@pytest.mark.parametrize(
    ("event", "met"),
    [
        (acknowledged(day(2)), {"acknowledge"}),
        (responded(day(2), final=False), {"acknowledge", "interim"}),
        (responded(day(2), final=True), {"acknowledge", "interim", "final"}),
        (resolved(day(2)), {"interim"}),
        (resolved(day(2), "withdrawn"), {"interim"}),
        (closed(day(2)), {"acknowledge", "interim"}),
        (ComplaintRouted(complaint_id=ID, department="cards", reason="r", routed_at=day(2)), set()),
        (ComplaintAssigned(complaint_id=ID, assignee="officer-1", assigned_at=day(2)), set()),
    ],
    ids=lambda v: type(v).__name__ if isinstance(v, Event) else "",
)
def test_which_casework_meets_which_step(event: Event, met: set[str]) -> None:
    desk = Desk().hear(received()).hear(event)
    found = {e.step: e for e in desk.published if isinstance(e, ClockMet)}

    assert found.keys() == met
    assert all(e.met_at == day(2) and e.in_time and e.due_at == DUE[e.step] for e in found.values())
    assert {name for name, state in desk.states.items() if state == "met"} == met


def test_closure_ends_the_last_step_only_of_a_withdrawn_complaint() -> None:
    answered_by_nobody = Desk().hear(received()).hear(resolved(day(2))).hear(closed(day(3)))
    withdrawn = Desk().hear(received()).hear(resolved(day(2), "withdrawn")).hear(closed(day(3)))

    assert answered_by_nobody.states["final"] == "running"
    assert withdrawn.states["final"] == "met"
    assert withdrawn.steps["final"].met_at == day(3)


def test_a_closure_before_the_withdrawal_was_another_matter() -> None:
    reopened = Desk().hear(received()).hear(resolved(day(2))).hear(closed(day(3))).hear(resolved(day(9), "withdrawn"))
    assert reopened.states["final"] == "running"
    assert reopened.hear(closed(day(10))).steps["final"].met_at == day(10)


@pytest.mark.parametrize("step", ["acknowledge", "final"])
def test_the_last_millisecond_is_in_time_and_the_next_is_late(step: str) -> None:
    by_a_hair = Desk().hear(received()).hear(responded(DUE[step] + timedelta(microseconds=999), final=True))
    too_late = Desk().hear(received()).hear(responded(DUE[step] + timedelta(milliseconds=1), final=True))

    assert by_a_hair.states[step] == "met"
    assert too_late.states[step] == "met_late"
    assert [e.in_time for e in too_late.published if isinstance(e, ClockMet) and e.step == step] == [False]


def test_a_step_is_warned_of_then_missed_then_escalated_each_once() -> None:
    desk = Desk().hear(received())
    (warn_at,), due_at = desk.steps["acknowledge"].warn_ats, DUE["acknowledge"]
    assert warn_at == RECEIVED + (due_at - RECEIVED) * 0.75 - timedelta(microseconds=250)

    assert desk.engine(warn_at - timedelta(milliseconds=1)).told() == []
    assert desk.engine(warn_at).told() == [("DeadlineWarned", "acknowledge")]
    assert desk.states["acknowledge"] == "warned"
    assert desk.engine(due_at).told() == [("DeadlineWarned", "acknowledge")]
    desk.engine(due_at + timedelta(milliseconds=1))
    desk.engine(due_at + timedelta(days=1))

    warned, missed, escalated = desk.published[1:]
    assert isinstance(warned, DeadlineWarned)
    assert isinstance(missed, DeadlineMissed)
    assert isinstance(escalated, ComplaintEscalated)
    assert (missed.due_at, missed.missed_at, missed.historic) == (due_at, due_at + timedelta(milliseconds=1), False)
    assert (escalated.level, escalated.role, escalated.step) == (1, "supervisor", "acknowledge")
    assert escalated.reason == "deadline_missed"
    assert desk.states["acknowledge"] == "missed"


def test_a_step_without_warning_is_missed_when_its_deadline_is_over_and_one_without_escalation_only_recorded() -> None:
    (pack,) = POLICIES.packs
    silent = replace(pack, rules=tuple(replace(r, warnings=(), ladder=None) for r in pack.rules))
    desk = Desk(replace(POLICIES, packs=(silent,))).hear(received())

    assert desk.engine(DUE["acknowledge"]).told() == []
    assert desk.engine(DUE["acknowledge"] + timedelta(milliseconds=1)).told() == [("DeadlineMissed", "acknowledge")]
    assert desk.steps["acknowledge"].escalated_at is None


def test_a_clock_set_back_fires_nothing_again() -> None:
    desk = Desk().hear(received()).engine(day(9))
    told = desk.told()
    assert len(told) == 3
    assert desk.engine(day(1)).engine(day(6)).engine(day(9)).told() == told


def test_what_was_taken_in_time_but_heard_of_late_counts_as_in_time_and_the_miss_stays_on_record() -> None:
    desk = Desk().hear(received()).engine(day(9)).hear(acknowledged(day(3)), now=day(9.1))

    step = desk.steps["acknowledge"]
    assert step.state == "met"
    assert step.missed_at == step.escalated_at == day(9)
    met = desk.published[-1]
    assert isinstance(met, ClockMet)
    assert met.in_time
    assert met.met_at == day(3)


def test_what_is_taken_late_is_met_late_and_asks_nothing_more() -> None:
    desk = Desk().hear(received()).engine(day(9)).hear(acknowledged(day(10)))
    assert desk.states["acknowledge"] == "met_late"
    assert desk.engine(day(20)).told().count(("DeadlineMissed", "acknowledge")) == 1


def test_a_step_stays_as_it_was_settled() -> None:
    desk = Desk().hear(received()).hear(acknowledged(day(2))).hear(acknowledged(day(1))).hear(closed(day(3)))
    assert desk.steps["acknowledge"].met_at == day(2)
    assert [e.step for e in desk.published if isinstance(e, ClockMet)] == ["acknowledge", "interim"]


def test_an_import_waits_for_its_casework_and_then_records_history_without_alarm() -> None:
    now = day(40)  # two deadlines have passed, the third has not, though its warning (day 45) is near
    desk = Desk().hear(received(imported=True), now=now)
    assert desk.engine(now + GRACE - timedelta(milliseconds=1)).told() == []

    desk.hear(acknowledged(day(1)), now=now + timedelta(seconds=5)).engine(now + GRACE)

    assert desk.states == {"acknowledge": "met", "interim": "missed", "final": "running"}
    assert desk.told() == [("ClockMet", "acknowledge"), ("DeadlineMissed", "interim")]
    missed = desk.published[-1]
    assert isinstance(missed, DeadlineMissed)
    assert missed.historic
    assert desk.engine(day(46)).told()[2:] == [("DeadlineWarned", "final")]
    desk.engine(day(61))
    assert desk.told()[3:] == [("DeadlineMissed", "final"), ("ComplaintEscalated", "final")]
    assert not desk.steps["final"].historic


def test_the_warning_of_an_import_waits_for_its_casework_too() -> None:
    desk = Desk().hear(received(imported=True), now=day(6.5))  # past the first warning, before the first deadline
    assert desk.engine(day(6.5) + GRACE / 2).told() == []
    assert desk.engine(day(6.5) + GRACE).told() == [("DeadlineWarned", "acknowledge")]


def test_a_complaint_that_comes_late_and_is_no_import_is_warned_of_and_escalated_at_once() -> None:
    desk = Desk().hear(received(), now=day(9)).engine(day(9))
    assert desk.told() == [
        ("DeadlineWarned", "acknowledge"),
        ("DeadlineMissed", "acknowledge"),
        ("ComplaintEscalated", "acknowledge"),
    ]


def test_the_last_department_and_officer_are_known_by_their_times() -> None:
    facts = Facts()
    for department, n in (("cards", 2), ("loans", 3), ("branches", 1)):
        facts = facts.learn(ComplaintRouted(complaint_id=ID, department=department, reason="r", routed_at=day(n)))
        facts = facts.learn(ComplaintAssigned(complaint_id=ID, assignee=f"of-{department}", assigned_at=day(n)))
    assert (facts.department, facts.assignee) == ("loans", "of-loans")


LIFE = st.lists(
    st.sampled_from(["acknowledged", "interim", "final", "resolved", "withdrawn", "closed"]), unique=True, max_size=6
)


def casework(names: list[str], days: list[float]) -> list[Event]:
    made = {
        "acknowledged": acknowledged,
        "interim": lambda at: responded(at, final=False),
        "final": lambda at: responded(at, final=True),
        "resolved": resolved,
        "withdrawn": lambda at: resolved(at, "withdrawn"),
        "closed": closed,
    }
    return [made[name](day(n)) for name, n in zip(names, sorted(days), strict=False)]


@given(
    names=LIFE,
    days=st.lists(st.floats(0, 90), min_size=6, max_size=6),
    place=st.integers(0, 6),
    ticks=st.lists(st.floats(0, 100), max_size=6),
    imported=st.booleans(),
)
def test_whenever_the_complaint_itself_is_heard_of_the_end_is_the_same(
    names: list[str], days: list[float], place: int, ticks: list[float], imported: bool
) -> None:
    """Routing's events keep their order; intake's comes first, last, or anywhere between."""
    events = casework(names, days)
    first = Desk().hear(received(imported=imported))
    for event in events:
        first.hear(event)
    mixed = Desk()
    for event in (*events[:place], received(imported=imported), *events[place:]):
        mixed.hear(event)

    def ends(desk: Desk) -> dict[str, Any]:
        return {n: (s.met_at, s.state) for n, s in desk.steps.items()}

    assert ends(first) == ends(mixed)
    for n in ticks:  # in any order: a clock may be set back
        mixed.engine(day(n))
    mixed.engine(day(200))
    counted = Counter((type(e).__name__, getattr(e, "step", "")) for e in mixed.published)
    assert set(counted.values()) == {1}
    for step in mixed.steps.values():
        assert step.next_at is None
        assert ("ClockMet", step.name) in counted or ("DeadlineMissed", step.name) in counted
        # before anything was fired its casework was known, so nothing was fired about it
        assert not (("ClockMet", step.name) in counted and ("DeadlineMissed", step.name) in counted)
        escalates = ("DeadlineMissed", step.name) in counted and not step.historic
        assert (("ComplaintEscalated", step.name) in counted) == escalates
