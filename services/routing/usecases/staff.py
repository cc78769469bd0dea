"""Officers: the register, and giving them cases."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.routing import store
from services.routing.domain.assignment import Choice, Officer
from services.routing.domain.assignment import choose as pick
from services.routing.domain.case import CaseNotFound
from services.routing.store import ComplaintCase
from services.routing.store.staff import Absence
from services.routing.usecases.steps import domain
from shared import audit
from shared.errors import Conflict, NotFound
from shared.ids import uuid7


class NobodyFree(Conflict):
    """No officer of the department can be given this case now."""

    code = "nobody_free"


class OfficerNotFound(NotFound):
    """No officer has this id."""


class AbsenceNotFound(NotFound):
    """No absence has this id."""


async def register(tx: AsyncSession, department: str | None, today: date) -> list[Officer]:
    """The officers of a department (None: all) with their absences from today on."""
    away: dict[str, list[tuple[date, date]]] = {}
    for one in await store.staff.absences(tx, today):
        away.setdefault(one.officer_id, []).append((one.first, one.last))
    return [_officer(row, tuple(away.get(row.id, ()))) for row in await store.staff.officers(tx, department)]


def _officer(row: store.staff.Officer, away: tuple[tuple[date, date], ...]) -> Officer:
    return Officer(
        row.id,
        row.department,
        row.branch,
        frozenset(orjson.loads(row.languages)),
        frozenset(orjson.loads(row.categories)),
        frozenset(orjson.loads(row.products)),
        row.most_open,
        row.active,
        away,
    )


async def choose(tx: AsyncSession, complaint_id: str, *, today: date) -> str:
    """The officer for a case, who is there `today` as the bank counts days. Raises CaseNotFound, NobodyFree with how
    many were kept out by what."""
    row = (await store.cases(tx, [complaint_id], locked=True)).get(complaint_id)
    if row is None:
        raise CaseNotFound("No case has this complaint id.")
    choice = await _choice(tx, row, today)
    if choice.officer is None:
        why = ", ".join(f"{name}: {n}" for name, n in sorted(choice.why.items())) or "it has none"
        raise NobodyFree(f"No officer of {row.department} can be given this case now ({why}).")
    return choice.officer


async def _choice(tx: AsyncSession, row: ComplaintCase, today: date) -> Choice:
    officers = await register(tx, row.department, today)
    loads = await store.case.loads(tx, [one.id for one in officers])
    return pick(domain(row), officers, loads, product=row.product, language=row.language, today=today)


async def save(tx: AsyncSession, id: str, fields: dict[str, Any], *, actor: str, now: datetime) -> store.staff.Officer:
    """Put an officer into the register, or change them."""
    row = await tx.get(store.staff.Officer, id)
    if row is None:
        row = store.staff.Officer(id=id, department=fields["department"])
        tx.add(row)
    for name, value in fields.items():
        setattr(row, name, orjson.dumps(value).decode() if isinstance(value, list) else value)
    audit.add(tx, actor, "officer.saved", id, now=now, detail=fields)
    return row


async def send_away(tx: AsyncSession, id: str, first: date, last: date, *, actor: str, now: datetime) -> Absence:
    """Note an absence. Raises OfficerNotFound."""
    if await tx.get(store.staff.Officer, id) is None:
        raise OfficerNotFound
    row = Absence(id=uuid7(), officer_id=id, first=first, last=last)
    tx.add(row)
    audit.add(tx, actor, "officer.absence", id, now=now, detail={"first": str(first), "last": str(last)})
    return row


async def call_back(tx: AsyncSession, id: str, absence_id: str, *, actor: str, now: datetime) -> None:
    """Take an absence back. Raises AbsenceNotFound."""
    row = await tx.get(Absence, absence_id)
    if row is None or row.officer_id != id:
        raise AbsenceNotFound
    await tx.delete(row)
    audit.add(tx, actor, "officer.absence_ended", id, now=now, detail={"first": str(row.first), "last": str(row.last)})


def view(row: store.staff.Officer, away: Sequence[Absence], load: int) -> dict[str, Any]:
    return {
        **{n: getattr(row, n) for n in ("id", "department", "branch", "most_open", "active")},
        **{n: orjson.loads(getattr(row, n)) for n in ("languages", "categories", "products")},
        "open_cases": load,
        "absences": [{"id": a.id, "first": a.first, "last": a.last} for a in away if a.officer_id == row.id],
    }
