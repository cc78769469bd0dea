"""Webhooks and chats that are told of deadlines: set up, rotated, tested, switched off."""

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.sla import store_notices as notices
from services.sla import store_subscriptions as store
from services.sla.domain.notice import TEST, Filter, NoSecret, SubscriptionNotFound, SubscriptionOff
from services.sla.store_notices import NoticeRow
from services.sla.store_subscriptions import Subscription, SubscriptionSecret
from shared import audit
from shared.addresses import AddressRefused, check_address
from shared.clock import rfc3339
from shared.errors import FieldError, Invalid, Unavailable
from shared.ids import uuid7
from shared.security.crypto import DataKey, MasterKeys

_PREFIX = "whsec_"
_LONGEST_HOST = 255


class SecretUnfit(Invalid):
    """A signing secret is `whsec_` and 24 to 64 bytes in base64 (Standard Webhooks)."""

    code = "secret_unfit"


class KeysMissing(Unavailable):
    """Addresses and secrets are sealed, and no encryption keys are set up here (REDRESS_ENCRYPTION_KEYS)."""

    code = "encryption_keys_missing"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asks for. `format` None: a signed webhook, with the receiver's own `secret` or one made here."""

    url: str
    name: str
    format: str | None
    language: str
    filter: Filter
    secret: str | None = None


def create(
    tx: AsyncSession, keys: MasterKeys | None, wanted: Wanted, *, private: bool, actor: str, now: datetime
) -> tuple[Subscription, str | None]:
    """A new subscription and, for a webhook, its secret, which is shown this once.

    Raises AddressRefused, SecretUnfit, NoSecret, KeysMissing.
    """
    _check(wanted.url, private=private)
    if wanted.format is not None and wanted.secret is not None:
        raise NoSecret
    secret = _read(wanted.secret) if wanted.format is None else None
    id, keys = uuid7(), _at_hand(keys)
    key, key_id, wrapped = keys.new(f"subscription:{id}")
    parts = urlsplit(wanted.url)
    made = Subscription(
        id=id,
        kind="webhook" if wanted.format is None else "chat",
        format=wanted.format,
        name=wanted.name,
        host=parts.netloc,
        # a chat's path or query is what lets somebody write into it
        shown=(f"{parts.scheme}://{parts.netloc}" + (parts.path if wanted.format is None else "/…"))[:500],
        key_id=key_id,
        wrapped_key=wrapped,
        sealed_address=key.seal("address", wanted.url.encode()),
        language=wanted.language,
        filter=orjson.dumps(store.filter_json(wanted.filter)).decode(),
        created_by=actor,
        created_at=now,
    )
    tx.add(made)
    detail = {"kind": made.kind, "format": made.format}
    audit.add(tx, actor, "subscription.created", id, now=now, detail=detail)
    if secret is None:
        return made, None
    _keep(tx, key, id, secret, now)
    return made, _shown(secret)


async def find(tx: AsyncSession, id: str, *, lock: bool = False) -> Subscription:
    """Raises SubscriptionNotFound."""
    found = await store.find(tx, id, lock=lock)
    if found is None:
        raise SubscriptionNotFound
    return found


async def rotate(
    tx: AsyncSession,
    keys: MasterKeys | None,
    id: str,
    *,
    overlap: timedelta,
    secret: str | None,
    actor: str,
    now: datetime,
) -> tuple[str, datetime]:
    """A new secret; those before sign beside it for `overlap`, so that the receiver can change in its own time. The
    secret, and until when the old ones sign. Raises SubscriptionNotFound, SubscriptionOff, NoSecret, SecretUnfit,
    KeysMissing."""
    found = await _live(tx, id)
    if found.kind != "webhook":
        raise NoSecret
    fresh, until = _read(secret), now + overlap
    key = _at_hand(keys).unwrap(f"subscription:{id}", found.key_id, found.wrapped_key)
    held = await store.secrets(tx, [id])
    await store.drop_secrets(tx, [s.id for s in held if s.expires_at is not None and s.expires_at <= now])
    for one in held:
        one.expires_at = min(one.expires_at or until, until)
    _keep(tx, key, id, fresh, now)
    audit.add(tx, actor, "subscription.rotated", id, now=now)
    return _shown(fresh), until


async def switch_off(tx: AsyncSession, id: str, *, actor: str, now: datetime) -> None:
    """What waits for it is not sent. Off already, nothing happens. Raises SubscriptionNotFound."""
    found = await find(tx, id, lock=True)
    if found.disabled_at is None:
        await _off(tx, found, "subscription.deleted", "the subscription is switched off", actor, now)


async def gone(tx: AsyncSession, id: str, *, now: datetime) -> None:
    """The receiver wants no more (410)."""
    found = await store.find(tx, id, lock=True)
    if found is not None and found.disabled_at is None:
        await _off(tx, found, "subscription.gone", "answered 410", "system:sla", now)


async def _off(tx: AsyncSession, one: Subscription, action: str, reason: str, actor: str, now: datetime) -> None:
    one.disabled_at = now
    await notices.cancel(tx, one.id, reason=reason, now=now)
    audit.add(tx, actor, action, one.id, now=now)


async def test(tx: AsyncSession, id: str, *, actor: str, now: datetime) -> NoticeRow:
    """A notice that tells of nothing. Raises SubscriptionNotFound, SubscriptionOff."""
    found = await _live(tx, id)
    one = NoticeRow(
        id=uuid7(),
        kind=TEST,
        at=now,
        recipient_kind=found.kind,
        recipient=id,
        host=found.host,
        language=found.language,
        urgent=True,
        solo=True,
        state="waiting",
        created_at=now,
        not_before=now,
        since=now,
        next_at=now,
    )
    tx.add(one)
    audit.add(tx, actor, "subscription.tested", id, now=now)
    return one


async def _live(tx: AsyncSession, id: str) -> Subscription:
    found = await find(tx, id, lock=True)
    if found.disabled_at is not None:
        raise SubscriptionOff
    return found


def opened(keys: MasterKeys, one: Subscription) -> tuple[str, DataKey]:
    """Its address, and the key that opens its secrets. Raises Undecryptable."""
    key = keys.unwrap(f"subscription:{one.id}", one.key_id, one.wrapped_key)
    return key.open("address", one.sealed_address).decode(), key


def signing(key: DataKey, held: list[SubscriptionSecret], now: datetime) -> tuple[bytes, ...]:
    """The secrets that sign now, the newest first. Raises Undecryptable."""
    return tuple(key.open(f"secret:{s.id}", s.sealed) for s in held if s.expires_at is None or now < s.expires_at)


async def rewrap(tx: AsyncSession, keys: MasterKeys, limit: int) -> int:
    """Wrap up to `limit` data keys anew under the current master key; how many."""
    found = await store.with_other_keys(tx, keys.current, limit)
    for one in found:
        one.key_id, one.wrapped_key = keys.rewrap(f"subscription:{one.id}", one.key_id, one.wrapped_key)
    return len(found)


def view(one: Subscription) -> dict[str, Any]:
    kept: Mapping[str, Any] = orjson.loads(one.filter)
    return {
        "id": one.id,
        "kind": one.kind,
        "format": one.format,
        "name": one.name,
        "address": one.shown,
        "language": one.language,
        "departments": kept["departments"],
        "kinds": kept["kinds"],
        "minimum_level": kept["minimum_level"],
        "created_by": one.created_by,
        "created_at": rfc3339(one.created_at),
        "disabled_at": rfc3339(one.disabled_at) if one.disabled_at else None,
    }


def _check(url: str, *, private: bool) -> None:
    """Raises AddressRefused."""
    check_address(url, private=private)
    if not (url.isascii() and url.isprintable()) or " " in url or len(urlsplit(url).netloc) > _LONGEST_HOST:
        wrong = FieldError("/url", "must be written in ASCII, with a host that can be", AddressRefused.code)
        raise AddressRefused(errors=(wrong,))


def _at_hand(keys: MasterKeys | None) -> MasterKeys:
    if keys is None:
        raise KeysMissing
    return keys


def _keep(tx: AsyncSession, key: DataKey, subscription_id: str, secret: bytes, now: datetime) -> None:
    id = uuid7()
    sealed = key.seal(f"secret:{id}", secret)
    tx.add(SubscriptionSecret(id=id, subscription_id=subscription_id, sealed=sealed, created_at=now))


def _read(secret: str | None) -> bytes:
    """The bytes of a secret as the standard writes it; new ones where none is given."""
    if secret is None:
        return os.urandom(32)
    try:
        raw = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not 24 <= len(raw) <= 64:
        raise SecretUnfit(errors=(FieldError("/secret", SecretUnfit.__doc__ or "", SecretUnfit.code),))
    return raw


def _shown(secret: bytes) -> str:
    return _PREFIX + base64.b64encode(secret).decode()
