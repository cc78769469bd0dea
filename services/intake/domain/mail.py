"""What an e-mail is once it is read, and whose complaint it may join. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Kind = Literal["mail", "auto_reply", "bounce"]
Author = Literal["complainant", "representative"]


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address, and the name that stands before it. Personal data."""

    name: str | None
    address: str


@dataclass(frozen=True, slots=True)
class MailFile:
    """A file in a mail. `inline`: shown within the text."""

    name: str
    media_type: str
    content: bytes
    inline: bool = False


@dataclass(frozen=True, slots=True)
class Bounce:
    """A report of a delivery (RFC 3464). `action` is failed, delayed, relayed, expanded or delivered; `status` an
    enhanced status code (RFC 3463), `about` the Message-ID of the mail that it reports on, where they are told."""

    action: str
    status: str | None
    about: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mail:
    """One e-mail as it was read. Identifiers come without their brackets.

    `message_id` is made from the content where the mail has none. `text` is what the sender wrote, without `quoted`
    and `signature`. `addressed_to` holds every address that it was meant for, `mentions` the complaint references in
    its subject and in the addresses. `authentication` is what the bank's own mail server found: `{spf, dkim, dmarc}`.
    `signs` are codes that speak for a machine as the author. `troubles` are codes of what could not be read; then, and
    where `text` is longer than a narrative may be, `original` is the mail itself.
    """

    message_id: str
    sender: Mailbox | None
    reply_to: Mailbox | None
    addressed_to: tuple[str, ...]
    subject: str
    sent_at: datetime | None
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    text: str
    quoted: str
    signature: str
    language: str | None
    kind: Kind
    signs: tuple[str, ...]
    bounce: Bounce | None
    authentication: dict[str, str]
    mentions: tuple[str, ...]
    files: tuple[MailFile, ...]
    troubles: tuple[str, ...]
    has_own_id: bool = True
    original: bytes | None = None

    @property
    def thread(self) -> tuple[str, ...]:
        """What it answers, the nearest first."""
        return tuple(dict.fromkeys((*self.in_reply_to, *reversed(self.references))))

    @property
    def forged(self) -> bool:
        """Whether the bank's own mail server found that the sender's address is not to be believed (RFC 7489)."""
        found = self.authentication
        if "dmarc" in found:
            return found["dmarc"] == "fail"
        return found.get("spf") == "fail" and found.get("dkim") != "pass"


def author(mail: Mail, complainant: str | None, representative: str | None) -> Author | None:
    """As whom the sender of `mail` is known: by the address of the complainant or the representative, unless that is
    forged. Only the sender's own address counts: whatever stands in Reply-To has been checked by nobody."""
    if mail.sender is None or mail.forged:
        return None
    address = mail.sender.address.strip().casefold()
    if complainant and address == complainant.strip().casefold():
        return "complainant"
    if representative and address == representative.strip().casefold():
        return "representative"
    return None


def may_join(known: Author | None, *, answers_us: bool) -> bool:
    """Whether a mail that names a complaint, or stands in its thread, becomes part of it.

    Somebody known by their address may. Anybody else only with the identifier of a mail that we sent (`answers_us`):
    nobody could guess it, and it went to the complainant alone. To answer a mail that the complainant wrote is not
    enough: others may have had a copy of it, and what they say is a complaint of their own.
    """
    return known is not None or answers_us
