"""The routing table: as it is, and what another one would change."""

from typing import Annotated, Any

from fastapi import Depends
from pydantic import BaseModel

from services.routing.api.context import Rules
from services.routing.classifier.registers import Routes
from services.routing.usecases import table
from shared.security.principal import Principal, Role
from shared.web.access import allow
from shared.web.app import Reading
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1/routing-table", tags=["routing table"])
_KEEPERS = (Role.SUPERVISOR, Role.ADMIN, Role.AUDITOR)


class MovesOut(BaseModel):
    """How many complaints would go from one department to another."""

    now: str
    then: str
    cases: int


class ExampleOut(BaseModel):
    complaint_id: str
    now: str
    then: str
    reason: str


class DryRunOut(BaseModel):
    """What a table would change for the newest cases."""

    cases: int
    moved: int
    moves: list[MovesOut]
    examples: list[ExampleOut]


@router.get("", response_model=Routes, responses=documented())
async def current(rulebook: Rules, _: Annotated[Principal, Depends(allow(*_KEEPERS))]) -> Routes:
    """The table in use. Routes are tried in order; `fallback` takes what fits none."""
    return rulebook.registers.routes


@router.post("/dry-run", response_model=DryRunOut, responses=documented())
async def dry_run(
    body: Routes, tx: Reading, rulebook: Rules, _: Annotated[Principal, Depends(allow(*_KEEPERS))]
) -> dict[str, Any]:
    """What another table would change, for the newest cases; nobody is moved."""
    return await table.dry_run(tx, body, rulebook)
