"""The bank's letters as they are printed: kept with what carries them, sealed with the complaint's key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.intake.store import complaint as complaints
from services.intake.store import correspondence as store
from services.intake.usecases.complaint import Desk
from shared.clock import rfc3339
from shared.errors import NotFound
from shared.events import ComplaintLetterIssued
from shared.i18n import LANGUAGES
from shared.letters import addressed, render


@dataclass(frozen=True, slots=True)
class Printable:
    """One letter, open. `complainant` is whom it addresses, None where no name is known; `text` is as it reads."""

    dispatch: store.Dispatch
    reference: str
    kind: str
    language: str
    subject: str
    body: str
    issued_on: date
    complainant: str | None
    address: str | None

    @property
    def file_name(self) -> str:
        return f"{self.reference}.pdf"

    @property
    def text(self) -> str:
        return addressed(self.body, self.complainant, self.language)

    def pdf(self, bank_name: str) -> bytes:
        """Takes some 10 ms, and blocks."""
        return render(
            self.subject,
            self.body,
            language=self.language,
            reference=self.reference,
            date=self.issued_on,
            bank_name=bank_name,
            complainant=self.complainant,
            address=self.address,
        )


def kept(issued: ComplaintLetterIssued, *, name: str, address: str | None, zone: ZoneInfo) -> dict[str, Any]:
    """What must be kept of a letter so that it can be printed later, as it was issued."""
    return {
        "kind": issued.kind,
        "language": issued.language if issued.language in LANGUAGES else "en",
        "subject": issued.subject,
        "body": issued.body,
        "issued_on": issued.issued_at.astimezone(zone).date().isoformat(),
        "complainant": name or None,
        "address": address,
    }


def printable(complaint: complaints.Complaint, one: store.Dispatch, content: Mapping[str, Any]) -> Printable | None:
    """The letter in the opened `content` of a dispatch; None where that is none."""
    letter = content.get("letter")
    if not letter:
        return None
    issued_on = date.fromisoformat(letter["issued_on"])
    return Printable(dispatch=one, reference=complaint.reference, **{**letter, "issued_on": issued_on})


async def letters(tx: AsyncSession, desk: Desk, complaint: complaints.Complaint) -> Sequence[Printable]:
    """Those of a complaint, oldest first. Raises Erased."""
    key = desk.data_key(complaint)
    found = []
    for one in await store.letters(tx, complaint.id):
        content = orjson.loads(key.open(f"dispatch:{one.id}", one.sealed_content))
        if (letter := printable(complaint, one, content)) is not None:
            found.append(letter)
    return found


async def letter(tx: AsyncSession, desk: Desk, complaint: complaints.Complaint, id: str) -> Printable:
    """Raises NotFound, Erased."""
    for one in await letters(tx, desk, complaint):
        if one.dispatch.origin == id:
            return one
    raise NotFound("This complaint has no letter with this id.")


def view(one: Printable) -> dict[str, Any]:
    sent = one.dispatch
    return {
        "id": sent.origin,
        "kind": one.kind,
        "language": one.language,
        "subject": addressed(one.subject, one.complainant, one.language),
        "issued_on": one.issued_on.isoformat(),
        "dispatch": sent.id,
        "via": sent.via,
        "state": sent.state,
        "settled_at": rfc3339(sent.settled_at) if sent.settled_at else None,
    }
