"""The parking lot: events that can't be decoded or keep failing, with the complaint's later events behind them.

Nothing is ever dropped from it: a row is settled by replaying it, or by somebody's word with a reason.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import RowMapping, Select, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared import audit
from shared.bus import Message
from shared.clock import Clock
from shared.cloudevents import Envelope, Undecodable, decode
from shared.db import Database, SystemTables
from shared.errors import NotFound


@dataclass(frozen=True, slots=True)
class Parked:
    """One event to park. `reason`: undecodable, handler_failed or behind. `error` holds no personal data."""

    message: Message
    event_id: str
    envelope: Envelope | None
    reason: str
    error: str
    attempts: int


async def park(tx: AsyncSession, tables: SystemTables, parked: Parked, *, now: datetime) -> None:
    await tx.execute(
        tables.parked.insert().values(
            event_id=parked.event_id,
            subject=parked.envelope.subject if parked.envelope else _column(parked.message.key) or None,
            type=parked.envelope.type if parked.envelope else None,
            topic=parked.message.topic,
            payload=_column(parked.message.value.decode(errors="backslashreplace"), None),
            reason=parked.reason,
            error=parked.error[:500],
            attempts=parked.attempts,
            parked_at=now,
        )
    )


def _column(text: str, length: int | None = 64) -> str:
    """`text` as a column takes it, whatever a stranger has sent: nothing may keep a message from being parked."""
    return text.replace("\x00", "\\x00")[:length]


async def blocked(tx: AsyncSession, tables: SystemTables, subjects: Collection[str]) -> set[str]:
    """Those of `subjects` that have an event parked and not settled."""
    parked = tables.parked.c
    asked = {_column(s) for s in subjects}
    found = await tx.scalars(select(parked.subject).where(parked.settled_at.is_(None), parked.subject.in_(asked)))
    return set(found.all())


async def count(tx: AsyncSession, tables: SystemTables) -> int:
    """How many failed and are not settled; those merely waiting behind are not counted."""
    parked = tables.parked.c
    query = select(func.count()).where(parked.settled_at.is_(None), parked.reason != "behind")
    return int((await tx.execute(query)).scalar_one())


async def unsettled(tx: AsyncSession, tables: SystemTables) -> Sequence[RowMapping]:
    """Every event that waits here, in the order in which it came; the payload is left out."""
    parked = tables.parked.c
    columns = (
        parked.id,
        parked.event_id,
        parked.subject,
        parked.type,
        parked.topic,
        parked.reason,
        parked.error,
        parked.parked_at,
    )
    return (await tx.execute(select(*columns).where(parked.settled_at.is_(None)).order_by(parked.id))).mappings().all()


_SHOWN = ("id", "event_id", "subject", "type", "topic", "reason", "error", "attempts", "parked_at")


async def stuck(tx: AsyncSession, tables: SystemTables, *, after: int, limit: int) -> Sequence[RowMapping]:
    """What failed and is not settled, oldest first, from behind number `after` on; without payload, but with `behind`:
    how many later events of the complaint wait for it. What had to wait for an event that has been settled since is
    among them: nothing else would show it."""
    parked, earlier = tables.parked, tables.parked.alias("earlier")
    ahead = (earlier.c.subject == parked.c.subject, earlier.c.settled_at.is_(None), earlier.c.id < parked.c.id)
    first = ~exists().where(*ahead).correlate(parked)
    query = _with_behind(tables).where(parked.c.id > after, or_(parked.c.reason != "behind", first))
    rows: Sequence[RowMapping] = (await tx.execute(query.order_by(parked.c.id).limit(limit))).mappings().all()
    return rows


async def waiting(tx: AsyncSession, tables: SystemTables, id: int) -> RowMapping | None:
    """One that is not settled, as `stuck` gives it."""
    row: RowMapping | None = (await tx.execute(_with_behind(tables).where(tables.parked.c.id == id))).mappings().first()
    return row


async def of_subject(tx: AsyncSession, tables: SystemTables, subject: str) -> set[int]:
    """The numbers of all that waits of one complaint."""
    parked = tables.parked.c
    return set(
        (await tx.scalars(select(parked.id).where(parked.settled_at.is_(None), parked.subject == subject))).all()
    )


def _with_behind(tables: SystemTables) -> Select[Any]:
    parked, later = tables.parked, tables.parked.alias("later")
    waits = (later.c.subject == parked.c.subject, later.c.settled_at.is_(None), later.c.id > parked.c.id)
    behind = select(func.count()).where(*waits).correlate(parked).scalar_subquery().label("behind")
    return select(*(parked.c[name] for name in _SHOWN), behind).where(parked.c.settled_at.is_(None))


async def replay(
    db: Database,
    handle: Callable[[AsyncSession, Sequence[Envelope]], Awaitable[None]],
    clock: Clock,
    *,
    actor: str,
    ids: Collection[int] | None = None,
) -> dict[str, Any]:
    """Apply what is parked again, in order, each event in its own transaction; a complaint stops at its first failure.

    Returns `{replayed, failed, still}`: counts of events now applied, of those that failed again (with their errors),
    and of those left waiting behind them.
    """
    tables = db.tables
    async with db.reading() as session:
        query = select(tables.parked).where(tables.parked.c.settled_at.is_(None)).order_by(tables.parked.c.id)
        rows = (await session.execute(query)).mappings().all()
    stuck: set[str | None] = set()
    replayed, failures = 0, []
    for row in rows:
        if row["subject"] in stuck or (ids is not None and row["id"] not in ids):
            stuck.add(row["subject"])
            continue
        try:
            envelope = decode(row["payload"])
            async with db.transaction() as tx:
                inbox = tables.inbox
                if (await tx.execute(select(inbox.c.event_id).where(inbox.c.event_id == envelope.id))).first() is None:
                    await handle(tx, [envelope])
                    await tx.flush()
                    await tx.execute(inbox.insert().values(event_id=envelope.id, seen_at=clock()))
                await _settle(tx, tables, row["id"], "replayed", clock())
                audit.add(tx, actor, "parked.replayed", row["event_id"], now=clock())
            replayed += 1
        except Exception as error:
            stuck.add(row["subject"])
            reason = str(error) if isinstance(error, Undecodable) else type(error).__name__
            failures.append({"id": row["id"], "event_id": row["event_id"], "error": reason})
    return {"replayed": replayed, "failed": failures, "still": len(rows) - replayed - len(failures)}


async def discard(db: Database, id: int, *, actor: str, reason: str, clock: Clock) -> None:
    """Settle a parked event without applying it, on somebody's word; the row and the reason stay. Raises NotFound."""
    async with db.transaction() as tx:
        parked = db.tables.parked.c
        query = select(parked.event_id).where(parked.id == id, parked.settled_at.is_(None))
        event_id = (await tx.execute(query)).scalar_one_or_none()
        if event_id is None:
            raise NotFound("No parked event has this number.")
        await _settle(tx, db.tables, id, f"discarded: {reason}"[:200], clock())
        audit.add(tx, actor, "parked.discarded", event_id, now=clock(), detail={"reason": reason})


async def _settle(tx: AsyncSession, tables: SystemTables, id: int, how: str, now: datetime) -> None:
    await tx.execute(update(tables.parked).where(tables.parked.c.id == id).values(settled_at=now, settled_how=how))


def payload_of(row: RowMapping) -> Any:
    """The parked message for people to look at: JSON where it is, else text."""
    try:
        return orjson.loads(row["payload"])
    except orjson.JSONDecodeError:
        return row["payload"]
