"""Links between reports of one matter: what was found, and what operators make of it."""

from typing import Annotated, Any

from fastapi import Depends, Path, Query

from services.intake.api.taking import actor
from services.intake.domain.complaint import Erased
from services.intake.domain.linking import DifferentPersons, LinkDecided, State, Verb
from services.intake.schemas.link import LinkOut, LinkPage, LinksOut
from services.intake.usecases import link as usecases
from shared.errors import NotFound
from shared.security.principal import STAFF, Principal, Role
from shared.web.access import allow
from shared.web.app import ClockDep, Reading, Tx
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1", tags=["links"])

_DECIDERS = (Role.AGENT, Role.OFFICER, Role.SUPERVISOR)
_EXPECTED = "The state that you have seen; 409 when it is another one by now"
Id = Annotated[str, Path(max_length=36, pattern=r"^[0-9a-f-]+$")]


@router.get("/complaints/{id}/links", response_model=LinksOut, responses=documented(NotFound))
async def of_complaint(id: Id, tx: Reading, _: Annotated[Principal, Depends(allow(*sorted(STAFF)))]) -> dict[str, Any]:
    """The links in which a complaint stands, whatever their state, oldest first."""
    found, governs_from = await usecases.of_complaint(tx, id)
    return {"items": [usecases.view(one) for one in found], "governs_from": governs_from}


@router.get("/links", response_model=LinkPage, responses=documented())
async def links(
    tx: Reading,
    _: Annotated[Principal, Depends(allow(*sorted(STAFF)))],
    state: State | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=36, pattern=r"^[0-9a-f-]+$")] = None,
) -> dict[str, Any]:
    """Links, oldest first; `state=suggested` is the work list."""
    found, following = await usecases.page(tx, state=state, cursor=cursor, limit=limit)
    return {"items": [usecases.view(one) for one in found], "next": following}


@router.post(
    "/links/{id}/{verb}",
    response_model=LinkOut,
    responses=documented(usecases.LinkNotFound, LinkDecided, DifferentPersons, Erased),
)
async def decide(
    id: Id,
    verb: Verb,
    tx: Tx,
    clock: ClockDep,
    principal: Annotated[Principal, Depends(allow(*_DECIDERS))],
    expected: Annotated[State | None, Query(description=_EXPECTED)] = None,
) -> dict[str, Any]:
    """Confirm or reject a suggested link; `reset` undoes either. The same again answers the same.

    A confirmed link makes the earliest receipt govern the clock; nothing is merged and nothing is lost.
    """
    found = await usecases.decide(tx, id, verb, expected=expected, actor=actor(principal), now=clock())
    return usecases.view(found)
