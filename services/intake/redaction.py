"""Take personal data out of text before it leaves intake: what the complainant told us of themselves, and whatever
looks like a phone, e-mail, identity, card or account number.

Patterns use look-arounds of ASCII letters and digits instead of `\\b`, which does not fire between Chinese characters
and digits. Identity and card numbers count only when their check digits fit, so that amounts and dates stay.
"""

import re
from collections.abc import Iterable

_WIDE = {
    ord(wide): ord(narrow) for wide, narrow in zip("０１２３４５６７８９＠＋－．（）", "0123456789@+-.()", strict=True)
}
_ANY_WIDE = re.compile("[０-９＠＋－．（）]")
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+", re.ASCII)
_DIGIT = re.compile(r"\d")
_NOT_DIGITS = re.compile(r"\D")
_DIGITS = re.compile(r"\d+")
_AREA_CODE = re.compile(r"\(\d{2,4}\)")
_CURRENCY_BEFORE = re.compile(r"(?:HKD|USD|CNY|RMB|TWD|MOP|GBP|EUR|[$£€¥]|[幣币]|港元)\s?\Z", re.IGNORECASE)
_CURRENCY_AFTER = re.compile(r"\s?(?:[元圓圆蚊塊块萬万億亿]|HKD|USD|CNY|RMB|dollars?|yuan)", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![0-9A-Za-z.,$£€¥])\+?\(?\d(?:[ ().-]{0,2}\d){6,22}[Xx]?(?![0-9A-Za-z])")
_HKID = re.compile(r"(?<![0-9A-Za-z])([A-Z]{1,2})(\d{6})\s?\(?([0-9A])\)?(?![0-9A-Za-z])", re.IGNORECASE)
_TWID = re.compile(r"(?<![0-9A-Za-z])([A-Z])([1289]\d{8})(?![0-9A-Za-z])", re.IGNORECASE)
_NINO = re.compile(r"(?<![0-9A-Za-z])[A-CEGHJ-PR-TW-Z]{2}\s?(?:\d{2}\s?){3}[A-D](?![0-9A-Za-z])", re.IGNORECASE)
_SSN = re.compile(r"(?<![0-9A-Za-z-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![0-9A-Za-z-])")
_DATE = re.compile(
    r"(?:(?:19|20)\d\d[-./](?:0?[1-9]|1[0-2])[-./](?:0?[1-9]|[12]\d|3[01])|\d{1,2}[-./]\d{1,2}[-./](?:19|20)\d\d)"
    r"(?!\d)(?: (?:[01]?\d|2[0-3])(?!\d)(?:\.[0-5]\d(?!\d))?)?"  # and an hour, which belongs to it
)


class Personal:
    """Values to take out literally, whatever they look like (names, numbers the complainant gave), made ready once for
    all the texts of a complaint."""

    __slots__ = ("parts", "whole")

    def __init__(self, values: Iterable[str] = ()) -> None:
        clean = sorted({v.strip().translate(_WIDE) for v in values}, key=len, reverse=True)
        self.whole = [(v, v.casefold(), _NOT_DIGITS.sub("", v)) for v in clean if len(v) > 1]
        # parts of a Latin name appear by themselves: "Mr Chan"
        split = [part for v in clean if v.isascii() and " " in v for part in v.split()]
        self.parts = [(p, p.casefold()) for p in split if len(p) > 2 and not _DIGIT.search(p)]


NOBODY = Personal()


def redact(text: str, personal: Personal = NOBODY) -> str:
    """`text` with personal data replaced by `[email]`, `[phone]`, `[id]`, `[card]`, `[account]` or `[person]`."""
    if not text.isascii() and _ANY_WIDE.search(text):
        text = text.translate(_WIDE)
    if "@" in text:
        text = _EMAIL.sub("[email]", text)
    if personal.whole:
        text = _without(text, personal)
    if _DIGIT.search(text):
        text = _HKID.sub(lambda m: "[id]" if _hkid(m[1], m[2], m[3]) else m[0], text)
        text = _TWID.sub(lambda m: "[id]" if _twid(m[1], m[2]) else m[0], text)
        text = _NINO.sub("[id]", text)
        text = _SSN.sub("[id]", text)
        text = _NUMBER.sub(_number, text)
    return text


def _without(text: str, personal: Personal) -> str:
    """`text` without personal values: whole ones first, so that a part of one never breaks up another."""
    folded = text.casefold()
    numbers = "".join(_DIGITS.findall(text))
    for value, small, digits in personal.whole:
        found = text
        if small in folded:
            text = re.sub(re.escape(value), "[person]", text, flags=re.IGNORECASE)
        if len(digits) >= 7 and digits in numbers:  # the same number written with other separators
            text = re.sub(r"\+?" + r"[ ().-]{0,2}".join(digits), "[person]", text)
        if text is not found:
            folded, numbers = text.casefold(), "".join(_DIGITS.findall(text))
    for part, small in personal.parts:
        if small in folded:
            text = re.sub(rf"(?<![A-Za-z]){re.escape(part)}(?![A-Za-z])", "[person]", text, flags=re.IGNORECASE)
            folded = text.casefold()
    return text


def _number(match: re.Match[str]) -> str:
    found = match[0]
    bare = found.lstrip("(")
    if day := _DATE.match(bare):  # what follows it in one breath is looked at by itself
        return found[: len(found) - len(bare)] + day[0] + _NUMBER.sub(_number, bare[day.end() :])
    if found.isdigit() and _is_money(match):
        return found
    digits = _NOT_DIGITS.sub("", found)
    if (len(digits) == 18 or (len(digits) == 17 and found[-1] in "Xx")) and _mainland_id(digits, found[-1]):
        return "[id]"
    if 13 <= len(digits) <= 19 and luhn(digits):
        return "[card]"
    if found.startswith(("+", "(+")) and 8 <= len(digits) <= 15:
        return "[phone]"
    if len(digits) == 8 and digits[0] in "235679" and "." not in found and not _like_a_day(digits):
        return "[phone]"  # Hong Kong
    if len(digits) == 11 and digits[0] == "1" and digits[1] in "3456789":
        return "[phone]"  # mainland mobile
    if len(digits) in (10, 11) and digits[0] == "0":
        return "[phone]"  # national format with trunk prefix
    if _AREA_CODE.match(found) and 9 <= len(digits) <= 15:
        return "[phone]"
    if len(digits) >= 9 and "." not in found:
        return "[account]"
    return found


def _is_money(match: re.Match[str]) -> bool:
    """Whether a currency stands right before or after it."""
    start, text = match.start(), match.string
    return bool(_CURRENCY_BEFORE.search(text[max(0, start - 5) : start]) or _CURRENCY_AFTER.match(text, match.end()))


def _like_a_day(digits: str) -> bool:
    return digits[:2] in ("19", "20") and "01" <= digits[4:6] <= "12" and "01" <= digits[6:8] <= "31"


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    total = 0
    for i, c in enumerate(reversed(digits)):
        d = int(c)
        total += d if i % 2 == 0 else d * 2 - 9 * (d > 4)
    return total % 10 == 0


def _mainland_id(digits: str, last: str) -> bool:
    """GB 11643-1999: ISO 7064 MOD 11-2 over 17 digits, with a birthday inside."""
    if not ("18" <= digits[6:8] <= "20" and "01" <= digits[10:12] <= "12" and "01" <= digits[12:14] <= "31"):
        return False
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return "10X98765432"[sum(int(d) * w for d, w in zip(digits, weights, strict=False)) % 11] == last.upper()


def _hkid(letters: str, digits: str, check: str) -> bool:
    """Hong Kong identity card: weights 9..2 over two letters (a missing one counts 36) and six digits, modulo 11."""
    values = [36, *(ord(c) - 55 for c in letters.upper())][-2:] + [int(d) for d in digits]
    rest = -sum(v * w for v, w in zip(values, range(9, 1, -1), strict=True)) % 11
    return ("A" if rest == 10 else str(rest)) == check.upper()


def _twid(letter: str, digits: str) -> bool:
    """Taiwan national identification number and resident certificate: weights 1, 9, 8..1, 1, modulo 10."""
    code = "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(letter.upper()) + 10
    weights = (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1)
    return sum(v * w for v, w in zip((code // 10, code % 10, *map(int, digits)), weights, strict=True)) % 10 == 0
