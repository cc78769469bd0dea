"""Who, besides people in their posts, is told of deadlines: signed webhooks and chats. Never commits."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Column, ForeignKey, LargeBinary, String, Table, Text, delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from services.sla.domain.notice import Filter
from services.sla.store import Base, metadata
from shared.db import UtcDateTime


class Subscription(Base, table=True):
    """A webhook (`format` None) or a chat's incoming webhook (`format` wecom, teams or slack).

    Whoever knows a chat's address may write into it. So the address is sealed by a data key of its own, wrapped by
    master key `key_id`, purpose `address`; `shown` is as much of it as people may see, `host` where it leads. `filter`
    is JSON `{departments, kinds, minimum_level}`, see `domain.notice.Filter`.
    """

    __tablename__ = "subscription"

    id: str = Field(primary_key=True, max_length=36)
    kind: str = Field(max_length=10)
    format: str | None = Field(default=None, max_length=10)
    name: str = Field(max_length=100)
    host: str = Field(max_length=255)
    shown: str = Field(max_length=500)
    key_id: str = Field(max_length=40)
    wrapped_key: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    sealed_address: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    language: str = Field(max_length=10)
    filter: str = Field(sa_column=Column(Text, nullable=False))
    created_by: str = Field(max_length=200)
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    disabled_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))

    def filtered(self) -> Filter:
        kept = orjson.loads(self.filter)
        departments, kinds = (None if kept[n] is None else frozenset(kept[n]) for n in ("departments", "kinds"))
        return Filter(departments, kinds, kept["minimum_level"])


class SubscriptionSecret(Base, table=True):
    """One signing secret of a webhook, sealed by the subscription's data key, purpose `secret:<id>`. While two are
    there, both sign; `expires_at` is when the older one stops."""

    __tablename__ = "subscription_secret"

    id: str = Field(primary_key=True, max_length=36)
    subscription_id: str = Field(
        sa_column=Column(String(36), ForeignKey("subscription.id"), nullable=False, index=True)
    )
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    expires_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


SUBSCRIPTION: Table = metadata.tables["subscription"]
SECRET: Table = metadata.tables["subscription_secret"]
_live = SUBSCRIPTION.c.disabled_at.is_(None)


async def live(session: AsyncSession) -> Sequence[Subscription]:
    """Those that are switched on, in one statement."""
    return (await session.scalars(select(Subscription).where(_live).order_by(SUBSCRIPTION.c.id))).all()


async def find(tx: AsyncSession, id: str, *, lock: bool = False) -> Subscription | None:
    query = select(Subscription).where(SUBSCRIPTION.c.id == id)
    return (await tx.scalars(query.with_for_update() if lock else query)).first()


async def page(session: AsyncSession, *, before: str | None, limit: int) -> Sequence[Subscription]:
    """The newest first, from behind `before` on, those that are switched off among them."""
    query = select(Subscription).order_by(SUBSCRIPTION.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(SUBSCRIPTION.c.id < before)
    return (await session.scalars(query)).all()


async def secrets(session: AsyncSession, subscription_ids: Collection[str]) -> Sequence[SubscriptionSecret]:
    """Their secrets, the newest first."""
    query = select(SubscriptionSecret).where(SECRET.c.subscription_id.in_(list(subscription_ids)))
    return (await session.scalars(query.order_by(SECRET.c.id.desc()))).all()


async def drop_secrets(tx: AsyncSession, ids: Collection[str]) -> None:
    await tx.execute(delete(SECRET).where(SECRET.c.id.in_(list(ids))))


async def with_other_keys(tx: AsyncSession, current: str, limit: int) -> Sequence[Subscription]:
    """Those whose data key is wrapped by a master key other than `current`."""
    return (await tx.scalars(select(Subscription).where(SUBSCRIPTION.c.key_id != current).limit(limit))).all()


def filter_json(wanted: Filter) -> dict[str, Any]:
    departments, kinds = (None if s is None else sorted(s) for s in (wanted.departments, wanted.kinds))
    return {"departments": departments, "kinds": kinds, "minimum_level": wanted.minimum_level}
