"""The earliest receipt governs the clock of a matter that was reported several times; undone, it does no longer."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.events import ComplaintLinked

RECEIVED = datetime.fromisoformat("2026-03-01T02:00:00Z")


def linked(sla: Any, make: Any, day: float, *, state: Any = "confirmed", link: int = 1) -> ComplaintLinked:
    received = make.received()
    return ComplaintLinked(
        complaint_id=received.complaint_id,
        link_id=f"l-{link}",
        other_id="another",
        state=state,
        score=0.9,
        governs_from=RECEIVED + timedelta(days=day),
        linked_at=sla.now[0],
    )


def _due(step: dict[str, Any]) -> str:
    return str(step["due_at"])[:10]


async def test_an_earlier_report_brings_the_deadlines_forward_and_undoing_takes_them_back(sla: Any, make: Any) -> None:
    await sla.hear(make.received())
    assert _due(await sla.step("final")) == "2026-04-30"
    await sla.hear(linked(sla, make, -5))
    assert _due(await sla.step("final")) == "2026-04-25"
    (moved,) = (await sla.published())[1:]
    assert moved["type"] == "com.redress.clock.moved.v1"
    assert datetime.fromisoformat(moved["data"]["started_at"]) == RECEIVED - timedelta(days=5)
    assert {s["name"]: s["due_at"][:10] for s in moved["data"]["steps"]} == {
        "acknowledge": "2026-03-03",
        "interim": "2026-03-26",
        "final": "2026-04-25",
    }
    await sla.hear(linked(sla, make, 0, state="suggested"))
    assert _due(await sla.step("final")) == "2026-04-30"
    assert await sla.told() == [("clock.started", ""), ("clock.moved", ""), ("clock.moved", "")]


async def test_a_suggestion_that_changes_nothing_is_not_told(sla: Any, make: Any) -> None:
    await sla.hear(make.received(), linked(sla, make, 0, state="suggested"))
    await sla.hear(linked(sla, make, 0, state="rejected"))
    assert await sla.told() == [("clock.started", "")]


async def test_a_later_report_never_gives_more_time(sla: Any, make: Any) -> None:
    await sla.hear(make.received())
    await sla.hear(linked(sla, make, 7))
    assert _due(await sla.step("final")) == "2026-04-30"


async def test_heard_together_the_clock_begins_where_the_matter_did(sla: Any, make: Any) -> None:
    await sla.hear(make.received(), linked(sla, make, -5))
    assert _due(await sla.step("final")) == "2026-04-25"


async def test_what_was_done_stands_and_the_rest_moves(sla: Any, make: Any) -> None:
    await sla.hear(make.received())
    await sla.hear(make.acknowledged(day=6))
    await sla.hear(linked(sla, make, -5))
    acknowledge = await sla.step("acknowledge")
    assert (_due(acknowledge), acknowledge["state"]) == ("2026-03-08", "met")
    moved = (await sla.published())[-1]
    assert [s["name"] for s in moved["data"]["steps"]] == ["interim", "final"]


async def test_a_deadline_that_is_over_by_then_is_missed_at_once_and_escalated(sla: Any, make: Any) -> None:
    await sla.hear(make.received())
    sla.now[0] = RECEIVED + timedelta(days=3)
    await sla.hear(linked(sla, make, -20))
    await sla.engine()
    await sla.engine()
    assert (await sla.step("acknowledge"))["state"] == "missed"
    assert ("deadline.missed", "acknowledge") in await sla.told()
    assert [told for told in await sla.told() if told[0] == "deadline.missed"] == [("deadline.missed", "acknowledge")]


async def test_a_miss_that_undoing_takes_back_is_none_any_more(sla: Any, make: Any) -> None:
    await sla.hear(make.received())
    sla.now[0] = RECEIVED + timedelta(days=3)
    await sla.hear(linked(sla, make, -20))
    await sla.engine()
    await sla.engine()
    await sla.hear(linked(sla, make, 0, state="rejected"))
    step = await sla.step("acknowledge")
    assert (_due(step), step["missed_at"], step["escalated_at"]) == ("2026-03-08", None, None)
    assert step["state"] in ("running", "warned")
    await sla.engine(day=9)
    await sla.engine()
    assert (await sla.step("acknowledge"))["state"] == "missed"


@pytest.mark.parametrize("day", [-1.0, -5.0, -20.0])
async def test_a_step_is_warned_of_once_however_often_it_moves(sla: Any, make: Any, day: float) -> None:
    await sla.hear(make.received())
    for _ in range(3):
        await sla.hear(linked(sla, make, day))
        await sla.engine()
        await sla.hear(linked(sla, make, 0, state="suggested"))
        await sla.engine()
    await sla.engine(day=200)
    await sla.engine()
    await sla.engine()
    told = await sla.told()
    assert told.count(("deadline.warned", "final")) == 1
    assert told.count(("deadline.missed", "final")) == 1


async def test_the_clock_explains_itself_from_the_receipt_that_governs(sla: Any, make: Any, web: Any) -> None:
    await sla.hear(make.received(), linked(sla, make, -5))
    shown = (await web.get(f"/v1/clocks/{make.received().complaint_id}")).json()
    assert datetime.fromisoformat(shown["received_at"]) == RECEIVED - timedelta(days=5)
    assert "2026-02-24" in str(shown)
