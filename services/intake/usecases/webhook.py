"""Webhooks: who wants to hear of what, and telling them until they have heard."""

import asyncio
import base64
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession
from standardwebhooks import Webhook as Signer

from services.intake.domain.retry import next_attempt
from services.intake.domain.webhook import TEST, WebhookGone
from services.intake.store import caller as store
from shared import audit
from shared.addresses import check_address
from shared.clock import Clock, rfc3339
from shared.db import Database
from shared.errors import NotFound
from shared.ids import uuid7
from shared.outbound import NotReached, Outbound
from shared.security.crypto import MasterKeys

LEASE = timedelta(seconds=60)  # for which a delivery is one sender's; longer than any attempt takes
AT_ONCE = 20


def create(
    tx: AsyncSession,
    keys: MasterKeys,
    url: str,
    events: Sequence[str],
    *,
    owner: str,
    channels: Sequence[str],
    private: bool,
    now: datetime,
) -> tuple[store.Webhook, str]:
    """A new webhook and its signing secret, which is shown this once. Raises AddressRefused."""
    check_address(url, private=private)
    id = uuid7()
    secret, key_id, wrapped = keys.new(f"webhook:{id}")
    made = store.Webhook(
        id=id,
        owner=owner,
        channels=" ".join(sorted(channels)),
        url=url,
        events=" ".join(events),
        key_id=key_id,
        wrapped_secret=wrapped,
        created_at=now,
    )
    tx.add(made)
    audit.add(tx, owner, "webhook.created", id, now=now)
    return made, _shown(secret.raw)


@dataclass(frozen=True, slots=True)
class Hand:
    """Whose webhooks somebody may touch: those of the key `owner` alone, or everybody's where it is None, for admins.
    `actor` is who acts, as the audit trail names it."""

    actor: str
    owner: str | None


async def find(tx: AsyncSession, id: str, *, hand: Hand) -> store.Webhook:
    """A webhook that is in reach. Raises NotFound."""
    found = await tx.get(store.Webhook, id)
    if found is None or hand.owner not in (None, found.owner):
        raise NotFound("No webhook has this id.")
    return found


async def rotate(tx: AsyncSession, keys: MasterKeys, id: str, *, hand: Hand, now: datetime) -> str:
    """A new secret, used from the next delivery on. Raises NotFound, WebhookGone."""
    found = await _live(tx, id, hand)
    secret, found.key_id, found.wrapped_secret = keys.new(f"webhook:{id}")
    audit.add(tx, hand.actor, "webhook.rotated", id, now=now)
    return _shown(secret.raw)


async def switch_off(tx: AsyncSession, id: str, *, hand: Hand, now: datetime) -> None:
    """Off already, nothing happens. Raises NotFound."""
    found = await find(tx, id, hand=hand)
    if found.disabled_at is None:
        found.disabled_at = now
        await store.cancel_deliveries(tx, id, now)
        audit.add(tx, hand.actor, "webhook.deleted", id, now=now)


async def test(tx: AsyncSession, id: str, *, hand: Hand, now: datetime) -> store.Delivery:
    """Send a delivery that tells of nothing. Raises NotFound, WebhookGone."""
    await _live(tx, id, hand)
    body = orjson.dumps({"type": TEST, "timestamp": rfc3339(now), "data": {}}).decode()
    one = store.Delivery(
        id=uuid7(),
        webhook_id=id,
        complaint_id="",
        type=TEST,
        payload=body,
        state="waiting",
        created_at=now,
        next_at=now,
    )
    tx.add(one)
    audit.add(tx, hand.actor, "webhook.tested", id, now=now)
    return one


async def replay(tx: AsyncSession, delivery_id: str, *, hand: Hand, now: datetime) -> store.Delivery:
    """Send a delivery again, under its own id, whatever became of it. Raises NotFound, WebhookGone."""
    one = await tx.get(store.Delivery, delivery_id, with_for_update=True)
    if one is None:
        raise NotFound("No delivery has this id.")
    await _live(tx, one.webhook_id, hand)
    one.state, one.next_at, one.settled_at = "waiting", now, None
    one.created_at, one.attempts = now, 0  # the 24 hours begin anew
    audit.add(tx, hand.actor, "webhook.replayed", one.webhook_id, now=now, detail={"delivery": delivery_id})
    return one


async def _live(tx: AsyncSession, id: str, hand: Hand) -> store.Webhook:
    found = await find(tx, id, hand=hand)
    if found.disabled_at is not None:
        raise WebhookGone
    return found


def _shown(raw: bytes) -> str:
    return "whsec_" + base64.b64encode(raw).decode()


@dataclass(frozen=True, slots=True)
class _Sending:
    """A delivery in one sender's hands. `headers` are signed; None: its webhook is off."""

    id: str
    url: str
    body: bytes
    headers: dict[str, str] | None


class Sender:
    """Sends what is due. Several may run at once: each delivery is one sender's for `LEASE`."""

    def __init__(self, db: Database, keys: MasterKeys, outbound: Outbound, clock: Clock) -> None:
        self._db, self._keys, self._outbound, self._clock = db, keys, outbound, clock

    async def run(self) -> None:
        """Send until nothing is due."""
        while taken := await self._take():
            answers = await asyncio.gather(*(self._send(one) for one in taken))
            await self._settle(list(zip(taken, answers, strict=True)))

    async def _take(self) -> list[_Sending]:
        async with self._db.transaction() as tx:
            now = self._clock()
            due = await store.due_deliveries(tx, now, AT_ONCE)
            hooks = {id: await tx.get(store.Webhook, id) for id in {one.webhook_id for one in due}}
            for one in due:
                # whoever dies with it in hand leaves it to the next, under the same id
                one.next_at, one.attempts = now + LEASE, one.attempts + 1
            return [self._prepared(one, hooks[one.webhook_id], now) for one in due]

    def _prepared(self, one: store.Delivery, hook: store.Webhook | None, now: datetime) -> _Sending:
        if hook is None or hook.disabled_at is not None:
            return _Sending(one.id, "", b"", None)
        secret = self._keys.unwrap(f"webhook:{hook.id}", hook.key_id, hook.wrapped_secret).raw
        signature = Signer(base64.b64encode(secret).decode()).sign(one.id, now, one.payload)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Redress",
            "webhook-id": one.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signature,
        }
        return _Sending(one.id, hook.url, one.payload.encode(), headers)

    async def _send(self, one: _Sending) -> tuple[int | None, str | None]:
        """The status, or why there is none."""
        if one.headers is None:
            return None, "the webhook is switched off"
        try:
            status = await self._outbound.post(one.url, one.body, one.headers)
        except NotReached as error:
            return None, str(error)
        return status, None if 200 <= status < 300 else f"answered {status}"

    async def _settle(self, done: Sequence[tuple[_Sending, tuple[int | None, str | None]]]) -> None:
        async with self._db.transaction() as tx:
            now = self._clock()
            for sending, (status, error) in done:
                one = await tx.get(store.Delivery, sending.id, with_for_update=True)
                if one is None or one.state != "waiting":
                    continue
                one.last_status, one.last_error = status, error
                if error is None:
                    one.state, one.next_at, one.settled_at = "delivered", None, now
                    continue
                if status == 410:
                    await self._gone(tx, one.webhook_id, now)
                again = next_attempt(one.attempts, since=one.created_at, now=now, chance=random.random())  # noqa: S311
                if sending.headers is None or status == 410 or again is None:
                    one.state, one.next_at, one.settled_at = "failed", None, now
                else:
                    one.next_at = again

    async def _gone(self, tx: AsyncSession, webhook_id: str, now: datetime) -> None:
        """The receiver wants no more (Standard Webhooks: 410)."""
        hook = await tx.get(store.Webhook, webhook_id)
        if hook is not None and hook.disabled_at is None:
            hook.disabled_at = now
            await store.cancel_deliveries(tx, webhook_id, now)
            audit.add(tx, "system", "webhook.gone", webhook_id, now=now)


async def rewrap(tx: AsyncSession, keys: MasterKeys, limit: int) -> int:
    """Wrap up to `limit` secrets anew under the current master key; how many."""
    found = await store.webhooks_with_other_keys(tx, keys.current, limit)
    for one in found:
        one.key_id, one.wrapped_secret = keys.rewrap(f"webhook:{one.id}", one.key_id, one.wrapped_secret)
    return len(found)


def webhook_view(one: store.Webhook) -> dict[str, Any]:
    return {
        "id": one.id,
        "url": one.url,
        "events": one.events.split(),
        "channels": one.channels.split(),
        "created_at": rfc3339(one.created_at),
        "disabled_at": rfc3339(one.disabled_at) if one.disabled_at else None,
    }


def delivery_view(one: store.Delivery) -> dict[str, Any]:
    return {
        "id": one.id,
        "type": one.type,
        "complaint_id": one.complaint_id or None,
        "state": one.state,
        "attempts": one.attempts,
        "created_at": rfc3339(one.created_at),
        "next_at": rfc3339(one.next_at) if one.next_at else None,
        "settled_at": rfc3339(one.settled_at) if one.settled_at else None,
        "last_status": one.last_status,
        "last_error": one.last_error,
    }
