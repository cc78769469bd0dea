"""Policy packs and calendars: what they hold, and what they would say of a complaint."""

from fastapi import Depends

from services.sla.api import schemas as out
from services.sla.api import shown
from services.sla.api.context import READERS, CurrentDep
from services.sla.domain.policy import Subject
from services.sla.usecases import views
from shared.web.access import allow
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1", tags=["policies"], dependencies=[Depends(allow(*READERS))])


@router.post("/simulate", responses=documented())
async def simulate(body: out.SimulateIn, current: CurrentDep) -> out.SimulationOut:
    """Every deadline that such a complaint, received at this moment, would get: by which rule and article, counted day
    by day, when it would be warned of, and who would be told when it is missed."""
    subject = Subject(
        jurisdiction=body.jurisdiction,
        product=body.product,
        channel=body.channel,
        category=body.type,
        severity=body.severity,
        referred_by=body.referred_by,
    )
    return shown.simulation(views.simulate(current.policies, body.received_at, subject), body.received_at)


@router.get("/packs", responses=documented())
async def packs(current: CurrentDep) -> out.PacksOut:
    """The policy packs that this desk knows, each version by itself."""
    return out.PacksOut(items=[shown.pack(p, current.policies) for p in current.policies.packs])


@router.get("/calendars", responses=documented())
async def calendars(current: CurrentDep) -> out.CalendarsOut:
    """The calendars that deadlines are counted with, and until when their holidays are published."""
    return out.CalendarsOut(items=[shown.calendar(c) for c in current.policies.calendars.values()])
