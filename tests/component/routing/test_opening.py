"""What routing hears: every complaint opens one case, explained and owned, and no escalation is lost."""

from typing import Any

import pytest
from sqlalchemy import event as sqlalchemy_event

from services.routing.store import EarlyEscalation
from services.routing.usecases import opening
from shared import audit


async def test_a_complaint_opens_a_case_and_tells_its_type_then_its_department(routing: Any, make: Any) -> None:
    await routing.hear(make.received(desired_outcome="Refund of the fee"))

    case = await routing.case()
    assert (case["state"], case["department"], case["category"], case["severity"]) == (
        "routed",
        "cards",
        "fees",
        "normal",
    )
    assert case["narrative"] == "You charged me a late fee."
    assert (case["reference"], case["channel"], case["product"], case["branch"], case["received_at"]) == (
        "261102-AAAA-00001",
        "phone",
        "credit_card",
        "north_weir",
        "2026-11-02T09:00:00Z",
    )
    assert (case["amount"], case["currency"], case["desired_outcome"]) == ("120.5", "HKD", "Refund of the fee")
    assert {"claim", "acknowledge", "transfer"} <= set(case["next_steps"])
    assert "respond" not in case["next_steps"]
    (first, classified), (second, routed) = await routing.published()
    assert (first, second) == ("classified", "routed")
    assert classified["category"] == "fees"
    assert set(classified["rules"]) == set(case["rules"]) >= {"fe-named"}
    assert 0.5 < classified["confidence"] < 1
    assert routed["department"] == "cards"
    assert routed["reason"] == case["routing_reason"]
    assert routed["reason"].startswith("rule R")


async def test_what_the_complainant_wrote_is_in_no_event_and_no_audit_entry(routing: Any, make: Any) -> None:
    await routing.hear(make.received(narrative="Zanzibar late fee, suddenly"))

    assert await routing.scalar("SELECT count(*) FROM outbox WHERE payload LIKE '%Zanzibar%'") == 0
    assert await routing.scalar("SELECT count(*) FROM audit WHERE detail LIKE '%Zanzibar%'") == 0
    assert await routing.scalar("SELECT count(*) FROM complaint_case WHERE narrative LIKE '%Zanzibar%'") == 1


async def test_the_decision_is_audited_with_its_rules(routing: Any, make: Any) -> None:
    await routing.hear(make.received())

    [(actor, action, detail)] = await routing.audited()
    assert (actor, action) == ("system", "case.opened")
    assert detail["department"] == "cards"
    assert detail["rulebook"]
    assert "fe-named" in detail["rules"]
    rows = [row async for row in audit.export(routing.db)]
    assert audit.verify(rows, expected_head=await audit.head(routing.db)).broken_at is None


async def test_the_same_event_twice_opens_one_case(routing: Any, make: Any) -> None:
    event = routing.wrap(make.received())
    await routing.deliver([event, event])
    await routing.deliver([event])

    assert await routing.scalar("SELECT count(*) FROM complaint_case") == 1
    assert len(await routing.published()) == 2


async def test_a_complaint_told_again_under_another_event_id_changes_nothing(routing: Any, make: Any) -> None:
    await routing.hear(make.received())
    await routing.do("claim")
    await routing.hear(make.received(narrative="something else"), make.received())

    case = await routing.case()
    assert (case["state"], case["narrative"]) == ("in_progress", "You charged me a late fee.")
    assert [name for name, _ in await routing.published()] == ["classified", "routed", "assigned"]


async def test_an_escalation_is_recorded_on_the_case_and_audited(routing: Any, make: Any) -> None:
    await routing.hear(make.received())
    before = (await routing.case())["version"]
    await routing.hear(make.escalated())

    case = await routing.case()
    assert (case["escalation_level"], case["escalation_role"]) == (1, "department_head")
    assert case["version"] == before + 1
    assert ("system", "case.escalated", {"level": 1, "role": "department_head"}) in await routing.audited()


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "batch by batch"])
async def test_an_escalation_that_comes_before_its_complaint_waits_for_it(
    routing: Any, make: Any, together: bool
) -> None:
    events = [make.escalated(level=2, role="executive"), make.escalated(level=1), make.received()]
    if together:
        await routing.hear(*events)
    else:
        for event in events:
            await routing.hear(event)

    case = await routing.case()
    assert (case["escalation_level"], case["escalation_role"]) == (2, "executive")
    assert await routing.scalar("SELECT count(*) FROM early_escalation") == 0


async def test_an_escalation_heard_by_another_worker_at_the_same_moment_is_caught_up_with(
    routing: Any, make: Any
) -> None:
    await routing.hear(make.received(), make.escalated(2))
    async with routing.db.transaction() as tx:  # what the other worker commits, not having seen the case
        tx.add(EarlyEscalation(complaint_id=make.received().complaint_id, level=2, role="executive"))

    async with routing.db.transaction() as tx:
        assert await opening.catch_up(tx, now=routing.now[0]) == 1
    assert (await routing.case())["escalation_level"] == 2
    assert await routing.scalar("SELECT count(*) FROM early_escalation") == 1  # the one whose case is not open yet
    await routing.hear(make.received(2))
    assert (await routing.case(2))["escalation_level"] == 1


async def test_a_late_escalation_of_a_lower_level_changes_nothing(routing: Any, make: Any) -> None:
    await routing.hear(make.received(), make.escalated(level=2, role="executive"))
    version = (await routing.case())["version"]
    await routing.hear(make.escalated(level=1))

    case = await routing.case()
    assert (case["escalation_level"], case["version"]) == (2, version)


async def test_a_complaint_without_language_product_or_branch_is_routed_all_the_same(routing: Any, make: Any) -> None:
    blank = dict.fromkeys(("product", "branch", "language", "amount", "currency"))
    await routing.hear(make.received(narrative="嗯", **blank), make.received(2, narrative="我的按揭利率太高", **blank))

    case = await routing.case()
    assert (case["department"], case["category"], case["confidence"]) == ("complaint_office", "other", 0.0)
    assert case["routing_reason"].startswith("fallback")
    other = await routing.case(2)
    assert (other["department"], other["product"], other["language"]) == ("lending", "mortgage", "zh-Hant")


async def test_a_batch_is_opened_in_one_transaction_with_a_fixed_number_of_queries(routing: Any, make: Any) -> None:
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    engine = routing.db.engine.sync_engine
    sqlalchemy_event.listen(engine, "before_cursor_execute", note)
    counts = []
    for first, size in ((0, 5), (100, 300)):
        seen.clear()
        await routing.hear(*(make.received(first + i) for i in range(size)))
        counts.append(len(seen))
    sqlalchemy_event.remove(engine, "before_cursor_execute", note)

    assert await routing.scalar("SELECT count(*) FROM complaint_case") == 305
    assert await routing.scalar("SELECT count(*) FROM outbox") == 610
    assert counts[1] <= counts[0] + 3  # the driver may send a large insert in slices
