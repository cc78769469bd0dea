"""Commendations: praise for a team. They are for coaching, and count nobody."""

from datetime import date, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.store import goals as store
from services.reporting.store.goals import CommendationRow
from shared import audit
from shared.clock import rfc3339
from shared.errors import FieldError, Invalid, NotFound
from shared.ids import uuid7
from shared.redaction import redact


class CommendationNotFound(NotFound):
    """No commendation has this id."""

    code = "commendation_not_found"


class CommendationInvalid(Invalid):
    """This commendation cannot be kept as it is."""

    code = "commendation_invalid"


async def give(
    tx: AsyncSession,
    *,
    department: str | None,
    branch: str | None,
    occurred_on: date,
    text: str,
    today: date,
    actor: str,
    now: datetime,
) -> CommendationRow:
    """Raises CommendationInvalid."""
    wrong = []
    if department is None and branch is None:
        wrong.append(
            FieldError("/department", "no team is named: give a department, a branch, or both", "team_missing")
        )
    if occurred_on > today:
        wrong.append(FieldError("/occurred_on", "is yet to come", "in_the_future"))
    if wrong:
        raise CommendationInvalid(errors=tuple(wrong))
    row = CommendationRow(
        id=uuid7(), department=department, branch=branch, occurred_on=occurred_on, text=redact(text), created_at=now
    )
    tx.add(row)
    detail = {"department": department, "branch": branch}
    audit.add(tx, actor, "commendation.given", row.id, now=now, detail=detail)
    return row


async def remove(tx: AsyncSession, id: str, *, actor: str, now: datetime) -> None:
    """As when it names somebody. Raises CommendationNotFound."""
    row = await store.commendation(tx, id)
    if row is None:
        raise CommendationNotFound
    await tx.delete(row)
    detail = {"department": row.department, "branch": row.branch}
    audit.add(tx, actor, "commendation.removed", id, now=now, detail=detail)


def view(row: CommendationRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("id", "department", "branch", "text")} | {
        "occurred_on": row.occurred_on.isoformat(),
        "created_at": rfc3339(row.created_at),
    }
