"""The text of a mail and the files in it (RFC 2045 to 2049), within limits on depth, number and size."""

import re
from dataclasses import dataclass, field
from email import policy
from email.generator import BytesGenerator
from email.message import Message
from io import BytesIO

from services.intake.channels.mime import markup
from services.intake.channels.mime.charset import clean, decode
from services.intake.channels.mime.headers import Fields, words
from services.intake.domain.mail import MailFile

MOST_PARTS = 300
MOST_FILES = 18  # a complaint takes 20: one more for the mail itself, one spare
DEEPEST = 30
LONGEST_TEXT = 2_000_000  # bytes of one part that are read as text
_LONGEST_NAME = 200
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|\u202a-\u202e\u2066-\u2069]+')
_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,60}")


@dataclass(slots=True)
class Body:
    """What a mail holds, in its order. `troubles` are codes of what could not be read."""

    texts: list[str] = field(default_factory=list)
    files: list[MailFile] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n\n".join(text for text in self.texts if text.strip())

    def note(self, trouble: str) -> None:
        if trouble not in self.troubles:
            self.troubles.append(trouble)


def read(message: Message) -> Body:
    """Never raises for what `message` holds."""
    body = Body()
    waiting: list[tuple[Message, int]] = [(message, 0)]
    seen = 0
    while waiting:
        part, depth = waiting.pop()
        seen += 1
        if seen > MOST_PARTS or depth > DEEPEST:
            body.note("too_many_parts")
            break
        try:
            deeper = _take(part, body, top=part is message)
        except Exception:  # whatever the library does not bear: the rest of the mail is still worth reading
            body.note("broken_part")
            continue
        waiting += [(inner, depth + 1) for inner in reversed(deeper)]
    return body


def _take(part: Message, body: Body, *, top: bool) -> list[Message]:
    """Take what `part` itself holds; the parts within that are still to be read."""
    kind = part.get_content_type()
    inner = children(part)
    if part.get_content_maintype() == "multipart":
        if not part.is_multipart():  # it says so, but there is no boundary in it
            body.note("no_boundary")
            body.texts.append(_text(part, body))
            return []
        return _alternative(inner, body) if kind == "multipart/alternative" else inner
    attached = _attached(part)
    if kind in ("text/plain", "text/html") and not attached:
        text = _text(part, body)
        body.texts.append(markup.to_text(text) if kind == "text/html" else _unflowed(part, text))
    elif kind in _REPORTED and not top:
        body.texts.append(_reported(part))
    elif part.get_content_maintype() == "message" and inner:
        _keep(body, _name(part) or "message.eml", "message/rfc822", _whole(inner[0]), inline=False)
    else:
        raw = content(part)
        if raw.strip():
            default = "text.txt" if kind.startswith("text/") else f"file-{len(body.files) + 1}"
            _keep(body, _name(part) or default, kind, raw, inline=not attached)
    return []


_REPORTED = ("message/delivery-status", "message/global-delivery-status", "message/disposition-notification")


def _alternative(inner: list[Message], body: Body) -> list[Message]:
    """The plain text where it says anything, else the HTML; and what is neither, such as an invitation."""
    texts = [p for p in inner if p.get_content_type() == "text/plain" and not _attached(p)]
    said = [p for p in texts if _text(p, body).strip()]
    rich = [p for p in inner if p.get_content_type() in ("text/html", "multipart/related", "multipart/mixed")]
    others = [p for p in inner if p not in texts and p not in rich]
    if not said:
        return rich[-1:] + others
    # beside a plain text that is taken, only the files in the other are still wanted
    files = [f for r in rich if r.is_multipart() for f in r.walk() if not f.is_multipart() and not _is_text(f)]
    return said[:1] + others + files[:MOST_PARTS]


def children(part: Message) -> list[Message]:
    """The parts of `part`. Asked for the payload of one that has none, the library may raise over its character set."""
    inner = part.get_payload() if part.is_multipart() else None
    return [p for p in inner if isinstance(p, Message)] if isinstance(inner, list) else []


def _is_text(part: Message) -> bool:
    return part.get_content_type() in ("text/plain", "text/html") and not _attached(part)


def _attached(part: Message) -> bool:
    return part.get_content_disposition() == "attachment" or bool(
        part.get_content_type() in ("text/plain", "text/html") and part.get_filename()
    )


def charset(message: Message) -> str | None:
    """The character set that the mail's first text is declared in."""
    for _ in range(5):
        if found := message.get_content_charset():
            return found
        inner = children(message)
        if not inner:
            break
        message = inner[0]
    return None


def content(part: Message) -> bytes:
    """A part's bytes, its transfer encoding undone as far as it can be."""
    try:
        raw = part.get_payload(decode=True)
    except (LookupError, ValueError):  # over a character set that is none
        part.del_param("charset")
        raw = part.get_payload(decode=True)
    return raw if isinstance(raw, bytes) else b""


def _text(part: Message, body: Body) -> str:
    declared = part.get_content_charset()
    raw = content(part)
    if len(raw) > LONGEST_TEXT:
        body.note("text_cut")
        raw = raw[:LONGEST_TEXT]
    if part.get_content_type() == "text/html" and not declared:
        declared = markup.declared_charset(raw)
    text = decode(raw, declared)
    if "\ufffd" in text:
        body.note("charset")
    return text


def _unflowed(part: Message, text: str) -> str:
    """The lines that a program broke are joined again (RFC 3676)."""
    if str(part.get_param("format", "")).lower() != "flowed":
        return text
    glue = "" if str(part.get_param("delsp", "")).lower() == "yes" else " "
    out: list[str] = []
    flows = False
    for line in text.split("\n"):
        quoted = line.startswith(">")
        if not quoted and line.startswith(" "):
            line = line[1:]  # space-stuffed
        if flows and not quoted:
            out[-1] = out[-1][:-1] + glue + line
        else:
            out.append(line)
        flows = not quoted and line.endswith(" ") and line != "-- "
    return "\n".join(out)


def _name(part: Message) -> str:
    """The name that the sender gave a file, without a path and whatever else is no part of a name."""
    fields = Fields(part)
    told = Message()  # with bytes that stand in the fields as they are read as text
    for field_name in ("content-disposition", "content-type"):
        told[field_name] = fields.raw(field_name)
    found = told.get_filename() or ""
    name = _UNSAFE.sub("_", clean(words(found)).replace("\n", " ")).strip(" .")
    if len(name) > _LONGEST_NAME:
        stem, dot, ending = name.rpartition(".")
        name = f"{stem[: _LONGEST_NAME - 12]}.{ending}" if dot and len(ending) < 12 else name[:_LONGEST_NAME]
    return name


def _keep(body: Body, name: str, kind: str, content: bytes, *, inline: bool) -> None:
    if len(body.files) >= MOST_FILES:
        body.note("too_many_files")
        return
    body.files.append(MailFile(name, kind if _TYPE.fullmatch(kind) else "application/octet-stream", content, inline))


def _whole(message: Message) -> bytes:
    """A message within a message, as bytes again."""
    out = BytesIO()
    BytesGenerator(out, mangle_from_=False, policy=policy.compat32.clone(max_line_length=0)).flatten(message)
    return out.getvalue()


def _reported(part: Message) -> str:
    """The fields of a report, for people to read."""
    return "\n".join(f"{name}: {clean(str(value))}" for block in children(part)[:20] for name, value in block.items())
