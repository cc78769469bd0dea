"""Telling staff of deadlines: put down with what they tell of, sent until they have arrived."""

import asyncio
import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncSession

from services.sla.domain import notice as domain
from services.sla.domain.notice import NewNotice
from services.sla.gateways import channels
from services.sla.gateways.subscribers import Subscriber
from services.sla.store import notices as store
from services.sla.store.base import AttemptRow, NoticeRow
from services.sla.usecases import telling
from shared import audit
from shared.clock import Clock
from shared.db import Database
from shared.errors import NotFound
from shared.ids import uuid7
from shared.mail import Send, reason
from shared.outbound import Outbound
from shared.security.principal import Principal

log = structlog.get_logger()
sent_total = Counter("redress_sla_notices", "Notices settled, by how", ["state"])
JOINED = frozenset(("email", "wecom", "teams", "slack"))
CLAIMED = 500


class NoticeNotFound(NotFound):
    """There is no such notice."""

    code = "notice_not_found"


async def add(tx: AsyncSession, notices: Sequence[NewNotice], subscribers: Sequence[Subscriber] = ()) -> None:
    """Put notices down for the people that they are for and the subscribers that want them, in one statement."""
    rows: list[dict[str, Any]] = []
    for one in notices:
        if one.reached is not None:
            rows.append(_for_person(one))
        rows += [_row(one, f"subscriber:{s.name}", s.format, s.language, one.at) for s in subscribers if s.wants(one)]
    if rows:
        await store.put(tx, rows)


def _for_person(one: NewNotice) -> dict[str, Any]:
    assert one.reached is not None
    post, address = one.reached.post, one.reached.email
    at = domain.not_before(one.at, urgent=one.urgent, quiet=post.quiet if post else None)
    row = _row(one, f"post:{address or one.reached.person}", "email", post.language if post else "en", at)
    row["person"] = one.reached.person
    if address is None:
        row |= {"state": "unaddressed", "next_at": None, "settled_at": one.at, "reason": "the post has no address"}
    return row


def _row(one: NewNotice, recipient: str, format: str, language: str, next_at: datetime) -> dict[str, Any]:
    return {
        "id": uuid7(),
        "kind": one.kind,
        "complaint_id": one.complaint_id,
        "reference": one.reference,
        "step": one.step,
        "due_at": one.due_at,
        "at": one.at,
        "department": one.department,
        "level": one.level,
        "role": one.role,
        "repeats": one.repeat,
        "recipient": recipient,
        "format": format,
        "language": language,
        "urgent": one.urgent,
        "state": "waiting",
        "attempts": 0,
        "next_at": next_at,
    }


async def retry(tx: AsyncSession, id: str, *, by: Principal, now: datetime) -> NoticeRow:
    """Send a notice again, under its own id, whatever became of it. Raises NoticeNotFound."""
    row = await tx.get(NoticeRow, id, with_for_update=True)
    if row is None:
        raise NoticeNotFound
    row.state, row.next_at, row.first_at, row.attempts = "waiting", now, None, 0
    row.settled_at = row.reason = row.message_id = None
    audit.add(tx, by.id, "notice.retried", row.complaint_id, now=now, detail={"notice": id})
    return row


@dataclass(frozen=True, slots=True)
class Means:
    """How messages go out. `mail` None: no mail server is set, and mail waits."""

    mail: Send | None
    outbound: Outbound
    subscribers: Sequence[Subscriber]
    zone: ZoneInfo
    desk: str


class Sending:
    """Sends what is due, each recipient in a task of its own, so that one that hangs or is away keeps nobody waiting.
    Any number of processes may do so: each notice is in one's hands for as long as its lease."""

    def __init__(
        self, db: Database, means: Means, clock: Clock, *, chance: Callable[[], float] = random.random
    ) -> None:
        self._db, self._means, self._clock, self._chance = db, means, clock, chance
        self._busy: dict[str, asyncio.Task[None]] = {}

    async def run_once(self) -> int:
        """Begin sending everything that is due to recipients who are not being sent to already; how many notices."""
        now = self._clock()
        async with self._db.transaction() as tx:
            rows = await store.claim(tx, now, domain.lease(now), without=self._unable(), limit=CLAIMED)
        by_recipient: dict[str, list[NoticeRow]] = {}
        for row in rows:
            by_recipient.setdefault(row.recipient, []).append(row)
        for recipient, theirs in by_recipient.items():
            task = asyncio.create_task(
                self._deliver(recipient, theirs), name=f"notices to {recipient.partition(':')[0]}"
            )
            self._busy[recipient] = task
            task.add_done_callback(lambda _, recipient=recipient: self._busy.pop(recipient, None))  # type: ignore[misc]
        return len(rows)

    async def drained(self) -> None:
        """Wait until nothing is being sent."""
        while self._busy:
            await asyncio.gather(*self._busy.values(), return_exceptions=True)
            await asyncio.sleep(0)

    def _unable(self) -> Collection[str]:
        return tuple(self._busy)

    async def _deliver(self, recipient: str, rows: Sequence[NoticeRow]) -> None:
        """All of one recipient's, message by message; a failure that may pass lets the rest wait too."""
        known = {row.id: row for row in rows}
        keys = ((row.id, row.urgent, recipient) for row in rows)
        joinable = frozenset((recipient,)) if rows[0].format in JOINED else frozenset[str]()
        for ids in domain.gathered(keys, joinable=joinable):
            group = [known[id] for id in ids]
            try:
                if not await self._message(recipient, group):
                    return
            except Exception as error:  # the database is away: the lease ends, and they are taken up again
                log.warning("notice.unsettled", error=type(error).__name__)
                return

    async def _message(self, recipient: str, rows: Sequence[NoticeRow]) -> bool:
        """Send one message and settle it; whether to go on with this recipient."""
        ids = [row.id for row in rows]
        first = rows[0]
        outcome, told = "sent", None
        try:
            sender = self._sender(first)
            message = telling.message(rows, zone=self._means.zone, desk=self._means.desk)
            await sender(message, self._clock())
        except channels.NotNow as error:
            outcome, told = "waiting", str(error)
        except channels.Never as error:
            outcome, told = "failed", str(error)
        now = self._clock()
        again = None
        if outcome == "waiting":
            attempts, since = first.attempts, first.first_at or now
            again = channels.next_attempt(attempts, since=since, now=now, chance=self._chance())
            outcome = outcome if again else "failed"
        why = reason(told) if told else None
        async with self._db.transaction() as tx:
            attempt = AttemptRow(
                message_id=first.id, attempt=first.attempts, at=now, notices=len(ids), outcome=outcome, reason=why
            )
            await tx.merge(attempt)
            if again is not None:
                await store.postpone(tx, recipient, ids, until=again, reason=why or "")
            else:
                await store.settle(tx, ids, state=outcome, now=now, reason=why)
        if again is None:
            sent_total.labels(outcome).inc(len(ids))
        return again is None

    def _sender(self, row: NoticeRow) -> channels.Sender:
        """Raises NotNow, Never."""
        kind, _, name = row.recipient.partition(":")
        if kind == "post":
            if self._means.mail is None:
                raise channels.NotNow("no mail server is set")
            return channels.mail(self._means.mail, name)
        found = next((s for s in self._means.subscribers if s.name == name), None)
        if found is None:
            raise channels.Never("the subscriber is gone")
        return channels.post(self._means.outbound, found)
