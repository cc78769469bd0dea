"""What is asked of the tables when a mail comes in."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from services.intake.store.attachment import Attachment
from services.intake.store.complaint import Complaint
from services.intake.store.correspondence import Dispatch, MailThread
from shared.db.bulk import bulk_insert

_thread: Any = MailThread.__table__  # type: ignore[attr-defined]
_complaint: Any = Complaint.__table__  # type: ignore[attr-defined]
_dispatch: Any = Dispatch.__table__  # type: ignore[attr-defined]
_attachment: Any = Attachment.__table__  # type: ignore[attr-defined]


async def threads(tx: AsyncSession, message_keys: Collection[str]) -> Mapping[str, str]:
    """The complaints to which these messages belong, by the messages' keys."""
    query = select(_thread.c.message_key, _thread.c.complaint_id).where(_thread.c.message_key.in_(message_keys))
    return {row[0]: row[1] for row in await tx.execute(query)}


async def dispatches(tx: AsyncSession, ids: Collection[str]) -> Mapping[str, Dispatch]:
    """By their ids."""
    return {d.id: d for d in await tx.scalars(select(Dispatch).where(_dispatch.c.id.in_(ids)))}


async def dispatch(tx: AsyncSession, id: str) -> Dispatch | None:
    """One, kept from others until the unit of work ends."""
    return (await tx.scalars(select(Dispatch).where(_dispatch.c.id == id).with_for_update())).first()


async def complaints(tx: AsyncSession, ids: Collection[str], references: Collection[str]) -> Sequence[Complaint]:
    """Those with one of these ids or references, as far as they are not erased."""
    alike = _complaint.c.id.in_(ids) | _complaint.c.reference.in_(references)
    return [c for c in await tx.scalars(select(Complaint).where(alike)) if c.wrapped_key]


async def taken_since(tx: AsyncSession, customer_ref: str, since: datetime) -> int:
    """How many complaints of a person came by e-mail since a moment."""
    mine = (_complaint.c.customer_ref == customer_ref, _complaint.c.channel == "email")
    query = select(func.count()).select_from(_complaint).where(*mine, _complaint.c.created_at >= since)
    return int((await tx.execute(query)).scalar_one())


async def mark(connection: AsyncConnection, message_key: str, complaint_id: str) -> None:
    """A message belongs to a complaint from now on. Breaks a unique index where it belongs to one already."""
    await bulk_insert(connection, _thread, ("message_key", "complaint_id"), [(message_key, complaint_id)])


async def hand_over(
    connection: AsyncConnection, attachments: Collection[str], complaint_id: str, message_id: str | None
) -> None:
    """Give files that belong to nobody yet to a complaint, and to the message that they came with."""
    mine = _attachment.c.id.in_(attachments) & _attachment.c.complaint_id.is_(None)
    owner = {"complaint_id": complaint_id, "message_id": message_id, "ticket_key": None}
    await connection.execute(update(_attachment).where(mine).values(owner))
