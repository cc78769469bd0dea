"""What the routes have at hand."""

from datetime import date
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from services.routing.classifier import Current, Rulebook
from services.routing.domain.case import Actor
from services.routing.store.staff import Officer
from shared.security.principal import Principal, Role
from shared.web.app import ClockDep


def _current(request: Request) -> Current:
    found: Current = request.app.state.current
    return found


def _rulebook(request: Request) -> Rulebook:
    return _current(request).book


InUse = Annotated[Current, Depends(_current)]
Rules = Annotated[Rulebook, Depends(_rulebook)]


def _today(request: Request, clock: ClockDep) -> date:
    found: date = clock().astimezone(request.app.state.settings.zone).date()
    return found


Today = Annotated[date, Depends(_today)]
"""The day in the bank's time zone."""


async def actor_of(tx: AsyncSession, principal: Principal) -> Actor:
    """The caller as the state machine sees them, with the branch that the register of officers knows, or else the
    bank's directory."""
    known = await tx.get(Officer, principal.id)
    return Actor(
        principal.id,
        supervisor=Role.SUPERVISOR in principal.roles,
        manager=Role.MANAGER in principal.roles,
        branch=known.branch if known else principal.branch,
    )
