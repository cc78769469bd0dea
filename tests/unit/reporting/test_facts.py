"""Whatever order the events of a complaint come in, and however often, it is counted once, and where it belongs."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.reporting.domain.fact import Fact, applied
from services.reporting.domain.place import Cell, Place, cells, change, on_grid, place, tally
from services.reporting.domain.selection import Selection, cut
from shared.errors import Invalid
from shared.events import (
    ClockMet,
    ClockMoved,
    ClockStarted,
    ClockStep,
    ComplaintAcknowledged,
    ComplaintAmended,
    ComplaintAssigned,
    ComplaintClassified,
    ComplaintClosed,
    ComplaintDisputed,
    ComplaintErased,
    ComplaintEscalated,
    ComplaintRated,
    ComplaintReceived,
    ComplaintReopened,
    ComplaintResolved,
    ComplaintResponded,
    ComplaintRouted,
    DeadlineMissed,
    DeadlineWarned,
    Event,
)

HONG_KONG = ZoneInfo("Asia/Hong_Kong")
START = datetime(2025, 3, 4, 9, tzinfo=UTC)


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def received(**other: Any) -> ComplaintReceived:
    given = {"reference": "250304-0000-00000", "channel": "phone", "narrative": "…", "received_at": START, **other}
    return ComplaintReceived(complaint_id="c", **given)


def classified(category: str = "fees", hours: float = 0.1) -> ComplaintClassified:
    return ComplaintClassified(
        complaint_id="c", category=category, severity="normal", confidence=1, classified_at=at(hours)
    )


def routed(department: str = "cards", hours: float = 0.2) -> ComplaintRouted:
    return ComplaintRouted(complaint_id="c", department=department, reason="…", routed_at=at(hours))


def resolved(outcome: Any = "upheld", hours: float = 50, **other: Any) -> ComplaintResolved:
    return ComplaintResolved(
        complaint_id="c", outcome=outcome, root_cause="staff_service", resolved_at=at(hours), **other
    )


def started(*steps: Any) -> ClockStarted:
    found = tuple(ClockStep(name=step, due_at=at(24)) for step in steps or ("acknowledge", "final"))
    return ClockStarted(complaint_id="c", clock_id="k", pack="p", pack_version="1", started_at=START, steps=found)


def met(step: Any, *, in_time: bool) -> ClockMet:
    return ClockMet(complaint_id="c", clock_id="k", step=step, due_at=at(24), met_at=at(30), in_time=in_time)


def missed(step: Any, *, historic: bool = False) -> DeadlineMissed:
    return DeadlineMissed(complaint_id="c", clock_id="k", step=step, due_at=at(24), missed_at=at(25), historic=historic)


def warned(step: Any) -> DeadlineWarned:
    return DeadlineWarned(complaint_id="c", clock_id="k", step=step, due_at=at(24), warned_at=at(20))


def reopened_clock() -> ClockMoved:
    steps = (ClockStep(name="final", due_at=at(100)),)
    return ClockMoved(complaint_id="c", clock_id="k", started_at=at(70), steps=steps, cause="reopened", moved_at=at(70))


ROUTING: list[Event] = [
    classified("other", 0.1),
    routed("complaint_office", 0.2),
    ComplaintAssigned(complaint_id="c", assignee="u1", assigned_at=at(1)),
    classified("fees", 2),
    routed("cards", 3),
    ComplaintAcknowledged(complaint_id="c", acknowledged_at=at(4)),
    ComplaintResponded(complaint_id="c", responded_at=at(20), final=False),
    ComplaintResponded(complaint_id="c", responded_at=at(40), final=True),
    resolved("rejected", 50),
    ComplaintClosed(complaint_id="c", closed_at=at(60)),
    ComplaintReopened(complaint_id="c", reason="…", reopened_at=at(70)),
    resolved("upheld", 80, redress_amount=Decimal("12.50"), redress_currency="HKD"),
    ComplaintClosed(complaint_id="c", closed_at=at(90)),
]
SLA: list[Event] = [
    started(),
    met("acknowledge", in_time=True),
    warned("final"),
    missed("final"),
    ComplaintEscalated(
        complaint_id="c", clock_id="k", step="final", level=1, role="supervisor", reason="…", escalated_at=at(26)
    ),
    met("final", in_time=False),
    reopened_clock(),
    met("final", in_time=True),
]
INTAKE: list[Event] = [
    received(),
    ComplaintAmended(complaint_id="c", amended_at=at(1), vulnerable=True),
    ComplaintRated(complaint_id="c", overall=2, staff=3, rated_at=at(61)),
    ComplaintDisputed(complaint_id="c", dispute_id="d", outcome="rejected", grounds="…", disputed_at=at(65)),
    ComplaintRated(complaint_id="c", overall=5, rated_at=at(95)),
]
STORY = {"intake": INTAKE, "routing": ROUTING, "sla": SLA}


EVERYTHING = [(event, f"{i:04}") for i, event in enumerate(e for one in STORY.values() for e in one)]
DAY = date(2025, 3, 4)


def after(events: Sequence[tuple[Event, str]]) -> Fact:
    fact = Fact("c")
    for event, id in events:
        fact = applied(fact, event, id)
    return fact


def told(*events: Event) -> Fact:
    return after([(event, f"{i:04}") for i, event in enumerate(events)])


def as_figures_see(fact: Fact) -> Place:
    return place(fact, HONG_KONG)


@given(st.permutations(EVERYTHING), st.lists(st.sampled_from(EVERYTHING), max_size=5))
def test_neither_order_nor_repetition_makes_a_difference(
    events: list[tuple[Event, str]], again: list[tuple[Event, str]]
) -> None:
    assert after([*events, *again]) == after(EVERYTHING)


@given(st.permutations(EVERYTHING), st.lists(st.integers(0, 30), max_size=4))
def test_counters_moved_bit_by_bit_equal_a_recount(events: list[tuple[Event, str]], cuts: list[int]) -> None:
    counters: Counter[Cell] = Counter()
    fact, before = Fact("c"), Fact("c")
    for i, (event, id) in enumerate(events):
        fact = applied(fact, event, id)
        if i in cuts or i == len(events) - 1:  # a batch ends here
            for cell, by in change([(before, fact)], HONG_KONG).items():
                counters[cell] += by
            before = fact
            assert all(n >= 0 for n in counters.values())
            assert +counters == tally([fact], HONG_KONG)


@given(st.permutations(EVERYTHING).map(lambda events: events[:12]))
def test_a_fact_outlives_being_kept(events: list[tuple[Event, str]]) -> None:
    fact = after(events)
    assert Fact.load("c", fact.dump()) == fact


def test_a_whole_story_ends_in_its_cells() -> None:
    fact = after(EVERYTHING)
    counted = tally([fact], HONG_KONG)
    for dimension, code in {
        "channel": "phone",
        "category": "fees",
        "department": "cards",
        "outcome": "upheld",
        "root_cause": "staff_service",
        "state": "closed",
        "vulnerable": "yes",
        "repeat": "no",
    }.items():
        assert counted[Cell(f"d:received::{dimension}", DAY, code)] == 1
        assert counted[Cell(f"m:received::{dimension}", date(2025, 3, 1), code)] == 1
    assert counted[Cell("m:received:department=cards:category", date(2025, 3, 1), "fees")] == 1
    assert counted[Cell("d:closed::to_close", date(2025, 3, 8), str(3 * 24 * 60))] == 1, "90 hours, in whole days"
    assert counted[Cell("d:responded::to_respond", date(2025, 3, 6), str(40 * 60))] == 1
    assert counted[Cell("d:redress::", date(2025, 3, 8), "HKD")] == 125_000
    assert counted[Cell("m:redress::root_cause", date(2025, 3, 1), "staff_service/HKD")] == 125_000
    assert counted[Cell("d:deadline::step", DAY, "acknowledge/in_time")] == 1
    assert counted[Cell("d:deadline::rule", DAY, "p/final/in_time")] == 1
    assert counted[Cell("d:rated::overall", date(2025, 3, 8), "5")] == 1
    assert counted[Cell("d:rated::staff", date(2025, 3, 8), "3")] == 0, "the later rating replaces the earlier"
    assert counted[Cell("d:reopened::branch", date(2025, 3, 7), "unstated")] == 1
    assert counted[Cell("d:disputed::department", date(2025, 3, 7), "cards")] == 1
    assert fact.status == "closed"
    assert fact.escalation_level == 1
    assert fact.acknowledged_at == at(4)
    assert fact.responded_at == at(40), "a holding response is not the response"


def test_what_is_reopened_is_open_and_undecided_again() -> None:
    fact = told(received(), *ROUTING[:11])
    assert (as_figures_see(fact).state, as_figures_see(fact).outcome, fact.status) == ("open", "open", "responded")
    assert as_figures_see(fact).closed_day is None
    assert fact.reopened_at == at(70)


def test_who_worked_on_it_before_it_went_on_does_so_no_longer() -> None:
    assert told(received(), *ROUTING[:3]).officer == "u1"
    assert told(received(), *ROUTING[:5]).officer is None


def test_an_erased_complaint_stands_for_nobody_whatever_comes_late() -> None:
    erased = ComplaintErased(complaint_id="c", ground="request", erased_at=at(99))
    theirs = received(customer_ref="x")
    assert told(theirs, erased).customer_ref is None
    assert told(erased, theirs).customer_ref is None
    assert told(theirs).customer_ref == "x"


def test_nothing_is_counted_before_its_receipt_is_known() -> None:
    fact = told(*ROUTING, *SLA)
    assert not list(cells(fact, as_figures_see(fact)))


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2025, 3, 4, 15, 59, 59, tzinfo=UTC), date(2025, 3, 4)),
        (datetime(2025, 3, 4, 16, 0, tzinfo=UTC), date(2025, 3, 5)),
    ],
)
def test_the_day_is_that_of_the_bank(moment: datetime, day: date) -> None:
    assert as_figures_see(told(received(received_at=moment))).day == day


def results(fact: Fact) -> dict[str, str]:
    return {key: one.result for key, one in fact.deadlines.items()}


def test_a_warning_takes_nothing_back() -> None:
    fact = told(received(), started(), met("acknowledge", in_time=True), missed("final"), warned("final"))
    assert results(fact) == {"k/acknowledge": "in_time", "k/final": "missed"}


def test_what_lapsed_before_an_import_is_told_apart() -> None:
    assert results(told(received(imported=True), started("final"), missed("final", historic=True))) == {
        "k/final": "lapsed"
    }


def test_two_clocks_of_one_complaint_count_both_and_only_the_primary_by_step() -> None:
    second = started("final").model_copy(update={"clock_id": "k2"})
    third = started("final").model_copy(update={"clock_id": "k3", "primary": False, "pack": "own"})
    counted = tally([told(received(), started("final"), second, third)], HONG_KONG)
    assert counted[Cell("d:deadline::step", DAY, "final/running")] == 2
    assert counted[Cell("d:deadline::rule", DAY, "own/final/running")] == 1


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([], "received"),
        (ROUTING[:2], "routed"),
        (ROUTING[:3], "assigned"),
        (ROUTING[:6], "acknowledged"),
        (ROUTING[:7], "acknowledged"),
        (ROUTING[:8], "responded"),
        (ROUTING[:9], "resolved"),
        (ROUTING[:10], "closed"),
    ],
)
def test_the_status_is_the_last_stage_reached(events: list[Event], status: str) -> None:
    assert told(received(), *events).status == status


@pytest.mark.parametrize(
    ("minutes", "told"),
    [(-5, 0), (0, 0), (59, 59), (60, 60), (119, 60), (71 * 60 + 59, 71 * 60), (72 * 60, 4320), (4 * 1440 - 1, 4320)],
)
def test_durations_are_told_apart_on_a_grid(minutes: int, told: int) -> None:
    assert on_grid(minutes) == told


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(Invalid):
        Selection(date(2025, 2, 1), date(2025, 1, 31))


DAYS = st.dates(date(2024, 1, 1), date(2025, 12, 31))


@given(st.none() | DAYS, st.none() | DAYS)
def test_a_period_is_cut_into_whole_months_and_days_without_gap_or_overlap(
    since: date | None, until: date | None
) -> None:
    if since and until and since > until:
        since, until = until, since
    parts = cut(since, until)
    first, last = since or date(2023, 12, 1), until or date(2026, 1, 31)
    wanted = {first + timedelta(days=n) for n in range((last - first).days + 1)}
    found: list[date] = []
    for a, b in parts.days:
        found += [a + timedelta(days=n) for n in range((b - a).days + 1)]
    if parts.months is not None:
        month = parts.months[0] or date(2023, 12, 1)
        end = parts.months[1] or date(2026, 1, 1)
        while month <= end:
            after_it = (month + timedelta(days=32)).replace(day=1)
            found += [month + timedelta(days=n) for n in range((after_it - month).days)]
            month = after_it
    assert sorted(found) == sorted(wanted)
