"""E-mail: a mail as it came over the wire, read whatever state it is in, and how it becomes a complaint."""

import re
from dataclasses import dataclass, replace
from email import policy
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser
from hashlib import blake2b
from typing import Any

import orjson

from services.intake.channels.mime import body, quoting, reports
from services.intake.channels.mime.charset import clean, decode, written_in
from services.intake.channels.mime.headers import Fields, authentication, references_in
from services.intake.channels.shape import written_language
from services.intake.domain.complaint import NARRATIVE_LIMIT, Complainant, Submission
from services.intake.domain.mail import Kind, Mail, Mailbox
from services.intake.usecases.mail import Letter
from shared.clock import rfc3339

NOTHING_SAID = "[no text]"
_FIRST_WORDS = re.compile(r"^(?:\s*(?:re|fw|fwd|aw|sv|回覆|回复|答复|答覆|轉寄|转发|轉發)\s*[:：])+\s*", re.IGNORECASE)
_LONGEST_FACT = 200_000  # characters of a text that are kept besides the narrative; the mail itself holds the rest
_NESTING = re.compile(rb"boundary\s*=|message/(?:rfc822|global|partial|external-body)", re.IGNORECASE)
_MOST_NESTING = 100
_MOST_WORK = 10_000_000  # levels times lines
_MOST_DELIMITERS = 20_000
_LONGEST_HEADER = 300_000  # bytes
_HEADER_END = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True)
class Setup:
    """How the bank's mail is set up. `authserv_id` is the name under which its own mail server records what it checked;
    `automatic_senders`, addresses or domains of systems that send complaints by themselves (a portal, a form)."""

    authserv_id: str | None = None
    automatic_senders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the transport said, where it did. An empty `sender` is the null reverse path (RFC 5321, 4.5.5)."""

    sender: str | None = None
    recipients: tuple[str, ...] = ()


NOWHERE = Envelope()


def read(raw: bytes, setup: Setup, envelope: Envelope = NOWHERE) -> Mail:
    """The mail in `raw`. Never raises for what it holds: what cannot be read is told in its `troubles`."""
    envelope = Envelope(clean(envelope.sender) if envelope.sender else envelope.sender, _cleaned(envelope.recipients))
    try:
        found = _read(raw, setup, envelope)
    except Exception:  # the library has never been proof against every byte
        found = _unreadable(raw, envelope)
    return replace(found, original=raw) if found.troubles or len(found.text) > NARRATIVE_LIMIT else found


def letter(raw: bytes, setup: Setup, envelope: Envelope = NOWHERE) -> Letter:
    """The mail in `raw`, ready to be taken. Costs the processor some time: up to a second for the largest."""
    mail = read(raw, setup, envelope)
    return Letter(mail, submission(mail), content(mail))


def _parsed(raw: bytes) -> tuple[Message, tuple[str, ...]]:
    """`raw` taken apart, and the troubles met. What would cost the parser more than its due (each level of nesting
    costs time for each line) is not taken apart beyond its header."""
    # The header parser of the newer policies raises on some malformed fields and takes quadratic time on others.
    nested, lines = len(_NESTING.findall(raw)), raw.count(b"\n")
    end = _HEADER_END.search(raw, 0, _LONGEST_HEADER)
    absurd = nested > _MOST_NESTING or nested * lines > _MOST_WORK or raw.count(b"\n--") > _MOST_DELIMITERS
    if not absurd and (end or len(raw) <= _LONGEST_HEADER):
        return BytesParser(policy=policy.compat32).parsebytes(raw), ()
    found = BytesHeaderParser(policy=policy.compat32).parsebytes(raw[: end.end() if end else _LONGEST_HEADER])
    found.set_payload("")
    return found, ("structure",)


def _read(raw: bytes, setup: Setup, envelope: Envelope) -> Mail:
    message, troubles = _parsed(raw)
    fields = Fields(message, charset=body.charset(message))
    null_sender = envelope.sender == "" or (envelope.sender is None and fields.raw("return-path") == "<>")
    senders = fields.mailboxes("from") or fields.mailboxes("sender") or _boxes(envelope.sender)
    sender = senders[0] if senders else None
    found = body.read(message)
    parts = quoting.set_apart(found.text)
    subject = fields.words("subject")
    signs, machine = reports.automatic(fields, null_sender=null_sender)
    bounce = reports.bounce(message, fields, null_sender=null_sender)
    machine = machine or reports.is_report(message)
    kind: Kind = "bounce" if bounce else "auto_reply" if machine else "mail"
    if sender and bounce is None and not null_sender and _listed(sender.address, setup.automatic_senders):
        kind = "mail"
    meant_for = fields.mailboxes("to", "cc", "delivered-to", "x-original-to", "x-envelope-to")
    addressed_to = tuple(dict.fromkeys((*envelope.recipients, *(box.address for box in meant_for))))
    own = next(iter(fields.ids("message-id")), None)
    replies = fields.mailboxes("reply-to")
    said = parts.own or subject
    return Mail(
        message_id=own or f"{blake2b(raw, digest_size=16).hexdigest()}@made.invalid",
        sender=sender,
        reply_to=replies[0] if replies else None,
        addressed_to=addressed_to,
        subject=subject,
        sent_at=fields.date("date"),
        in_reply_to=fields.ids("in-reply-to"),
        references=fields.ids("references"),
        text=parts.own,
        quoted=parts.quoted,
        signature=parts.signature,
        language=written_language(fields.raw("content-language").split(",")[0].strip() or None) or written_in(said),
        kind=kind,
        signs=signs,
        bounce=bounce,
        authentication=authentication(fields, setup.authserv_id),
        mentions=references_in((subject, *(a.partition("@")[0].partition("+")[2] for a in addressed_to))),
        files=tuple(found.files),
        troubles=(*troubles, *found.troubles),
        has_own_id=own is not None,
    )


def _unreadable(raw: bytes, envelope: Envelope) -> Mail:
    """As much as can be said of a mail that cannot be parsed."""
    boxes = _boxes(envelope.sender)
    text = decode(raw[: NARRATIVE_LIMIT * 4])
    return Mail(
        message_id=f"{blake2b(raw, digest_size=16).hexdigest()}@made.invalid",
        sender=boxes[0] if boxes else None,
        reply_to=None,
        addressed_to=envelope.recipients,
        subject="",
        sent_at=None,
        in_reply_to=(),
        references=(),
        text=text.strip(),
        quoted="",
        signature="",
        language=written_in(text),
        kind="mail",
        signs=(),
        bounce=None,
        authentication={},
        mentions=(),
        files=(),
        troubles=("unreadable",),
        has_own_id=False,
    )


def _cleaned(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(clean(text) for text in texts)


def _boxes(address: str | None) -> tuple[Mailbox, ...]:
    return (Mailbox(None, address),) if address and "@" in address and len(address) <= 254 else ()


def _listed(address: str, listed: tuple[str, ...]) -> bool:
    address = address.casefold()
    return any(address == one.casefold() or address.endswith("@" + one.casefold().lstrip("@")) for one in listed)


def submission(mail: Mail) -> Submission:
    """`mail` as a complaint of its own: what was written is the narrative, everything else a fact."""
    heading = _FIRST_WORDS.sub("", mail.subject)
    said = "\n\n".join(text for text in (heading, mail.text) if text) or mail.quoted or NOTHING_SAID
    narrative, cut = shortened(said)
    person = mail.reply_to or mail.sender
    name = (person.name if person else None) or (mail.sender.name if mail.sender else None)
    complainant = Complainant(name or person.address, email=person.address) if person else None
    boxes = [box for box in (mail.sender, mail.reply_to) if box]
    return Submission(
        channel="email",
        narrative=narrative,
        complainant=complainant,
        channel_ref=mail.message_id,
        language=mail.language,
        facts=facts(mail) | ({"text": mail.text[:_LONGEST_FACT]} if cut else {}),
        personal=tuple(dict.fromkeys(v for box in boxes for v in (box.name, box.address) if v)),
    )


def shortened(text: str) -> tuple[str, bool]:
    """`text` as long as a narrative may be, and whether it was longer."""
    return (text, False) if len(text) <= NARRATIVE_LIMIT else (text[: NARRATIVE_LIMIT - 1] + "…", True)


def facts(mail: Mail) -> dict[str, Any]:
    """What is known of `mail` besides its text."""
    found: dict[str, Any] = {
        "message_id": mail.message_id if mail.has_own_id else None,
        "from": _box(mail.sender),
        "reply_to": _box(mail.reply_to),
        "to": list(mail.addressed_to[:50]),
        "subject": mail.subject,
        "sent_at": rfc3339(mail.sent_at) if mail.sent_at else None,
        "in_reply_to": list(mail.in_reply_to),
        "references": list(mail.references),
        "quoted": mail.quoted[:_LONGEST_FACT],
        "signature": mail.signature[:_LONGEST_FACT],
        "authentication": mail.authentication,
        "signs": list(mail.signs),
        "mentions": list(mail.mentions),
        "files": [{"name": f.name, "media_type": f.media_type, "size": len(f.content)} for f in mail.files],
        "troubles": list(mail.troubles),
    }
    return {name: value for name, value in found.items() if value}


def content(mail: Mail) -> bytes:
    """What makes a mail the same mail again, whatever way it came: not what servers add to it on its way."""
    words = "".join(f"{mail.text}{mail.quoted}{mail.signature}".split())
    files = [blake2b(f.content, digest_size=16).hexdigest() for f in mail.files]
    return orjson.dumps([mail.sender.address.casefold() if mail.sender else None, words, files])


def _box(box: Mailbox | None) -> dict[str, str] | None:
    return {k: v for k, v in (("name", box.name), ("address", box.address)) if v} if box else None
