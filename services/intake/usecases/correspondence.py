"""Words exchanged about a complaint, both ways."""

from datetime import datetime
from typing import Any, Literal

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.intake.domain.complaint import IdempotencyKeyReused
from services.intake.store import complaint as complaints
from services.intake.store import correspondence as store
from services.intake.usecases.complaint import Desk, read
from shared import audit, outbox
from shared.clock import rfc3339
from shared.errors import NotFound
from shared.events import ComplaintMessageAdded
from shared.ids import uuid7
from shared.redaction import Personal, redact

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


async def write(
    tx: AsyncSession,
    desk: Desk,
    complaint: complaints.Complaint,
    *,
    direction: Direction,
    author: Author,
    subject: str | None,
    text: str,
    key: str | None,
    actor: str | None = None,
    now: datetime,
) -> store.Message:
    """Keep what was written on the tracking page or is to be read there. The same under the same idempotency `key` of
    one writer is one message. Raises IdempotencyKeyReused, Erased."""
    await complaints.lock(tx, complaint)
    dedupe_key = desk.pseudonym("message", complaint.id, actor or author, key) if key else None
    if dedupe_key and (known := await store.message_by_dedupe_key(tx, dedupe_key)):
        before = opened(desk, complaint, known)
        if (before["subject"], before["text"]) != (subject, text):
            raise IdempotencyKeyReused
        return known
    return await add_message(
        tx,
        desk,
        complaint,
        direction=direction,
        author=author,
        via="tracking",
        subject=subject,
        text=text,
        dedupe_key=dedupe_key,
        now=now,
        actor=actor,
    )


async def read_messages(
    tx: AsyncSession, desk: Desk, complaint_id: str, *, after: str, limit: int, actor: str, now: datetime
) -> tuple[list[dict[str, Any]], str | None]:
    """A page of a complaint's messages, oldest first, and the cursor of the next one, None on the last. The reading is
    audited. Raises NotFound, Erased."""
    complaint, _ = await read(tx, complaint_id)
    found = await store.messages_after(tx, complaint_id, after, limit + 1)
    shown = [view(message) | opened(desk, complaint, message) for message in found[:limit]]
    audit.add(tx, actor, "messages.read", complaint_id, now=now)
    return shown, found[limit - 1].id if len(found) > limit else None


def opened(desk: Desk, complaint: complaints.Complaint, message: store.Message) -> dict[str, Any]:
    """What a message says: `{subject, text}`, and `facts` where it has some. Raises Erased."""
    key = desk.data_key(complaint)
    found: dict[str, Any] = orjson.loads(key.open(f"message:{message.id}", message.sealed_body))
    return found


def view(message: store.Message) -> dict[str, Any]:
    """A message without its words."""
    return {
        "id": message.id,
        "at": rfc3339(message.created_at),
        "direction": message.direction,
        "author": message.author,
        "via": message.via,
    }


async def message_text(tx: AsyncSession, desk: Desk, complaint: complaints.Complaint, id: str) -> str:
    """What a message says. Raises Erased, NotFound."""
    message = await tx.get(store.Message, id)
    if message is None:
        raise NotFound("No message has this id.")
    found: str = orjson.loads(desk.data_key(complaint).open(f"message:{id}", message.sealed_body))["text"]
    return found


def words_of(person: dict[str, Any] | None) -> tuple[str, ...]:
    """Every personal value of a complainant, as `Desk.person` gives one, for redaction."""
    if person is None:
        return ()
    acting = person.get("representative") or {}
    own = [person.get(name) for name in ("name", "phone", "email", "customer_no")]
    return tuple(v for v in (*own, *(acting.get(name) for name in ("name", "phone", "email"))) if v)
