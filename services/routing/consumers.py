"""What routing hears: complaints and their erasure from intake, escalations from sla."""

import asyncio
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from services.routing import store, usecases
from services.routing.classifier import Rulebook
from shared import trace
from shared.clock import Clock
from shared.cloudevents import Envelope
from shared.events import ComplaintErased, ComplaintEscalated, ComplaintReceived
from shared.inbox import Handle

# Classifying takes the processor, not the disk: after so many events others in this process get their turn.
_BREATH = 25
HANDLED = frozenset((ComplaintReceived.type, ComplaintErased.type, ComplaintEscalated.type))


def handler(rulebook: Rulebook, clock: Clock) -> Handle:
    """The function that applies events. An escalation may come before the complaint that it speaks of: it then waits
    in `early_escalation`, or in memory where both are in one batch."""

    async def handle(tx: AsyncSession, events: Sequence[Envelope]) -> None:
        ids = {e.subject for e in events}
        cases = await store.cases(tx, ids, locked=True)
        early = await store.early_escalations(tx, ids)
        kept = set(early)
        opened: dict[str, store.Row] = {}
        for n, event in enumerate(events, 1):
            if n % _BREATH == 0:
                await asyncio.sleep(0)
            id = event.subject
            with trace.following(event, service="routing"):
                match event.data:
                    case ComplaintReceived() as received if id not in cases and id not in opened:
                        opened[id] = usecases.open_case(tx, received, rulebook, now=clock())
                    case ComplaintErased() if id in cases:
                        usecases.forget(cases[id])
                    case ComplaintErased() if id in opened:
                        opened[id] |= {"narrative": "", "desired_outcome": None}
                    case ComplaintEscalated() as escalated if id in cases:
                        usecases.escalate(tx, cases[id], escalated.level, escalated.role, now=clock())
                    case ComplaintEscalated() as escalated:
                        known = early.setdefault(id, store.EarlyEscalation(complaint_id=id, level=0, role=""))
                        if escalated.level > known.level:
                            known.level, known.role = escalated.level, escalated.role
        for id, waited in early.items():
            if id in opened:
                opened[id] |= usecases.escalation(tx, id, waited.level, waited.role, now=clock())
                if id in kept:
                    await tx.delete(waited)
            else:
                tx.add(waited)
        await store.insert(tx, list(opened.values()))

    return handle
