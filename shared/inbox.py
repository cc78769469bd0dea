"""The inbox: a consumer records what it has seen in the transaction of its effect, so that each event acts once.

What can't be decoded, or keeps failing, is parked (see `shared.parking`) and never blocks other complaints.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shared import metrics, parking
from shared.bus import Message
from shared.clock import Clock
from shared.cloudevents import Envelope, Undecodable, decode, peek_type
from shared.db import Database, is_outage
from shared.db.bulk import bulk_insert

log = structlog.get_logger()

Handle = Callable[[AsyncSession, Sequence[Envelope]], Awaitable[None]]
ATTEMPTS = 3


class ParkingFull(Exception):
    """More events fail than may be parked: rather stand still and raise the alarm than park a whole topic."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """One message, decoded or with the reason why it could not be."""

    message: Message
    event_id: str
    envelope: Envelope | None
    reason: str = ""


class Consumer:
    """Turns batches of messages into effects of one service, each event exactly once.

    `handle` applies events inside the transaction it is given and commits nothing. `wanted` are the event types that it
    knows; others are passed over, so that a publisher may add types before its consumers learn them.
    """

    def __init__(
        self, db: Database, handle: Handle, wanted: frozenset[str], clock: Clock, *, max_parked: int = 1000
    ) -> None:
        self._db = db
        self._handle = handle
        self._wanted = wanted
        self._clock = clock
        self._max_parked = max_parked
        # With the in-process bus four relays deliver to one consumer: one at a time keeps transactions apart.
        self._turn = asyncio.Lock()

    async def process(self, messages: Sequence[Message]) -> None:
        """Make the effect of `messages` durable or park them. Raises, skipping nothing, when the database is away."""
        arrived = [found for m in messages if (found := self._read(m))]
        if not arrived:
            return
        async with self._turn:
            began = time.perf_counter()
            try:
                await self._apply(arrived)
            except Exception as error:
                if is_outage(error):
                    raise
                log.warning("consumer.batch_failed", service=self._db.service, size=len(arrived), error=_name(error))
                for one in arrived:
                    await self._alone(one)
            metrics.handler_seconds.labels(self._db.service).observe(time.perf_counter() - began)
            metrics.events_handled.labels(self._db.service).inc(len(arrived))

    def _read(self, message: Message) -> Arrived | None:
        kind = peek_type(message.value)
        if kind is not None and kind not in self._wanted:
            return None
        try:
            envelope = decode(message.value)
        except Undecodable as error:
            # no id of its own: its topic, key and content name it, so that a redelivery is known again
            place = f"{message.topic}\x00{message.key}\x00".encode(errors="replace")
            digest = blake2b(place + message.value, digest_size=16).hexdigest()
            return Arrived(message, f"undecodable-{digest}", None, str(error))
        return Arrived(message, envelope.id, envelope)

    async def _apply(self, arrived: Sequence[Arrived]) -> None:
        async with self._db.transaction() as tx:
            tables = self._db.tables
            ids = {a.event_id for a in arrived}
            seen = set(
                (await tx.scalars(select(tables.inbox.c.event_id).where(tables.inbox.c.event_id.in_(ids)))).all()
            )
            seen |= set(
                (await tx.scalars(select(tables.parked.c.event_id).where(tables.parked.c.event_id.in_(ids)))).all()
            )
            blocked = await parking.blocked(tx, tables, {a.envelope.subject for a in arrived if a.envelope})
            now = self._clock()
            fresh: list[Envelope] = []
            for one in arrived:
                if one.event_id in seen:
                    continue
                seen.add(one.event_id)
                if one.envelope is None:
                    await self._park(tx, one, "undecodable", one.reason, 1)
                    blocked.add(one.message.key)
                elif one.envelope.subject in blocked:
                    await self._park(tx, one, "behind", "an earlier event of this complaint is parked", 0)
                else:
                    fresh.append(one.envelope)
            if fresh:
                await self._handle(tx, fresh)
                await tx.flush()
                rows = [(e.id, now) for e in fresh]
                await bulk_insert(await tx.connection(), tables.inbox, ("event_id", "seen_at"), rows)

    async def _alone(self, one: Arrived) -> None:
        """Apply one event by itself, with some patience; park it when it keeps failing."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await self._apply([one])
                return
            except Exception as error:
                if is_outage(error):
                    raise
                failure = error
            await asyncio.sleep(0.05 * attempt)
        async with self._db.transaction() as tx:
            await self._park(tx, one, "handler_failed", _name(failure), ATTEMPTS)

    async def _park(self, tx: AsyncSession, one: Arrived, reason: str, error: str, attempts: int) -> None:
        tables = self._db.tables
        if reason != "behind" and await parking.count(tx, tables) >= self._max_parked:
            raise ParkingFull
        metrics.parked_total.labels(self._db.service, reason).inc()
        log.error("event.parked", service=self._db.service, event_id=one.event_id, reason=reason, error=error)
        await parking.park(
            tx,
            tables,
            parking.Parked(one.message, one.event_id, one.envelope, reason, error, attempts),
            now=self._clock(),
        )


def _name(error: BaseException) -> str:
    """The kind of failure and where it arose; its message may hold what a complainant wrote, so it is left out."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f" in {place.tb_frame.f_code.co_name}:{place.tb_lineno}" if place else ""
    return f"{type(error).__name__}{where}"
