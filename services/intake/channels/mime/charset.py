"""Bytes into text, whatever character set they are declared in, rightly, wrongly or not at all."""

import codecs
import re

_ALIASES = {
    # supersets of what they are called: mail programs label them by the older name
    "gb2312": "gb18030", "gb_2312-80": "gb18030", "euc-cn": "gb18030", "cn-gb": "gb18030", "x-gbk": "gb18030",
    "gbk": "gb18030", "cp936": "gb18030", "big5": "big5hkscs", "cn-big5": "big5hkscs", "x-x-big5": "big5hkscs",
    "cp950": "big5hkscs", "big5-hkscs": "big5hkscs", "iso-2022-jp": "iso2022_jp_ext", "hz-gb-2312": "hz",
    "shift_jis": "cp932", "x-sjis": "cp932", "ks_c_5601-1987": "cp949", "euc-kr": "cp949", "iso-8859-1": "cp1252",
    "latin1": "cp1252", "latin-1": "cp1252",
}  # fmt: skip
_SAYS_NOTHING = frozenset(("", "us-ascii", "ascii", "ansi_x3.4-1968", "cp1252", "windows-1252", "unknown-8bit"))
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_GUESSES = ("gb18030", "big5hkscs", "cp932", "cp949")
# What nearly every Chinese text of some length holds, in both scripts: it tells GB from Big5, whose codes overlap.
_COMMON = frozenset(
    "的一是不了在人有我他这这個个们們中来來上大为為和国國地到以说說时時要就出会會可也你对對生能而子那得于於着著下自之年过過发發"
    "后後作里裡用道行所然家种種事成方多经經么麼去法学學如都同现現当當没沒动動面起看定天分还還进進好小部其些主样樣理心她本前开開但"
    "因只从從想实實日军軍者意无無力它与與长長把机機十民第公此已工使情明性知全三又关關点點正业業外将將两兩高间間由问問很最重并並"
    "银銀行卡账賬帳户戶款钱錢元费費客服投诉訴请請您贵貴收到先生女士谢謝号號月日，。、；：？！（）「」“”"
    "陳陈黃黄張张李林吳吴劉刘周楊杨趙赵何鄭郑梁馬马朱胡郭羅罗宋唐許许鄧邓馮冯蕭萧曾蔡彭潘袁董余蘇苏葉叶呂吕魏蔣蒋"
)
_SAMPLE = 40_000  # bytes by which a character set is guessed
_NATIVE = {"cp932": ("\u3040", "\u30ff"), "cp949": ("\uac00", "\ud7a3")}  # a language's own letters
_ESCAPE = re.compile(rb"\x1b[$(]")
_JUNK = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")


def clean(text: str) -> str:
    """`text` with plain line ends and without what no text holds: control characters, lone surrogates."""
    return _JUNK.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\x0c", "\n"))


def decode(raw: bytes, declared: str | None = None) -> str:
    """`raw` as clean text. The declared character set is believed as far as the bytes bear it out."""
    return clean(_decode(raw, _known(declared)))


def likely(raw: bytes, declared: str | None = None) -> str:
    """The character set that `raw` is in, as far as can be told. For what comes in pieces too short to tell by."""
    known = _known(declared)
    if known not in _SAYS_NOTHING and _strictly(raw, known) is not None:
        return known
    return "utf-8" if _strictly(raw, "utf-8") is not None else _guess(raw) or "cp1252"


def _known(declared: str | None) -> str:
    name = (declared or "").strip().strip("\"'").lower()
    found = _ALIASES.get(name.replace("_", "-"), _ALIASES.get(name, name))
    if found in _SAYS_NOTHING or found == "iso-2022-cn":
        return found
    try:
        codec = codecs.lookup(found)
    except (LookupError, ValueError):
        return ""
    # base64, rot13 and their like are codecs too, and no character sets
    return codec.name if getattr(codec, "_is_text_encoding", True) else ""


def _decode(raw: bytes, declared: str) -> str:
    for bom, codec in _BOMS:
        if raw.startswith(bom):
            return raw.decode(codec, errors="replace")
    if raw.isascii():
        return _seven_bits(raw, declared)
    if declared not in _SAYS_NOTHING and (found := _strictly(raw, declared)) is not None:
        return found
    if (found := _strictly(raw, "utf-8")) is not None:
        return found
    guess = _guess(raw)
    if guess and (found := _strictly(raw, guess)) is not None:
        return found
    return raw.decode(guess or (declared if declared not in _SAYS_NOTHING else "cp1252"), errors="replace")


def _seven_bits(raw: bytes, declared: str) -> str:
    """ASCII, or a set that hides in it: ISO-2022 by its escapes, HZ and UTF-7 only where they are declared."""
    if _ESCAPE.search(raw):
        for codec in (declared if declared.startswith("iso2022") else "", "iso2022_jp_ext", "iso2022_kr"):
            if codec and (found := _strictly(raw, codec)) is not None:
                return found
        return _iso_2022_cn(raw)
    if declared in ("hz", "utf-7") and (found := _strictly(raw, declared)) is not None:
        return found
    return raw.decode("ascii")


def _iso_2022_cn(raw: bytes) -> str:
    """RFC 1922 as far as GB 2312 goes; characters of CNS 11643 come out as question marks."""
    out, shifted, gb = [], False, True
    for piece in re.split(rb"(\x1b\$[)*+].|\x1b.|\x0e|\x0f|\n)", raw):
        if piece == b"\x0e":
            shifted = True
        elif piece in (b"\x0f", b"\n"):
            shifted = False
            out.append("\n" if piece == b"\n" else "")
        elif piece.startswith(b"\x1b"):
            gb = piece == b"\x1b$)A" if piece.startswith(b"\x1b$)") else gb
        elif shifted:
            high = bytes(b | 0x80 for b in piece)
            out.append(high.decode("gb2312", errors="replace") if gb else "\ufffd" * (len(piece) // 2))
        else:
            out.append(piece.decode("ascii", errors="replace"))
    return "".join(out)


def _strictly(raw: bytes, codec: str) -> str | None:
    try:
        return raw.decode(codec)
    except (UnicodeError, LookupError, ValueError):
        return None


def _guess(raw: bytes) -> str | None:
    """The East Asian set that makes most sense of `raw`; None where none does."""
    best, most = None, 0.2
    for codec in _GUESSES:
        wide = [c for c in raw[:_SAMPLE].decode(codec, errors="replace") if ord(c) > 127]
        if wide.count("\ufffd") * 20 > len(wide):
            continue
        # two accented letters of a European text in a row make a Korean one
        first, last = _NATIVE.get(codec, ("\uffff", "")) if len(wide) > 3 else ("\uffff", "")
        sense = sum(c in _COMMON or first <= c <= last for c in wide) / max(1, len(wide))
        if sense > most:
            best, most = codec, sense
    return best


def written_in(text: str) -> str | None:
    """The language to answer `text` in: zh-Hant, zh-Hans, en; None where it does not tell.

    Chinese scripts are told apart by the characters that only one of their old character sets has.
    """
    wide = [c for c in text[:4000] if "\u3400" <= c <= "\u9fff"]
    letters = sum(c.isascii() and c.isalpha() for c in text[:4000])
    if len(wide) * 4 < letters or not wide:
        return "en" if letters >= 20 else None
    traditional = sum(_has("big5hkscs", c) and not _has("gb2312", c) for c in wide)
    simplified = sum(_has("gb2312", c) and not _has("big5hkscs", c) for c in wide)
    if traditional == simplified:
        return None
    return "zh-Hant" if traditional > simplified else "zh-Hans"


def _has(codec: str, character: str) -> bool:
    try:
        character.encode(codec)
    except UnicodeEncodeError:
        return False
    return True
