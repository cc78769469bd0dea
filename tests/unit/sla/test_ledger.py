"""A ledger's rows come to the deadline that stands, whatever happened; and a regulator's clock does nothing that its
rule does not permit."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sla.calendars import load as load_calendars
from services.sla.domain import commands
from services.sla.domain.clock import Clock
from services.sla.domain.counting import count
from services.sla.domain.ledger import Entry, replay
from services.sla.packs import load
from shared.errors import RedressError
from shared.events import ClockExtended, ClockMoved, ClockPaused, ClockResumed, ClockStarted
from tests.unit.sla.desk import (
    ID,
    RECEIVED,
    Desk,
    acknowledged,
    answered,
    asked,
    classified,
    closed,
    day,
    linked,
    received,
    reopened,
    resolved,
    responded,
)

POLICIES = load("hk-hkma")
ROLES = frozenset(("supervisor", "manager"))
PLACES: list[dict[str, Any]] = [
    {},
    {"jurisdiction": "cn"},
    {"jurisdiction": "cn", "referred_by": "pboc"},
    {"jurisdiction": "uk"},
    {"jurisdiction": "uk", "product": "remittance"},
    {"jurisdiction": "us", "product": "deposit"},
    {"jurisdiction": "au"},
    {"jurisdiction": "in"},
    {"jurisdiction": "tw"},
]


def step_of_life(name: str, at: datetime, extra: int) -> Callable[[Desk], object]:
    """One thing that may happen to a complaint, on its desk, at a moment."""

    def command(do: Callable[[Desk, Clock], Any]) -> Callable[[Desk], object]:
        def run(desk: Desk) -> None:
            clock = desk.watch.clocks[extra % len(desk.watch.clocks)]
            try:
                desk.take(do(desk, clock))
            except RedressError:
                return  # the rule does not permit it, or it makes no sense now

        return run

    heard: dict[str, Any] = {
        "acknowledged": lambda: acknowledged(at),
        "interim": lambda: responded(at, final=False),
        "final": lambda: responded(at, final=True),
        "resolved": lambda: resolved(at),
        "withdrawn": lambda: resolved(at, "withdrawn"),
        "closed": lambda: closed(at),
        "reopened": lambda: reopened(at),
        "asked": lambda: asked(at),
        "answered": lambda: answered(at),
        "graver": lambda: classified(at, severity="critical"),
        "lesser": lambda: classified(at, severity="low"),
        "linked": lambda: linked(RECEIVED - timedelta(days=extra % 9)),
    }
    if name in heard:
        return lambda desk: desk.hear(heard[name](), now=at)
    reasons = ("external_appraisal", "awaiting_complainant", "nothing")
    codes = ("complex", "very_complex", None)
    ways: dict[str, Callable[[Desk], object]] = {
        "engine": lambda desk: desk.engine(at),
        "pause": command(
            lambda desk, clock: commands.pause(
                desk.watch, clock, desk.policies, code=reasons[extra % 3], at=at, actor="a", now=at
            )
        ),
        "resume": command(
            lambda desk, clock: commands.resume(desk.watch, clock, desk.policies, at=at, actor="a", now=at)
        ),
        "extend": command(
            lambda desk, clock: commands.extend(
                desk.watch,
                clock,
                desk.policies,
                step="final",
                until=at.date() + timedelta(days=extra),
                reason="an expert looks at it",
                code=codes[extra % 3],
                roles=ROLES,
                actor="a",
                now=at,
            )
        ),
        "restart": command(
            lambda desk, clock: commands.restart(
                desk.watch, clock, desk.policies, at=at, reason="new", actor="a", now=at
            )
        ),
    }
    return ways[name]


NAMES = [
    "acknowledged", "interim", "final", "resolved", "withdrawn", "closed", "reopened", "asked", "answered", "graver",
    "lesser", "linked", "engine", "pause", "resume", "extend", "restart",
]  # fmt: skip
lives = st.lists(
    st.tuples(st.sampled_from(NAMES), st.integers(0, 40 * 24 * 60), st.integers(0, 70)), min_size=1, max_size=12
).map(lambda steps: sorted(steps, key=lambda s: s[1]))
places = st.sampled_from(PLACES)


def lived(place: dict[str, Any], life: list[tuple[str, int, int]]) -> tuple[Desk, list[Callable[[Desk], object]]]:
    desk = Desk(POLICIES).hear(received(**place))
    return desk, [step_of_life(name, RECEIVED + timedelta(minutes=m), extra) for name, m, extra in life]


@given(place=places, life=lives)
def test_replaying_any_ledger_gives_the_deadlines_that_stand(
    place: dict[str, Any], life: list[tuple[str, int, int]]
) -> None:
    desk, steps = lived(place, life)
    for take in steps:
        take(desk)
        for clock in desk.watch.clocks:
            rows = desk.rows[clock.id]
            assert [e.seq for e in rows] == list(range(1, clock.seq + 1))
            assert replay(rows, POLICIES.editions) == clock.state
            for step in clock.steps:
                assert step.next_at is None or not clock.standing
                assert step.open or step.next_at is None


@given(place=places, life=lives)
def test_a_regulators_clock_moves_later_only_by_what_its_rule_permits(
    place: dict[str, Any], life: list[tuple[str, int, int]]
) -> None:
    desk, steps = lived(place, life)
    for take in steps:
        before = {c.id: {s.name: s for s in c.steps} for c in desk.watch.clocks}
        known = {id: len(rows) for id, rows in desk.rows.items()}
        take(desk)
        for clock in desk.watch.clocks:
            if clock.kind != "regulatory" or clock.id not in before:
                continue
            pack = POLICIES.pack(clock.pack, clock.pack_version)
            assert pack is not None
            kinds = {e.kind for e in desk.rows[clock.id][known[clock.id] :]}
            for step in clock.steps:
                if step.due_at <= before[clock.id][step.name].due_at:
                    continue
                rule = next(r for r in pack.rules if r.step == step.name)
                own = count(rule.limit, RECEIVED, POLICIES.calendar(pack)).due_at
                permitted = (
                    ("resumed" in kinds and pack.suspension is not None)
                    or ("extended" in kinds and bool(pack.extensions))
                    or ("restarted" in kinds and pack.restart is not None)
                    or ("moved" in kinds and step.due_at <= max(own, _longest(pack, clock)))
                )
                assert permitted, (clock.pack, step.name, kinds)
                assert step.due_at <= _longest(pack, clock) or clock.pauses or "restarted" in _kinds(desk, clock)


def _kinds(desk: Desk, clock: Clock) -> set[str]:
    return {e.kind for e in desk.rows[clock.id]}


def _longest(pack: Any, clock: Clock) -> datetime:
    """The last moment that the rule allows at all for what was received at RECEIVED, without pauses."""
    limits = [r.limit for r in pack.rules] + [e.to for e in pack.extensions]
    calendar = POLICIES.editions[clock.calendar]
    return max(count(limit, RECEIVED, calendar, clock.pauses).due_at for limit in limits)


@pytest.mark.parametrize("event", ["reopened", "asked", "answered", "graver", "lesser"])
@pytest.mark.parametrize("place", PLACES, ids=str)
def test_priority_reopening_and_waiting_for_the_customer_leave_a_regulators_clock_alone(
    place: dict[str, Any], event: str
) -> None:
    desk = Desk(POLICIES).hear(received(**place))
    regulators = {c.id: c for c in desk.watch.clocks if c.kind == "regulatory"}
    step_of_life(event, day(2), 0)(desk)
    assert {c.id: c for c in desk.watch.clocks if c.id in regulators} == regulators


def test_the_service_clock_waits_with_the_bank_and_the_regulators_does_not() -> None:
    desk = Desk(POLICIES).hear(received())
    due = desk.clock("bank-service").step("final").due_at  # type: ignore[union-attr]
    assert due == datetime(2026, 3, 13, 15, 59, 59, 999000, tzinfo=UTC)  # ten business days after Sunday, 1 March

    desk.hear(asked(day(2)), now=day(2))  # Tuesday 10:00
    assert desk.clock("bank-service").standing
    assert not desk.clock().standing
    assert desk.engine(day(6)).told().count(("DeadlineWarned", "final")) == 0
    desk.hear(answered(day(5)), now=day(5))  # Friday 10:00: Wednesday and Thursday lie wholly in it

    (paused,) = (e for e in desk.published if isinstance(e, ClockPaused))
    (resumed,) = (e for e in desk.published if isinstance(e, ClockResumed))
    assert (paused.reason, paused.kind, paused.primary) == ("awaiting_complainant", "service", False)
    moved = {s.name: s.due_at for s in resumed.steps}
    assert moved["final"] == datetime(2026, 3, 17, 15, 59, 59, 999000, tzinfo=UTC)  # two business days later


def test_a_reopened_complaint_is_counted_anew_by_the_service_clock_alone() -> None:
    desk = Desk(POLICIES).hear(received()).hear(responded(day(3), final=True)).hear(closed(day(3)))
    desk.hear(reopened(day(10)), now=day(10))  # Wednesday, 11 March
    service, regulator = desk.clock("bank-service"), desk.clock()
    assert service.step("final").state == "running"  # type: ignore[union-attr]
    assert service.step("final").due_at == datetime(2026, 3, 25, 15, 59, 59, 999000, tzinfo=UTC)  # type: ignore[union-attr]
    assert regulator.step("final").state == "met"  # type: ignore[union-attr]
    (moved,) = (e for e in desk.published if isinstance(e, ClockMoved))
    assert (moved.cause, moved.kind) == ("reopened", "service")
    desk.hear(responded(day(12), final=True), now=day(12))
    assert desk.clock("bank-service").step("final").met_at == day(12)  # type: ignore[union-attr]


def test_a_grave_complaint_gets_the_fast_track_in_place_of_the_usual_standard() -> None:
    desk = Desk(POLICIES).hear(received()).hear(classified(day(0.1), severity="critical"), now=day(0.1))
    assert desk.clock("bank-service").ended_at == day(0.1)
    assert desk.clock("bank-service-fast").start == day(0.1), "a standard that applies since then counts from then"
    assert not [s for s in desk.clock("bank-service").steps if s.next_at]
    assert [e.pack for e in desk.published if isinstance(e, ClockStarted)] == [
        "hk-hkma",
        "bank-service",
        "bank-service-fast",
    ]


def test_a_regulators_clock_found_to_apply_later_counts_from_receipt_and_becomes_the_primary() -> None:
    desk = Desk(POLICIES).hear(received(jurisdiction="uk"))
    assert desk.clock().pack == "uk-disp"
    desk.hear(classified(day(1), product="remittance"), now=day(1))
    assert desk.clock().pack == "uk-psd"
    assert desk.clock().start == RECEIVED
    assert desk.clock("uk-disp").ended_at is None, "no regulator's clock ends because another one applies"
    assert sum(c.primary for c in desk.watch.clocks) == 1


# --- extensions, pauses and restarts need the rule's leave ---


def _extend(desk: Desk, until: date, **changes: Any) -> Any:
    how: dict[str, Any] = {
        "step": "final", "until": until, "reason": "The archive is being searched.", "code": None, "roles": ROLES,
        "actor": "staff:1", "now": day(10),
    }  # fmt: skip
    return commands.extend(desk.watch, desk.clock(), desk.policies, **(how | changes))


def test_an_extension_within_the_rule_moves_the_deadline_and_says_who_and_why() -> None:
    desk = Desk(POLICIES).hear(received(jurisdiction="cn"))
    assert desk.steps["final"].due_at == datetime(2026, 3, 16, 15, 59, 59, 999000, tzinfo=UTC)
    desk.take(_extend(desk, date(2026, 3, 31), code="complex"))
    assert desk.steps["final"].due_at == datetime(2026, 3, 31, 15, 59, 59, 999000, tzinfo=UTC)
    desk.take(_extend(desk, date(2026, 4, 30), code="very_complex", roles=frozenset(("manager",))))
    assert desk.steps["final"].due_at == datetime(2026, 4, 30, 15, 59, 59, 999000, tzinfo=UTC)
    first, second = (e for e in desk.published if isinstance(e, ClockExtended))
    assert (first.notice_required, second.notice_required) == (False, True)
    assert second.reason == "The archive is being searched."
    assert second.approved_by == "staff:1"
    assert [e.kind for e in desk.rows[desk.clock().id]] == ["started", "extended", "extended"]


@pytest.mark.parametrize(
    ("place", "until", "changes", "error", "cited"),
    [
        ("cn", date(2026, 3, 31), {"reason": "  "}, commands.ExtensionNeedsReason, "reason"),
        ("cn", date(2026, 3, 31), {"code": "busy"}, commands.RuleForbids, "complex circumstances"),
        (
            "cn",
            date(2026, 4, 20),
            {"code": "very_complex", "roles": frozenset(("supervisor",))},
            commands.ApproverRequired,
            "very complex circumstances",
        ),
        ("cn", date(2026, 5, 1), {"code": "very_complex"}, commands.BeyondMaximum, "2026-04-30"),
        ("tw", date(2026, 4, 20), {}, commands.RuleForbids, "13(2)"),
        ("uk", date(2026, 6, 1), {}, commands.RuleForbids, "1.6.2R"),
        ("hk", date(2026, 6, 1), {}, commands.RuleForbids, "IC-4"),
        ("cn", date(2026, 3, 10), {"code": "complex"}, RedressError, ""),
    ],
)
def test_what_the_rule_does_not_permit_is_refused_with_the_rule(
    place: str, until: date, changes: dict[str, Any], error: type[Exception], cited: str
) -> None:
    desk = Desk(POLICIES).hear(received(jurisdiction=place))
    before = desk.watch
    with pytest.raises(error) as refused:
        _extend(desk, until, **changes)
    assert isinstance(refused.value, RedressError)
    assert cited in refused.value.detail
    assert desk.watch is before


def test_a_pause_is_for_the_rules_own_reasons_only() -> None:
    desk = Desk(POLICIES).hear(received(jurisdiction="cn"))

    def pause(code: str) -> Any:
        return commands.pause(desk.watch, desk.clock(), POLICIES, code=code, at=day(2), actor="a", now=day(3))

    with pytest.raises(commands.RuleForbids, match="external_appraisal") as refused:
        pause("awaiting_complainant")
    assert "external appraisal" in refused.value.detail
    desk.take(pause("external_appraisal"))
    assert desk.clock().standing
    with pytest.raises(commands.AlreadyPaused):
        pause("external_appraisal")
    desk.take(commands.resume(desk.watch, desk.clock(), POLICIES, at=day(6), actor="a", now=day(6)))
    assert desk.steps["final"].due_at == datetime(2026, 3, 19, 15, 59, 59, 999000, tzinfo=UTC)  # three whole days
    hk = Desk(POLICIES).hear(received())
    with pytest.raises(commands.RuleForbids, match="nothing"):
        commands.pause(hk.watch, hk.clock(), POLICIES, code="external_appraisal", at=day(2), actor="a", now=day(3))


def test_new_facts_begin_the_count_anew_where_the_rule_says_so() -> None:
    def restart(desk: Desk) -> Any:
        return commands.restart(
            desk.watch, desk.clock(), POLICIES, at=day(9), reason="a letter", actor="a", now=day(10)
        )

    desk = Desk(POLICIES).hear(received(jurisdiction="cn"))
    desk.take(restart(desk))
    assert desk.steps["final"].due_at == datetime(2026, 3, 25, 15, 59, 59, 999000, tzinfo=UTC)
    with pytest.raises(commands.RuleForbids, match="no new beginning"):
        restart(Desk(POLICIES).hear(received()))


def test_a_regulators_own_deadline_is_never_passed_by_ours() -> None:
    imposed = datetime(2026, 3, 20, 9, tzinfo=UTC)
    desk = Desk(POLICIES).hear(received(imposed_due_at=imposed))
    assert desk.steps["final"].due_at == imposed
    assert desk.steps["interim"].due_at > imposed, "an earlier step keeps its own rule"


# --- calendars that are confirmed later ---


def test_a_provisional_deadline_is_counted_anew_once_the_holidays_are_known(tmp_path: Any) -> None:
    changed = tmp_path / "calendars.toml"
    changed.write_text('[hk]\nconfirmed_to = 2027-12-31\nclose = { "2027-01-05" = "Storm" }\n')
    later = load("hk-hkma", calendars=load_calendars(changed))
    start = datetime(2026, 12, 28, 2, tzinfo=UTC)
    desk = Desk(POLICIES).hear(received(received_at=start), now=start)
    old = desk.clock("bank-service")
    final = old.step("final")
    assert final is not None
    assert final.line.provisional
    assert not desk.steps["final"].line.provisional, "calendar days ask for no holidays"

    desk.recalculate(later, now=start + timedelta(days=1))

    new = desk.clock("bank-service")
    moved = new.step("final")
    assert moved is not None
    assert not moved.line.provisional
    assert moved.due_at == final.due_at + timedelta(days=1)
    assert new.calendar != old.calendar
    told = [e for e in desk.published if isinstance(e, ClockMoved)]
    assert [e.cause for e in told] == ["calendar"]
    assert replay(desk.rows[new.id], desk.policies.editions) == new.state, "with the edition that each row names"


def test_a_ledger_begins_with_its_start_and_only_once() -> None:
    with pytest.raises(ValueError, match="begins with its start"):
        replay([], POLICIES.editions)
    desk = Desk(POLICIES).hear(received())
    rows: list[Entry] = desk.rows[desk.clock().id]
    with pytest.raises(ValueError, match="starts once"):
        replay([*rows, *rows], POLICIES.editions)
    assert rows[0].detail["steps"]["final"] == [60, "calendar_day", "next_day"]
    assert ID not in str(rows[0].detail)
