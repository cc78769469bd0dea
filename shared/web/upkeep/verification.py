"""`/audit/verification`: whether the audit chain holds, found out in the background."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
import structlog
from fastapi import Request
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import HTMLResponse, Response

from shared import audit
from shared.audit import Verdict, Walk
from shared.clock import Clock, rfc3339
from shared.db import Database, SystemTables
from shared.web import forms, pages
from shared.web.app import Reading
from shared.web.router import Router
from shared.web.upkeep.common import Reader, ReaderForm, frame

log = structlog.get_logger()
SLICE = 5000  # entries
SUBJECT = "audit_chain"
_BEYOND = "beyond"


class Verifier:
    """Verifies one service's audit chain a slice at a time, beside the requests. What came of it is an entry of the
    chain itself, so it outlasts the process and the others know it."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self.done = 0
        self.total = 0
        self.failed = False
        """Whether the last verification came to no end, say because the database went away."""

    @property
    def running(self) -> bool:
        return self._task is not None and not self._task.done()

    def start(self, actor: str) -> None:
        """Begin, unless one runs already."""
        if not self.running:
            self.done = self.total = 0
            self.failed = False
            self._task = asyncio.create_task(self._verify(actor), name="verify-audit")

    async def wait(self) -> None:
        """Until the one that runs has ended."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await self.wait()

    async def _verify(self, actor: str) -> None:
        try:
            verdict = await self._walk()
            detail: dict[str, Any] = {"entries": verdict.entries, "head": verdict.head}
            if verdict.broken_at is not None:
                detail |= {"broken_at": verdict.broken_at, "flaw": verdict.flaw}
                log.error("audit.broken", service=self._db.service, entry=verdict.broken_at, flaw=verdict.flaw)
            now = self._clock()
            async with self._db.transaction() as tx:
                audit.add(tx, actor, "audit.verified", SUBJECT, now=now, detail={**detail, "at": rfc3339(now)})
        except Exception as error:
            self.failed = True
            log.warning("audit.not_verified", service=self._db.service, error=type(error).__name__)

    async def _walk(self) -> Verdict:
        """Up to the head as it is now: what is written meanwhile is for the next time."""
        table = self._db.tables.audit
        async with self._db.reading() as session:
            head, expected, last = await head_of(session, self._db.tables)
        self.total = head
        walk = Walk()
        while walk.seq < head:
            async with self._db.reading() as session:
                query = select(table).where(table.c.seq > walk.seq, table.c.seq <= head)
                found = await session.execute(query.order_by(table.c.seq).limit(SLICE))
            rows: Sequence[Any] = found.mappings().all()
            if not rows:
                break
            # in a thread: a slice takes some ten milliseconds, for which requests would stand still
            broken = await asyncio.to_thread(walk.over, rows)
            self.done = walk.seq
            if broken is not None:
                return broken
        ended = walk.ended(expected)
        if ended.broken_at is None and last > head:
            return Verdict(ended.entries, ended.head, head + 1, "entries follow that nobody has linked", _BEYOND)
        return ended


async def head_of(session: AsyncSession, tables: SystemTables) -> tuple[int, str, int]:
    """The chain's end as its writers know it, number and link, and the number of the last entry there is; all of one
    moment."""
    last = select(func.max(tables.audit.c.seq)).scalar_subquery()
    row = (await session.execute(select(tables.audit_head.c.seq, tables.audit_head.c.hash, last))).one()
    return int(row[0]), str(row[1]), int(row[2] or 0)


async def latest(session: AsyncSession, tables: SystemTables) -> dict[str, Any] | None:
    """What the last verification came to: by whom, when, and its detail."""
    table = tables.audit
    query = select(table).where(table.c.subject == SUBJECT).order_by(table.c.seq.desc()).limit(1)
    row = (await session.execute(query)).mappings().first()
    if row is None:
        return None
    detail = orjson.loads(row["detail"])
    at = datetime.fromisoformat(detail["at"])
    return {"broken_at": None, "flaw": "", **detail, "at": at, "actor": row["actor"]}


def router() -> Router:
    found = Router(include_in_schema=False)
    found.add_api_route("/audit/verification", verification, methods=["GET"], response_class=HTMLResponse)
    found.add_api_route("/audit/verification", verify, methods=["POST"], response_class=HTMLResponse)
    return found


async def verification(request: Request, _: Reader, session: Reading) -> Response:
    """The last verdict, and how far the verification is that runs."""
    verifier: Verifier = request.app.state.verifier
    tables = request.app.state.db.tables
    head, link, _last = await head_of(session, tables)
    return pages.render(
        request,
        "upkeep/verification.html",
        **frame(request, "verification"),
        verdict=await latest(session, tables),
        head=head,
        link=link,
        running=verifier.running,
        done=verifier.done,
        total=verifier.total,
        failed=verifier.failed,
    )


async def verify(request: Request, principal: ReaderForm) -> Response:
    """Verify the chain anew, in the background."""
    verifier: Verifier = request.app.state.verifier
    verifier.start(principal.id)
    return forms.back(request, "/audit/verification")
