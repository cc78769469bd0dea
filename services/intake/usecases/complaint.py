"""What intake does, one function a verb: load, decide, save, add event."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from hashlib import blake2b
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from services.intake.domain.complaint import (
    CODE_LIMIT,
    ChannelRefConflict,
    Complainant,
    Erased,
    IdempotencyKeyReused,
    Submission,
)
from services.intake.store import complaint as store
from shared import audit, outbox
from shared.clock import rfc3339
from shared.db import GroupCommit, Pending, is_duplicate
from shared.db.pending import AuditEntry, OutboxRow
from shared.errors import NotFound, RedressError
from shared.events import ComplaintReceived
from shared.ids import normalise_reference, reference, uuid7
from shared.redaction import NOBODY, Personal, redact
from shared.security.crypto import DataKey, MasterKeys

TRACKING = "tracking"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the channel gets back. `token` opens the complainant's view; it is made from the complaint's data key.

    `replayed` tells that the complaint had been taken before; the answer is the same.
    """

    id: str
    reference: str
    received_at: datetime
    token: str
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """A complaint ready to be written: all the work that needs no database is done."""

    receipt: Receipt
    submission_key: str | None
    channel_ref_key: str | None
    fingerprint: str
    row: tuple[Any, ...]
    event: OutboxRow
    entry: AuditEntry
    also: "Also | None" = None


Also = Callable[[AsyncConnection, Pending, Receipt], Awaitable[None]]
"""What else is to be written with a complaint, in its transaction, when it is new. May refuse by a named error."""
Known = dict[str, tuple[str, Receipt]]
"""By submission key or channel reference key: the fingerprint of a complaint, and its receipt."""


def _remember(known: Known, one: Prepared) -> bool:
    """Whether nothing is known yet under the keys of `one`; from now on it is."""
    keys = [k for k in (one.submission_key, one.channel_ref_key) if k]
    if any(k in known for k in keys):
        return False
    for key in keys:
        known[key] = (one.fingerprint, one.receipt)
    return True


def _answer(known: Known, one: Prepared) -> Receipt | RedressError:
    """What the sender of `one` is told, once all that is `known` is kept."""
    for key, differs in ((one.submission_key, IdempotencyKeyReused), (one.channel_ref_key, ChannelRefConflict)):
        if key in known:
            fingerprint, receipt = known[key]
            if receipt.id == one.receipt.id:
                break
            return replace(receipt, replayed=True) if fingerprint == one.fingerprint else differs()
    return one.receipt


class Desk:
    """Takes complaints in, through one group-committing writer."""

    def __init__(self, keys: MasterKeys, zone: ZoneInfo) -> None:
        self.keys = keys
        self._zone = zone

    def prepare(
        self,
        submission: Submission,
        fingerprint: str,
        *,
        idempotency_key: str | None,
        actor: str,
        now: datetime,
        also: Also | None = None,
    ) -> Prepared:
        """Seal, redact and encode `submission`. `fingerprint` tells its content from any other's."""
        id = uuid7()
        received_at = submission.received_at or now
        number = reference(received_at.astimezone(self._zone).date())
        data_key, key_id, wrapped = self.keys.new(id)
        person = submission.complainant
        words = (person.words() if person else ()) + submission.personal
        personal = Personal(words) if words else NOBODY
        identity = person.identity() if person else None
        customer_ref = self.customer_ref(identity) if identity else None
        content: dict[str, Any] = {"narrative": submission.narrative, "desired_outcome": submission.desired_outcome}
        content |= {"detail": submission.detail, "channel_ref": submission.channel_ref, "facts": submission.facts}
        # cut: what stands for personal data may be longer than it, and the columns hold no more than a code may
        branch = redact(submission.branch, personal)[:CODE_LIMIT] if submission.branch else None
        product = redact(submission.product, personal)[:CODE_LIMIT] if submission.product else None
        wish = redact(submission.desired_outcome, personal) if submission.desired_outcome else None
        event = ComplaintReceived.model_construct(
            complaint_id=id,
            reference=number,
            channel=submission.channel,
            narrative=redact(submission.narrative, personal),
            received_at=received_at,
            customer_ref=customer_ref,
            language=submission.language,
            jurisdiction=submission.jurisdiction,
            branch=branch,
            product=product,
            amount=submission.amount,
            currency=submission.currency,
            occurred_at=submission.occurred_at,
            desired_outcome=wish,
            imported=submission.imported,
            referred_by=submission.referred_by,
            referred_at=submission.referred_at,
            imposed_due_at=submission.imposed_due_at,
        )
        submission_key = self.keys.pseudonym("submission", actor, idempotency_key) if idempotency_key else None
        ref = submission.channel_ref
        ref_key = self.keys.pseudonym("channel_ref", submission.channel, ref) if ref else None
        row = (
            id,
            number,
            submission.channel,
            received_at,
            now,
            submission_key,
            fingerprint,
            ref_key,
            customer_ref,
            branch,
            product,
            submission.amount,
            submission.currency,
            submission.language,
            submission.jurisdiction,
            submission.occurred_at,
            submission.imported,
            key_id,
            wrapped,
            data_key.seal("person", _person(person)) if person else None,
            data_key.seal("content", orjson.dumps(content)),
        )
        return Prepared(
            receipt=Receipt(id, number, received_at, data_key.token(TRACKING)),
            submission_key=submission_key,
            channel_ref_key=ref_key,
            fingerprint=fingerprint,
            row=row,
            event=outbox.row(event, now=now),
            entry=audit.entry(actor, "complaint.received", id, now=now, detail={"channel": submission.channel}),
            also=also,
        )

    async def write(
        self, connection: AsyncConnection, pending: Pending, group: Sequence[Prepared]
    ) -> Sequence[Receipt | RedressError]:
        """Put a group of complaints into the open transaction; a repeat gets the answer of the first.

        The unique indexes judge what is a repeat. To ask first would cost every complaint a look-up for the sake of a
        few, and would be wrong when another process takes the same complaint in the meantime.
        """
        known: Known = {}
        new = [one for one in group if _remember(known, one)]
        # in one order, so that two transactions with the same repeats do not wait for each other
        new.sort(key=lambda one: one.submission_key or one.channel_ref_key or "")
        if not await store.insert_new(connection, [one.row for one in new]):
            known, new = await self._sort_out(connection, group)
        pending.events.extend(one.event for one in new)
        pending.audit.extend(one.entry for one in new)
        for one in new:
            if one.also is not None:
                await one.also(connection, pending, one.receipt)
        return [_answer(known, one) for one in group]

    async def _sort_out(self, connection: AsyncConnection, group: Sequence[Prepared]) -> tuple[Known, list[Prepared]]:
        """What is known and who is new when the database left out some of `group`, whose others it has inserted."""
        kept = await store.kept(connection, [one.receipt.id for one in group])
        known = await self._priors(connection, group)
        # Repeats of a neighbour that was itself left out, for another of its keys; or a reference was taken, which this
        # insert will tell, so that `receive` draws another.
        late = [one for one in group if one.receipt.id not in kept and _remember(known, one)]
        await store.insert(connection, [one.row for one in late])
        new = {one.receipt.id for one in late} | kept
        return known, [one for one in group if one.receipt.id in new]

    async def _priors(self, connection: AsyncConnection, group: Sequence[Prepared]) -> Known:
        """What was answered under the keys of `group`."""
        submission_keys = [one.submission_key for one in group if one.submission_key]
        ref_keys = [one.channel_ref_key for one in group if one.channel_ref_key]
        known: Known = {}
        for prior in await store.priors(connection, submission_keys, ref_keys):
            erased = not prior.wrapped_key  # it is still no new complaint, and its token opens nothing any more
            token = "" if erased else self.keys.unwrap(prior.id, prior.key_id, prior.wrapped_key).token(TRACKING)
            receipt = Receipt(prior.id, prior.reference, prior.received_at, token)
            known |= {k: (prior.fingerprint, receipt) for k in (prior.submission_key, prior.channel_ref_key) if k}
        return known

    async def receive(
        self,
        writer: GroupCommit[Prepared, Receipt],
        submission: Submission,
        content: bytes,
        *,
        idempotency_key: str | None,
        actor: str,
        now: datetime,
        also: Also | None = None,
    ) -> Receipt:
        """Take in a complaint; repeated with the same key or channel reference, it answers the same.

        `content` is the submission in canonical form. Raises IdempotencyKeyReused, ChannelRefConflict, Unavailable,
        and what `also` raises.
        """
        fingerprint = self.keys.pseudonym("content", blake2b(content, digest_size=16).hexdigest())
        for attempt in range(3):
            prepared = self.prepare(
                submission, fingerprint, idempotency_key=idempotency_key, actor=actor, now=now, also=also
            )
            try:
                return await writer.submit(prepared)
            except Exception as error:
                if attempt == 2 or not is_duplicate(error):  # twice in forty bits: it was no clash of references
                    raise
        raise AssertionError("unreachable")

    def customer_ref(self, identity: tuple[str, str]) -> str:
        """The keyed hash that stands for a person, known by what `Complainant.identity` gives."""
        return self.keys.pseudonym("customer", *identity)

    def pseudonym(self, purpose: str, *values: str) -> str:
        """A keyed hash of 128 bits, in hex, that stands for `values`."""
        return self.keys.pseudonym(purpose, *values)

    def data_key(self, complaint: store.Complaint) -> DataKey:
        """Raises Erased."""
        if not complaint.wrapped_key:
            raise Erased
        return self.keys.unwrap(complaint.id, complaint.key_id, complaint.wrapped_key)

    def content(self, complaint: store.Complaint) -> dict[str, Any]:
        """What was said: `{narrative, desired_outcome, detail, channel_ref, facts}`. Raises Erased."""
        found: dict[str, Any] = orjson.loads(self.data_key(complaint).open("content", complaint.sealed_content))
        return found

    def person(self, complaint: store.Complaint) -> dict[str, Any] | None:
        """Who complained: `{name, phone, email, customer_no, preferred_channel, representative}`; None for an anonymous
        complaint. Raises Erased."""
        if complaint.sealed_person is None:
            return None
        found: dict[str, Any] = orjson.loads(self.data_key(complaint).open("person", complaint.sealed_person))
        return found

    async def track(self, tx: AsyncSession, typed: str, token: str) -> tuple[store.Complaint, store.Progress | None]:
        """The complaint that `typed` (a reference as a person writes it) and `token` open. Raises NotFound for both,
        so that nobody learns which references exist."""
        number = normalise_reference(typed)
        complaint = await store.by_reference(tx, number) if number else None
        if complaint is None or not complaint.wrapped_key or not self.data_key(complaint).fits(TRACKING, token):
            raise NotFound("No complaint is found under this reference and token.")
        return complaint, (await store.progress(tx, [complaint.id])).get(complaint.id)

    async def rewrap(self, tx: AsyncSession, after: str, limit: int, *, now: datetime) -> Sequence[str]:
        """Wrap up to `limit` data keys anew under the current master key, of complaints whose ids come after `after`;
        those ids, in order. None left means done."""
        found = await store.sealed_with_other_keys(tx, self.keys.current, after, limit)
        for complaint in found:
            complaint.key_id, complaint.wrapped_key = self.keys.rewrap(
                complaint.id, complaint.key_id, complaint.wrapped_key
            )
        if found:
            audit.add(tx, "system", "keys.rewrapped", self.keys.current, now=now, detail={"count": len(found)})
        return [complaint.id for complaint in found]


async def read(tx: AsyncSession, id: str) -> tuple[store.Complaint, store.Progress | None]:
    """A complaint and how it stands. Raises NotFound."""
    complaint = await store.complaint(tx, id)
    if complaint is None:
        raise NotFound("No complaint has this id.")
    return complaint, (await store.progress(tx, [id])).get(id)


def view(complaint: store.Complaint, progress: store.Progress | None) -> dict[str, Any]:
    """How a complaint stands, without a word of personal data."""
    return {
        "id": complaint.id,
        "reference": complaint.reference,
        "channel": complaint.channel,
        "status": progress.status if progress else "received",
        "received_at": rfc3339(complaint.received_at),
        "type": progress.category if progress else None,
        "severity": progress.severity if progress else None,
        "department": progress.department if progress else None,
        "outcome": progress.outcome if progress else None,
        "escalation_level": progress.escalation_level if progress else 0,
        "deadlines": orjson.loads(progress.deadlines) if progress else [],
        "branch": complaint.branch,
        "product": complaint.product,
        "language": complaint.language,
        "jurisdiction": complaint.jurisdiction,
        "imported": complaint.imported,
    }


def _person(person: Complainant) -> bytes:
    found: dict[str, Any] = {"name": person.name, "phone": person.phone, "email": person.email}
    found |= {"customer_no": person.customer_no, "preferred_channel": person.preferred_channel}
    found["representative"] = asdict(person.representative) if person.representative else None
    return orjson.dumps(found)
