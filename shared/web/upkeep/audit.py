"""`/audit`: the audit trail, newest first; `/audit/export`: the same as a file, an entry a line.

Entries are found without further indexes, which each complaint would pay for. They are numbered in the order in which
they were written, so days are found by halving. For a person or an action a page looks through the next `AT_ONCE`
entries and says how far it came.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

import orjson
from fastapi import Depends, Query, Request
from sqlalchemy import ColumnElement, Table, select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import HTMLResponse, Response

from shared import audit
from shared.errors import Invalid
from shared.web import pages
from shared.web.app import ClockDep, Reading
from shared.web.router import Router
from shared.web.upkeep.common import PAGE, Reader, case_url, database, day, download, frame, midnight, wrong

AT_ONCE = 20_000  # entries that one page looks through
LATE = timedelta(minutes=5)
"""Entries bear the time at which work began and are numbered when it was done: by so much they may be out of order."""
_CODE = r"^[A-Za-z0-9._:@|/+ -]*$"


@dataclass(frozen=True, slots=True)
class Filters:
    """What the form asks for. `action` is a code or the beginning of one."""

    actor: str
    action: str
    subject: str
    since: str
    until: str

    def conditions(self, request: Request, table: Table) -> list[ColumnElement[bool]]:
        """Raises Invalid for days that are none."""
        found: list[ColumnElement[bool]] = []
        if self.actor:
            found.append(table.c.actor == self.actor)
        if self.action:
            found.append(table.c.action.startswith(self.action, autoescape=True))
        if self.subject:
            found.append(table.c.subject == self.subject)
        begin, end = self.times(request)
        if begin:
            found.append(table.c.at >= begin)
        if end:
            found.append(table.c.at < end)
        return found

    def times(self, request: Request) -> tuple[datetime | None, datetime | None]:
        since, until = day(self.since, "from"), day(self.until, "to")
        if since and until and until < since:
            raise wrong("to", "ended_before_start")
        begin = midnight(request, since) if since else None
        return begin, midnight(request, until, next=True) if until else None

    @property
    def asked(self) -> dict[str, str]:
        values = {
            "actor": self.actor,
            "action": self.action,
            "subject": self.subject,
            "from": self.since,
            "to": self.until,
        }
        return {name: value for name, value in values.items() if value}


def _filters(
    actor: Annotated[str, Query(max_length=200)] = "",
    action: Annotated[str, Query(max_length=60, pattern=_CODE)] = "",
    subject: Annotated[str, Query(max_length=64, pattern=_CODE)] = "",
    since: Annotated[str, Query(max_length=10, alias="from")] = "",
    until: Annotated[str, Query(max_length=10, alias="to")] = "",
) -> Filters:
    return Filters(actor.strip(), action.strip(), subject.strip(), since.strip(), until.strip())


Asked = Annotated[Filters, Depends(_filters)]


def router() -> Router:
    found = Router(include_in_schema=False)
    found.add_api_route("/audit", trail, methods=["GET"], response_class=HTMLResponse)
    found.add_api_route("/audit/export", export, methods=["GET"], response_class=Response)
    return found


async def trail(
    request: Request,
    _: Reader,
    session: Reading,
    filters: Asked,
    before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
) -> Response:
    """The entries that the filters let pass, newest first, those before the number `before`."""
    t = pages.translator(request)
    failed = ""
    rows: list[Any] = []
    further: int | None = None
    reached: datetime | None = None
    try:
        rows, further, reached = await _look(request, session, filters, before)
    except Invalid as error:
        failed = t.label("flaw", error.errors[0].code)
    return pages.render(
        request,
        "upkeep/audit.html",
        422 if failed else 200,
        **frame(request, "audit"),
        entries=[
            {
                **row,
                "detail": list(readable(orjson.loads(row["detail"]))),
                "case": case_url(request, row["subject"]),
            }
            for row in rows
        ],
        filters=filters,
        failed=failed,
        before=before,
        further=further,
        reached=reached,
        looked=AT_ONCE,
    )


async def _look(
    request: Request, session: AsyncSession, filters: Filters, before: int | None
) -> tuple[list[Any], int | None, datetime | None]:
    """A page of entries, before which number to go on, and, where entries had to be looked through one by one and there
    are more, the time back to which that was done."""
    table = database(request).tables.audit
    conditions = filters.conditions(request, table)
    begin, end = filters.times(request)
    low = await first_since(session, table, begin - LATE) if begin else 1
    high = await first_since(session, table, end + LATE) if end else None
    if before is not None:
        high = before if high is None else min(before, high)
    if high is None:
        newest = await session.scalar(select(table.c.seq).order_by(table.c.seq.desc()).limit(1))
        high = (newest or 0) + 1
    floor = low
    if (filters.actor or filters.action) and not filters.subject:  # a subject has an index
        floor = max(low, high - AT_ONCE)
    within = (table.c.seq < high, table.c.seq >= floor)
    query = select(table).where(*within, *conditions).order_by(table.c.seq.desc()).limit(PAGE + 1)
    rows = list((await session.execute(query)).mappings().all())
    if len(rows) > PAGE:
        return rows[:PAGE], rows[PAGE - 1]["seq"], None
    if floor > low:
        reached = await session.scalar(select(table.c.at).where(table.c.seq >= floor).order_by(table.c.seq).limit(1))
        return rows, floor, reached
    return rows, None, None


async def first_since(session: AsyncSession, table: Table, moment: datetime) -> int:
    """The number of the first entry at or after `moment`, give or take `LATE`; one more than the last if none is."""
    newest = await session.scalar(select(table.c.seq).order_by(table.c.seq.desc()).limit(1))
    low, high = 1, (newest or 0) + 1
    while low < high:
        middle = (low + high) // 2
        query = select(table.c.at).where(table.c.seq >= middle).order_by(table.c.seq).limit(1)
        at = await session.scalar(query)
        if at is None or at >= moment:
            high = middle
        else:
            low = middle + 1
    return low


def readable(detail: Any, name: str = "") -> list[tuple[str, str]]:
    """The detail of an entry as names and values; what was before and what after as `a → b`."""
    if isinstance(detail, dict):
        found = []
        for key, value in detail.items():
            inner = key if name in ("", "changed") else f"{name}.{key}"
            found += readable(value, inner)
        return found
    if isinstance(detail, list):
        pair = len(detail) == 2 and all(one is None or isinstance(one, str) for one in detail)
        said = (" → " if pair else ", ").join("–" if one is None else str(one) for one in detail)
        return [(name, said or "–")]
    if detail is None:
        return [(name, "–")]
    return [(name, str(detail).lower() if isinstance(detail, bool) else str(detail))]


async def export(request: Request, principal: Reader, clock: ClockDep, filters: Asked) -> Response:
    """The entries that the filters let pass, in order, as `redress audit export` writes them. Without filters
    `redress audit verify` can check the file. That it was asked for, and by whom, is in the trail. Raises Invalid."""
    db = database(request)
    conditions = filters.conditions(request, db.tables.audit)
    async with db.transaction() as tx:
        audit.add(tx, principal.id, "audit.exported", "audit", now=clock(), detail=filters.asked)
    lines = _lines(audit.export(db, *conditions))
    return download(lines, f"audit-{request.app.state.service}.jsonl", "application/x-ndjson")


async def _lines(rows: AsyncIterator[dict[str, Any]]) -> AsyncIterator[bytes]:
    """Rows as lines, some hundred at a time: each piece that is sent costs more than a line."""
    gathered: list[bytes] = []
    async for row in rows:
        gathered.append(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
        if len(gathered) == 500:
            yield b"".join(gathered)
            gathered.clear()
    yield b"".join(gathered)
