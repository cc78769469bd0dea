"""What callers set up: keys of forms in other sites' pages, and webhooks with what was sent to them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, LargeBinary, Text, exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from services.intake.store.base import Base
from shared.db import UtcDateTime


class FormKey(Base, table=True):
    """A publishable key (`pk_...`), which is no secret: it names a form, where it may stand, and how it looks.

    `origins` are separated by spaces. `look` is JSON: `{name, logo, colour}`. The identity secret, with which the
    bank's backend signs who is signed in, is wrapped by master key `key_id`.
    """

    __tablename__ = "form_key"

    id: str = Field(primary_key=True, max_length=40)
    name: str = Field(max_length=100)
    channel: str = Field(max_length=20)
    origins: str = Field(sa_column=Column(Text, nullable=False))
    look: str = Field(sa_column=Column(Text, nullable=False))
    key_id: str = Field(max_length=40)
    wrapped_identity_secret: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    revoked_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class Webhook(Base, table=True):
    """Where a channel's key wants to hear of its complaints. `events` are codes separated by spaces, empty for all.

    The signing secret (Standard Webhooks, `whsec_...`) is wrapped by master key `key_id`.
    """

    __tablename__ = "webhook"

    id: str = Field(primary_key=True, max_length=36)
    owner: str = Field(max_length=100, index=True)
    channels: str = Field(max_length=200)
    url: str = Field(max_length=500)
    events: str = Field(max_length=400)
    key_id: str = Field(max_length=40)
    wrapped_secret: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    disabled_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))

    def wants(self, event: str, channel: str) -> bool:
        """Whether it is to be told of `event` of a complaint that came by `channel`; empty lists mean all."""
        return event in (self.events.split() or (event,)) and channel in (self.channels.split() or (channel,))


class Delivery(Base, table=True):
    """One message to one webhook. `id` is its `webhook-id`, the same at every attempt. `state`: waiting, delivered,
    failed. Sent in the order of `id` within a webhook and complaint."""

    __tablename__ = "delivery"

    id: str = Field(primary_key=True, max_length=36)
    webhook_id: str = Field(max_length=36)
    complaint_id: str = Field(max_length=36, index=True)
    type: str = Field(max_length=60)
    payload: str = Field(sa_column=Column(Text, nullable=False))
    state: str = Field(max_length=10)
    attempts: int = 0
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    next_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    settled_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    last_status: int | None = None
    last_error: str | None = Field(default=None, max_length=200)


_delivery: Any = Delivery.__table__  # type: ignore[attr-defined]
_form: Any = FormKey.__table__  # type: ignore[attr-defined]
_webhook: Any = Webhook.__table__  # type: ignore[attr-defined]
_waiting = _delivery.c.state == "waiting"
Index("delivery_log", _delivery.c.webhook_id, _delivery.c.id)
Index("delivery_due", _delivery.c.next_at, postgresql_where=_waiting, sqlite_where=_waiting)


async def forms(tx: AsyncSession) -> Sequence[FormKey]:
    """All forms, the oldest first."""
    return (await tx.scalars(select(FormKey).order_by(_form.c.created_at, _form.c.id))).all()


async def forms_with_other_keys(tx: AsyncSession, current: str, limit: int) -> Sequence[FormKey]:
    """Forms whose secret is wrapped by a master key other than `current`."""
    return (await tx.scalars(select(FormKey).where(_form.c.key_id != current).limit(limit))).all()


async def live_webhooks(tx: AsyncSession) -> Sequence[Webhook]:
    return (await tx.scalars(select(Webhook).where(_webhook.c.disabled_at.is_(None)))).all()


async def webhooks_of(tx: AsyncSession, owner: str) -> Sequence[Webhook]:
    """Those that one key has set up, the oldest first."""
    return (await tx.scalars(select(Webhook).where(_webhook.c.owner == owner).order_by(_webhook.c.id))).all()


async def webhooks(tx: AsyncSession, before: str | None, limit: int) -> Sequence[Webhook]:
    """Everybody's, the newest first, from behind `before` on."""
    query = select(Webhook)
    if before:
        query = query.where(_webhook.c.id < before)
    return (await tx.scalars(query.order_by(_webhook.c.id.desc()).limit(limit))).all()


async def due_deliveries(tx: AsyncSession, now: datetime, limit: int) -> Sequence[Delivery]:
    """What is to be sent now, each to one sender only: of one webhook's deliveries about one complaint the first that
    waits, so that they arrive in order."""
    before = _delivery.alias()
    earlier = exists().where(
        before.c.webhook_id == _delivery.c.webhook_id,
        before.c.complaint_id == _delivery.c.complaint_id,
        before.c.state == "waiting",
        before.c.id < _delivery.c.id,
    )
    query = select(Delivery).where(_waiting, _delivery.c.next_at <= now, ~earlier).order_by(_delivery.c.next_at)
    return (await tx.scalars(query.limit(limit).with_for_update(skip_locked=True))).all()


async def deliveries(tx: AsyncSession, webhook_id: str, before: str | None, limit: int) -> Sequence[Delivery]:
    """The log of a webhook, the newest first, from behind `before` on."""
    query = select(Delivery).where(_delivery.c.webhook_id == webhook_id)
    if before:
        query = query.where(_delivery.c.id < before)
    return (await tx.scalars(query.order_by(_delivery.c.id.desc()).limit(limit))).all()


async def cancel_deliveries(tx: AsyncSession, webhook_id: str, now: datetime) -> None:
    """What waits for a webhook is not sent any more."""
    mine = update(Delivery).where(_delivery.c.webhook_id == webhook_id, _waiting)
    off = "the webhook is switched off"
    await tx.execute(mine.values(state="failed", next_at=None, settled_at=now, last_error=off))


async def webhooks_with_other_keys(tx: AsyncSession, current: str, limit: int) -> Sequence[Webhook]:
    """Webhooks whose secret is wrapped by a master key other than `current`."""
    return (await tx.scalars(select(Webhook).where(_webhook.c.key_id != current).limit(limit))).all()
