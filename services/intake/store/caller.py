"""What callers set up: keys of forms in other sites' pages, and webhooks with what was sent to them."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Column, Index, LargeBinary, Text, select
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


class Delivery(Base, table=True):
    """One message to one webhook. `id` is its `webhook-id`, the same at every attempt. `state`: waiting, delivered,
    failed. Sent in the order of `id` within a webhook and complaint."""

    __tablename__ = "delivery"

    id: str = Field(primary_key=True, max_length=36)
    webhook_id: str = Field(max_length=36, index=True)
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


_delivery = Delivery.__table__  # type: ignore[attr-defined]
_webhook = Webhook.__table__  # type: ignore[attr-defined]
_waiting = _delivery.c.state == "waiting"
Index("delivery_due", _delivery.c.next_at, postgresql_where=_waiting, sqlite_where=_waiting)


async def live_webhooks(tx: AsyncSession) -> Sequence[Webhook]:
    return (await tx.scalars(select(Webhook).where(_webhook.c.disabled_at.is_(None)))).all()
