"""What a complainant does with their complaint afterwards: look, withdraw, rate, dispute."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.intake.domain import voice as domain
from services.intake.domain.voice import Applying, Standing
from services.intake.store import attachment
from services.intake.store import complaint as complaints
from services.intake.store import correspondence as messages
from services.intake.store import voice as store
from services.intake.usecases import correspondence, evidence, rights
from services.intake.usecases.attachment import Files
from services.intake.usecases.complaint import Desk
from shared import audit, outbox
from shared.clock import rfc3339
from shared.events import ComplaintDisputed, ComplaintRated, ComplaintWithdrawn
from shared.ids import uuid7
from shared.redaction import Personal, redact

ACTOR = "complainant"


@dataclass(frozen=True, slots=True)
class Rated:
    """Marks from 1 (not at all satisfied) to 5, and words."""

    overall: int
    staff: int | None = None
    product: int | None = None
    handling: int | None = None
    comment: str | None = None

    def marks(self) -> dict[str, int | None]:
        return {"overall": self.overall, "staff": self.staff, "product": self.product, "handling": self.handling}


@dataclass(frozen=True, slots=True)
class Tracked:
    """A complaint as its complainant has it before them."""

    complaint: complaints.Complaint
    standing: Standing
    deadlines: list[dict[str, str]]
    withdrawal: store.Withdrawal | None
    rating: store.Rating | None
    disputes: Sequence[store.Dispute]


async def track(tx: AsyncSession, desk: Desk, reference: str, token: str) -> Tracked:
    """The complaint that `reference`, as a person writes it, and `token` open. Raises NotFound."""
    complaint, progress = await desk.track(tx, reference, token)
    return await _tracked(tx, complaint, progress)


async def _tracked(tx: AsyncSession, complaint: complaints.Complaint, progress: complaints.Progress | None) -> Tracked:
    withdrawal = await tx.get(store.Withdrawal, complaint.id)
    disputes = await store.disputes(tx, complaint.id)
    standing = Standing(
        status=progress.status if progress else "received",
        received_at=complaint.received_at,
        outcome=progress.outcome if progress else None,
        answered_at=progress.answered_at if progress else None,
        resolved_at=progress.resolved_at if progress else None,
        withdrawn_at=withdrawal.withdrawn_at if withdrawal else None,
        disputed=tuple(one.resolved_at for one in disputes),
    )
    deadlines = orjson.loads(progress.deadlines) if progress else []
    rating = await tx.get(store.Rating, complaint.id)
    return Tracked(complaint, standing, deadlines, withdrawal, rating, disputes)


async def withdraw(
    tx: AsyncSession, desk: Desk, reference: str, token: str, reason: str | None, *, now: datetime
) -> store.Withdrawal:
    """Take the complaint back. Withdrawn already, it stays as it was. Raises NotFound, NotWithdrawable, Erased."""
    found = await _locked(tx, desk, reference, token)
    if found.withdrawal is not None:
        return found.withdrawal
    domain.check_withdrawal(found.standing)
    complaint, key = found.complaint, desk.data_key(found.complaint)
    withdrawal = store.Withdrawal(
        complaint_id=complaint.id,
        sealed_reason=key.seal("withdrawal", reason.encode()) if reason else None,
        withdrawn_at=now,
    )
    tx.add(withdrawal)
    told = ComplaintWithdrawn(complaint_id=complaint.id, withdrawn_at=now, reason=_redacted(desk, complaint, reason))
    outbox.add(tx, told, now=now)
    audit.add(tx, ACTOR, "complaint.withdrawn", complaint.id, now=now)
    return withdrawal


async def rate(
    tx: AsyncSession, desk: Desk, reference: str, token: str, rated: Rated, *, now: datetime
) -> store.Rating:
    """Say how satisfied one is; said again, it replaces what was said, and the same again changes nothing. Raises
    NotFound, NotRateable, Erased."""
    found = await _locked(tx, desk, reference, token)
    domain.check_rating(found.standing)
    complaint, rating = found.complaint, found.rating
    if rating is None:
        rating = store.Rating(complaint_id=complaint.id, overall=rated.overall, rated_at=now)
        tx.add(rating)
    elif rated_view(desk, complaint, rating) == rated:
        return rating
    sealed = desk.data_key(complaint).seal("rating", rated.comment.encode()) if rated.comment else None
    rating.overall, rating.staff, rating.product, rating.handling = rated.marks().values()  # type: ignore[assignment]
    rating.sealed_comment, rating.rated_at = sealed, now
    told = ComplaintRated(
        complaint_id=complaint.id,
        overall=rated.overall,
        staff=rated.staff,
        product=rated.product,
        handling=rated.handling,
        comment=_redacted(desk, complaint, rated.comment),
        rated_at=now,
    )
    outbox.add(tx, told, now=now)
    audit.add(tx, ACTOR, "complaint.rated", complaint.id, now=now)
    return rating


async def dispute(
    tx: AsyncSession, desk: Desk, reference: str, token: str, grounds: str, *, now: datetime
) -> store.Dispute:
    """Not accept the outcome: the bank looks again. The same grounds again answer the same. Raises NotFound,
    NotDisputable, AlreadyDisputed (with other grounds), Erased."""
    found = await _locked(tx, desk, reference, token)
    complaint = found.complaint
    key = desk.data_key(complaint)
    if found.disputes and found.standing.is_disputed:
        last = found.disputes[-1]
        if key.open(f"dispute:{last.id}", last.sealed_grounds).decode() == grounds:
            return last
    domain.check_dispute(found.standing)
    assert found.standing.outcome is not None
    id = uuid7()
    made = store.Dispute(
        id=id,
        complaint_id=complaint.id,
        outcome=found.standing.outcome,
        sealed_grounds=key.seal(f"dispute:{id}", grounds.encode()),
        disputed_at=now,
        resolved_at=found.standing.resolved_at,
    )
    tx.add(made)
    told = ComplaintDisputed(
        complaint_id=complaint.id,
        dispute_id=id,
        outcome=made.outcome,
        grounds=_redacted(desk, complaint, grounds) or "",
        disputed_at=now,
    )
    outbox.add(tx, told, now=now)
    audit.add(tx, ACTOR, "complaint.disputed", complaint.id, now=now, detail={"dispute": id, "outcome": made.outcome})
    return made


async def write(
    tx: AsyncSession,
    desk: Desk,
    reference: str,
    token: str,
    text: str,
    *,
    subject: str | None = None,
    key: str | None,
    now: datetime,
) -> messages.Message:
    """Send the bank a message; the same under the same `key` is one. Raises NotFound, IdempotencyKeyReused, Erased."""
    complaint, _ = await desk.track(tx, reference, token)
    return await correspondence.write(
        tx, desk, complaint, direction="in", author="complainant", subject=subject, text=text, key=key, now=now
    )


def applying(tracked: Tracked, default: str, *, now: datetime, zone: ZoneInfo) -> Sequence[Applying]:
    """The rights that the complainant has now. `default` is the bank's own jurisdiction."""
    found = domain.of_jurisdiction(rights.known(), tracked.complaint.jurisdiction, default)
    return domain.applying(found, tracked.standing, now=now, zone=zone)


def rated_view(desk: Desk, complaint: complaints.Complaint, rating: store.Rating) -> Rated:
    """What was said in a rating. Raises Erased."""
    sealed = rating.sealed_comment
    comment = desk.data_key(complaint).open("rating", sealed).decode() if sealed else None
    return Rated(rating.overall, rating.staff, rating.product, rating.handling, comment)


def file_view(files: Files, row: attachment.Attachment, *, public_url: str) -> dict[str, Any]:
    """A file as its complainant sees it: name and link only of their own."""
    found = {"id": row.id, "at": rfc3339(row.created_at), "media_type": row.media_type, "size": row.size}
    found |= {"state": row.state, "name": None, "url": None}
    if evidence.is_own(row):
        found |= {
            name: value for name, value in files.view(row, public_url=public_url).items() if name in ("name", "url")
        }
    return found


async def view(
    tx: AsyncSession,
    desk: Desk,
    files: Files,
    tracked: Tracked,
    default: str,
    *,
    now: datetime,
    zone: ZoneInfo,
    public_url: str,
) -> dict[str, Any]:
    """All that a complainant may see of a complaint; the names of their own files, and links to them. Raises Erased."""
    complaint, standing, withdrawal = tracked.complaint, tracked.standing, tracked.withdrawal
    key = desk.data_key(complaint)
    words = [
        correspondence.view(message) | correspondence.opened(desk, complaint, message)
        for message in await messages.messages(tx, complaint.id)
    ]
    rating = tracked.rating
    return {
        "reference": complaint.reference,
        "status": standing.status,
        "received_at": rfc3339(complaint.received_at),
        "deadlines": [_deadline(deadline, now) for deadline in tracked.deadlines],
        "outcome": standing.outcome,
        "may": list(domain.may(standing)),
        "messages": [{k: v for k, v in word.items() if k != "facts"} for word in words],
        "attachments": [
            file_view(files, one, public_url=public_url) for one in await attachment.of_complaint(tx, complaint.id)
        ],
        "rating": _rating(rated_view(desk, complaint, rating), rating) if rating else None,
        "disputes": [
            {"id": d.id, "at": rfc3339(d.disputed_at), "outcome": d.outcome}
            | {"grounds": key.open(f"dispute:{d.id}", d.sealed_grounds).decode()}
            for d in tracked.disputes
        ],
        "withdrawn_at": rfc3339(withdrawal.withdrawn_at) if withdrawal else None,
        "rights": [_right(one) for one in applying(tracked, default, now=now, zone=zone)],
    }


def _deadline(deadline: dict[str, str], now: datetime) -> dict[str, str]:
    due_at = datetime.fromisoformat(deadline["due_at"])
    return deadline | {"state": domain.deadline_state(deadline["state"], due_at, now=now)}


def _rating(rated: Rated, rating: store.Rating) -> dict[str, Any]:
    return rated.marks() | {"comment": rated.comment, "at": rfc3339(rating.rated_at)}


def _right(one: Applying) -> dict[str, Any]:
    right = one.right
    return {
        "code": right.code,
        "internal": right.internal,
        "body": dict(right.body),
        "explanation": dict(right.explanation),
        "url": right.url,
        "until": one.until.isoformat() if one.until else None,
        "over": one.over,
    }


async def _locked(tx: AsyncSession, desk: Desk, reference: str, token: str) -> Tracked:
    """The complaint, kept from others until the unit of work ends: two of a kind at once are one after the other."""
    complaint, progress = await desk.track(tx, reference, token)
    await complaints.lock(tx, complaint)
    return await _tracked(tx, complaint, progress)


def _redacted(desk: Desk, complaint: complaints.Complaint, text: str | None) -> str | None:
    if not text:
        return None
    return redact(text, Personal(correspondence.words_of(desk.person(complaint))))
