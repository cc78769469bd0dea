"""What routing hears: complaints, what becomes of them and their erasure from intake, escalations and clocks from sla,
surges from reporting."""

import asyncio
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from services.routing import store
from services.routing.classifier import Current, Rulebook
from services.routing.store import ComplaintCase
from services.routing.usecases import deadlines, incidents, letters, opening
from services.routing.usecases.letters import Desk
from shared import trace
from shared.clock import Clock
from shared.cloudevents import Envelope
from shared.events import (
    ClockExtended,
    ComplaintAmended,
    ComplaintDisputed,
    ComplaintErased,
    ComplaintEscalated,
    ComplaintMessageAdded,
    ComplaintNotified,
    ComplaintReceived,
    ComplaintWithdrawn,
    SurgeDetected,
)
from shared.inbox import Handle

# Classifying takes the processor, not the disk: after so many events others in this process get their turn.
_BREATH = 25
_FOLLOWING = (
    ComplaintAmended,
    ComplaintWithdrawn,
    ComplaintDisputed,
    ComplaintMessageAdded,
    ComplaintNotified,
    ClockExtended,
)
HANDLED = frozenset(
    e.type
    for e in (ComplaintReceived, ComplaintErased, ComplaintEscalated, SurgeDetected, *_FOLLOWING, *deadlines.HEARD)
)


def handler(current: Current, clock: Clock, desk: Desk) -> Handle:
    """The function that applies events; letters that follow from them are written as `desk` has them. An escalation may
    come before the complaint that it speaks of: it then waits in `early_escalation`, or in memory where both are in one
    batch."""

    async def handle(tx: AsyncSession, events: Sequence[Envelope]) -> None:
        rulebook = current.book
        ids = {e.subject for e in events}
        cases = await store.cases(tx, ids, locked=True)
        early = await store.early_escalations(tx, ids)
        kept = set(early)
        opened: dict[str, store.Row] = {}
        fresh = [e.data for e in events if isinstance(e.data, ComplaintReceived) and e.subject not in cases]
        refs = {received.customer_ref for received in fresh if received.customer_ref}
        earlier = await opening.repeats(tx, refs, rulebook, now=clock())
        for n, event in enumerate(events, 1):
            if n % _BREATH == 0:
                await asyncio.sleep(0)
            id = event.subject
            with trace.following(event, service="routing"):
                match event.data:
                    case ComplaintReceived() as received if id not in cases and id not in opened:
                        ref = received.customer_ref or ""
                        opened[id] = opening.open_case(tx, received, rulebook, now=clock(), earlier=earlier.get(ref, 0))
                        earlier[ref] = earlier.get(ref, 0) + 1 if ref else 0
                    case ComplaintErased() if id in cases:
                        await opening.forget(tx, cases[id])
                    case ComplaintErased() if id in opened:
                        opened[id] |= opening.FORGOTTEN
                    case ComplaintEscalated() as escalated if id in cases:
                        opening.escalate(tx, cases[id], escalated.level, escalated.role, now=clock())
                    case ComplaintEscalated() as escalated:
                        known = early.setdefault(id, store.EarlyEscalation(complaint_id=id, level=0, role=""))
                        if escalated.level > known.level:
                            known.level, known.role = escalated.level, escalated.role
                    case _ if isinstance(event.data, _FOLLOWING):
                        if id in opened:
                            cases[id] = await _inserted(tx, id, opened)
                        if id in cases:
                            await _follow(tx, cases[id], event, clock, desk, rulebook)
        for id, waited in early.items():
            if id in opened:
                opened[id] |= opening.escalation(tx, id, waited.level, waited.role, now=clock())
            elif id in cases:
                opening.escalate(tx, cases[id], waited.level, waited.role, now=clock())
            else:
                tx.add(waited)
                continue
            if id in kept:
                await tx.delete(waited)
        told = [e.data for e in events if isinstance(e.data, deadlines.HEARD)]
        await deadlines.hear(tx, told, cases, opened, fresh={r.complaint_id for r in fresh}, now=clock())
        await store.insert(tx, list(opened.values()))
        await incidents.watch(tx, list(opened.values()), rulebook, now=clock())
        for event in events:
            # whether a theme is an incident, and which complaints are of it, is for people to say
            if isinstance(event.data, SurgeDetected) and event.data.theme is None:
                await incidents.surged(tx, event.data, rulebook, now=clock())

    return handle


async def _inserted(tx: AsyncSession, id: str, opened: dict[str, store.Row]) -> ComplaintCase:
    """The case of a complaint that came in with this batch, and of which more is told already."""
    await store.insert(tx, [opened.pop(id)])
    return (await store.cases(tx, [id], locked=True))[id]


async def _follow(
    tx: AsyncSession, case: ComplaintCase, event: Envelope, clock: Clock, desk: Desk, rulebook: Rulebook
) -> None:
    match event.data:
        case ComplaintAmended() as amended:
            opening.amended(tx, case, amended, now=clock())
        case ComplaintWithdrawn() as withdrawn:
            opening.withdrawn(tx, case, withdrawn, now=clock())
        case ComplaintDisputed() as disputed:
            opening.disputed(tx, case, disputed, now=clock())
        case ComplaintMessageAdded(direction="in"):
            opening.answered(tx, case, now=clock())
        case ClockExtended(notice_required=True) as extended:
            await letters.extended(tx, case, extended, desk, rulebook=rulebook, now=clock())
        case ComplaintNotified(kind="letter") as notified:
            await opening.delivered(tx, case, notified, now=clock())
