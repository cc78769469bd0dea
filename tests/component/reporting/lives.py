"""Complaints with a whole life, of every kind that figures tell apart, as a bank's other services would tell them."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from shared.clock import rfc3339
from shared.cloudevents import encode_parts
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

END = datetime(2025, 6, 30, 4, tzinfo=UTC)
CHANNELS = ("phone", "web_chat", "mobile", "web_form", "email", "letter", "branch", "social", "regulator")
CATEGORIES = ("service_quality", "product", "channel", "fees", "information_security", "other")
PRODUCTS = ("card", "mortgage", "deposit_account", "payments", None)
BRANCHES = tuple(f"b{n:03}" for n in range(40))
DEPARTMENTS = ("cards", "lending", "deposits", "digital_banking", "branch_operations", "complaint_office")
CAUSES = ("staff_service", "product_design", "system_failure", "internal_management")
OUTCOMES: tuple[Any, ...] = ("upheld", "partly_upheld", "rejected", "goodwill", "withdrawn")
STEPS: tuple[Any, ...] = ("acknowledge", "final")


def life(chance: random.Random, id: str, *, days: int = 500) -> list[Event]:
    """The events of one complaint in the order in which they happened, its life broken off anywhere."""

    def pick(codes: Any) -> Any:
        return chance.choices(codes, range(len(codes), 0, -1))[0]

    at = END - timedelta(minutes=chance.randrange(days * 24 * 60), seconds=chance.randrange(60))
    found: list[Event] = [
        ComplaintReceived(
            complaint_id=id,
            reference=f"R-{id}",
            channel=pick(CHANNELS),
            narrative="…",
            received_at=at,
            customer_ref=None if chance.random() < 0.1 else f"p{chance.randrange(5000)}",
            language=chance.choice(("zh-Hant", "en", None)),
            jurisdiction=chance.choice(("HK", None)),
            branch=chance.choice((*BRANCHES, None)),
            product=chance.choice(PRODUCTS),
            imported=chance.random() < 0.1,
        )
    ]
    clock: dict[str, Any] = {"complaint_id": id, "clock_id": f"{id}-k"}
    due = at + timedelta(days=chance.choice((2, 10, 30)))
    steps = tuple(ClockStep(name=step, due_at=due) for step in STEPS)
    pack: dict[str, Any] = {"pack": chance.choice(("hk", "uk")), "pack_version": "1"}
    found.append(ClockStarted(**clock, **pack, started_at=at, steps=steps))
    if chance.random() < 0.3:
        own = {"complaint_id": id, "clock_id": f"{id}-own", "kind": "service", "primary": False}
        first = (ClockStep(name="first_contact", due_at=at + timedelta(hours=2)),)
        found.append(ClockStarted(**own, pack="own", pack_version="1", started_at=at, steps=first))
        met = {"step": "first_contact", "due_at": at + timedelta(hours=2), "met_at": at}
        found.append(ClockMet(**own, **met, in_time=chance.random() < 0.5))

    def later(hours: float) -> datetime:
        nonlocal at
        at += timedelta(minutes=chance.randrange(1, int(hours * 60)))
        return at

    def met(step: Any) -> None:
        if at > due:
            found.append(DeadlineWarned(**clock, step=step, due_at=due, warned_at=due))
            found.append(DeadlineMissed(**clock, step=step, due_at=due, missed_at=due, historic=chance.random() < 0.1))
        found.append(ClockMet(**clock, step=step, due_at=due, met_at=at, in_time=at <= due))

    def classified() -> Event:
        return ComplaintClassified(
            complaint_id=id,
            category=pick(CATEGORIES),
            severity=chance.choice(("low", "normal", "high", "critical")),
            confidence=0.9,
            language=chance.choice(("zh-Hant", "en")),
            product=chance.choice((None, None, *PRODUCTS)),
            classified_at=later(1),
        )

    def decided(amount: Decimal | None) -> Event:
        return ComplaintResolved(
            complaint_id=id,
            outcome=chance.choice(OUTCOMES),
            root_cause=pick(CAUSES),
            redress_amount=amount,
            redress_currency=amount and chance.choice(("HKD", "CNY")),
            resolved_at=later(400),
        )

    def paid() -> Decimal | None:
        return Decimal(chance.randrange(1, 10**6)) / 100 if chance.random() < 0.3 else None

    def assigned() -> Event:
        return ComplaintAssigned(complaint_id=id, assignee=f"u{chance.randrange(60)}", assigned_at=later(5))

    def routed() -> Event:
        return ComplaintRouted(complaint_id=id, department=pick(DEPARTMENTS), reason="…", routed_at=later(1))

    stages: list[Any] = [classified, routed]
    if chance.random() < 0.2:
        stages += [classified, assigned, routed]
    stages += [assigned]
    for stage in stages:
        if chance.random() < 0.03:
            return found
        found.append(stage())
    if chance.random() < 0.05:
        found.append(ComplaintAmended(complaint_id=id, amended_at=later(1), vulnerable=True))
    if chance.random() < 0.9:
        found.append(ComplaintAcknowledged(complaint_id=id, acknowledged_at=later(48)))
        met("acknowledge")
    if chance.random() < 0.2:
        return found
    found.append(ComplaintResponded(complaint_id=id, responded_at=later(100), final=False))
    found.append(ComplaintResponded(complaint_id=id, responded_at=later(900), final=True))
    met("final")
    found.append(decided(paid()))
    if chance.random() < 0.1:
        return found
    found.append(ComplaintClosed(complaint_id=id, closed_at=later(100)))
    if chance.random() < 0.4:
        scores = {name: chance.randint(1, 5) for name in ("overall", "staff", "product") if chance.random() < 0.8}
        found.append(ComplaintRated(complaint_id=id, **{"overall": 3, **scores}, rated_at=later(100)))
    if chance.random() < 0.05:
        found.append(ComplaintDisputed(complaint_id=id, dispute_id="d", outcome="x", grounds="…", disputed_at=later(9)))
    if chance.random() < 0.06:
        found.append(ComplaintReopened(complaint_id=id, reason="…", reopened_at=later(50)))
        anew = (ClockStep(name="final", due_at=at + timedelta(days=9)),)
        found.append(ClockMoved(**clock, started_at=at, steps=anew, cause="reopened", moved_at=at))
        if chance.random() < 0.7:
            found.append(ClockMet(**clock, step="final", due_at=at, met_at=at, in_time=True))
            found.append(decided(paid()))
            found.append(ComplaintClosed(complaint_id=id, closed_at=later(100)))
    return found


def heard(complaints: int, seed: int = 1, *, spread: int = 4000) -> Iterator[tuple[str, str, str, bytes]]:
    """Topic, key, event id and payload of what `complaints` tell, as a bad day on the network delivers it: out of
    order also within a service, some of it twice, some of it very late. `spread` is how far, in events."""
    chance = random.Random(seed)
    waiting: list[tuple[float, tuple[str, str, str, bytes]]] = []
    n = 0
    for number in range(complaints):
        id = f"c{chance.getrandbits(40):010x}{number:06}"
        for event in life(chance, id):
            n += 1
            event_id = f"e{n:012}"
            source = event.source.rpartition("/")[2]
            payload = encode_parts(
                id=event_id, event=event, time=rfc3339(END), traceparent=None, correlationid=None
            ).encode()
            one = (source, id, event_id, payload)
            late = chance.random()
            waiting.append((n + chance.randrange(spread) * (50 if late < 0.01 else 1), one))
            if late > 0.95:
                waiting.append((n + chance.randrange(spread), one))
    waiting.sort(key=lambda pair: pair[0])
    yield from (one for _, one in waiting)
