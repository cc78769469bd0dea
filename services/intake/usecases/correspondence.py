"""Words exchanged about a complaint, both ways."""

from datetime import datetime
from typing import Any, Literal

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.intake.redaction import Personal, redact
from services.intake.store import complaint as complaints
from services.intake.store import correspondence as store
from services.intake.usecases.complaint import Desk
from shared import audit, outbox
from shared.events import ComplaintMessageAdded
from shared.ids import uuid7

Direction = Literal["in", "out"]
Author = Literal["complainant", "representative", "staff", "system"]


async def add_message(
    tx: AsyncSession,
    desk: Desk,
    complaint: complaints.Complaint,
    *,
    direction: Direction,
    author: Author,
    via: str,
    subject: str | None,
    text: str,
    attachments: int = 0,
    dedupe_key: str | None = None,
    now: datetime,
    message_id: str | None = None,
    actor: str | None = None,
    facts: dict[str, Any] | None = None,
    personal: tuple[str, ...] = (),
) -> store.Message:
    """Keep a message, sealed, and tell of it with its text redacted. Under a `dedupe_key` that is known, it is the
    message that is there already. `actor` is who acts as the audit trail names it, the author unless told; `facts` are
    sealed with the message; `personal` are values to be redacted besides the complainant's own.

    Raises Erased.
    """
    key = desk.data_key(complaint)
    if dedupe_key and (known := await store.message_by_dedupe_key(tx, dedupe_key)):
        return known
    id = message_id or uuid7()
    body = {"subject": subject, "text": text} | ({"facts": facts} if facts else {})
    message = store.Message(
        id=id,
        complaint_id=complaint.id,
        direction=direction,
        author=author,
        via=via,
        created_at=now,
        sealed_body=key.seal(f"message:{id}", orjson.dumps(body)),
        dedupe_key=dedupe_key,
    )
    tx.add(message)
    told = ComplaintMessageAdded(
        complaint_id=complaint.id,
        message_id=id,
        direction=direction,
        author=author,
        via=via,
        text=redact(text, Personal((*words_of(desk.person(complaint)), *personal))),
        attachments=attachments,
        added_at=now,
    )
    outbox.add(tx, told, now=now)
    detail = {"message": id, "direction": direction, "via": via}
    audit.add(tx, actor or author, "message.added", complaint.id, now=now, detail=detail)
    return message


def words_of(person: dict[str, Any] | None) -> tuple[str, ...]:
    """Every personal value of a complainant, as `Desk.person` gives one, for redaction."""
    if person is None:
        return ()
    acting = person.get("representative") or {}
    own = [person.get(name) for name in ("name", "phone", "email", "customer_no")]
    return tuple(v for v in (*own, *(acting.get(name) for name in ("name", "phone", "email"))) if v)
