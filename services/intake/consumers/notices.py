"""What complainants are told: written down here, sent by the worker's dispatcher."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from sqlalchemy.ext.asyncio import AsyncSession

from services.intake.consumers.context import Context, Handle, Part
from services.intake.domain.dispatch import choose
from services.intake.store import complaint as complaints
from services.intake.store import correspondence as store
from services.intake.usecases import dispatch
from services.intake.usecases import letter as letters
from services.intake.usecases.complaint import TRACKING
from services.intake.usecases.correspondence import message_text
from shared import trace
from shared.cloudevents import Envelope
from shared.events import (
    ComplaintClosed,
    ComplaintInformationRequested,
    ComplaintLetterIssued,
    ComplaintMessageAdded,
    ComplaintReceived,
    Event,
)
from shared.letters import addressed, called

_KNOWN: tuple[type[Event], ...] = (
    ComplaintReceived,
    ComplaintLetterIssued,
    ComplaintInformationRequested,
    ComplaintMessageAdded,
    ComplaintClosed,
)


def _make(context: Context) -> Handle:
    async def handle(tx: AsyncSession, events: Sequence[Envelope]) -> None:
        wanted = [event for event in events if _speaks(event.data)]
        known = await complaints.many(tx, {event.subject for event in wanted})
        keys = {event.subject: _key(event.data) for event in wanted}
        there = await store.dedupe_keys(tx, keys.values()) if keys else set()
        for event in wanted:
            complaint, key = known.get(event.subject), _key(event.data)
            if complaint is None or not complaint.wrapped_key or complaint.imported or key in there:
                continue
            with trace.following(event, service="intake"):
                there.add(key)
                await _write(tx, context, complaint, event.data, key)

    return handle


def _speaks(event: Event) -> bool:
    if isinstance(event, ComplaintReceived):
        return not event.imported
    return not isinstance(event, ComplaintMessageAdded) or (event.direction == "out" and event.author == "staff")


def _key(event: Event) -> str:
    """What makes two notices the same one: nobody gets it twice, whatever is delivered again."""
    match event:
        case ComplaintLetterIssued():
            return f"letter:{event.letter_id}"
        case ComplaintInformationRequested():
            return f"information_request:{event.request_id}"
        case ComplaintMessageAdded():
            return f"message:{event.message_id}"
        case ComplaintClosed():
            return f"survey:{event.complaint_id}"
        case _:
            return f"acknowledgement:{event.complaint_id}"


async def _write(tx: AsyncSession, context: Context, complaint: complaints.Complaint, event: Event, key: str) -> None:
    desk = context.desk
    content, person = desk.content(complaint), desk.person(complaint)
    if isinstance(event, ComplaintReceived) and (content.get("facts") or {}).get("automatic"):
        return  # a machine wrote it, or answers what we write
    kind = key.partition(":")[0]
    way = choose(person, kind)
    if way is None:
        return
    name = ((person or {}).get("representative") or {}).get("name") or (person or {}).get("name") or ""
    asked = event.language if isinstance(event, ComplaintLetterIssued | ComplaintInformationRequested) else None
    language = next(one for one in (asked, complaint.language, *context.languages) if one in context.languages)
    link = f"{context.public_url}/track/{complaint.reference}#t={quote(desk.data_key(complaint).token(TRACKING))}"
    values = {"reference": complaint.reference, "link": link, "question": "", "subject": ""}
    values["name"] = called(name, language)
    letter, origin = None, None
    match event:
        case ComplaintLetterIssued():
            origin = event.letter_id
            address = (content.get("facts") or {}).get("sender_address")
            letter = letters.kept(event, name=name, address=address, zone=context.zone)
            values["subject"] = addressed(event.subject, name, letter["language"])
            values["question"] = addressed(event.body, name, letter["language"])
        case ComplaintInformationRequested():
            origin = event.request_id
            values["question"] = event.question
        case ComplaintMessageAdded():
            origin = event.message_id
            values["question"] = await message_text(tx, desk, complaint, event.message_id)
        case _:
            pass
    answers: Any = content.get("channel_ref") if complaint.channel == "email" else None
    dispatch.add(
        tx,
        desk,
        complaint,
        kind=kind,
        way=way,
        language=language,
        dedupe_key=key,
        values=values,
        origin=origin,
        answers=answers,
        now=context.clock(),
        letter=letter,
    )


PART = Part(frozenset(kind.type for kind in _KNOWN), _make)
