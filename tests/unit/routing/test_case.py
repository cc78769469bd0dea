"""The life of a case: no sequence of verbs leaves the machine, skips what a case needs, or goes back in time; a second
person is always another one."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.routing.domain.case import (
    Actor,
    ApprovalNeeded,
    Case,
    CloseIncomplete,
    ConflictOfInterest,
    Decision,
    ImpossibleTime,
    NotAssignee,
    NotEntitled,
    Redress,
    SamePerson,
    State,
    VerbNotAllowed,
    missing,
)
from services.routing.domain.machine import (
    MACHINE,
    SUPERVISED,
    Acknowledge,
    Action,
    Advise,
    Approve,
    Assign,
    Claim,
    Close,
    Consult,
    Deliver,
    Note,
    Propose,
    ReceiveInformation,
    Refer,
    Reopen,
    RequestInformation,
    Resolve,
    Respond,
    Return,
    Transfer,
    Triage,
    Verb,
    permitted,
)
from services.routing.domain.machine import take as take_with
from services.routing.domain.powers import Powers
from shared.errors import Invalid, RedressError

RECEIVED = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
POWERS = Powers(
    outcomes=frozenset(["rejected"]),
    severities=frozenset(["critical"]),
    alone={"HKD": Decimal(5000)},
    supervisor={"HKD": Decimal(100_000)},
)
OFFICER, COLLEAGUE = Actor("staff:a"), Actor("staff:b")
HEAD, MANAGER = Actor("staff:c", supervisor=True), Actor("staff:d", manager=True)
NEW = Case("c-1", RECEIVED)
FAIR = Decision("upheld", "product_design", Redress(Decimal("120.00"), "HKD"))
REJECTED = Decision("rejected", "none_found", None, "not_upheld")
RESOLUTION = Resolve(decision=FAIR)
TOLD = Respond(via="post", rights_told=True)
WORK: tuple[Action, ...] = (Claim(), Acknowledge(), TOLD, RESOLUTION, Close())


def take(case: Case, action: Action, *, actor: Actor = OFFICER, now: datetime = NOW) -> Case:
    return take_with(case, action, actor=actor, powers=POWERS, now=now)


def walk(*actions: Action, case: Case = NEW, actor: Actor = OFFICER, now: datetime = NOW) -> Case:
    for action in actions:
        case = take(case, action, actor=actor, now=now)
    return case


CLAIMED = walk(Claim())
WAITING = walk(Claim(), RequestInformation())
PROPOSED = walk(Claim(), Propose(decision=REJECTED))
APPROVED = take(PROPOSED, Approve(), actor=HEAD)
RESPONDED = walk(Claim(), TOLD)
RESOLVED = walk(Claim(), TOLD, RESOLUTION)
CLOSED = walk(Claim(), TOLD, RESOLUTION, Close())
IN_REVIEW = take(CLOSED, Refer(), actor=HEAD)
EVERY = {
    c.state: c
    for c in (
        *(replace(NEW, state=State.TRIAGE), NEW, CLAIMED, WAITING, PROPOSED, APPROVED, RESPONDED, RESOLVED, CLOSED),
        IN_REVIEW,
    )
}
ONE_OF_EACH: tuple[Action, ...] = (
    Triage(category="fees"),
    Claim(),
    Assign(assignee="staff:b"),
    Transfer(department="cards"),
    Acknowledge(),
    Note(),
    Consult(department="cards"),
    Advise(consult_id="1"),
    RequestInformation(),
    ReceiveInformation(),
    Propose(decision=FAIR),
    Approve(),
    Return(),
    TOLD,
    Deliver(via="post", rights_told=True),
    RESOLUTION,
    Close(),
    Reopen(),
    Refer(),
)


def test_there_is_an_example_of_every_state_and_verb() -> None:
    assert EVERY.keys() == set(State) == set(MACHINE)
    assert {action.verb for action in ONE_OF_EACH} == set(Verb)


def test_the_whole_walk_sets_every_milestone() -> None:
    case = walk(*WORK)

    assert case.state is State.CLOSED
    assert case.assignee == OFFICER.id
    times = (case.assigned_at, case.acknowledged_at, case.final_response_at, case.resolved_at, case.closed_at)
    assert None not in times
    assert missing(case) == ()
    assert case.version == NEW.version + len(WORK)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("action", ONE_OF_EACH, ids=lambda a: str(a.verb))
def test_a_verb_that_the_state_does_not_list_is_refused_and_told_the_state(state: State, action: Action) -> None:
    case = EVERY[state]
    if action.verb in MACHINE[state]:
        return
    with pytest.raises(VerbNotAllowed, match=f"case is {state}") as refusal:
        take(case, action, actor=HEAD)
    assert refusal.value.code == "verb_not_allowed"
    assert action.verb not in permitted(case)


@pytest.mark.parametrize("state", State)
def test_what_is_permitted_next_is_what_somebody_may_do(state: State) -> None:
    case = EVERY[state]
    succeeds = set()
    for action in (*ONE_OF_EACH, Respond(final=False), Resolve()):
        for actor in (OFFICER, HEAD):
            try:
                take(case, action, actor=actor)
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


@pytest.mark.parametrize("case", [WAITING, PROPOSED], ids=["waiting", "proposed"])
def test_while_somebody_else_has_a_say_a_holding_response_may_go_out_and_the_final_one_may_not(case: Case) -> None:
    assert take(case, Respond(final=False)).state is case.state
    with pytest.raises(VerbNotAllowed):
        take(case, TOLD)


@pytest.mark.parametrize("state", [s for s in State if s is not State.CLOSED])
def test_acknowledging_moves_nothing_and_happens_once(state: State) -> None:
    case = take(EVERY[state], Acknowledge())

    assert case.state is state
    assert case.acknowledged_at == NOW
    with pytest.raises(VerbNotAllowed, match="acknowledged before"):
        take(case, Acknowledge())


@pytest.mark.parametrize(
    ("case", "lacks"),
    [
        (CLAIMED, ["final_response", "delivery", "right_to_go_further", "outcome", "root_cause", "redress"]),
        (walk(Claim(), Respond()), ["delivery", "right_to_go_further", "outcome", "root_cause", "redress"]),
        (RESPONDED, ["outcome", "root_cause", "redress"]),
        (walk(Claim(), Respond(via="post"), RESOLUTION), ["right_to_go_further"]),
        (walk(Claim(), Respond(rights_told=True), RESOLUTION), ["delivery"]),
    ],
)
def test_closing_names_all_that_is_missing(case: Case, lacks: list[str]) -> None:
    with pytest.raises(CloseIncomplete) as refusal:
        take(case, Close())
    assert [e.pointer for e in refusal.value.errors] == [f"/{name}" for name in lacks]
    assert all(name in refusal.value.detail for name in lacks)
    assert refusal.value.code == "close_incomplete"


def test_what_was_missing_may_be_told_later() -> None:
    case = walk(Claim(), Respond(), RESOLUTION, Deliver(via="email", rights_told=True), Close())
    assert (case.state, case.delivered_via) == (State.CLOSED, "email")


@pytest.mark.parametrize(
    "decision",
    [
        Decision("upheld", "product_design"),
        Decision("upheld", "product_design", Redress(Decimal(1), "HKD"), "no_loss"),
    ],
)
@pytest.mark.parametrize(("case", "verb"), [(RESPONDED, Resolve), (CLAIMED, Propose)])
def test_a_decision_says_either_what_is_paid_or_why_nothing_is(case: Case, verb: Any, decision: Decision) -> None:
    with pytest.raises(Invalid) as refusal:
        take(case, verb(decision=decision))
    assert refusal.value.errors[0].pointer == "/redress"


def test_a_decision_that_was_not_proposed_has_to_be_named() -> None:
    with pytest.raises(Invalid) as refusal:
        take(RESPONDED, Resolve())
    assert refusal.value.errors[0].pointer == "/outcome"


# --- the second person ---


@pytest.mark.parametrize(
    ("case", "decision", "why"),
    [
        (NEW, REJECTED, ("outcome",)),
        (replace(NEW, severity="critical"), FAIR, ("severity",)),
        (NEW, replace(FAIR, redress=Redress(Decimal("5000.01"), "HKD")), ("amount",)),
        (NEW, replace(FAIR, redress=Redress(Decimal("0.01"), "JPY")), ("amount",)),
        (NEW, replace(FAIR, redress=Redress(Decimal("5000"), "HKD")), ()),
        (NEW, Decision("upheld", "staff_service", None, "put_right"), ()),
    ],
)
def test_amount_severity_or_rejection_ask_for_a_second_person(
    case: Case, decision: Decision, why: tuple[str, ...]
) -> None:
    assert POWERS.reasons(case, decision) == why
    claimed = walk(Claim(), case=case)
    proposed = take(claimed, Propose(decision=decision))
    assert proposed.state is (State.PROPOSED if why else State.APPROVED)
    answered = take(claimed, TOLD)
    if why:
        with pytest.raises(ApprovalNeeded, match=why[0]):
            take(answered, Resolve(decision=decision))
    else:
        assert take(answered, Resolve(decision=decision)).decision == decision


def test_what_was_approved_is_what_is_resolved() -> None:
    case = walk(TOLD, Resolve(), Close(), case=APPROVED)

    assert (case.state, case.decision, case.approved_by) == (State.CLOSED, REJECTED, HEAD.id)


def test_another_decision_than_the_approved_one_needs_its_own_approval() -> None:
    other = replace(REJECTED, root_cause="staff_service")
    with pytest.raises(ApprovalNeeded):
        walk(TOLD, Resolve(decision=other), case=APPROVED)


def test_who_proposed_or_works_on_it_does_not_approve() -> None:
    with pytest.raises(NotEntitled):
        take(PROPOSED, Approve(), actor=COLLEAGUE)
    own = walk(Claim(), Propose(decision=REJECTED), actor=HEAD)
    with pytest.raises(SamePerson):
        take(own, Approve(), actor=HEAD)
    helped = take(CLAIMED, Propose(decision=REJECTED), actor=HEAD)  # for an officer, who stays the assignee
    with pytest.raises(SamePerson):
        take(helped, Approve(), actor=replace(OFFICER, supervisor=True))


def test_above_a_supervisors_power_a_manager_approves() -> None:
    large = walk(Claim(), Propose(decision=replace(FAIR, redress=Redress(Decimal("100000.01"), "HKD"))))
    with pytest.raises(NotEntitled, match="manager"):
        take(large, Approve(), actor=HEAD)
    assert take(large, Approve(), actor=MANAGER).state is State.APPROVED


def test_a_rejection_is_not_approved_by_the_branch_it_is_about() -> None:
    case = replace(PROPOSED, branch="central")
    with pytest.raises(ConflictOfInterest):
        take(case, Approve(), actor=replace(HEAD, branch="central"))
    assert take(case, Approve(), actor=replace(HEAD, branch="harbour")).state is State.APPROVED


@pytest.mark.parametrize(
    ("case", "action"), [(CLAIMED, Propose(decision=REJECTED)), (RESPONDED, Resolve(decision=REJECTED))]
)
def test_nor_does_that_branch_reject_it(case: Case, action: Action) -> None:
    case = replace(case, branch="central")
    with pytest.raises(ConflictOfInterest):
        take(case, action, actor=replace(OFFICER, branch="central"))
    assert take(case, Propose(decision=FAIR), actor=replace(OFFICER, branch="central")).proposed == FAIR


def test_a_case_that_became_grave_since_needs_its_second_person() -> None:
    """What an officer could grant alone when it was proposed."""
    case = replace(walk(Claim(), Propose(decision=FAIR), TOLD), severity="critical")
    with pytest.raises(ApprovalNeeded):
        take(case, Resolve())


def test_a_person_says_how_grave_it_is_and_only_a_supervisor_that_it_is_less() -> None:
    grave = take(NEW, Triage(severity="critical"))
    assert grave.severity == "critical"
    with pytest.raises(NotEntitled):
        take(grave, Triage(severity="normal"))
    assert take(grave, Triage(severity="normal"), actor=HEAD).severity == "normal"


def test_who_is_found_to_be_what_it_is_about_loses_the_case() -> None:
    case = take(CLAIMED, Triage(about=(OFFICER.id,)), actor=COLLEAGUE)
    assert (case.state, case.assignee, case.assigned_at) == (State.ROUTED, None, None)


def test_what_is_sent_back_goes_to_work_again() -> None:
    case = take(PROPOSED, Return(), actor=HEAD)
    assert (case.state, case.proposed, case.proposed_by) == (State.IN_PROGRESS, None, None)


# --- who may ---


@pytest.mark.parametrize("action", [Acknowledge(), TOLD, Respond(final=False), Propose(decision=FAIR)])
def test_after_the_claim_only_the_assignee_or_a_supervisor_may(action: Action) -> None:
    with pytest.raises(NotAssignee):
        take(CLAIMED, action, actor=COLLEAGUE)
    assert take(CLAIMED, action, actor=HEAD).assignee == OFFICER.id


@pytest.mark.parametrize("verb", sorted(SUPERVISED))
def test_some_steps_need_a_supervisor(verb: Verb) -> None:
    action = next(a for a in ONE_OF_EACH if a.verb is verb)
    case = next(c for c in EVERY.values() if verb in MACHINE[c.state])
    with pytest.raises(NotEntitled):
        take(case, action, actor=COLLEAGUE)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("action", ONE_OF_EACH, ids=lambda a: str(a.verb))
def test_nobody_handles_a_complaint_about_themselves(state: State, action: Action) -> None:
    case = replace(EVERY[state], about=(HEAD.id,))
    with pytest.raises((ConflictOfInterest, VerbNotAllowed)):
        take(case, action, actor=HEAD)


def test_nobody_is_assigned_a_complaint_about_themselves() -> None:
    with pytest.raises(ConflictOfInterest):
        take(replace(NEW, about=("staff:b",)), Assign(assignee="staff:b"), actor=HEAD)


def test_a_transfer_takes_the_case_off_the_desk() -> None:
    case = take(CLAIMED, Transfer(department="cards"))
    assert (case.state, case.department, case.assignee) == (State.ROUTED, "cards", None)


def test_what_is_reopened_has_to_be_answered_anew() -> None:
    case = take(CLOSED, Reopen())
    assert (case.state, case.reopened, case.decision, case.closed_at) == (State.IN_PROGRESS, 1, None, None)
    assert missing(case) == missing(CLAIMED)
    assert case.acknowledged_at == CLOSED.acknowledged_at


def test_a_review_confirms_or_opens_again() -> None:
    assert take(IN_REVIEW, Close(), actor=HEAD).state is State.CLOSED
    assert take(IN_REVIEW, Reopen(), actor=HEAD).state is State.IN_PROGRESS


# --- time ---


def test_work_recorded_later_keeps_the_time_when_it_happened() -> None:
    at = RECEIVED + timedelta(hours=2)
    case = walk(Claim(at), Acknowledge(at), replace(TOLD, at=at), replace(RESOLUTION, at=at), Close(at))

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
        (APPROVED, Respond(at=NOW - timedelta(seconds=1)), "approved"),
        (RESPONDED, replace(RESOLUTION, at=NOW - timedelta(seconds=1)), "response"),
        (RESOLVED, Close(NOW - timedelta(seconds=1)), "resolved"),
        (CLOSED, Reopen(NOW - timedelta(seconds=1)), "closed"),
        (NEW, Claim(datetime.fromisoformat("0001-01-01T00:00:00+14:00")), "received"),
        (NEW, Claim(datetime.fromisoformat("9999-12-31T23:59:59-14:00")), "future"),
    ],
)
def test_a_time_that_cannot_be_is_refused_at_its_pointer(case: Case, action: Action, why: str) -> None:
    with pytest.raises(ImpossibleTime, match=why) as refusal:
        take(case, action)
    assert [e.pointer for e in refusal.value.errors] == ["/at"]


def test_a_time_is_kept_in_utc_to_the_millisecond() -> None:
    at = datetime.fromisoformat("2026-11-03T09:00:00.123456+08:00")
    assert walk(Claim(at)).assigned_at == datetime(2026, 11, 3, 1, 0, 0, 123000, UTC)


# --- whatever people do ---

moments = st.none() | st.integers(-72, 24 * 24).map(lambda hours: RECEIVED + timedelta(hours=hours))
redress = st.none() | st.sampled_from(["10", "6000", "200000"]).map(lambda v: Redress(Decimal(v), "HKD"))
decisions = st.builds(
    Decision,
    outcome=st.sampled_from(["upheld", "rejected", "goodwill"]),
    root_cause=st.just("staff_service"),
    redress=redress,
    no_redress_reason=st.none() | st.just("no_loss"),
)
actions = st.one_of(
    *(st.builds(type(a), at=moments) for a in ONE_OF_EACH if type(a) in (Claim, Acknowledge, Note, Approve, Return)),
    *(st.builds(type(a), at=moments) for a in (RequestInformation(), ReceiveInformation(), Close(), Reopen(), Refer())),
    st.builds(
        Triage,
        at=moments,
        category=st.sampled_from([None, "fees"]),
        about=st.sampled_from([None, ("staff:b",)]),
        severity=st.sampled_from([None, "normal", "critical"]),
    ),
    st.builds(Assign, at=moments, assignee=st.sampled_from(["staff:a", "staff:b", "staff:c"])),
    st.builds(Transfer, at=moments, department=st.sampled_from(["cards", "lending"])),
    st.builds(Propose, at=moments, decision=decisions),
    st.builds(Resolve, at=moments, decision=st.none() | decisions),
    st.builds(Respond, at=moments, final=st.booleans(), via=st.sampled_from([None, "post"]), rights_told=st.booleans()),
    st.builds(Deliver, at=moments, via=st.just("email"), rights_told=st.sampled_from([None, True])),
)
cases = st.builds(
    replace, st.just(NEW), severity=st.sampled_from(["normal", "critical"]), branch=st.sampled_from([None, "central"])
)
people = st.sampled_from([OFFICER, COLLEAGUE, HEAD, MANAGER, replace(HEAD, id="staff:e", branch="central")])


@settings(max_examples=400)
@given(cases, st.lists(st.tuples(actions, people), max_size=60))
def test_no_sequence_of_verbs_leaves_the_machine_or_makes_one_person_two(
    case: Case, steps: Sequence[tuple[Action, Actor]]
) -> None:
    proposer: str | None = None
    for action, actor in steps:
        before = case
        try:
            case = take(before, action, actor=actor)
        except RedressError:
            assert case is before
            continue
        assert action.verb in MACHINE[before.state]
        assert case.state in State
        assert case.version == before.version + 1
        assert case.department
        assert actor.id not in before.about
        assert case.assignee is None or case.assignee not in case.about
        assert (case.state in (State.TRIAGE, State.ROUTED)) == (case.assignee is None)
        if isinstance(action, Propose):
            proposer = actor.id
        if isinstance(action, Approve):
            assert actor.id not in (proposer, before.assignee)
            assert actor.supervisor or actor.manager
        if isinstance(action, Propose | Resolve) and action.decision and action.decision.outcome == "rejected":
            assert actor.branch is None or actor.branch != case.branch
        if case.decision is not None and POWERS.reasons(case, case.decision):
            assert case.proposed == case.decision
            assert case.approved_by is not None
            assert case.approved_by != case.proposed_by
        if case.state is State.CLOSED and before.state is not State.CLOSED:
            assert missing(case) == ()
            assert case.delivered_via
        told = [case.received_at, *(t for t in (case.final_response_at, case.resolved_at, case.closed_at) if t), NOW]
        assert told == sorted(told)
