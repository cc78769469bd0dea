"""What `redress reconcile` takes for an effect done twice, and what for work done anew."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deploy import reconcile
from deploy.registry import SERVICES
from shared import outbox
from shared.db import Database
from shared.events import (
    ComplaintAssigned,
    ComplaintClassified,
    ComplaintReceived,
    ComplaintReopened,
    ComplaintResolved,
    ComplaintRouted,
    Event,
)

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
LATER = datetime(2026, 3, 2, 10, tzinfo=UTC)
ID = "0190a1b2-0000-7000-8000-000000000001"


@pytest.fixture
async def routing(tmp_path: Path) -> AsyncIterator[Database]:
    service = SERVICES["routing"]
    settings = service.settings(home=tmp_path)
    service.migrate(settings)
    db = service.database(settings)
    yield db
    await db.close()


def classified(category: str, at: datetime = AT, **more: Any) -> Event:
    return ComplaintClassified(
        complaint_id=ID, category=category, severity="normal", confidence=0.5, classified_at=at, **more
    )


def of_fees(at: datetime = AT) -> Event:
    return classified("fees", at)


def routed(at: datetime = AT) -> Event:
    return ComplaintRouted(complaint_id=ID, department="cards", reason="rule", routed_at=at)


def assigned(to: str, at: datetime = AT) -> Event:
    return ComplaintAssigned(complaint_id=ID, assignee=to, assigned_at=at)


def resolved(at: datetime = AT) -> Event:
    return ComplaintResolved(complaint_id=ID, outcome="upheld", root_cause="process", resolved_at=at)


async def told(db: Database, *events: Event) -> list[str]:
    """What is found wrong with effects and their order when these were told."""
    for event in events:
        async with db.transaction() as tx:
            outbox.add(tx, event, now=AT)
    found = reconcile.Findings()
    await reconcile._outbox(found, "routing", db)
    return [one for one in found.differences if "twice" in one or "order" in one]


async def test_a_corrected_type_and_a_new_officer_are_work_and_not_an_effect_done_twice(routing: Database) -> None:
    corrected = classified("fees", LATER, decided_by="person")
    events = (classified("product"), routed(), assigned("a"), corrected, assigned("b", LATER), assigned("a", LATER))
    assert await told(routing, *events) == []


@pytest.mark.parametrize("make", [of_fees, routed, resolved], ids=["type", "department", "outcome"])
async def test_the_same_said_twice_is_an_effect_done_twice(routing: Database, make: Callable[..., Event]) -> None:
    assert len(await told(routing, make(), make(at=LATER))) == 1


async def test_a_complaint_is_received_once_whatever_is_said_again(routing: Database) -> None:
    def received(words: str) -> Event:
        return ComplaintReceived(complaint_id=ID, reference="r", channel="phone", narrative=words, received_at=AT)

    assert len(await told(routing, received("one"), received("another"))) == 1


async def test_a_reopened_case_may_end_the_same_way(routing: Database) -> None:
    again = ComplaintReopened(complaint_id=ID, reason="new evidence", reopened_at=LATER)
    assert await told(routing, resolved(), again, resolved(LATER)) == []


async def test_first_times_out_of_order_are_found(routing: Database) -> None:
    (wrong,) = await told(routing, assigned("a"), classified("fees"))
    assert "order" in wrong
