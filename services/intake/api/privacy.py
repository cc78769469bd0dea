"""Routes for what protects the complainant: erasure, legal hold, subject access, vulnerability."""

from datetime import date
from typing import Annotated, Any

from fastapi import Depends, Query, Request

from services.intake.domain.complaint import Erased
from services.intake.domain.privacy import AlreadyLifted, StillOpen, UnderLegalHold
from services.intake.schemas.privacy import (
    ErasureOut,
    HoldIn,
    HoldOut,
    ReviewIn,
    SubjectIn,
    SubjectOut,
    VulnerabilitiesOut,
    VulnerabilityIn,
    VulnerabilityOut,
)
from services.intake.store import privacy as store
from services.intake.usecases import privacy as usecases
from services.intake.usecases.complaint import Desk
from shared.clock import rfc3339
from shared.errors import NotFound
from shared.security.principal import Principal, Role
from shared.web.access import allow
from shared.web.app import ClockDep, Reading, Tx
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1", tags=["privacy"])

# who may decide over data; auditors may look
Decider = Annotated[Principal, Depends(allow(Role.SUPERVISOR, Role.ADMIN))]
Looker = Annotated[Principal, Depends(allow(Role.SUPERVISOR, Role.ADMIN, Role.AUDITOR))]
# who talks with the person may note what they learn; who handles the complaint reads it
Noter = Annotated[Principal, Depends(allow(Role.AGENT, Role.OFFICER, Role.SUPERVISOR))]
Handler = Annotated[Principal, Depends(allow(Role.OFFICER, Role.SUPERVISOR))]
Reader = Annotated[Principal, Depends(allow(Role.OFFICER, Role.SUPERVISOR, Role.AUDITOR))]


@router.post(
    "/complaints/{id}/erasure",
    response_model=ErasureOut,
    responses=documented(NotFound, UnderLegalHold, StillOpen),
)
async def erase(id: str, tx: Tx, clock: ClockDep, principal: Decider) -> store.Erasure:
    """Erase a closed complaint's personal data for good, on the complainant's request. Figures and audit trail stay."""
    return await usecases.erase(tx, id, ground="request", actor=principal.id, now=clock())


@router.get("/complaints/{id}/hold", response_model=HoldOut, responses=documented(NotFound))
async def read_hold(id: str, tx: Reading, _: Looker) -> store.Hold:
    """The legal hold on a complaint."""
    found = await store.hold(tx, id)
    if found is None:
        raise NotFound("There is no hold on this complaint.")
    return found


@router.put("/complaints/{id}/hold", response_model=HoldOut, responses=documented(NotFound))
async def place_hold(id: str, body: HoldIn, tx: Tx, clock: ClockDep, principal: Decider) -> store.Hold:
    """Forbid the erasure of a complaint, on request and by retention. A hold that is there stays as it was."""
    return await usecases.place_hold(tx, id, body.reason, actor=principal.id, now=clock())


@router.delete("/complaints/{id}/hold", status_code=204, responses=documented(NotFound))
async def lift_hold(id: str, tx: Tx, clock: ClockDep, principal: Decider) -> None:
    """Lift the hold."""
    await usecases.lift_hold(tx, id, actor=principal.id, now=clock())


@router.post("/subject-access", response_model=SubjectOut, responses=documented())
async def subject_access(
    body: SubjectIn, request: Request, tx: Tx, clock: ClockDep, principal: Decider
) -> dict[str, Any]:
    """All that is kept of a person, for them to be given. Everything erased is gone from it. Each complaint's export is
    audited."""
    desk: Desk = request.app.state.desk
    now = clock()
    found = await usecases.subject_access(tx, desk, body.to_domain(), actor=principal.id, now=now)
    return {"exported_at": rfc3339(now), "complaints": found}


@router.post(
    "/complaints/{id}/vulnerabilities",
    status_code=201,
    response_model=VulnerabilityOut,
    response_model_exclude_unset=True,
    responses=documented(NotFound, Erased),
)
async def note_vulnerability(
    id: str, body: VulnerabilityIn, request: Request, tx: Tx, clock: ClockDep, principal: Noter
) -> dict[str, Any]:
    """Note what makes the complainant vulnerable. Those who handle the complaint can read it; others learn only that
    there is something."""
    state = request.app.state
    noted = await usecases.note_vulnerability(
        tx,
        state.desk,
        id,
        body.kind,
        body.note,
        body.review_on,
        actor=principal.id,
        now=clock(),
        zone=state.settings.zone,
    )
    return usecases.vulnerability_view(noted) | {"note": body.note}


@router.get(
    "/complaints/{id}/vulnerabilities", response_model=VulnerabilitiesOut, responses=documented(NotFound, Erased)
)
async def read_vulnerabilities(id: str, request: Request, tx: Tx, clock: ClockDep, principal: Reader) -> dict[str, Any]:
    """What is known of the complainant's vulnerability. Each reading is audited."""
    desk: Desk = request.app.state.desk
    return {"items": await usecases.read_vulnerabilities(tx, desk, id, actor=principal.id, now=clock())}


@router.post(
    "/complaints/{id}/vulnerabilities/{vulnerability}/review",
    response_model=VulnerabilityOut,
    responses=documented(NotFound, AlreadyLifted),
)
async def review(
    id: str, vulnerability: str, body: ReviewIn, request: Request, tx: Tx, clock: ClockDep, principal: Handler
) -> dict[str, Any]:
    """It still holds; look again on another day."""
    zone = request.app.state.settings.zone
    found = await usecases.review_vulnerability(
        tx, id, vulnerability, body.review_on, actor=principal.id, now=clock(), zone=zone
    )
    return usecases.vulnerability_view(found)


@router.post(
    "/complaints/{id}/vulnerabilities/{vulnerability}/lift",
    response_model=VulnerabilityOut,
    responses=documented(NotFound),
)
async def lift(id: str, vulnerability: str, tx: Tx, clock: ClockDep, principal: Handler) -> dict[str, Any]:
    """It no longer holds."""
    found = await usecases.lift_vulnerability(tx, id, vulnerability, actor=principal.id, now=clock())
    return usecases.vulnerability_view(found)


@router.get("/vulnerabilities", response_model=VulnerabilitiesOut, responses=documented())
async def due_for_review(
    tx: Reading,
    request: Request,
    clock: ClockDep,
    _: Reader,
    until: date | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str, Query(max_length=36)] = "",
) -> dict[str, Any]:
    """Vulnerabilities to be looked at again until a day (today unless told), without their notes."""
    day = until or clock().astimezone(request.app.state.settings.zone).date()
    found = await store.due_for_review(tx, day, cursor, limit + 1)
    more = found[limit - 1].id if len(found) > limit else None
    return {"items": [usecases.vulnerability_view(v) for v in found[:limit]], "next": more}
