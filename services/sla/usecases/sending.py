"""Sending what is due, to everybody at once and to nobody twice.

Each recipient has a lane: a task that takes what is due to them for the time of a lease, sends it, and writes down how
it fared. A recipient that does not answer holds up its own lane and nobody else's: a host may have only so many lanes,
and is left alone for a while once it has not answered. A sender that dies leaves what it has taken to the next one,
under the same ids, when the lease is over.

It is sent once, except where a sender dies after the other side has taken it and before that is written down: then it
is sent again under the same id, by which the other side can tell.
"""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from prometheus_client import Counter, Gauge
from sqlalchemy.ext.asyncio import AsyncSession

from services.sla.domain.notice import (
    DIGEST,
    HOLD,
    LEASE,
    Breaker,
    Message,
    Outcome,
    Setup,
    again_at,
    gather,
    way_of,
)
from services.sla.domain.post import Post, Quiet
from services.sla.gateways.ways import LONGEST, Means, Parcel, Route, facts, send
from services.sla.gateways.words import Writer
from services.sla.store import notices as store
from services.sla.store import posts as store_posts
from services.sla.store import subscriptions as store_subscriptions
from services.sla.store.notices import DueRecipient, NoticeRow, Recipient
from services.sla.store.subscriptions import Subscription
from services.sla.usecases import subscriptions
from shared.clock import Clock
from shared.db import Database
from shared.errors import Unavailable
from shared.ids import uuid7
from shared.security.crypto import MasterKeys, Undecryptable

log = structlog.get_logger()
LANES = 64
PER_HOST = 8
AT_ONCE = 4
"""Messages that one recipient is sent at the same time."""
CHUNK = 40
"""Messages that a lane takes at a time, and as many as may arrive twice when a sender is killed."""
LOOK_AGAIN = 0.5  # seconds
BUDGET = LEASE.total_seconds() - 2 * LONGEST  # seconds in which a lane begins attempts, so that its lease outlives them
SETTLE_AGAIN = 1.0  # seconds
GRACE = 10.0  # seconds for what is on its way when the worker stops
notices_total = Counter("redress_sla_notice_attempts", "Attempts to send notices", ["way", "outcome"])
behind_seconds = Gauge("redress_sla_notices_behind_seconds", "Age of the longest due notice, 0 when none is due")

NO_ADDRESS = Outcome("never", "no address is known")
NO_SUBSCRIPTION = Outcome("never", "the subscription is switched off")
UNWRITABLE = Outcome("later", "it could not be put into words")
NO_KEYS = Outcome("later", "the key that seals the address is not at hand", down=True)


@dataclass(frozen=True, slots=True)
class _Load:
    """What a lane has taken. `route` None: `fate` is that of all of it."""

    rows: Sequence[NoticeRow]
    parcels: Sequence[Parcel | None]
    route: Route | None
    fate: Outcome | None


class Sender:
    """Sends what is due. Several may run on one database. `case_url` leads to a case, with `{complaint_id}` in it."""

    def __init__(
        self, db: Database, clock: Clock, means: Means, setup: Setup, *, keys: MasterKeys | None, case_url: str
    ) -> None:
        self._db, self._clock, self._means, self._setup, self._keys = db, clock, means, setup, keys
        self._case_url = case_url
        self._lanes: dict[Recipient, tuple[str, asyncio.Task[int]]] = {}
        self._slots: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(PER_HOST))
        self._breaker = Breaker()
        self._closing = False

    async def run_once(self) -> int:
        """Send until nothing is due that can be sent now; how many attempts were made.

        While one recipient keeps a lane waiting, it goes on looking for what falls due to the others. Cancelled, it
        begins nothing more and lets what is on its way arrive.
        """
        self._closing = False
        made, idle = 0, set[Recipient]()
        try:
            while True:
                await self._open_lanes(idle)
                if not self._lanes:
                    return made
                running = {task for _, task in self._lanes.values()}
                await asyncio.wait(running, timeout=LOOK_AGAIN, return_when=asyncio.FIRST_COMPLETED)
                made += self._reap(idle)
        except asyncio.CancelledError:
            await self._close()
            raise

    async def _close(self) -> None:
        self._closing = True
        running = {task for _, task in self._lanes.values()}
        if running:
            _, late = await asyncio.wait(running, timeout=GRACE)
            for task in late:
                task.cancel()
        self._lanes.clear()

    async def _open_lanes(self, idle: set[Recipient]) -> None:
        now = self._clock()
        async with self._db.reading() as session:
            due = await store.due_recipients(session, now)
        behind_seconds.set(max(((now - d.oldest).total_seconds() for d in due), default=0))
        busy: defaultdict[str, int] = defaultdict(int)
        for host, _ in self._lanes.values():
            busy[host] += 1
        for one in due:
            if len(self._lanes) >= LANES:
                return
            if one.recipient in idle or one.recipient in self._lanes or busy[one.host] >= PER_HOST:
                continue
            if self._breaker.holds(str(one.recipient), now):
                continue
            busy[one.host] += 1
            self._lanes[one.recipient] = (one.host, asyncio.create_task(self._lane(one)))

    def _reap(self, idle: set[Recipient]) -> int:
        made = 0
        for recipient, (_, task) in list(self._lanes.items()):
            if not task.done():
                continue
            del self._lanes[recipient]
            if task.cancelled() or task.exception() is not None:
                # what it had taken is taken up again when its lease is over
                log.warning("notices.lane_failed", service="sla", error=type(task.exception()).__name__)
                idle.add(recipient)
            elif not task.result():
                idle.add(recipient)  # another sender has them, or nothing can be sent to them now
            else:
                made += task.result()
        return made

    async def _lane(self, one: DueRecipient) -> int:
        """Send one recipient's share; how many attempts that took."""
        until = time.monotonic() + BUDGET
        async with self._db.transaction() as tx:
            load = await self._take(tx, one.recipient, self._clock())
        if not load.rows:
            return 0
        outcomes: list[Outcome | None]
        if load.route is None:
            outcomes = [load.fate] * len(load.rows)
        else:
            outcomes = await self._send_all(load.route, load.parcels, until)
        await self._settle(one.recipient, load, outcomes)
        return sum(o is not None for o in outcomes)

    async def _take(self, tx: AsyncSession, to: Recipient, now: datetime) -> _Load:
        """Join what may be joined, and take what is due."""
        route, fate, language, zone, quiet = await self._route(tx, to, now)
        by_mail = fate is NO_ADDRESS if route is None else route.way == "email"
        if by_mail and self._means.mail is None:  # not a failure: it goes once a mail server is set up
            await store.hold(tx, to, now, now + HOLD)
            return _Load((), (), None, None)
        if quiet is not None and quiet.covers(now, zone):
            # what was put off, by us or by what was down, comes due at night as well
            await store.quieten(tx, to, now, quiet.end_after(now, zone))
        window = self._setup.rules.window
        for message in gather(await store.untried(tx, to, now + window), now=now, window=window):
            if len(message.ids) > 1:
                host = route.host if route else ""
                await store.join(tx, _digest(to, message, language=language, host=host, now=now), message.ids)
        rows = await store.claim(tx, to, now, CHUNK)
        writer = Writer(language, zone, self._case_url)
        parcels = []
        for row in rows:
            listed = await store.members(tx, row.id, self._setup.rules.listed) if row.kind == DIGEST else None
            parcels.append(_parcel(row, listed, writer, language))
        return _Load(rows, parcels, route, fate)

    async def _route(
        self, tx: AsyncSession, to: Recipient, now: datetime
    ) -> tuple[Route | None, Outcome | None, str, ZoneInfo, Quiet | None]:
        """How a recipient is reached now, or why not; and their language, zone and quiet hours."""
        setup = self._setup
        if to.kind != "post":
            one = await store_subscriptions.find(tx, to.id)
            language = one.language if one else setup.language
            if one is None or one.disabled_at is not None:
                return None, NO_SUBSCRIPTION, language, setup.zone, None
            route = await self._to_subscription(tx, one, language, setup.zone, now)
            return route, None if route else NO_KEYS, language, setup.zone, None
        row = await store_posts.find(tx, to.id)
        post: Post = store_posts.post_of(row) if row else setup.duty
        language, zone = post.language or setup.language, post.zone or setup.zone
        chat = await store_subscriptions.find(tx, post.chat) if post.chat else None
        live = [chat.id] if chat is not None and chat.disabled_at is None else []
        way = way_of(post, to.person, live)
        if way is not None and way[0] == "chat" and chat is not None:
            route = await self._to_subscription(tx, chat, language, zone, now)
            return route, None if route else NO_KEYS, language, zone, post.quiet
        mailbox = way[1] if way else setup.duty.email
        if mailbox is None:
            return None, NO_ADDRESS, language, zone, post.quiet
        return Route("email", mailbox, language, zone), None, language, zone, post.quiet

    async def _to_subscription(
        self, tx: AsyncSession, one: Subscription, language: str, zone: ZoneInfo, now: datetime
    ) -> Route | None:
        """None where the keys that seal its address are not at hand."""
        if self._keys is None:
            return None
        try:
            address, key = subscriptions.opened(self._keys, one)
            if one.kind == "chat":
                return Route("chat", address, language, zone, one.id, format=one.format)  # type: ignore[arg-type]
            held = list(await store_subscriptions.secrets(tx, [one.id]))
            return Route("webhook", address, language, zone, one.id, secrets=subscriptions.signing(key, held, now))
        except Undecryptable:
            return None

    async def _send_all(self, route: Route, parcels: Sequence[Parcel | None], until: float) -> list[Outcome | None]:
        """How each fared; None for those that were not tried, since nobody answers there or the time is up."""
        outcomes: list[Outcome | None] = [None] * len(parcels)
        waiting = iter(enumerate(parcels))
        down = False

        async def one_after_the_other() -> None:
            nonlocal down
            for i, parcel in waiting:
                if parcel is None:
                    outcomes[i] = UNWRITABLE
                    continue
                async with self._slots[route.host]:
                    if down or self._closing or time.monotonic() > until:
                        return
                    outcomes[i] = outcome = await send(self._means, route, parcel, now=self._clock())
                    down = down or outcome.down or outcome.gone
                    notices_total.labels(route.way, outcome.state).inc()

        await asyncio.gather(*(one_after_the_other() for _ in range(min(AT_ONCE, len(parcels)))))
        return outcomes

    async def _settle(self, to: Recipient, load: _Load, outcomes: Sequence[Outcome | None]) -> None:
        now = self._clock()
        fell = any(o is not None and o.down for o in outcomes)
        if fell:
            resting = self._breaker.fell(str(to), now, chance=random.random())  # noqa: S311
        else:
            resting = now
            self._breaker.mended(str(to))
        off = load.route.subscription if load.route and any(o is not None and o.gone for o in outcomes) else None
        changes, attempts = [], []
        for row, outcome in zip(load.rows, outcomes, strict=True):
            if outcome is not None:
                attempts.append((uuid7(), row.id, now, outcome.state, outcome.reason))
                if outcome.gone and to.kind == "post":
                    outcome = None  # the chat is no more: with it switched off, the post is told by mail
            changes.append(_change(row, outcome, resting, now))
        await self._write(changes, attempts, off, now)
        failed = sum(c["new_state"] == "failed" for c in changes)
        if failed or fell:
            log.warning("notices.not_sent", service="sla", recipient=to.id, failed=failed, down=fell)

    async def _write(
        self, changes: Sequence[dict[str, Any]], attempts: Sequence[tuple[Any, ...]], off: str | None, now: datetime
    ) -> None:
        """It has gone out: a database that is away for a moment is no reason to send it again."""
        for last in (False, False, True):
            try:
                async with self._db.transaction() as tx:
                    await store.settle(tx, changes, attempts)
                    if off is not None:
                        await subscriptions.gone(tx, off, now=now)
                return
            except Unavailable:
                if last:
                    raise
                await asyncio.sleep(SETTLE_AGAIN)


def _parcel(
    row: NoticeRow, listed: tuple[Sequence[NoticeRow], int] | None, writer: Writer, language: str
) -> Parcel | None:
    """A notice in words; None where that cannot be done, which must not hold up the others."""
    try:
        told = writer.one(row) if listed is None else writer.several(*listed, urgent=row.urgent)
        return Parcel(row.id, told, facts(row, told, language=language, link=writer.link(row)))
    except Exception as error:
        log.error("notice.unwritable", service="sla", notice_id=row.id, error=type(error).__name__)
        return None


def _change(row: NoticeRow, outcome: Outcome | None, resting: datetime, now: datetime) -> dict[str, Any]:
    """What becomes of a notice. One that was not tried is given back as it was."""
    state, attempts, reason = "waiting", row.attempts - 1, row.reason
    next_at: datetime | None = resting
    if outcome is not None:
        attempts, reason = row.attempts, outcome.reason
        next_at = again_at(outcome, attempts, since=row.since, now=now, chance=random.random())  # noqa: S311
        if next_at is None:
            state = "sent" if outcome.state == "sent" else "failed"
    return {
        "its_id": row.id,
        "its_attempts": row.attempts,
        "kind": row.kind,
        "new_state": state,
        "new_attempts": attempts,
        "new_next_at": next_at,
        "new_settled_at": now if next_at is None else None,
        "new_reason": reason[:200] if reason else None,
    }


def _digest(to: Recipient, message: Message, *, language: str, host: str, now: datetime) -> dict[str, Any]:
    return {
        "id": uuid7(),
        "kind": DIGEST,
        "at": now,
        "recipient_kind": to.kind,
        "recipient": to.id,
        "person": to.person,
        "host": host,
        "language": language,
        "urgent": message.urgent,
        "solo": True,
        "state": "waiting",
        "attempts": 0,
        "created_at": now,
        "not_before": now,
        "since": now,
        "next_at": now,
    }
