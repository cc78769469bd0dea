"""The register of officers: who can handle what, and who is away."""

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.routing import store
from services.routing.api.context import Rules, Today
from services.routing.classifier import Rulebook
from services.routing.usecases import staff
from services.routing.usecases.staff import AbsenceNotFound, OfficerNotFound
from shared.errors import FieldError, Invalid
from shared.security.principal import Principal, Role
from shared.web.access import allow
from shared.web.app import ClockDep, Reading, Tx
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1", tags=["officers"])
_KEEPERS = (Role.SUPERVISOR, Role.ADMIN)
OfficerId = Annotated[str, Path(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f/]+$")]
Codes = Annotated[list[Annotated[str, Field(max_length=40)]], Field(max_length=50)]


class OfficerIn(BaseModel):
    """What an officer can handle; empty lists mean all. `most_open`: how many open cases are enough."""

    model_config = ConfigDict(extra="forbid")

    department: Annotated[str, Field(max_length=40)]
    branch: Annotated[str | None, Field(max_length=64)] = None
    languages: list[Literal["zh-Hant", "zh-Hans", "en"]] = []
    categories: Codes = []
    products: Codes = []
    most_open: Annotated[int, Field(ge=1, le=1000)] = 30
    active: bool = True


class AbsenceIn(BaseModel):
    """First and last day, both included."""

    model_config = ConfigDict(extra="forbid")

    first: date
    last: date

    @model_validator(mode="after")
    def _ordered(self) -> "AbsenceIn":
        if self.last < self.first:
            raise ValueError("last lies before first")
        return self


class AbsenceOut(BaseModel):
    id: str
    first: date
    last: date


class OfficerOut(OfficerIn):
    """An officer, how many cases they have open, and when they are away."""

    id: str
    open_cases: int
    absences: list[AbsenceOut]


@router.get("/officers", response_model=list[OfficerOut], responses=documented())
async def officers(
    tx: Reading,
    today: Today,
    _: Annotated[Principal, Depends(allow(*_KEEPERS, Role.MANAGER, Role.AUDITOR))],
    department: Annotated[str | None, Query(max_length=40, pattern=r"^[^\x00-\x1f\x7f]*$")] = None,
) -> list[dict[str, Any]]:
    """The officers with their load and absences from today on."""
    rows = await store.staff.officers(tx, department)
    loads = await store.case.loads(tx, [row.id for row in rows])
    away = await store.staff.absences(tx, today)
    return [staff.view(row, away, loads[row.id]) for row in rows]


@router.put("/officers/{officer_id}", response_model=OfficerOut, responses=documented())
async def save(
    officer_id: OfficerId,
    body: OfficerIn,
    tx: Tx,
    clock: ClockDep,
    today: Today,
    rulebook: Rules,
    principal: Annotated[Principal, Depends(allow(*_KEEPERS))],
) -> dict[str, Any]:
    """Put an officer into the register, or change them. The id is their subject in the bank's directory."""
    check_codes(body, rulebook)
    row = await staff.save(tx, officer_id, body.model_dump(), actor=principal.id, now=clock())
    loads = await store.case.loads(tx, [officer_id])
    return staff.view(row, await store.staff.absences(tx, today), loads[officer_id])


def check_codes(body: OfficerIn, rulebook: Rulebook) -> None:
    """Raises Invalid where an officer is given codes that the registers do not know."""
    known = {
        "department": ([body.department], rulebook.departments),
        "categories": (body.categories, rulebook.categories),
        "products": (body.products, rulebook.products),
    }
    wrong = tuple(
        FieldError(f"/{name}", f"is one of: {', '.join(sorted(codes))}", f"unknown_{name}")
        for name, (said, codes) in known.items()
        if set(said) - set(codes)
    )
    if wrong:
        raise Invalid("Some values cannot be taken; see errors.", errors=wrong)


@router.post(
    "/officers/{officer_id}/absences",
    response_model=AbsenceOut,
    status_code=201,
    responses=documented(OfficerNotFound),
)
async def send_away(
    officer_id: OfficerId,
    body: AbsenceIn,
    tx: Tx,
    clock: ClockDep,
    principal: Annotated[Principal, Depends(allow(*_KEEPERS))],
) -> dict[str, Any]:
    """Note when an officer is away: they are given nothing on these days."""
    row = await staff.send_away(tx, officer_id, body.first, body.last, actor=principal.id, now=clock())
    return {"id": row.id, "first": row.first, "last": row.last}


@router.delete("/officers/{officer_id}/absences/{absence_id}", status_code=204, responses=documented(AbsenceNotFound))
async def call_back(
    officer_id: OfficerId,
    absence_id: Annotated[str, Path(max_length=36, pattern=r"^[0-9a-f-]+$")],
    tx: Tx,
    clock: ClockDep,
    principal: Annotated[Principal, Depends(allow(*_KEEPERS))],
) -> Response:
    """Take an absence back."""
    await staff.call_back(tx, officer_id, absence_id, actor=principal.id, now=clock())
    return Response(status_code=204)
