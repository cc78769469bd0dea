"""Sessions that ended before their time: by signing out, or because the bank's directory said so.

Intake is told of it and publishes `staff.signed_out`; every service keeps what it heard for as long as a session can
last, and refuses those sessions from then on.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from shared import outbox
from shared.clock import Clock
from shared.cloudevents import Envelope
from shared.db import Database, SystemTables
from shared.events import StaffSignedOut
from shared.ids import uuid7
from shared.inbox import Handle
from shared.security.sessions import Session

FRESH = 1.0  # seconds for which what was read is believed
KEPT = timedelta(days=2)  # longer than any session lasts


@dataclass(frozen=True, slots=True)
class Ending:
    """What ends: one session of ours, one of the directory's, or all of a person's that began until `at`."""

    at: datetime
    session: str | None = None
    directory_session: str | None = None
    staff: str | None = None

    @property
    def names(self) -> list[str]:
        named = (("session", self.session), ("directory", self.directory_session), ("staff", self.staff))
        return [f"{kind}:{value}"[:200] for kind, value in named if value]


async def note(tx: AsyncSession, tables: SystemTables, ending: Ending) -> None:
    """Keep `ending`, and forget those that no session can be of any more."""
    table = tables.ended_session
    insert = sqlite.insert if tx.get_bind().dialect.name == "sqlite" else postgresql.insert
    for name in ending.names:
        row = insert(table).values(name=name, ended_at=ending.at)
        newer = row.excluded.ended_at > table.c.ended_at
        await tx.execute(
            row.on_conflict_do_update(index_elements=["name"], set_={"ended_at": row.excluded.ended_at}, where=newer)
        )
    await tx.execute(delete(table).where(table.c.ended_at < ending.at - KEPT))


async def publish(tx: AsyncSession, tables: SystemTables, ending: Ending) -> None:
    """Keep `ending` and tell the other services."""
    await note(tx, tables, ending)
    event = StaffSignedOut(
        complaint_id=uuid7(),
        session=ending.session,
        directory_session=ending.directory_session,
        staff=ending.staff,
        signed_out_at=ending.at,
    )
    outbox.add(tx, event, now=ending.at)


def heeding(handle: Handle, types: frozenset[str], tables: SystemTables) -> Handle:
    """`handle`, which knows `types`, with the endings of sessions kept besides."""

    async def both(tx: AsyncSession, events: Sequence[Envelope]) -> None:
        for event in events:
            if isinstance(said := event.data, StaffSignedOut):
                at = said.signed_out_at
                await note(tx, tables, Ending(at, said.session, said.directory_session, said.staff))
        if others := [event for event in events if event.type in types]:
            await handle(tx, others)

    return both


class Ended:
    """What one process knows of them."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db, self._clock = db, clock
        self._known: dict[str, datetime] = {}
        self._read = float("-inf")

    async def includes(self, session: Session) -> bool:
        """Whether `session` has ended. Raises Unavailable when that cannot be found out now."""
        if time.monotonic() - self._read > FRESH:
            await self._refresh()
        ending = Ending(self._clock(), session.id, session.directory_session, session.staff)
        by_id = any(name in self._known for name in ending.names if not name.startswith("staff:"))
        everywhere = self._known.get(f"staff:{session.staff}"[:200])
        return by_id or (everywhere is not None and everywhere.timestamp() >= session.began)

    async def _refresh(self) -> None:
        table: Any = self._db.tables.ended_session
        query = select(table.c.name, table.c.ended_at).where(table.c.ended_at >= self._clock() - KEPT)
        async with self._db.reading() as reading:
            self._known = {str(name): at for name, at in (await reading.execute(query)).all()}
        self._read = time.monotonic()

    def forget(self) -> None:
        """Read anew; called after one was noted."""
        self._read = float("-inf")
