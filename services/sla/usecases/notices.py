"""Notices: written down in the transaction of what they tell of, looked through, sent again."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from services.sla.domain.notice import NewNotice, NoticeNotFailed, NoticeNotFound, Setup, not_before, way_of
from services.sla.domain.post import Directory
from services.sla.gateways.ways import MAIL_HOST
from services.sla.store import notices as store
from services.sla.store import subscriptions as subscriptions
from services.sla.store.notices import NoticeAttempt, NoticeRow
from services.sla.store.subscriptions import Subscription
from services.sla.usecases import posts
from shared import audit
from shared.clock import rfc3339
from shared.db import Database
from shared.ids import uuid7


async def add(
    tx: AsyncSession, notices: Sequence[NewNotice], setup: Setup, *, directory: Directory | None = None
) -> int:
    """Write down what is to be told, to the person reached and to each subscription that wants it; how many notices
    that made. They go out if, and only if, `tx` commits.

    Three statements at most, however many notices; two where the caller has the `directory` at hand.
    """
    if not notices:
        return 0
    if directory is None:
        directory = await posts.directory(tx, setup)
    live = await subscriptions.live(tx)
    filters = [(s, s.filtered()) for s in live]
    chats = {s.id: s for s in live if s.kind == "chat"}
    rows, told = [], set[tuple[Any, ...]]()
    for one in notices:
        if one.reached is not None:
            rows.append(_to_person(one, directory, chats, setup))
        what = (one.kind, one.complaint_id, one.step, one.level, one.due_at, one.at)
        if what not in told:  # told to two people, it is still one thing to whoever subscribes
            told.add(what)
            rows.extend(_to_subscription(one, s, setup) for s, wanted in filters if wanted.wants(one))
    await store.insert_all(tx, rows)
    return len(rows)


def _to_person(one: NewNotice, directory: Directory, chats: dict[str, Subscription], setup: Setup) -> tuple[Any, ...]:
    reached = one.reached
    assert reached is not None
    post = directory.by_id.get(reached.post_id, setup.duty)
    zone, urgent = directory.zone_of(post), one.is_urgent(setup.rules)
    way = way_of(post, reached.person, list(chats))
    at = not_before(one.at, urgent=urgent, quiet=post.quiet, zone=zone, rules=setup.rules)
    return _row(
        one,
        recipient_kind="post",
        recipient=post.id,
        person=reached.person,
        via=reached.via,
        role=reached.role,
        host=chats[way[1]].host if way and way[0] == "chat" else MAIL_HOST,
        language=post.language or setup.language,
        urgent=urgent,
        solo=False,
        not_before=at,
    )


def _to_subscription(one: NewNotice, to: Subscription, setup: Setup) -> tuple[Any, ...]:
    """A machine is told each thing by itself and at once; a chat has people who read it."""
    machine, urgent = to.kind == "webhook", one.is_urgent(setup.rules)
    at = not_before(one.at, urgent=urgent or machine, quiet=None, zone=setup.zone, rules=setup.rules)
    return _row(
        one,
        recipient_kind=to.kind,
        recipient=to.id,
        person="",
        via=None,
        role=one.reached.role if one.reached else None,
        host=to.host,
        language=to.language,
        urgent=urgent,
        solo=machine,
        not_before=at,
    )


def _row(one: NewNotice, *, not_before: datetime, **recipient: Any) -> tuple[Any, ...]:
    """In the order of the table's columns."""
    known = {
        **_BLANK,
        "id": uuid7(),
        "kind": one.kind,
        "complaint_id": one.complaint_id,
        "reference": one.reference,
        "step": one.step,
        "level": one.level,
        "due_at": one.due_at,
        "was_due_at": one.was_due_at,
        "granted": one.granted,
        "department": one.department,
        "branch": one.branch,
        "at": one.at,
        "state": "waiting",
        "attempts": 0,
        "created_at": one.at,
        "not_before": not_before,
        "since": not_before,
        "next_at": not_before,
        **recipient,
    }
    return tuple(known.values())


_BLANK: dict[str, Any] = dict.fromkeys(store.COLUMNS)


async def find(session: AsyncSession, id: str) -> NoticeRow:
    """Raises NoticeNotFound."""
    found = await store.find(session, id)
    if found is None:
        raise NoticeNotFound
    return found


async def retry(tx: AsyncSession, id: str, *, actor: str, now: datetime) -> NoticeRow:
    """Try a failed notice again from the beginning, under its own id; one that went in a digest, with all of that.
    Raises NoticeNotFound, NoticeNotFailed."""
    asked = await find(tx, id)
    one = await store.find(tx, asked.digest_id or id, lock=True)
    if one is None:
        raise NoticeNotFound
    if one.state != "failed":
        raise NoticeNotFailed(f"This notice is {one.state}.")
    one.state, one.next_at, one.since, one.attempts, one.settled_at = "waiting", now, now, 0, None
    if one.id != id or one.kind == "digest":
        await store.reopen_members(tx, one.id)
    audit.add(tx, actor, "notice.retried", one.id, now=now, detail={"asked": id})
    return one


async def prune(db: Database, before: datetime, *, batch: int = 1000) -> int:
    """Remove what was settled before then, batch by batch; how many notices."""
    done = 0
    while True:
        async with db.transaction() as tx:
            removed = await store.prune(tx, before, batch)
        done += removed
        if removed < batch:
            return done


def view(one: NoticeRow) -> dict[str, Any]:
    plain = ("id", "kind", "complaint_id", "reference", "step", "level", "granted", "department", "branch", "via")
    more = ("role", "recipient_kind", "recipient", "language", "urgent", "state", "attempts", "reason", "digest_id")
    times = ("due_at", "was_due_at", "at", "not_before", "next_at", "settled_at")
    moments = {name: getattr(one, name) for name in times}
    return {
        **{name: getattr(one, name) for name in (*plain, *more)},
        "person": one.person or None,
        **{name: rfc3339(moment) if moment else None for name, moment in moments.items()},
    }


def attempt_view(one: NoticeAttempt) -> dict[str, Any]:
    return {"at": rfc3339(one.at), "outcome": one.outcome, "reason": one.reason}
