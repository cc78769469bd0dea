"""Forms come back as they were sent, wherever the network cut them; anything else is refused by name."""

import string
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.intake.api.multipart import Form, FormMalformed, Part, PartRefused, ReportForm, is_form, within
from services.intake.domain.attachment import refuse
from shared.errors import TooLarge

BOUNDARIES = st.text(string.ascii_letters + string.digits + "'()+_,-./:=?", min_size=1, max_size=70)
Sent = Sequence[tuple[str, bytes]]


def _type(boundary: str) -> str:
    return f'multipart/form-data; charset=utf-8; boundary="{boundary}"'


def _form(boundary: str, parts: Sent) -> bytes:
    heads = (f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() for name, _ in parts)
    return b"".join(h + c + b"\r\n" for h, (_, c) in zip(heads, parts, strict=True)) + f"--{boundary}--\r\n".encode()


async def _pieces(whole: bytes, cuts: Sequence[int] = ()) -> AsyncIterator[bytes]:
    places = [0, *sorted(c % (len(whole) + 1) for c in cuts), len(whole)]
    for start, end in pairwise(places):
        yield whole[start:end]


async def _read(form: Form) -> list[tuple[str | None, bytes]]:
    found = []
    while (part := await form.part()) is not None:
        found.append((part.name, b"".join([piece async for piece in part])))
    return found


@st.composite
def forms(draw: st.DrawFn) -> tuple[str, list[tuple[str, bytes]]]:
    """A boundary, and parts made of what looks most like it."""
    boundary = draw(BOUNDARIES)
    delimiter = f"\r\n--{boundary}".encode()
    near = st.integers(1, len(delimiter) - 1).map(lambda n: delimiter[:n])
    crumbs = near | st.sampled_from([b"\r", b"\n", b"\r\n", b"-", b"--", delimiter[1:], delimiter[2:]])
    content = st.lists(crumbs | st.binary(max_size=40), max_size=12).map(b"".join)
    parts = draw(st.lists(st.tuples(st.sampled_from(["complaint", "file"]), content), min_size=1, max_size=5))
    assume(all(delimiter not in b"\r\n\r\n" + c + b"\r\n" for _, c in parts))
    return boundary, parts


@given(forms(), st.lists(st.integers(0, 10_000), max_size=40))
async def test_a_form_comes_back_as_it_was_sent_however_it_is_cut(sent: tuple[str, Sent], cuts: list[int]) -> None:
    boundary, parts = sent
    assert await _read(Form(_type(boundary), _pieces(_form(boundary, parts), cuts))) == list(parts)


@given(forms())
async def test_it_comes_back_byte_by_byte(sent: tuple[str, Sent]) -> None:
    boundary, parts = sent
    whole = _form(boundary, parts)
    assert await _read(Form(_type(boundary), _pieces(whole, range(len(whole))))) == list(parts)


@given(forms(), st.integers(0, 10_000), st.lists(st.integers(0, 10_000), max_size=10))
async def test_a_form_that_breaks_off_is_never_taken_for_a_whole_one(
    sent: tuple[str, Sent], at: int, cuts: list[int]
) -> None:
    boundary, parts = sent
    whole = _form(boundary, parts)
    broken = whole[: at % (len(whole) - 2)]  # at the least, the last hyphen is gone
    with pytest.raises(FormMalformed):
        await _read(Form(_type(boundary), _pieces(broken, cuts)))


@given(BOUNDARIES, st.binary(max_size=300), st.lists(st.integers(0, 10_000), max_size=10))
async def test_whatever_is_sent_is_read_or_refused_by_name(boundary: str, noise: bytes, cuts: list[int]) -> None:
    for body in (noise, f"--{boundary}\r\n".encode() + noise, _form(boundary, [("file", b"x")])[:-9] + noise):
        with suppress(FormMalformed):
            found = await _read(Form(_type(boundary), _pieces(body, cuts)))
            assert all(content in body for _, content in found)


async def test_what_is_not_read_of_a_part_is_passed_over() -> None:
    whole = _form("b", [("complaint", b"x" * 200_000), ("file", b"y" * 200_000), ("file", b"z")])
    form = Form(_type("b"), _pieces(whole, range(0, len(whole), 1000)))
    await form.part()
    second = await form.part()
    assert second is not None
    assert await anext(second)
    third = await form.part()
    assert isinstance(third, Part)
    assert b"".join([piece async for piece in third]) == b"z"
    assert [await form.part(), await form.part()] == [None, None]


async def test_no_more_is_read_than_is_asked_for() -> None:
    given_ = 0

    async def stream() -> AsyncIterator[bytes]:
        nonlocal given_
        for piece in (_form("b", [("complaint", b"{}")])[:-9], b"\r\n--b\r\n", b"\r\n" + b"x" * 10_000, b"more"):
            given_ += 1
            yield piece

    form = ReportForm(_type("b"), stream(), report=10, files=1)
    assert await form.complaint() == b"{}"
    assert given_ == 2


async def test_one_huge_piece_is_given_on_in_small_ones() -> None:
    content = bytes(3_000_000)
    form = Form(_type("b"), _pieces(_form("b", [("file", content)])))
    part = await form.part()
    assert part is not None
    sizes = [len(piece) async for piece in part]
    assert (sum(sizes), max(sizes) <= 64 * 1024) == (len(content), True)


async def test_a_part_tells_its_file() -> None:
    head = (
        'content-DISPOSITION: form-data; name="file"; filename="C:\\scans\\信 \\"1\\".pdf"\r\n'
        "Content-Type: application/pdf\r\nContent-Transfer-Encoding: Base64\r\n\r\nx"
    )
    body = (
        f"--b\r\n{head}\r\n--b\r\nContent-Disposition: attachment; name=file\r\n\r\n\r\n--b\r\n\r\n\r\n--b--".encode()
    )
    form = Form("Multipart/Form-Data; boundary=b", _pieces(body))
    one, other, bare = [await form.part() for _ in range(3)]
    assert one is not None
    assert (one.name, one.file_name, one.media_type) == ("file", '信 "1".pdf', "application/pdf")
    assert one.encoding == "base64"
    for unnamed in (other, bare):
        assert unnamed is not None
        assert (unnamed.name, unnamed.file_name, unnamed.media_type) == (None, "file", "")


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=", f"multipart/form-data; boundary={'b' * 71}"],
)
def test_a_form_needs_a_boundary(content_type: str) -> None:
    assert is_form(content_type)
    with pytest.raises(FormMalformed):
        Form(content_type, _pieces(b""))


async def _told(parts: Sent, *, report: int = 100, files: int = 2) -> tuple[str, str]:
    """Pointer and code of what is wrong with a report of `parts`; of nothing, if nothing is."""
    form = ReportForm(_type("b"), _pieces(_form("b", parts)), report=report, files=files)
    try:
        await form.complaint()
        while await form.file() is not None:
            pass
    except (PartRefused, TooLarge) as error:
        return error.errors[0].pointer, error.errors[0].code
    return "", ""


async def test_a_report_comes_first_and_its_files_after_it() -> None:
    report, file = ("complaint", b"{}"), ("file", b"x")
    assert await _told([report, file, file]) == ("", "")
    assert await _told([file, report]) == ("/complaint", "complaint_not_first")
    assert await _told([report]) == ("/file", "file_missing")
    assert await _told([report, report, file]) == ("/complaint", "part_repeated")
    assert await _told([report, file, report]) == ("/complaint", "part_repeated")
    assert await _told([report, file, file, file]) == ("/file/2", "too_many_files")
    assert await _told([report, ("a/~b" + "c" * 200, b"")]) == ("/a~1~0b" + "c" * 96, "part_unknown")
    assert await _told([("scan", b""), report]) == ("/scan", "part_unknown")
    assert await _told([report, ("", b"")]) == ("", "part_unnamed")
    assert await _told([("", b""), report]) == ("", "part_unnamed")
    assert await _told([("complaint", b"x" * 101), file]) == ("/complaint", "payload_too_large")


def test_an_error_points_into_its_part() -> None:
    with pytest.raises(type(refuse(""))) as raised, within("/file/1"):
        raise refuse("The file is empty.")
    assert [one.pointer for one in raised.value.errors] == ["/file/1"]
