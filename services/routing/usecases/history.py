"""A case's history: a line for each thing that happened, with people's words where they gave any."""

from datetime import datetime
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.routing.store.work import Entry
from shared.clock import rfc3339
from shared.ids import uuid7


def remember(
    tx: AsyncSession,
    complaint_id: str,
    kind: str,
    actor: str,
    *,
    now: datetime,
    text: str | None = None,
    detail: dict[str, Any] | None = None,
) -> Entry:
    """Write a line. `text` is redacted already."""
    line = Entry(
        id=uuid7(),
        complaint_id=complaint_id,
        kind=kind,
        actor=actor,
        text=text,
        detail=orjson.dumps(detail or {}).decode(),
        at=now,
    )
    tx.add(line)
    return line


def line_view(line: Entry) -> dict[str, Any]:
    """A line for people who may read the case."""
    return {
        "id": line.id,
        "kind": line.kind,
        "actor": line.actor,
        "at": rfc3339(line.at),
        "text": line.text,
        "detail": orjson.loads(line.detail),
    }
