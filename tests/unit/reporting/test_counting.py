"""Whatever order the events of a complaint come in, it is counted once, and where it belongs."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.reporting.domain.counting import (
    Cell,
    Deadline,
    Fact,
    Margin,
    Selection,
    Volume,
    applied,
    cells,
    change,
    tally,
)
from shared.errors import Invalid
from shared.events import (
    ClockMet,
    ClockStarted,
    ClockStep,
    ComplaintAcknowledged,
    ComplaintAssigned,
    ComplaintClassified,
    ComplaintClosed,
    ComplaintEscalated,
    ComplaintReceived,
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


def resolved(outcome: Any = "upheld", hours: float = 50) -> ComplaintResolved:
    return ComplaintResolved(complaint_id="c", outcome=outcome, root_cause="staff_service", resolved_at=at(hours))


def started(*steps: Any) -> ClockStarted:
    found = tuple(ClockStep(name=step, due_at=at(24)) for step in steps or ("acknowledge", "final"))
    return ClockStarted(complaint_id="c", clock_id="k", pack="p", pack_version="1", started_at=START, steps=found)


def met(step: Any, *, in_time: bool) -> ClockMet:
    return ClockMet(complaint_id="c", clock_id="k", step=step, due_at=at(24), met_at=at(30), in_time=in_time)


def missed(step: Any, *, historic: bool = False) -> DeadlineMissed:
    return DeadlineMissed(complaint_id="c", clock_id="k", step=step, due_at=at(24), missed_at=at(25), historic=historic)


def warned(step: Any) -> DeadlineWarned:
    return DeadlineWarned(complaint_id="c", clock_id="k", step=step, due_at=at(24), warned_at=at(20))


ROUTING: list[Event] = [
    classified("other", 0.1),
    routed("complaint_office", 0.2),
    ComplaintAssigned(complaint_id="c", assignee="u1", assigned_at=at(1)),
    classified("fees", 2),
    routed("cards", 3),
    ComplaintAcknowledged(complaint_id="c", acknowledged_at=at(4)),
    ComplaintResponded(complaint_id="c", responded_at=at(20), final=False),
    ComplaintResponded(complaint_id="c", responded_at=at(40), final=True),
    resolved("upheld", 50),
    ComplaintClosed(complaint_id="c", closed_at=at(60)),
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
]
STORY = {"intake": [received()], "routing": ROUTING, "sla": SLA}


def interleaved(draw: st.DrawFn) -> list[Event]:
    """The events of one story, those of each service in order, the services mixed, and cut off anywhere."""
    waiting = {name: list(events) for name, events in STORY.items()}
    found: list[Event] = []
    while any(waiting.values()):
        name = draw(st.sampled_from([n for n, events in waiting.items() if events]))
        found.append(waiting[name].pop(0))
    return found


orders = st.composite(interleaved)()


def after(events: Sequence[Event]) -> Fact:
    fact = Fact("c")
    for event in events:
        fact = applied(fact, event, HONG_KONG)
    return fact


@given(orders)
def test_the_order_of_services_makes_no_difference(events: list[Event]) -> None:
    assert after(events) == after([e for one in STORY.values() for e in one])


@given(orders, st.lists(st.integers(0, 20), max_size=4))
def test_counters_moved_bit_by_bit_equal_a_recount(events: list[Event], cuts: list[int]) -> None:
    counters: Counter[Cell] = Counter()
    fact, before = Fact("c"), Fact("c")
    for i, event in enumerate(events):
        fact = applied(fact, event, HONG_KONG)
        if i in cuts or i == len(events) - 1:  # a batch ends here
            for cell, by in change([before], [fact]).items():
                counters[cell] += by
            before = fact
            assert all(n >= 0 for n in counters.values())
            assert +counters == tally([fact])
    assert sum(n for cell, n in counters.items() if isinstance(cell, Volume)) == 1


def test_a_whole_story_ends_in_its_cells() -> None:
    fact = after([e for one in STORY.values() for e in one])
    day = date(2025, 3, 4)
    assert tally([fact]) == {
        Volume(day, "phone", "fees", "cards", "upheld"): 1,
        Deadline(day, "phone", "fees", "cards", "acknowledge", "in_time"): 1,
        Deadline(day, "phone", "fees", "cards", "final", "late"): 1,
        Margin("channel", day, "phone"): 1,
        Margin("category", day, "fees"): 1,
        Margin("department", day, "cards"): 1,
        Margin("outcome", day, "upheld"): 1,
        Margin("deadline", day, "acknowledge/in_time"): 1,
        Margin("deadline", day, "final/late"): 1,
    }
    assert fact.status == "closed"
    assert fact.escalation_level == 1
    assert fact.acknowledged_at == at(4)
    assert fact.responded_at == at(40), "a holding response is not the response"


def test_nothing_is_counted_before_its_receipt_is_known() -> None:
    assert not list(cells(after([*ROUTING, *SLA])))


def test_what_is_not_known_yet_has_a_name() -> None:
    known = set(cells(after([received()])))
    assert Volume(date(2025, 3, 4), "phone", "unclassified", "unrouted", "open") in known
    assert Margin("outcome", date(2025, 3, 4), "open") in known


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2025, 3, 4, 15, 59, 59, tzinfo=UTC), date(2025, 3, 4)),
        (datetime(2025, 3, 4, 16, 0, tzinfo=UTC), date(2025, 3, 5)),
    ],
)
def test_the_day_is_that_of_the_bank(moment: datetime, day: date) -> None:
    assert after([received(received_at=moment)]).day == day


def test_a_clock_that_starts_late_takes_nothing_back() -> None:
    fact = after([received(), met("acknowledge", in_time=True), missed("final"), started(), warned("final")])
    assert dict(fact.steps) == {"k/acknowledge": "in_time", "k/final": "missed"}


def test_what_lapsed_before_an_import_is_told_apart() -> None:
    fact = after([received(imported=True), started("final"), missed("final", historic=True)])
    assert dict(fact.steps) == {"k/final": "lapsed"}


def test_two_clocks_of_one_complaint_count_both() -> None:
    second = started("final").model_copy(update={"clock_id": "k2"})
    assert (
        tally([after([received(), started("final"), second])])[
            Deadline(date(2025, 3, 4), "phone", "unclassified", "unrouted", "final", "running")
        ]
        == 2
    )


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
    ],
)
def test_the_status_is_the_last_stage_reached(events: list[Event], status: str) -> None:
    assert after([received(), *events]).status == status


def test_an_event_that_means_nothing_here_changes_nothing() -> None:
    assert after([received(), ComplaintResponded(complaint_id="c", responded_at=at(1), final=False)]) == after(
        [received()]
    )


def test_a_period_must_not_end_before_it_begins() -> None:
    with pytest.raises(Invalid) as caught:
        Selection(date(2025, 3, 2), date(2025, 3, 1))
    assert caught.value.errors[0].pointer == "from"
