"""Which files are taken, told by what is in them. Pure."""

import codecs
import re
import unicodedata
from collections.abc import Collection

import filetype  # type: ignore[import-untyped]

from shared.errors import FieldError, Refused

OFFICE = {
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "word/",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xl/",
    "application/vnd.oasis.opendocument.text": "content.xml",
}
"""Documents that are ZIP files, and what must be inside."""
BINARY = frozenset(
    (
        "application/pdf",
        "image/jpeg",
        "image/png",
        "image/gif",
        "image/tiff",
        "image/webp",
        "image/heic",
        "audio/mpeg",
        "audio/mp4",
        "audio/x-m4a",
        "audio/x-wav",
        "audio/wav",
        "audio/ogg",
        "video/mp4",
        *OFFICE,
    )
)
TEXTS = frozenset(("text/plain", "text/csv", "message/rfc822"))
_ALIKE = {"audio/x-m4a": "audio/mp4", "audio/m4a": "audio/mp4", "audio/x-wav": "audio/wav", "audio/wave": "audio/wav"}
_ALIKE |= {"image/jpg": "image/jpeg", "image/heif": "image/heic", "audio/mp3": "audio/mpeg"}
_ALIKE |= {"application/csv": "text/csv"}
_UNKNOWN = frozenset(("", "application/octet-stream", "binary/octet-stream"))
MOST_MEMBERS = 5_000
MOST_UNPACKED = 500 * 1024**2  # bytes
MOST_RATIO = 200
NAME_LIMIT = 150
_SEPARATORS = re.compile(r"[/\\:]")
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)")


class FileRefused(Refused):
    """This kind of file is not taken."""

    code = "file_refused"


class TicketUnknown(Refused):
    """No upload has this ticket, or it belongs to another complaint already."""

    code = "ticket_unknown"


def refuse(detail: str) -> FileRefused:
    return FileRefused(detail, errors=(FieldError("", detail, FileRefused.code),))


def kind_of(head: bytes, declared: str) -> str:
    """The media type of a file that begins with `head` (64 KiB or all of it). Raises FileRefused for what is not taken,
    or is not what it is `declared` to be."""
    said = declared.partition(";")[0].strip().lower()
    said = _ALIKE.get(said, said)
    if not head:
        raise refuse("The file is empty.")
    guessed = filetype.guess(head)
    mime = str(guessed.mime) if guessed else None
    found = _ALIKE.get(mime, mime) if mime else None
    if found == "application/zip" and said in OFFICE:
        found = said  # what is inside is looked at once all of it is there
    if found is None and _is_text(head):
        found = said if said in TEXTS else "text/plain"
    if found is None or found not in BINARY | TEXTS:
        raise refuse("This kind of file is not taken.")
    same = said in _UNKNOWN or said == found or {said, found} <= TEXTS | {"text/markdown", "text/x-log"}
    if not same:
        raise refuse(f"The file is {found}, not what it is said to be.")
    return found


class TextCheck:
    """Whether what comes in parts is text: UTF-8, or another encoding without control characters."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def fits(self, part: bytes) -> bool:
        return not any(c < "\t" or "\r" < c < " " for c in self._decoder.decode(part) if c != "\x1b")


def _is_text(head: bytes) -> bool:
    return TextCheck().fits(head)


def check_members(kind: str, members: Collection[tuple[str, int, int]]) -> None:
    """`members` of a ZIP file: name, packed and unpacked size. Raises FileRefused."""
    if len(members) > MOST_MEMBERS:
        raise refuse("The file holds too many parts.")
    packed = sum(size for _, size, _ in members)
    unpacked = sum(size for _, _, size in members)
    if unpacked > MOST_UNPACKED or unpacked > MOST_RATIO * max(packed, 1024):
        raise refuse("The file unpacks to far more than it is.")
    if any(name.startswith("/") or ".." in name.replace("\\", "/").split("/") for name, _, _ in members):
        raise refuse("The file holds parts that lead elsewhere.")
    if not any(name.startswith(OFFICE[kind]) for name, _, _ in members):
        raise refuse("The file is not what it is said to be.")


def clean_name(name: str) -> str:
    """`name` as it may be shown and saved: its last part, without characters that control, reorder or mislead."""
    last = _SEPARATORS.split(unicodedata.normalize("NFC", name))[-1]
    kept = "".join(c for c in last if unicodedata.category(c)[0] != "C").strip(" .")
    if _DEVICES.match(kept):
        kept = "_" + kept
    stem, dot, ending = kept.rpartition(".")
    if len(kept) > NAME_LIMIT:
        kept = stem[: NAME_LIMIT - len(ending) - 1] + dot + ending if dot and len(ending) < 20 else kept[:NAME_LIMIT]
    return kept or "file"
