"""The read model as files."""

from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import StreamingResponse

from services.reporting.api.select import Selected, today
from services.reporting.usecases import exports
from services.reporting.usecases.exports import Format, NotCounted, Running, Table, TooMany
from shared.db import Database
from shared.security.principal import Principal, Role
from shared.web.access import allow
from shared.web.app import ClockDep
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1/exports", tags=["exports"])
Exporter = Annotated[Principal, Depends(allow(Role.SUPERVISOR, Role.MANAGER, Role.AUDITOR, Role.ADMIN))]
MEDIA = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}
_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {media: {"schema": {"type": "string", "format": "binary"}} for media in MEDIA.values()},
        "description": "The file. An answer that breaks off is not whole: send the request again.",
    }
}


@router.get("/{table}.{format}", response_class=StreamingResponse, responses=documented(NotCounted, TooMany) | _FILE)
async def export(
    table: Table, format: Format, request: Request, chosen: Selected, clock: ClockDep, principal: Exporter
) -> StreamingResponse:
    """Complaints (a row each), deadlines (a row each, with where their complaint counts), or the counters that figures
    are read from. Chosen as figures are: `from` and `to` are days of receipt, of counters the days that they count on
    (months only where they lie wholly between). Times are UTC, durations minutes, days those of the bank's zone.

    Everything is of one moment. In CSV a text that a spreadsheet would take for a formula has an apostrophe before it.
    That it was exported, by whom and with which choice, is audited."""
    state, now = request.app.state, clock()
    db: Database = state.db
    if not hasattr(state, "exporting"):
        state.exporting = Running()
    spool = await exports.export(db, table, format, chosen, running=state.exporting, actor=principal.id, now=now)
    name = f"redress-{table}-{today(state.settings, now)}.{format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(aiter(spool), headers=headers, media_type=f"{MEDIA[format]}{_CHARSET[format]}")


_CHARSET = {"csv": "; charset=utf-8", "parquet": ""}
