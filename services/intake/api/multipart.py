"""A report and its files in one request: multipart/form-data (RFC 7578), read part by part as it comes.

The part `complaint` comes first, so that what is wrong with it is told before a file is sent; the parts `file` follow.
"""

from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any

from pydantic import BaseModel
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from services.intake.domain.attachment import BINARY, TEXTS
from shared.errors import FieldError, Malformed, RedressError, Refused, TooLarge

MEDIA_TYPE = "multipart/form-data"
COMPLAINT = "complaint"
FILE = "file"
_BOUNDARY_LIMIT = 70  # RFC 2046, section 5.1.1
_NAME_LIMIT = 100  # of a part's name, when it is told back
_SLICE = 64 * 1024  # bytes given to the parser at a time: it copies what it is given
_AS_IT_IS = frozenset(("", "7bit", "8bit", "binary"))  # Content-Transfer-Encodings that change nothing


class FormMalformed(Malformed):
    """The body is no multipart/form-data, or breaks off."""

    code = "multipart_malformed"


class PartRefused(Refused):
    """A part of the form is not what is expected there; see errors."""

    code = "part_refused"


def is_form(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == MEDIA_TYPE


@contextmanager
def within(pointer: str) -> Iterator[None]:
    """Named errors raised inside point into the part at `pointer`."""
    try:
        yield
    except RedressError as error:
        error.errors = tuple(replace(one, pointer=pointer + one.pointer) for one in error.errors)
        raise


def described(shape: type[BaseModel], example: Any) -> dict[str, Any]:
    """The request body of an endpoint that takes a `shape` in JSON, or with its files as a form, for OpenAPI."""
    form = {
        "type": "object",
        "required": [COMPLAINT, FILE],
        "additionalProperties": False,
        "description": "`complaint` must be the first part. Each `file` is a file of its own.",
        "properties": {
            COMPLAINT: {"$ref": f"#/components/schemas/{shape.__name__}"},
            FILE: {"type": "array", "minItems": 1, "items": {"type": "string", "format": "binary"}},
        },
    }
    encoding = {COMPLAINT: "application/json", FILE: ", ".join(sorted(BINARY | TEXTS))}
    content = {
        "application/json": {"schema": shape.model_json_schema(ref_template="#/components/schemas/{model}")},
        MEDIA_TYPE: {
            "schema": form,
            "encoding": {name: {"contentType": kinds} for name, kinds in encoding.items()},
            "example": {COMPLAINT: example, FILE: ["%PDF-1.7 (page 1)", "%PDF-1.7 (page 2)"]},
        },
    }
    return {"required": True, "content": content}


class Part:
    """One part: its `name` (None where it bears none), and what is in it, by iterating over it once."""

    def __init__(self, form: "Form", headers: dict[bytes, bytes]) -> None:
        kind, options = parse_options_header(headers.get(b"content-disposition", b""))
        name = options.get(b"name") if kind == b"form-data" else None
        self.name = name.decode("utf-8", "replace") if name else None
        self.file_name = options.get(b"filename", b"").decode("utf-8", "replace") or "file"
        self.media_type = headers.get(b"content-type", b"").decode("latin-1")
        self.encoding = headers.get(b"content-transfer-encoding", b"").strip().lower().decode("latin-1")
        self._form = form

    def __aiter__(self) -> "Part":
        return self

    async def __anext__(self) -> bytes:
        found = await self._form.content()
        if found is None:
            raise StopAsyncIteration
        return found


class _Mark(Enum):
    PART_ENDS = auto()
    FORM_ENDS = auto()


@dataclass(frozen=True, slots=True)
class _Head:
    headers: dict[bytes, bytes]


class Form:
    """A body of `content_type`, read from `stream` no further than is asked for. Each call raises FormMalformed, and
    what `stream` raises."""

    def __init__(self, content_type: str, stream: AsyncIterator[bytes]) -> None:
        boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
        if not 0 < len(boundary) <= _BOUNDARY_LIMIT:
            raise FormMalformed(f"Content-Type must name a boundary of 1 to {_BOUNDARY_LIMIT} characters.")
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part,
                "on_header_field": lambda data, start, end: self._field.extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                "on_header_end": self._on_header,
                "on_headers_finished": lambda: self._read.append(_Head(self._headers)),
                "on_part_data": lambda data, start, end: self._read.append(data[start:end]),
                "on_part_end": lambda: self._read.append(_Mark.PART_ENDS),
                "on_end": lambda: self._read.append(_Mark.FORM_ENDS),
            },
        )
        self._stream, self._arrived, self._at = stream, b"", 0
        self._read: deque[_Head | _Mark | bytes] = deque()
        self._headers: dict[bytes, bytes] = {}
        self._field, self._value = bytearray(), bytearray()
        self._inside = False

    async def part(self) -> Part | None:
        """The next part, past what was not read of the one before; None after the last."""
        while self._inside:
            await self.content()
        found = await self._next()
        if isinstance(found, _Head):
            self._inside = True
            return Part(self, found.headers)
        self._read.append(_Mark.FORM_ENDS)  # asked again, it is still over
        return None

    async def content(self) -> bytes | None:
        """What comes next of the part that is being read; None after its end."""
        found = await self._next() if self._inside else None
        if isinstance(found, bytes):
            return found
        self._inside = False
        return None

    async def _next(self) -> _Head | _Mark | bytes:
        while not self._read:
            if self._at >= len(self._arrived):
                arrived = await anext(self._stream, None)
                if arrived is None:
                    raise FormMalformed("The form breaks off before its closing boundary.")
                self._arrived, self._at = arrived, 0
                continue
            try:
                self._parser.write(self._arrived[self._at : self._at + _SLICE])
            except FormParserError:  # whose message quotes what was sent
                raise FormMalformed("The body is no multipart/form-data as its Content-Type says.") from None
            self._at += _SLICE
        return self._read.popleft()

    def _on_part(self) -> None:
        self._headers = {}

    def _on_header(self) -> None:
        self._headers[bytes(self._field).lower()] = bytes(self._value)
        self._field, self._value = bytearray(), bytearray()


class ReportForm:
    """A form with a report first and its files after it. `report` in bytes and `files` are how much is taken.

    Each call raises PartRefused, TooLarge, FormMalformed, and what `stream` raises.
    """

    def __init__(self, content_type: str, stream: AsyncIterator[bytes], *, report: int, files: int) -> None:
        self._form = Form(content_type, stream)
        self._report, self._files, self._count = report, files, 0

    async def complaint(self) -> bytes:
        """The report, as it was sent."""
        part = await self._form.part()
        if part is not None and part.name != FILE:
            _check_name(part, COMPLAINT)
        if part is None or part.name != COMPLAINT:
            raise _refused(f"/{COMPLAINT}", "must be the first part", "complaint_not_first")
        found = bytearray()
        async for piece in part:
            found += piece
            if len(found) > self._report:
                most = f"At most {self._report} bytes are taken."
                raise TooLarge(most, errors=(FieldError(f"/{COMPLAINT}", most, TooLarge.code),))
        return bytes(found)

    async def file(self) -> Part | None:
        """The next file; None after the last."""
        part = await self._form.part()
        if part is None:
            if self._count == 0:
                raise _refused(f"/{FILE}", "is missing: send at least one", "file_missing")
            return None
        if part.name == COMPLAINT:
            raise _refused(f"/{COMPLAINT}", "is there twice", "part_repeated")
        _check_name(part, FILE)
        if self._count == self._files:
            raise _refused(f"/{FILE}/{self._count}", f"is one more than the {self._files} taken", "too_many_files")
        if part.encoding not in _AS_IT_IS:
            raise _refused(f"/{FILE}/{self._count}", "must be sent as it is, without an encoding", "part_encoded")
        self._count += 1
        return part


def _check_name(part: Part, expected: str) -> None:
    if part.name is None:
        raise _refused("", "A part bears no name.", "part_unnamed")
    if part.name != expected:
        name = part.name[:_NAME_LIMIT].replace("~", "~0").replace("/", "~1")
        raise _refused(f"/{name}", f"is no part of this form: {COMPLAINT}, then {FILE}", "part_unknown")


def _refused(pointer: str, detail: str, code: str) -> PartRefused:
    return PartRefused(errors=(FieldError(pointer, detail, code),))
