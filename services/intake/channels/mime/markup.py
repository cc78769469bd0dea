"""HTML mail as plain text: what is quoted gets `> `, what is not shown is left out."""

import re
from html.parser import HTMLParser

from services.intake.channels.mime.charset import clean

LONGEST = 2_000_000  # characters read
_HIDDEN = frozenset(("script", "style", "head", "title", "template", "noscript", "svg", "object"))
_BLOCKS = frozenset(
    (
        *("address", "article", "aside", "blockquote", "center", "dd", "div", "dl", "dt", "figure", "footer", "form"),
        *("h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section"),
        *("table", "tr", "ul"),
    )
)
_PARAGRAPHS = frozenset(("p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "table"))
_QUOTES = re.compile(
    r"gmail_quote|yahoo_quoted|moz-cite|protonmail_quote|divRplyFwdMsg|OLK_SRC_BODY|appendonsend", re.I
)
_SPACE = re.compile(r"[ \t\n\r\f]+")
_MANY_LINES = re.compile(r"\n{3,}")
_META = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.IGNORECASE)


def to_text(html: str) -> str:
    """What a reader of `html` sees, as plain text."""
    reader = _Reader()
    reader.feed(html[:LONGEST])
    reader.close()
    return reader.text()


def declared_charset(raw: bytes) -> str | None:
    """What the document itself says in its first kilobytes."""
    found = _META.search(raw[:4096])
    return found[1].decode("ascii") if found else None


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._lines: list[str] = [""]
        self._hidden: list[str] = []
        self._quoted: list[str] = []  # the tags within which everything is quoted, outermost first

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _HIDDEN:
            self._hidden.append(tag)
            return
        given = dict(attrs)
        if tag == "br":
            self._lines.append("")
            return
        if tag in _BLOCKS:
            self._break(paragraph=tag in _PARAGRAPHS)
        if tag == "img" and (alt := given.get("alt")):
            self._write(f"[{alt}]")
        if tag in ("td", "th") and self._lines[-1]:
            self._write(" ")
        if tag == "li":
            self._write("- ")
        names = f"{given.get('class') or ''} {given.get('id') or ''}"
        if tag == "blockquote" or self._quoted[:1] == [tag] or (tag == "div" and _QUOTES.search(names)):
            # once inside a quoting div, every div is counted, so that the right one ends it
            self._quoted.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._hidden:
            while self._hidden.pop() != tag:
                pass
            return
        if tag in _BLOCKS:
            self._break(paragraph=tag in _PARAGRAPHS)
        if tag in self._quoted:
            while self._quoted.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._write(_SPACE.sub(" ", data))

    def _write(self, text: str) -> None:
        if not self._lines[-1]:
            text = text.lstrip(" ")
            if text and self._quoted:
                text = "> " + text
        self._lines[-1] += text

    def _break(self, *, paragraph: bool) -> None:
        if self._lines[-1]:
            self._lines.append("")
        if paragraph and len(self._lines) > 1 and self._lines[-2]:
            self._lines.append("")

    def text(self) -> str:
        return _MANY_LINES.sub("\n\n", clean("\n".join(line.rstrip(" ") for line in self._lines))).strip()
