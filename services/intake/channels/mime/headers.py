"""Header fields as they stand in real mail: encoded words in any state, raw bytes, addresses, identifiers.

The standard library's newer header parser raises on some malformed fields and takes quadratic time on others, so fields
are taken raw and cut before they are read.
"""

import base64
import binascii
import quopri
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime

from services.intake.channels.mime.charset import clean, decode, likely
from services.intake.domain.mail import Mailbox
from shared.ids import normalise_reference

LONGEST = 16_000  # characters of a field that are read
LONGEST_ID = 190  # characters of a Message-ID that can be kept
IDS = 50  # of a thread, the last ones
_WORD = re.compile(r"=\?([^?*\s]{1,60})(?:\*[^?\s]{0,20})?\?([bBqQ])\?([^?]*)\?=")
_SPACE = re.compile(r"\s+")
_ID = re.compile(r"<\s*([^<>\s]{1,900})\s*>")
_ADDRESS = re.compile(r"[^@\s<>\"',;:()\[\]\\]{1,64}@[^@\s.<>\"',;:()\[\]\\]+(?:\.[^@\s.<>\"',;:()\[\]\\]+)+")
_REFERENCE = re.compile(r"(?<![0-9A-Za-z])\d{6}[-‐–—_ ]?[0-9A-Za-z]{4}[-‐–—_ ]?[0-9A-Za-z]{5}(?![0-9A-Za-z])")
_COMMENT = re.compile(r"\([^()]*\)")
_RESULT = re.compile(r"\s*(spf|dkim|dmarc|arc)\s*=\s*([a-z]{1,20})\b", re.IGNORECASE)


class Fields:
    """The header fields of one message, by name, each as text with its folding undone."""

    def __init__(self, message: Message, *, charset: str | None = None) -> None:
        """`charset`, that of the mail's text, helps to read fields in which bytes stand as they are."""
        taken = [(name.lower(), str(value)[:LONGEST]) for name, value in message.raw_items()]
        raw = b" ".join(_bytes(value) for _, value in taken if not value.isascii())
        believed = likely(raw, charset) if raw else None
        self._fields: dict[str, list[str]] = {}
        for name, value in taken:
            text = clean(value) if value.isascii() else decode(_bytes(value), believed)
            self._fields.setdefault(name, []).append(_SPACE.sub(" ", text).strip())

    def all(self, name: str) -> list[str]:
        """As they stand, encoded words and all; the topmost first."""
        return self._fields.get(name, [])

    def raw(self, name: str) -> str:
        """The topmost of them; empty where there is none."""
        return next(iter(self.all(name)), "")

    def words(self, name: str) -> str:
        """For people to read."""
        return words(self.raw(name)).strip()

    def mailboxes(self, *names: str) -> tuple[Mailbox, ...]:
        """All usable addresses in these fields, each once."""
        found: dict[str, Mailbox] = {}
        for value in (v for name in names for v in self.all(name)):
            for box in _mailboxes(value):
                found.setdefault(box.address.casefold(), box)
        return tuple(found.values())

    def ids(self, name: str) -> tuple[str, ...]:
        """The message identifiers in a field, without their brackets."""
        return tuple(i for i in _ID.findall(" ".join(self.all(name))) if len(i) <= LONGEST_ID)[-IDS:]

    def date(self, name: str) -> datetime | None:
        try:
            moment = parsedate_to_datetime(self.raw(name))
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (TypeError, ValueError, OverflowError, IndexError):
            return None


def _bytes(value: str) -> bytes:
    """A field as it came: the parser hides in surrogates what is no ASCII."""
    return value.encode("utf-8", errors="surrogateescape")


def words(text: str) -> str:
    """`text` with its encoded words (RFC 2047) decoded, those too that a program has broken inside a character."""
    out: list[str] = []
    end, charset, held = 0, "", b""
    for found in _WORD.finditer(text):
        between = text[end : found.start()]
        end = found.end()
        raw = _word(found[2], found[3])
        if (held and between.strip()) or (held and charset != found[1].lower()):
            out.append(decode(held, charset))
            held = b""
        if between.strip() or (not out and not held):
            out.append(between)
        charset, held = found[1].lower(), held + raw
    if held:
        out.append(decode(held, charset))
    return _SPACE.sub(" ", decode("".join((*out, text[end:])).encode("utf-8", errors="replace"), "utf-8"))


def _word(encoding: str, coded: str) -> bytes:
    raw = coded.encode("utf-8", errors="replace")
    if encoding in "qQ":
        return quopri.decodestring(raw, header=True)
    try:
        return base64.b64decode(raw + b"=" * (-len(raw) % 4))
    except (binascii.Error, ValueError):
        return raw


def _mailboxes(value: str) -> Iterable[Mailbox]:
    try:
        found = getaddresses([value])
    except Exception:  # the parser recurses into comments, and fails on some that never end
        found = []
    usable = [(name, address) for name, address in found if _ADDRESS.fullmatch(address)]
    if not usable:  # too broken to be read by its grammar: whatever looks like an address
        usable = [("", address) for address in _ADDRESS.findall(value)[:1]]
    for name, address in usable:
        if len(address) <= 254:
            shown = words(name).strip(" \"'")[:200].strip()
            yield Mailbox(shown if shown and shown != address else None, address)


def references_in(texts: Iterable[str]) -> tuple[str, ...]:
    """The complaint references in `texts`, in canonical form, whose check character fits; each once."""
    found = (normalise_reference(candidate) for text in texts for candidate in _REFERENCE.findall(text))
    return tuple(dict.fromkeys(reference for reference in found if reference))


def authentication(fields: Fields, authserv_id: str | None) -> dict[str, str]:
    """What our own mail server found (RFC 8601): `{spf, dkim, dmarc}` as far as it says. Fields of other servers, which
    anybody could have written, are not looked at. Of several results the topmost counts, but one good DKIM signature is
    enough."""
    found: dict[str, str] = {}
    if not authserv_id:
        return found
    for value in fields.all("authentication-results"):
        for _ in range(5):
            value = _COMMENT.sub(" ", value)
        server, _, results = value.partition(";")
        if server.split(" ", 1)[0].casefold() != authserv_id.casefold():
            continue
        for result in results.split(";"):
            if one := _RESULT.match(result):
                method, verdict = one[1].lower(), one[2].lower()
                if method not in found or (method == "dkim" and verdict == "pass"):
                    found[method] = verdict
    return found
