"""The life of a case: no sequence of verbs leaves the machine, skips a milestone, or goes back in time."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.routing.domain import (
    MACHINE,
    Acknowledge,
    Action,
    Actor,
    Case,
    Claim,
    Close,
    CloseIncomplete,
    ImpossibleTime,
    NotAssignee,
    Redress,
    Resolve,
    Respond,
    State,
    Verb,
    VerbNotAllowed,
    permitted,
    take,
)
from shared.errors import Invalid, RedressError

RECEIVED = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
OFFICER, COLLEAGUE, HEAD = Actor("staff:a"), Actor("staff:b"), Actor("staff:c", supervisor=True)
NEW = Case("c-1", RECEIVED)
RESOLUTION = Resolve("upheld", "product_design", Redress(Decimal("120.00"), "HKD"))
WORK: tuple[Action, ...] = (Claim(), Acknowledge(), Respond(), RESOLUTION, Close())


def walk(*actions: Action, case: Case = NEW, actor: Actor = OFFICER, now: datetime = NOW) -> Case:
    for action in actions:
        case = take(case, action, actor=actor, now=now)
    return case


CLAIMED = walk(Claim())
RESPONDED = walk(Claim(), Respond())
RESOLVED = walk(Claim(), Respond(), RESOLUTION)
CLOSED = walk(Claim(), Respond(), RESOLUTION, Close())
EVERY = {c.state: c for c in (NEW, CLAIMED, RESPONDED, RESOLVED, CLOSED)}


def test_the_whole_walk_sets_every_milestone() -> None:
    case = walk(*WORK)

    assert case.state is State.CLOSED
    assert case.assignee == OFFICER.id
    assert None not in (
        case.assigned_at,
        case.acknowledged_at,
        case.final_response_at,
        case.resolved_at,
        case.closed_at,
    )
    assert case.version == NEW.version + len(WORK)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("action", WORK, ids=lambda a: str(a.verb))
def test_a_verb_that_the_state_does_not_list_is_refused_and_told_the_state(state: State, action: Action) -> None:
    case = EVERY[state]
    if action.verb in MACHINE[state]:
        return
    with pytest.raises(VerbNotAllowed, match=f"case is {state}") as refusal:
        take(case, action, actor=OFFICER, now=NOW)
    assert refusal.value.code == "verb_not_allowed"
    assert action.verb not in permitted(case)


@pytest.mark.parametrize("state", State)
def test_what_is_permitted_next_is_what_succeeds(state: State) -> None:
    case = EVERY[state]
    succeeds = set()
    for action in WORK:
        try:
            take(case, action, actor=OFFICER, now=NOW)
        except RedressError:
            continue
        succeeds.add(action.verb)
    assert set(permitted(case)) == succeeds


def test_a_holding_response_keeps_the_case_in_progress_and_may_be_repeated() -> None:
    case = walk(Respond(final=False), Respond(final=False), case=CLAIMED)

    assert case.state is State.IN_PROGRESS
    assert case.holding_response_at == NOW
    assert case.final_response_at is None
    assert Verb.RESPOND in permitted(case)


@pytest.mark.parametrize("state", [s for s in State if s is not State.CLOSED])
def test_acknowledging_moves_nothing_and_happens_once(state: State) -> None:
    case = take(EVERY[state], Acknowledge(), actor=OFFICER, now=NOW)

    assert case.state is state
    assert case.acknowledged_at == NOW
    with pytest.raises(VerbNotAllowed, match="acknowledged before"):
        take(case, Acknowledge(), actor=OFFICER, now=NOW)


@pytest.mark.parametrize(
    ("case", "lacks"),
    [
        (CLAIMED, ["final_response", "outcome", "root_cause", "redress"]),
        (RESPONDED, ["outcome", "root_cause", "redress"]),
        (replace(RESOLVED, root_cause=None), ["root_cause"]),
        (replace(RESOLVED, redress=None), ["redress"]),
    ],
)
def test_closing_names_all_that_is_missing(case: Case, lacks: list[str]) -> None:
    with pytest.raises(CloseIncomplete) as refusal:
        take(case, Close(), actor=OFFICER, now=NOW)
    assert [e.pointer for e in refusal.value.errors] == [f"/{name}" for name in lacks]
    assert all(name in refusal.value.detail for name in lacks)
    assert refusal.value.code == "close_incomplete"


def test_a_case_without_redress_may_be_closed_when_the_reason_is_given() -> None:
    no_redress = Resolve("rejected", "none_found", no_redress_reason="not_upheld")
    assert walk(Claim(), Respond(), no_redress, Close()).state is State.CLOSED


@pytest.mark.parametrize(
    "resolution",
    [
        Resolve("upheld", "product_design"),
        Resolve("upheld", "product_design", Redress(Decimal(1), "HKD"), "no_loss"),
    ],
)
def test_a_resolution_says_either_what_is_paid_or_why_nothing_is(resolution: Resolve) -> None:
    with pytest.raises(Invalid) as refusal:
        take(RESPONDED, resolution, actor=OFFICER, now=NOW)
    assert refusal.value.errors[0].pointer == "/redress"


@pytest.mark.parametrize("action", [Acknowledge(), Respond(), Respond(final=False)])
def test_after_the_claim_only_the_assignee_or_a_supervisor_may(action: Action) -> None:
    with pytest.raises(NotAssignee):
        take(CLAIMED, action, actor=COLLEAGUE, now=NOW)
    assert take(CLAIMED, action, actor=HEAD, now=NOW).assignee == OFFICER.id


def test_before_the_claim_anybody_who_handles_cases_may_acknowledge() -> None:
    assert take(NEW, Acknowledge(), actor=COLLEAGUE, now=NOW).acknowledged_at == NOW


def test_work_recorded_later_keeps_the_time_when_it_happened() -> None:
    at = RECEIVED + timedelta(hours=2)
    case = walk(Claim(at), Acknowledge(at), Respond(at=at), replace(RESOLUTION, at=at), Close(at))

    times = (case.assigned_at, case.acknowledged_at, case.final_response_at, case.resolved_at, case.closed_at)
    assert times == (at,) * 5


@pytest.mark.parametrize(
    ("case", "action", "why"),
    [
        (NEW, Claim(NOW + timedelta(milliseconds=1)), "future"),
        (NEW, Claim(RECEIVED - timedelta(seconds=1)), "received"),
        (NEW, Acknowledge(RECEIVED - timedelta(seconds=1)), "received"),
        (CLAIMED, Respond(at=NOW - timedelta(seconds=1)), "claimed"),
        (walk(Claim(RECEIVED), Respond(final=False)), Respond(at=NOW - timedelta(days=1)), "holding response"),
        (RESPONDED, replace(RESOLUTION, at=NOW - timedelta(seconds=1)), "response"),
        (RESOLVED, Close(NOW - timedelta(seconds=1)), "resolved"),
        (NEW, Claim(datetime.fromisoformat("0001-01-01T00:00:00+14:00")), "received"),
        (NEW, Claim(datetime.fromisoformat("9999-12-31T23:59:59-14:00")), "future"),
    ],
)
def test_a_time_that_cannot_be_is_refused_at_its_pointer(case: Case, action: Action, why: str) -> None:
    with pytest.raises(ImpossibleTime, match=why) as refusal:
        take(case, action, actor=OFFICER, now=NOW)
    assert [e.pointer for e in refusal.value.errors] == ["/at"]


def test_a_time_is_kept_in_utc_to_the_millisecond() -> None:
    at = datetime.fromisoformat("2026-11-03T09:00:00.123456+08:00")
    assert walk(Claim(at)).assigned_at == datetime(2026, 11, 3, 1, 0, 0, 123000, UTC)


moments = st.none() | st.integers(-72, 24 * 24).map(lambda hours: RECEIVED + timedelta(hours=hours))
redress = st.none() | st.just(Redress(Decimal("10"), "HKD"))
reasons = st.none() | st.just("no_loss")
actions = st.one_of(
    st.builds(Claim, at=moments),
    st.builds(Acknowledge, at=moments),
    st.builds(Respond, final=st.booleans(), at=moments),
    st.builds(
        Resolve,
        outcome=st.sampled_from(["upheld", "rejected"]),
        root_cause=st.just("staff_service"),
        redress=redress,
        no_redress_reason=reasons,
        at=moments,
    ),
    st.builds(Close, at=moments),
)
ORDER = list(State)


@given(st.lists(st.tuples(actions, st.sampled_from([OFFICER, COLLEAGUE, HEAD])), max_size=40))
def test_no_sequence_of_verbs_leaves_the_machine_or_skips_a_milestone(
    steps: Sequence[tuple[Action, Actor]],
) -> None:
    case = NEW
    for action, actor in steps:
        before = case
        try:
            case = take(before, action, actor=actor, now=NOW)
        except RedressError:
            assert case is before
            continue
        assert case.state in (MACHINE[before.state][action.verb], before.state)
        assert ORDER.index(case.state) - ORDER.index(before.state) in (0, 1)
        assert case.version == before.version + 1
        reached = ORDER.index(case.state)
        milestones = [case.assigned_at, case.final_response_at, case.resolved_at, case.closed_at]
        assert [m is not None for m in milestones] == [i < reached for i in range(4)]
        told = [case.received_at, *(m for m in milestones if m is not None), NOW]
        assert told == sorted(told)
        assert case.acknowledged_at is None or RECEIVED <= case.acknowledged_at <= NOW
        if case.state is State.CLOSED:
            assert case.outcome
            assert case.root_cause
            assert (case.redress is None) != (case.no_redress_reason is None)
