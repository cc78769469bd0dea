"""Which files are taken, by what is in them; how they are named; how they are sealed."""

import io
import os
import zipfile
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.domain.attachment import FileRefused, check_members, clean_name, kind_of
from shared.security.crypto import Undecryptable
from shared.security.stream import PREFIX, SEALED, SEGMENT, Opener, Sealer, sealed_size, segments

PDF = b"%PDF-1.7\n" + bytes(200)
PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + bytes(100)
JPEG = b"\xff\xd8\xff\xe0" + bytes(100)
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@pytest.mark.parametrize(
    ("head", "declared", "kind"),
    [
        (PDF, "application/pdf", "application/pdf"),
        (PDF, "application/octet-stream", "application/pdf"),
        (PDF, "", "application/pdf"),
        (PNG, "image/png; x=1", "image/png"),
        (JPEG, "image/jpg", "image/jpeg"),
        ("投訴內容\n".encode(), "text/plain; charset=utf-8", "text/plain"),
        (b"a,b\n1,2\n", "text/csv", "text/csv"),
        ("投訴".encode("big5"), "text/plain", "text/plain"),
    ],
)
def test_what_is_taken(head: bytes, declared: str, kind: str) -> None:
    assert kind_of(head, declared) == kind


@pytest.mark.parametrize(
    ("head", "declared"),
    [
        (b"", "application/pdf"),
        (PDF, "image/png"),
        (b"MZ\x90\0" + bytes(100), "application/pdf"),
        (b"MZ\x90\0" + bytes(100), "application/octet-stream"),
        (b"\x7fELF" + bytes(100), ""),
        (b"PK\x03\x04" + bytes(100), "application/zip"),
        (b"<html>", "text/html"),
        (b"a\0b", "text/plain"),
        (bytes(range(256)), "application/octet-stream"),
    ],
)
def test_what_is_not(head: bytes, declared: str) -> None:
    with pytest.raises(FileRefused):
        kind_of(head, declared)


@given(st.binary(max_size=2000), st.text(max_size=40))
def test_no_content_breaks_the_look_at_it(head: bytes, declared: str) -> None:
    with suppress(FileRefused):
        assert kind_of(head, declared)


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("收據 1.pdf", "收據 1.pdf"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\win.ini", "win.ini"),
        ("C:evil.pdf", "evil.pdf"),
        ("a\u202efdp.exe", "afdp.exe"),
        ("a\0b\r\n.pdf", "ab.pdf"),
        ("...", "file"),
        ("", "file"),
        ("/", "file"),
        ("con.txt", "_con.txt"),
        ("x" * 500 + ".pdf", "x" * 146 + ".pdf"),
    ],
)
def test_names_are_made_harmless(name: str, cleaned: str) -> None:
    assert clean_name(name) == cleaned


@given(st.text(max_size=400))
def test_no_name_leads_anywhere(name: str) -> None:
    found = clean_name(name)
    assert found
    assert len(found) <= 150
    assert not set(found) & set("/\\:\0\r\n")
    assert found not in (".", "..")


@pytest.mark.parametrize(
    "members",
    [
        [("word/document.xml", 1000, 400_000_000)],
        [("word/document.xml", 10_000_000, 600 * 1024**2)],
        [("word/a", 1, 1)] * 5_001,
        [("word/document.xml", 10, 10), ("../../x", 1, 1)],
        [("word/document.xml", 10, 10), ("/etc/passwd", 1, 1)],
        [("xl/workbook.xml", 10, 10)],
        [],
    ],
)
def test_documents_that_are_something_else_inside(members: list[tuple[str, int, int]]) -> None:
    with pytest.raises(FileRefused):
        check_members(DOCX, members)


def test_a_document_is_taken() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("[Content_Types].xml", "<x/>")
        file.writestr("word/document.xml", "<x/>" * 1000)
    assert kind_of(packed.getvalue(), DOCX) == DOCX
    check_members(DOCX, [("word/document.xml", 500, 4000)])


def _sealed(content: bytes) -> tuple[bytes, list[bytes]]:
    sealer = Sealer(b"k" * 32, "file-1")
    parts = [content[i : i + SEGMENT] for i in range(0, len(content), SEGMENT)] or [b""]
    return sealer.prefix, [sealer.seal(part, last=n == len(parts) - 1) for n, part in enumerate(parts)]


def _opened(prefix: bytes, sealed: list[bytes]) -> bytes:
    opener = Opener(b"k" * 32, "file-1", prefix)
    return b"".join(opener.open(n, part, last=n == len(sealed) - 1) for n, part in enumerate(sealed))


@pytest.mark.parametrize("size", [0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 3 * SEGMENT])
def test_a_stream_comes_back_as_it_went(size: int) -> None:
    content = os.urandom(size)
    prefix, sealed = _sealed(content)
    assert _opened(prefix, sealed) == content
    assert PREFIX + sum(map(len, sealed)) == sealed_size(size)
    assert len(sealed) == segments(size)
    assert all(len(part) == SEALED for part in sealed[:-1])


@settings(max_examples=60)
@given(st.integers(1, 3), st.sampled_from(["cut", "swap", "flip", "repeat", "prefix"]), st.data())
def test_whatever_is_done_to_a_sealed_stream_is_noticed(count: int, what: str, data: st.DataObject) -> None:
    prefix, sealed = _sealed(os.urandom(count * SEGMENT + 10))
    at = data.draw(st.integers(0, len(sealed) - 1))
    if what == "cut":
        sealed = sealed[: max(1, at)]
    elif what == "swap":
        other = (at + 1) % len(sealed)
        sealed[at], sealed[other] = sealed[other], sealed[at]
    elif what == "flip":
        place = data.draw(st.integers(0, len(sealed[at]) - 1))
        sealed[at] = sealed[at][:place] + bytes([sealed[at][place] ^ 1]) + sealed[at][place + 1 :]
    elif what == "repeat":
        sealed.insert(at, sealed[at])
    else:
        prefix = bytes(PREFIX)
    with pytest.raises(Undecryptable):
        _opened(prefix, sealed)


def test_a_segment_of_another_file_does_not_open() -> None:
    prefix, sealed = _sealed(b"secret")
    with pytest.raises(Undecryptable):
        Opener(b"k" * 32, "file-2", prefix).open(0, sealed[0], last=True)
