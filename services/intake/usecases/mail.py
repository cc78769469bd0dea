"""One mail, taken exactly once: a complaint, a message to one, or a machine's word that is noted and not answered."""

import base64
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import blake2b
from typing import Any, Literal, Protocol

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from services.intake.domain.complaint import NARRATIVE_LIMIT, ChannelRefConflict, Submission
from services.intake.domain.mail import Author, Mail, MailFile, author, may_join
from services.intake.store import complaint as complaints
from services.intake.store import mail as store
from services.intake.store.attachment import Attachment
from services.intake.store.complaint import Complaint
from services.intake.store.correspondence import Dispatch, message_by_dedupe_key
from services.intake.usecases.complaint import Desk, Prepared, Receipt
from services.intake.usecases.correspondence import add_message
from shared import audit, outbox
from shared.clock import Clock
from shared.db import Database, GroupCommit, Pending, is_duplicate
from shared.errors import RedressError, Unavailable
from shared.events import ComplaintNotified
from shared.ids import uuid7

log = structlog.get_logger()

_LOOP_WINDOW = timedelta(hours=1)
_CHUNK = 64 * 1024
_BOUNCING = ("sent", "waiting")  # states of a dispatch of which a bounce is news


class Files(Protocol):
    """Where the files of a mail are kept."""

    async def take(self, stream: AsyncIterator[bytes], name: str, media_type: str, *, uploaded_by: str) -> Attachment:
        """Keep a file that belongs to no complaint yet. Raises a named error for one that is not taken."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail as its channel hands it over: read, as a complaint of its own, and the `content` that makes it the same
    mail again, whatever way it came."""

    mail: Mail
    submission: Submission
    content: bytes


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a mail. `receipt` where it is a complaint, `reference` where it belongs to one.

    received: it is a complaint. joined: a message to one. recorded: a machine's word, noted on a complaint. dropped: a
    machine's word that belongs to none; only that it came is kept.
    """

    outcome: Literal["received", "joined", "recorded", "dropped"]
    kind: str
    receipt: Receipt | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    complaint: Complaint
    known: Author | None
    allowed: bool


def thread_key(desk: Desk, message_id: str) -> str:
    """What `mail_thread` knows a mail by. `message_id` without its brackets."""
    return desk.pseudonym("mail", message_id.strip("<> ").casefold())


class Mailroom:
    """Takes mails. `files` keeps what is attached; `answered` complaints of one sender in an hour are answered
    automatically, those beyond are taken all the same (a machine may be answering ours)."""

    def __init__(
        self,
        db: Database,
        desk: Desk,
        writer: GroupCommit[Prepared, Receipt],
        *,
        clock: Clock,
        files: Files,
        answered: int = 5,
    ) -> None:
        self._db = db
        self._desk = desk
        self._writer = writer
        self._clock = clock
        self._files = files
        self._answered = answered

    async def take(self, letter: Letter, *, actor: str) -> Taken:
        """Raises Unavailable, Overloaded; then nothing of it is kept, and it is to be sent again."""
        for attempt in range(3):
            try:
                return await self._take(letter, actor)
            except Exception as error:
                if attempt == 2 or not is_duplicate(error):  # else it came twice at once: look who was first
                    raise
        raise AssertionError("unreachable")

    async def _take(self, letter: Letter, actor: str) -> Taken:
        mail = letter.mail
        key = thread_key(self._desk, mail.message_id)
        digest = blake2b(letter.content, digest_size=16).hexdigest()
        same = self._desk.pseudonym("mail_content", mail.message_id.casefold(), digest)
        async with self._db.reading() as tx:
            if joined := await message_by_dedupe_key(tx, same):
                return await self._again(tx, mail, joined.complaint_id)
            ours = (await store.dispatches(tx, [_local(mail.message_id)])).get(_local(mail.message_id))
            owner = None if ours else (await store.threads(tx, [key])).get(key)
            if owner and mail.kind != "mail":
                return await self._again(tx, mail, owner)
            other = owner is not None and not await _is_its_own(tx, self._desk, owner, mail.message_id)
            places = await self._places(tx, mail) if owner is None else []
        if ours is not None:
            return await self._came_back(mail, ours, actor)
        place = next((p for p in places if p.allowed), None)
        if mail.kind == "bounce":
            return await self._bounced(mail, key, actor, place)
        if mail.kind == "auto_reply" and place is None:
            return await self._drop(mail, actor)
        if place is not None:
            return await self._join(letter, place, key, same, actor)
        return await self._receive(letter, key, digest, actor, owned=owner is not None, other=other)

    async def _places(self, tx: AsyncSession, mail: Mail) -> Sequence[_Place]:
        """Where `mail` may belong, the likeliest first: what it answers, then what it names."""
        about = (*(mail.bounce.about if mail.bounce else ()), *mail.thread)
        sent = await store.dispatches(tx, [_local(id) for id in about])
        keys = {id: thread_key(self._desk, id) for id in about}
        threads = await store.threads(tx, keys.values())
        wanted = [(sent[_local(id)].complaint_id, True) for id in about if _local(id) in sent]
        wanted += [(threads[keys[id]], False) for id in about if keys[id] in threads]
        rows = await store.complaints(tx, {id for id, _ in wanted}, mail.mentions[:10])
        by_id = {row.id: row for row in rows}
        wanted += [(row.id, False) for row in rows if row.reference in mail.mentions]
        places = []
        for id, answers_us in wanted:
            if row := by_id.get(id):
                person = self._desk.person(row) or {}
                known = author(mail, person.get("email"), (person.get("representative") or {}).get("email"))
                places.append(_Place(row, known, may_join(known, answers_us=answers_us)))
        return places

    async def _receive(self, letter: Letter, key: str, digest: str, actor: str, *, owned: bool, other: bool) -> Taken:
        """`owned`: a complaint or message is known under this Message-ID already; `other`: it is surely another mail.
        A second mail under one Message-ID is known by its content besides."""
        mail = letter.mail
        if not other:
            try:
                # an old one gets its answer, for which its files need not be kept once more
                submission, kept = (letter.submission, []) if owned else await self._whole(letter, actor)
                return await self._submit(letter, submission, kept, key, actor)
            except ChannelRefConflict:
                pass
        submission, kept = await self._whole(letter, actor)
        submission = replace(submission, channel_ref=f"{mail.message_id[:150]} {digest}")
        return await self._submit(
            letter, submission, kept, thread_key(self._desk, f"{mail.message_id} {digest}"), actor
        )

    async def _submit(self, letter: Letter, submission: Submission, kept: Sequence[str], key: str, actor: str) -> Taken:
        async def also(connection: AsyncConnection, _: Pending, receipt: Receipt) -> None:
            await store.mark(connection, key, receipt.id)
            if kept:
                await store.hand_over(connection, kept, receipt.id, None)

        now = self._clock()
        receipt = await self._desk.receive(
            self._writer, submission, letter.content, idempotency_key=None, actor=actor, now=now, also=also
        )
        return Taken("received", letter.mail.kind, receipt, receipt.reference)

    async def _whole(self, letter: Letter, actor: str) -> tuple[Submission, list[str]]:
        """The complaint with what became of its files, and those that were kept."""
        kept, told = await self._keep(letter.mail, actor)
        extra: dict[str, Any] = {"files": told} if told else {}
        if letter.mail.signs or await self._answers_itself(letter.submission):
            extra["automatic"] = True
        return replace(letter.submission, facts=letter.submission.facts | extra), kept

    async def _answers_itself(self, submission: Submission) -> bool:
        """Whether so many complaints of this sender have come lately that a machine may be answering our answers."""
        identity = submission.complainant.identity() if submission.complainant else None
        if identity is None:
            return False
        async with self._db.reading() as tx:
            ref = self._desk.customer_ref(identity)
            return await store.taken_since(tx, ref, self._clock() - _LOOP_WINDOW) >= self._answered

    async def _join(self, letter: Letter, place: _Place, key: str, same: str, actor: str) -> Taken:
        mail = letter.mail
        now = self._clock()
        kept, told = await self._keep(mail, actor)
        facts = letter.submission.facts | ({"files": told} if told else {}) | {"sender_known": place.known is not None}
        text = mail.text or mail.quoted or letter.submission.narrative
        async with self._db.transaction() as tx:
            found = await store.complaints(tx, [place.complaint.id], ())
            if found:
                await complaints.lock(tx, found[0])
            if not found or not found[0].wrapped_key:  # erased just now: sent again, it is a complaint of its own
                raise Unavailable("The complaint has changed; send the mail again.")
            message = await add_message(
                tx,
                self._desk,
                found[0],
                direction="in",
                author="system" if mail.kind == "auto_reply" else place.known or "complainant",
                via="email",
                subject=mail.subject or None,
                text=text if len(text) <= NARRATIVE_LIMIT else text[: NARRATIVE_LIMIT - 1] + "…",
                attachments=len(kept),
                dedupe_key=same,
                now=now,
                message_id=uuid7(),
                actor=actor,
                facts=facts,
                personal=letter.submission.personal,
            )
            connection = await tx.connection()
            await store.mark(connection, key, found[0].id)
            if kept:
                await store.hand_over(connection, kept, found[0].id, message.id)
        outcome: Literal["joined", "recorded"] = "recorded" if mail.kind == "auto_reply" else "joined"
        return Taken(outcome, mail.kind, reference=found[0].reference)

    async def _bounced(self, mail: Mail, key: str, actor: str, place: _Place | None) -> Taken:
        """What could not be delivered is put before a person."""
        assert mail.bounce is not None
        report, now = mail.bounce, self._clock()
        async with self._db.transaction() as tx:
            for id in (*report.about, *mail.thread):
                if found := await store.dispatch(tx, _local(id)):
                    break
            else:
                found = None
            complaint_id = found.complaint_id if found else place.complaint.id if place else None
            if complaint_id is not None:
                detail = {"action": report.action, "status": report.status, "dispatch": found.id if found else None}
                audit.add(tx, actor, "mail.bounced", complaint_id, now=now, detail=detail)
                await store.mark(await tx.connection(), key, complaint_id)
                if found and report.action == "failed" and found.state in _BOUNCING:
                    reason = f"bounced {report.status or ''}".strip()
                    found.state, found.error, found.next_at, found.settled_at = "failed", reason, None, now
                    outbox.add(tx, _failed(found, reason), now=now)
                return await self._again(tx, mail, complaint_id)
        return await self._drop(mail, actor)

    async def _drop(self, mail: Mail, actor: str) -> Taken:
        async with self._db.transaction() as tx:
            detail = {"kind": mail.kind, "signs": list(mail.signs)}
            audit.add(tx, actor, "mail.dropped", "email", now=self._clock(), detail=detail)
        return Taken("dropped", mail.kind)

    async def _came_back(self, mail: Mail, ours: Dispatch, actor: str) -> Taken:
        """A mail of our own, by way of somebody's forwarding: never a complaint."""
        async with self._db.transaction() as tx:
            audit.add(tx, actor, "mail.looped", ours.complaint_id, now=self._clock(), detail={"dispatch": ours.id})
            return await self._again(tx, replace(mail, kind="auto_reply"), ours.complaint_id)

    async def _again(self, tx: AsyncSession, mail: Mail, complaint_id: str) -> Taken:
        """The answer for a mail that belongs to a complaint already."""
        found = await tx.get(Complaint, complaint_id)
        outcome: Literal["joined", "recorded"] = "joined" if mail.kind == "mail" else "recorded"
        return Taken(outcome, mail.kind, reference=found.reference if found else None)

    async def _keep(self, mail: Mail, actor: str) -> tuple[list[str], list[dict[str, Any]]]:
        """Keep the files of `mail`: the ids of those kept, and what is to be told of each."""
        told = [await self._keep_one(file, actor) for file in mail.files]
        if mail.original is not None:
            found = await self._keep_one(MailFile("mail.eml", "message/rfc822", mail.original), actor)
            if "refused" in found:  # bytes that are no text all through: as text, then, that says the same
                coded = base64.encodebytes(mail.original)
                found = await self._keep_one(MailFile("mail.eml.base64.txt", "text/plain", coded), actor)
            told.append(found)
        return [one["attachment"] for one in told if "attachment" in one], told

    async def _keep_one(self, file: MailFile, actor: str) -> dict[str, Any]:
        """What is to be told of `file`: `attachment` is its id where it is kept, `refused` a code where it is not."""
        found: dict[str, Any] = {"name": file.name, "media_type": file.media_type, "size": len(file.content)}
        found |= {"inline": True} if file.inline else {}
        try:
            row = await self._files.take(_stream(file.content), file.name, file.media_type, uploaded_by=actor)
        except Unavailable:
            raise
        except RedressError as error:
            log.info("mail.file_refused", reason=error.code)
            return found | {"refused": error.code}
        return found | {"attachment": row.id}


async def _is_its_own(tx: AsyncSession, desk: Desk, owner: str, message_id: str) -> bool:
    """Whether the complaint to which a Message-ID belongs is the one that this mail made."""
    found = await tx.get(Complaint, owner)
    return found is not None and found.channel_ref_key == desk.pseudonym("channel_ref", "email", message_id)


async def _stream(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), _CHUNK):
        yield content[start : start + _CHUNK]


def _local(message_id: str) -> str:
    """The part before the `@`: of a mail that we sent, the id of its dispatch."""
    return message_id.partition("@")[0][:36]


def _failed(dispatch: Dispatch, reason: str) -> ComplaintNotified:
    assert dispatch.settled_at is not None
    return ComplaintNotified(
        complaint_id=dispatch.complaint_id,
        notice_id=dispatch.id,
        kind=dispatch.kind,
        via=dispatch.via,
        state="failed",
        reason=reason,
        origin=dispatch.origin,
        settled_at=dispatch.settled_at,
    )
