"""API keys: made once, shown once, kept as a hash only; bound to channels and scopes; rotated, revoked, last use noted.

A key is `rdk_<id>_<secret>` with 256 random bits, so a plain SHA-256 is enough: there is nothing to guess (slow hashes
are for passwords). Checked keys are remembered for a few seconds, so that the hot path asks the database rarely;
a revoked key is refused at once by the process that revoked it and within `CACHE_SECONDS` by the others.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared import audit
from shared.clock import Clock
from shared.db import Database, SystemTables
from shared.errors import NotFound, Unauthenticated
from shared.security.principal import Principal, Role

PREFIX = "rdk_"
CACHE_SECONDS = 5.0
_SYSTEM_LENGTH = 10


@dataclass(frozen=True, slots=True)
class NewKey:
    """What a key is to be. `roles`, `scopes` and `channels` are codes."""

    name: str
    roles: Collection[str] = ()
    scopes: Collection[str] = ()
    channels: Collection[str] = ()
    expires_at: datetime | None = None


def mint() -> tuple[str, str]:
    """A new key: its id and the whole token, which is shown once and never kept."""
    id = secrets.token_hex(_SYSTEM_LENGTH // 2)
    return id, f"{PREFIX}{id}_{secrets.token_urlsafe(32)}"


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


async def create(tx: AsyncSession, tables: SystemTables, new: NewKey, *, actor: str, now: datetime) -> str:
    """Keep a new key's hash and return the token, for the only time."""
    id, token = mint()
    await store(tx, tables, new, id=id, token=token, actor=actor, now=now)
    return token


async def store(
    tx: AsyncSession, tables: SystemTables, new: NewKey, *, id: str, token: str, actor: str, now: datetime
) -> None:
    """Keep the hash of a token that was minted elsewhere (one development key serves all four services)."""
    roles = {Role(r).value for r in new.roles}
    await tx.execute(
        tables.api_key.insert().values(
            id=id,
            hash=digest(token),
            name=new.name,
            roles=" ".join(sorted(roles)),
            scopes=" ".join(sorted(new.scopes)),
            channels=" ".join(sorted(new.channels)),
            created_at=now,
            expires_at=new.expires_at,
        )
    )
    audit.add(tx, actor, "key.created", id, now=now, detail={"scopes": sorted(new.scopes), "roles": sorted(roles)})


async def rotate(
    tx: AsyncSession, tables: SystemTables, id: str, *, overlap: timedelta, actor: str, now: datetime
) -> str:
    """A new key with the rights of key `id`, which itself ends after `overlap`, or before if it was to. Returns the new
    token. NotFound."""
    row = await _live(tx, tables, id)
    ends = min(now + overlap, row["expires_at"] or now + overlap)
    new = NewKey(row["name"], row["roles"].split(), row["scopes"].split(), row["channels"].split())
    token = await create(tx, tables, new, actor=actor, now=now)
    await tx.execute(update(tables.api_key).where(tables.api_key.c.id == id).values(expires_at=ends))
    audit.add(tx, actor, "key.rotated", id, now=now)
    return token


async def revoke(tx: AsyncSession, tables: SystemTables, id: str, *, actor: str, now: datetime) -> None:
    """End key `id` now. NotFound."""
    await _live(tx, tables, id)
    await tx.execute(update(tables.api_key).where(tables.api_key.c.id == id).values(revoked_at=now))
    audit.add(tx, actor, "key.revoked", id, now=now)


async def _live(tx: AsyncSession, tables: SystemTables, id: str) -> Any:
    query = select(tables.api_key).where(tables.api_key.c.id == id, tables.api_key.c.revoked_at.is_(None))
    row = (await tx.execute(query)).mappings().first()
    if row is None:
        raise NotFound("No key has this id.")
    return row


async def listing(tx: AsyncSession, tables: SystemTables) -> list[dict[str, Any]]:
    """Every key without its hash, newest first."""
    rows = (await tx.execute(select(tables.api_key).order_by(tables.api_key.c.created_at.desc()))).mappings()
    return [{k: v for k, v in row.items() if k != "hash"} for row in rows]


class KeyRing:
    """Checks tokens against one service's table."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._known: dict[str, tuple[Principal, float]] = {}
        self._used: dict[str, datetime] = {}

    def remembered(self, token: str) -> Principal | None:
        """The holder of `token` if it was checked a moment ago."""
        found = self._known.get(token)
        return found[0] if found and found[1] > time.monotonic() else None

    async def check(self, token: str) -> Principal:
        """The holder of `token`. Raises Unauthenticated, or Unavailable when the database is away."""
        id = token.removeprefix(PREFIX)[:_SYSTEM_LENGTH]
        key = self._db.tables.api_key
        async with self._db.reading() as session:
            row = (await session.execute(select(key).where(key.c.id == id))).mappings().first()
        now = self._clock()
        # the digest is compared even for an unknown id, so that answering takes as long
        fits = hmac.compare_digest(row["hash"] if row else "0" * 64, digest(token))
        if row is None or not fits or row["revoked_at"] or (row["expires_at"] and row["expires_at"] <= now):
            self._known.pop(token, None)
            raise Unauthenticated("The key is unknown, expired or revoked.")
        principal = Principal(
            id=f"key:{row['name']}",
            roles=frozenset(Role(r) for r in row["roles"].split()),
            scopes=frozenset(row["scopes"].split()),
            channels=frozenset(row["channels"].split()),
            key_id=id,
        )
        if len(self._known) > 10_000:
            self._known.clear()
        self._known[token] = (principal, time.monotonic() + CACHE_SECONDS)
        self._used[id] = now
        return principal

    def forget(self) -> None:
        """Check every key anew; called after one was revoked."""
        self._known.clear()

    async def note_use(self) -> None:
        """Write down when keys were last used; called now and then, not on the hot path."""
        used, self._used = self._used, {}
        if not used:
            return
        key = self._db.tables.api_key
        try:
            async with self._db.transaction() as tx:
                for id, at in sorted(used.items()):  # in one order, so that two processes never wait for each other
                    await tx.execute(update(key).where(key.c.id == id).values(last_used_at=at))
        except Exception:
            self._used = used | self._used
            raise
