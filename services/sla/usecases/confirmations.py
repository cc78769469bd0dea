"""Confirming policy packs and calendars: somebody of the bank has compared one edition with its source and stands by
it. Until then the desk counts with it all the same, and says that nobody has."""

from collections.abc import Collection
from datetime import datetime
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from services.sla.domain.policy import Pack, Policies
from services.sla.store import confirmations as store
from services.sla.store.base import ConfirmationRow
from shared import audit
from shared.errors import Conflict, NotFound
from shared.redaction import redact
from shared.security.principal import Principal

Kind = Literal["pack", "calendar"]


class PackNotFound(NotFound):
    """There is no such policy pack in this version."""

    code = "pack_not_found"


class CalendarNotFound(NotFound):
    """There is no such calendar."""

    code = "calendar_not_found"


class EditionChanged(Conflict):
    """The desk goes by another edition now than the one that was looked at."""

    code = "edition_changed"


def pack_of(policies: Policies, id: str, version: str) -> Pack:
    """Raises PackNotFound."""
    found = policies.pack(id, version)
    if found is None:
        raise PackNotFound
    return found


async def of_packs(session: AsyncSession, packs: Collection[Pack]) -> dict[tuple[str, str], ConfirmationRow]:
    """The confirmations of these packs as they are, by (id, version)."""
    editions = {(p.id, p.version): p.edition for p in packs}
    found = await store.of(session, "pack", set(editions.values()))
    return {key: row for key, edition in editions.items() if (row := found.get((key[0], edition)))}


async def of_calendars(session: AsyncSession, policies: Policies) -> dict[str, ConfirmationRow]:
    """The confirmations of the calendars as they are, by id."""
    found = await store.of(session, "calendar", {c.version for c in policies.calendars.values()})
    return {c.id: row for c in policies.calendars.values() if (row := found.get((c.id, c.version)))}


async def confirm_pack(tx: AsyncSession, pack: Pack, edition: str, note: str, *, by: Principal, now: datetime) -> None:
    """Confirm the edition that was looked at; again, nothing happens. Raises EditionChanged."""
    await _confirm(tx, "pack", pack.id, pack.edition, edition, note, by, now, version=pack.version)


async def confirm_calendar(
    tx: AsyncSession, policies: Policies, id: str, edition: str, note: str, *, by: Principal, now: datetime
) -> None:
    """Confirm the edition that was looked at; again, nothing happens. Raises CalendarNotFound, EditionChanged."""
    calendar = policies.calendars.get(id)
    if calendar is None:
        raise CalendarNotFound
    await _confirm(tx, "calendar", id, calendar.version, edition, note, by, now)


async def _confirm(
    tx: AsyncSession,
    kind: Kind,
    name: str,
    stands: str,
    seen: str,
    note: str,
    by: Principal,
    now: datetime,
    **detail: str,
) -> None:
    if seen != stands:
        raise EditionChanged
    if await store.add(tx, kind, name, stands, by=by.id, at=now, note=redact(note)):
        audit.add(tx, by.id, f"{kind}.confirmed", name, now=now, detail={"edition": stands, **detail})
