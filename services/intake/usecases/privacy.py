"""What a complainant may ask of us about their data, and how it is kept from those who need not see it."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.intake.domain.complaint import Complainant
from services.intake.domain.privacy import AlreadyLifted, check_erasable, check_review
from services.intake.store import attachment, complaint, correspondence, privacy, tables, voice
from services.intake.usecases.complaint import Desk, read, view
from shared import audit, erasure, outbox
from shared.clock import rfc3339
from shared.errors import NotFound
from shared.events import ComplaintAmended, ComplaintErased
from shared.ids import uuid7
from shared.redaction import redact


async def erase(tx: AsyncSession, id: str, *, ground: str, actor: str, now: datetime) -> privacy.Erasure:
    """Erase a complaint's personal data for good; what was counted stays counted. Asked again, it answers the same.

    The data key goes, and with it all that it sealed, in backups too; every sealed field and keyed hash of the person
    is emptied besides. `ground` is request or retention. Raises NotFound, UnderLegalHold, StillOpen.
    """
    found, progress = await read(tx, id)
    done = await privacy.erasure(tx, id)
    if done is not None:
        return done
    held = await privacy.hold(tx, id) is not None
    check_erasable(status=progress.status if progress else "received", held=held)
    found.key_id, found.wrapped_key = "", b""
    found.sealed_person, found.sealed_content, found.customer_ref = None, b"", None
    await privacy.blank(tx, id)
    done = privacy.Erasure(complaint_id=id, ground=ground, erased_by=actor, erased_at=now)
    tx.add(done)
    await tx.flush()
    await erasure.scrub(tx, tables, id)
    outbox.add(tx, ComplaintErased.model_validate({"complaint_id": id, "ground": ground, "erased_at": now}), now=now)
    audit.add(tx, actor, "complaint.erased", id, now=now, detail={"ground": ground})
    return done


async def place_hold(tx: AsyncSession, id: str, reason: str, *, actor: str, now: datetime) -> privacy.Hold:
    """Forbid erasure. Placed already, it stays as it was. Raises NotFound."""
    await read(tx, id)
    held = await privacy.hold(tx, id)
    if held is None:
        held = privacy.Hold(complaint_id=id, reason=reason, placed_by=actor, placed_at=now)
        tx.add(held)
        audit.add(tx, actor, "hold.placed", id, now=now)
    return held


async def lift_hold(tx: AsyncSession, id: str, *, actor: str, now: datetime, reason: str | None = None) -> None:
    """Lifted already, nothing happens. Why, where it is told, stands in the audit trail, without what looks like
    personal data. Raises NotFound."""
    await read(tx, id)
    held = await privacy.hold(tx, id)
    if held is not None:
        await tx.delete(held)
        detail = {"reason": redact(reason)} if reason else None
        audit.add(tx, actor, "hold.lifted", id, now=now, detail=detail)


async def note_vulnerability(
    tx: AsyncSession,
    desk: Desk,
    id: str,
    kind: str,
    note: str,
    review_on: date,
    *,
    actor: str,
    now: datetime,
    zone: ZoneInfo,
) -> privacy.Vulnerability:
    """Raises NotFound, Erased, Invalid."""
    found, _ = await read(tx, id)
    check_review(review_on, today=now.astimezone(zone).date())
    one = uuid7()
    sealed = desk.data_key(found).seal(f"vulnerability:{one}", note.encode())
    before = await privacy.vulnerabilities(tx, id)
    noted = privacy.Vulnerability(
        id=one, complaint_id=id, kind=kind, sealed_note=sealed, review_on=review_on, noted_by=actor, noted_at=now
    )
    tx.add(noted)
    if all(v.lifted_at for v in before):
        outbox.add(tx, ComplaintAmended(complaint_id=id, vulnerable=True, amended_at=now), now=now)
    audit.add(tx, actor, "vulnerability.noted", id, now=now, detail={"vulnerability": one})
    return noted


async def review_vulnerability(
    tx: AsyncSession, id: str, one: str, review_on: date, *, actor: str, now: datetime, zone: ZoneInfo
) -> privacy.Vulnerability:
    """It still holds; look again on `review_on`. Raises NotFound, AlreadyLifted, Invalid."""
    check_review(review_on, today=now.astimezone(zone).date())
    found = await _vulnerability(tx, id, one)
    if found.lifted_at:
        raise AlreadyLifted
    found.review_on = review_on
    audit.add(tx, actor, "vulnerability.reviewed", id, now=now, detail={"vulnerability": one})
    return found


async def lift_vulnerability(
    tx: AsyncSession, id: str, one: str, *, actor: str, now: datetime
) -> privacy.Vulnerability:
    """It no longer holds. Lifted already, nothing happens. Raises NotFound."""
    found = await _vulnerability(tx, id, one)
    if found.lifted_at is None:
        found.lifted_at = now
        await tx.flush()
        if all(v.lifted_at for v in await privacy.vulnerabilities(tx, id)):
            outbox.add(tx, ComplaintAmended(complaint_id=id, vulnerable=False, amended_at=now), now=now)
        audit.add(tx, actor, "vulnerability.lifted", id, now=now, detail={"vulnerability": one})
    return found


async def read_vulnerabilities(
    tx: AsyncSession, desk: Desk, id: str, *, actor: str, now: datetime
) -> list[dict[str, Any]]:
    """What is known of a complainant's vulnerability, with the notes. The reading is audited. Raises NotFound."""
    found, _ = await read(tx, id)
    audit.add(tx, actor, "vulnerability.read", id, now=now)
    kept = await privacy.vulnerabilities(tx, id)
    return [vulnerability_view(v) | {"note": _note(desk, found, v)} for v in kept]


def vulnerability_view(one: privacy.Vulnerability) -> dict[str, Any]:
    """Without the note."""
    return {
        "id": one.id,
        "complaint_id": one.complaint_id,
        "kind": one.kind,
        "review_on": one.review_on.isoformat(),
        "noted_by": one.noted_by,
        "noted_at": rfc3339(one.noted_at),
        "lifted_at": rfc3339(one.lifted_at) if one.lifted_at else None,
    }


async def subject_access(
    tx: AsyncSession, desk: Desk, person: Complainant, *, actor: str, now: datetime
) -> list[dict[str, Any]]:
    """All that is kept of a person, known by customer number, phone or e-mail: one entry a complaint, each audited."""
    refs = [desk.customer_ref(one) for one in person.identities()]
    found = []
    for one in await privacy.of_person(tx, refs):
        audit.add(tx, actor, "subject_access.exported", one.id, now=now)
        found.append(await _everything(tx, desk, one))
    return found


async def _everything(tx: AsyncSession, desk: Desk, one: complaint.Complaint) -> dict[str, Any]:
    key = desk.data_key(one)
    progress = (await complaint.progress(tx, [one.id])).get(one.id)
    messages = []
    for message in await correspondence.messages(tx, one.id):
        body = orjson.loads(key.open(f"message:{message.id}", message.sealed_body))
        messages.append(
            {"at": rfc3339(message.created_at), "direction": message.direction, "author": message.author} | body
        )
    rating = await tx.get(voice.Rating, one.id)
    withdrawal = await tx.get(voice.Withdrawal, one.id)
    return view(one, progress) | {
        "complainant": desk.person(one) or {"anonymous": True},
        **desk.content(one),
        "messages": messages,
        "attachments": [
            {"id": a.id, "media_type": a.media_type, "size": a.size, "sha256": a.sha256, "state": a.state}
            for a in await attachment.of_complaint(tx, one.id)
        ],
        "rating": _rating(key, rating) if rating else None,
        "disputes": [
            {"at": rfc3339(d.disputed_at), "grounds": key.open(f"dispute:{d.id}", d.sealed_grounds).decode()}
            for d in await voice.disputes(tx, one.id)
        ],
        "withdrawn_at": rfc3339(withdrawal.withdrawn_at) if withdrawal else None,
        "vulnerabilities": [
            vulnerability_view(v) | {"note": _note(desk, one, v)} for v in await privacy.vulnerabilities(tx, one.id)
        ],
    }


def _rating(key: Any, rating: voice.Rating) -> dict[str, Any]:
    comment = key.open("rating", rating.sealed_comment).decode() if rating.sealed_comment else None
    marks = {name: getattr(rating, name) for name in ("overall", "staff", "product", "handling")}
    return marks | {"comment": comment, "at": rfc3339(rating.rated_at)}


def _note(desk: Desk, found: complaint.Complaint, one: privacy.Vulnerability) -> str:
    return desk.data_key(found).open(f"vulnerability:{one.id}", one.sealed_note).decode()


async def _vulnerability(tx: AsyncSession, id: str, one: str) -> privacy.Vulnerability:
    found = await privacy.vulnerability(tx, id, one)
    if found is None:
        raise NotFound("No vulnerability of this complaint has this id.")
    return found


async def erase_what_is_out_of_retention(
    tx: AsyncSession, closed_before: datetime, limit: int, *, now: datetime
) -> Sequence[str]:
    """Erase up to `limit` complaints that were closed before `closed_before`; which ones."""
    ids = await privacy.out_of_retention(tx, closed_before, limit)
    for id in ids:
        await erase(tx, id, ground="retention", actor="system", now=now)
    return ids
