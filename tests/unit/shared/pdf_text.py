"""What a PDF of ours says, page by page: enough of PDF 1.7 to read text back from what typst writes."""

import re
import zlib
from collections.abc import Mapping, Sequence

_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def pages(pdf: bytes) -> Sequence[str]:
    """The text of each page, without spaces: those between words are often no characters in a PDF."""
    objects = {int(n): body for n, body in re.findall(rb"(?:^|\n)(\d+) 0 obj\n?(.*?)\nendobj", pdf, re.S)}
    return ["".join(_page(body, objects).split()) for body in objects.values() if b"/Type/Page/" in body]


def _page(body: bytes, objects: Mapping[int, bytes]) -> str:
    resources = objects[_reference(body, b"Resources")]
    fonts = {name: _unicode(objects[int(n)], objects) for name, n in re.findall(rb"/(f\d+) (\d+) 0 R", resources)}
    found, font = [], dict[bytes, str]()
    # a balanced pair of parentheses needs no backslash
    token = re.compile(rb"/(f\d+) [\d.]+ Tf|\(((?:\\.|[^\\()]|\((?:\\.|[^\\()])*\))*)\)|<([0-9A-F]+)>|(ET)", re.S)
    for name, string, digits, end in token.findall(_stream(objects[_reference(body, b"Contents")])):
        if name:
            font = fonts[name]
        elif end:
            found.append(" ")
        else:
            raw = bytes.fromhex(digits.decode()) or re.sub(rb"\\(\d{1,3}|.)", _escaped, string, flags=re.S)
            found += [font.get(raw[i : i + 2], "\ufffd") for i in range(0, len(raw), 2)]
    return "".join(found)


def _unicode(font: bytes, objects: Mapping[int, bytes]) -> dict[bytes, str]:
    cmap = _stream(objects[_reference(font, b"ToUnicode")])
    pairs = re.findall(rb"^<([0-9A-F]{4})> <([0-9A-F]+)>$", cmap, re.M)
    return {bytes.fromhex(code.decode()): bytes.fromhex(text.decode()).decode("utf-16-be") for code, text in pairs}


def _escaped(found: re.Match[bytes]) -> bytes:
    what = found[1]
    return bytes([int(what, 8)]) if what.isdigit() else _ESCAPES.get(what, what)


def _reference(body: bytes, name: bytes) -> int:
    found = re.search(rb"/" + name + rb" (\d+) 0 R", body)
    assert found, name
    return int(found[1])


def _stream(body: bytes) -> bytes:
    start = body.index(b"stream\n") + len(b"stream\n")
    return zlib.decompress(body[start : body.rindex(b"\nendstream")])
