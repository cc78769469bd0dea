"""Routes for what goes out to complainants, and for the people who see to what could not."""

from typing import Annotated, Any, Literal

from fastapi import Depends, Query, Request

from services.intake.domain.complaint import Erased
from services.intake.domain.dispatch import DispatchSettled
from services.intake.schemas.dispatch import DispatchesOut, DispatchOut, OpenedDispatchOut
from services.intake.store import correspondence as store
from services.intake.usecases import dispatch as usecases
from services.intake.usecases.complaint import Desk, read
from shared import audit
from shared.errors import NotFound
from shared.security.principal import Principal, Role
from shared.web.access import allow
from shared.web.app import ClockDep, Reading, Tx
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1/dispatches", tags=["dispatches"])
Handler = Annotated[Principal, Depends(allow(Role.AGENT, Role.OFFICER, Role.SUPERVISOR))]
Looker = Annotated[Principal, Depends(allow(Role.AGENT, Role.OFFICER, Role.SUPERVISOR, Role.AUDITOR, Role.ADMIN))]


@router.get("", response_model=DispatchesOut, responses=documented())
async def dispatches(
    tx: Reading,
    _: Looker,
    state: Literal["waiting", "sent", "failed", "settled", "cancelled"] | None = None,
    complaint: Annotated[str | None, Query(max_length=36)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str, Query(max_length=36)] = "",
) -> dict[str, Any]:
    """What goes or went out, the newest first; `state=failed` is the list of what a person must see to."""
    found = await store.dispatches(tx, state=state, complaint_id=complaint, before=cursor or None, limit=limit + 1)
    more = found[limit - 1].id if len(found) > limit else None
    return {"items": [usecases.dispatch_view(one) for one in found[:limit]], "next": more}


@router.get("/{id}", response_model=OpenedDispatchOut, responses=documented(NotFound, Erased))
async def open_one(id: str, request: Request, tx: Tx, clock: ClockDep, principal: Handler) -> dict[str, Any]:
    """One with its words and address, to be printed or mended. That it was read is audited."""
    one = await store.dispatch(tx, id)
    if one is None:
        raise NotFound("No dispatch has this id.")
    desk: Desk = request.app.state.desk
    complaint, _ = await read(tx, one.complaint_id)
    audit.add(tx, principal.id, "dispatch.read", one.complaint_id, now=clock(), detail={"dispatch": id})
    return usecases.dispatch_view(one) | usecases.opened(desk, complaint, one)


@router.post("/{id}/retry", response_model=DispatchOut, responses=documented(NotFound, DispatchSettled))
async def retry(id: str, tx: Tx, clock: ClockDep, principal: Handler) -> dict[str, Any]:
    """Try a failed one again for another day."""
    return usecases.dispatch_view(await usecases.retry(tx, id, actor=principal.id, now=clock()))


@router.post("/{id}/settle", response_model=DispatchOut, responses=documented(NotFound, DispatchSettled))
async def settle(id: str, tx: Tx, clock: ClockDep, principal: Handler) -> dict[str, Any]:
    """A failed one was seen to another way: printed and posted, told by telephone."""
    return usecases.dispatch_view(await usecases.settle(tx, id, actor=principal.id, now=clock()))
