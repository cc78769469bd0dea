"""What routing hears: complaints from intake, escalations from sla."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from services.routing import store, usecases
from services.routing.classifier import Rulebook
from shared import trace
from shared.clock import Clock
from shared.cloudevents import Envelope
from shared.events import ComplaintEscalated, ComplaintReceived
from shared.inbox import Handle

HANDLED = frozenset((ComplaintReceived.type, ComplaintEscalated.type))


def handler(rulebook: Rulebook, clock: Clock) -> Handle:
    """The function that applies events. An escalation may come before the complaint that it speaks of."""

    async def handle(tx: AsyncSession, events: Sequence[Envelope]) -> None:
        ids = {e.subject for e in events}
        cases = await store.cases(tx, ids)
        early = await store.early_escalations(tx, ids)
        for event in events:
            id = event.subject
            with trace.following(event, service="routing"):
                match event.data:
                    case ComplaintReceived() as received if id not in cases:
                        cases[id] = usecases.open_case(tx, received, rulebook, now=clock())
                        if id in early:
                            _raise(cases[id], early[id].level, early[id].role)
                    case ComplaintEscalated() as escalated if id in cases:
                        _raise(cases[id], escalated.level, escalated.role)
                    case ComplaintEscalated() as escalated:
                        known = early.get(id)
                        if known is None:
                            early[id] = store.EarlyEscalation(
                                complaint_id=id, level=escalated.level, role=escalated.role
                            )
                            tx.add(early[id])
                        elif escalated.level > known.level:
                            known.level, known.role = escalated.level, escalated.role

    return handle


def _raise(case: store.ComplaintCase, level: int, role: str) -> None:
    if level > case.escalation_level:
        case.escalation_level, case.escalation_role = level, role
        case.version += 1
