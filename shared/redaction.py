"""Take personal data out of text before it leaves intake: what the complainant told us of themselves, and whatever
looks like a phone, e-mail, identity, card or account number.

Patterns use look-arounds of ASCII letters and digits instead of `\\b`, which does not fire between Chinese characters
and digits. Identity and card numbers count only when their check digits fit, so that amounts and dates stay.
"""

import re
from collections.abc import Iterable

_SIGNS = dict(zip(map(ord, "＠＋－．（）"), "@+-.()", strict=True))
_ZEROS = "０٠۰०"  # full width, and those with which Arabic, Persian and Hindi keyboards write
_WIDE = {ord(zero) + n: str(n) for zero in _ZEROS for n in range(10)} | _SIGNS
_WIDE |= {ord("Ａ") + n + up: chr(ord("A") + n + up) for n in range(26) for up in (0, 32)}
_ANY_WIDE = re.compile("[０-９Ａ-Ｚａ-ｚ＠＋－．（）٠-٩۰-۹०-९]")
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+", re.ASCII)
_DIGIT = re.compile(r"\d")
_NOT_DIGITS = re.compile(r"\D")
_DIGITS = re.compile(r"\d+")
_AREA_CODE = re.compile(r"\(\d{2,4}\)")
_CURRENCY_BEFORE = re.compile(r"(?:HKD|USD|CNY|RMB|TWD|MOP|GBP|EUR|[$£€¥]|[幣币]|港元)\s?\Z", re.IGNORECASE)
_CURRENCY_AFTER = re.compile(
    r"\s?(?:[元圓圆蚊塊块萬万億亿鎊镑]|[港美日歐欧英澳加][元圓圆鎊镑]"
    r"|HKD|USD|CNY|RMB|TWD|MOP|GBP|EUR|dollars?|pounds?|euros?|yuan)",
    re.IGNORECASE,
)
# Between the digits of one number: what people type, and what word processors make of it.
_SPACE = " \u00a0\u2009\u202f\u3000"
_DASH = "\u2010-\u2015\u2212-"
_APART = f"[{_SPACE}().{_DASH}]"
# Each pattern begins with what it looks for and looks behind afterwards: so the search skips to where that stands.
_NUMBER = re.compile(
    r"[\d+(](?<![0-9A-Za-z.,$£€¥][\d+(])(?:(?<=\d)|(?<=\+)\(?\d|(?<=\()\+?\d)"
    rf"(?:{_APART}{{0,2}}\d){{6,22}}[Xx]?\)?(?![0-9A-Za-z])",
    re.ASCII,
)
_SIX_DIGITS = re.compile(r"\d{6}", re.ASCII)
_HKID = re.compile(
    rf"[A-Z](?<![0-9A-Z][A-Z])[A-Z]?([{_SPACE}{_DASH}]?)\d{{6}}[{_SPACE}{_DASH}]?\(?[0-9A]\)?(?!\(?[0-9A-Z])",
    re.IGNORECASE | re.ASCII,
)
_TWID = re.compile(r"[A-Z](?<![0-9A-Z][A-Z])[1289A-D]\d{8}(?![0-9A-Z])", re.IGNORECASE | re.ASCII)
_NINO_END = re.compile(rf"\d\d[{_SPACE}{_DASH}]?\d\d[{_SPACE}{_DASH}]?\d\d[{_SPACE}{_DASH}]?[A-Da-d](?![0-9A-Za-z])")
_NINO = re.compile(
    rf"[A-CEGHJ-PR-TW-Z](?<![0-9A-Z].)[A-CEGHJ-NPR-TW-Z][{_SPACE}{_DASH}]?(?:\d{{2}}[{_SPACE}{_DASH}]?){{3}}[A-D](?![0-9A-Z])",
    re.IGNORECASE | re.ASCII,
)
_IBAN = re.compile(
    rf"[A-Z](?<![0-9A-Za-z].)[A-Z]\d\d(?:[{_SPACE}]?[0-9A-Z]{{4}}){{2,7}}(?:[{_SPACE}]?[0-9A-Z]{{1,3}})?(?![0-9A-Za-z])",
    re.ASCII,
)
_SSN = re.compile(r"(?!000|666)\d{3}-(?!00)\d\d-(?!0000)\d{4}", re.ASCII)  # and the taxpayer number, 9xx
_MACAU_ID = re.compile(r"[157]\d{6}\(\d\)", re.ASCII)
_DOTTED = re.compile(
    rf"\+.*|\(?\d{{2,4}}\)?[.{_SPACE}{_DASH}]?(?:\d{{3,4}}\.)+\d{{4}}|(?:\d{{4}}\.){{3,4}}\d{{3}}|\d{{4}}\.\d{{4}}"
    rf"|\(?(?:00)?85[23]\)?[.{_SPACE}{_DASH}]?\d{{4}}\.?\d{{4}}",
    re.ASCII,
)  # shapes in which a point is no decimal point, nor one of an address of the internet
_DAY = r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_DATE = re.compile(
    r"(?:(?:19|20)\d\d[-./](?:0?[1-9]|1[0-2])[-./](?:0?[1-9]|[12]\d|3[01])|\d{1,2}[-./]\d{1,2}[-./](?:19|20)\d\d"
    r"|(?:0?[1-9]|[12]\d|3[01]) (?:0?[1-9]|1[0-2]) (?:19|20)\d\d"
    rf"|{_DAY}(?:-{_DAY})?(?! ?-)(?: (?:[01]\d|2[0-3])[0-5]\d)?)"
    r"(?!\d)(?: (?:[01]?\d|2[0-3])(?!\d)(?:\.[0-5]\d(?!\d))?)?",  # and an hour, which belongs to it
    re.ASCII,
)
_YEAR_AND_SERIAL = re.compile(r"(?:19|20)\d\d-\d{4}", re.ASCII)
_LABEL_BEFORE = re.compile(r"[A-Za-z][-/]\Z")


_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_LATIN = "A-Za-z\u00c0-\u024f"
_HAN_NAME = re.compile(f"(?<![{_HAN}])[{_HAN}](?:[ \u3000]?[{_HAN}]){{1,3}}(?![{_HAN}])")
_LATIN_PART = re.compile(f"[{_LATIN}]{{2,}}")
_TWO_SURNAMES = re.compile(
    "歐陽|欧阳|司徒|司馬|司马|上官|諸葛|诸葛|東方|东方|皇甫|尉遲|尉迟|公孫|公孙|慕容|令狐|夏侯|張簡|范姜"
)
_FAMILIAR = f"[太生](?![{_HAN}])"  # 陳太, 陳生; but not in 太貴
_TITLES = f"先生|小姐|女士|太太|夫人|婆婆|伯伯|同學|同学|老師|老师|醫生|医生|律師|律师|{_FAMILIAR}"
_STYLED = r"mrs?|ms|miss|mdm|madam|dr|prof|sir|dear|surname|family name|name is"


class Personal:
    """Values to take out literally, whatever they look like (names, numbers the complainant gave), made ready once for
    all the texts of a complaint.

    Of names also the parts, in any order: `Chan Tai Man` is known in `Mr Chan` and `Tai-man, Chan`; 陳大文 in 陳先生,
    姓陳 and 大文.
    """

    __slots__ = ("han", "parts", "short", "whole")

    def __init__(self, values: Iterable[str] = ()) -> None:
        clean = sorted({v.strip().translate(_WIDE) for v in values}, key=len, reverse=True)
        self.whole = [(v, v.casefold(), _NOT_DIGITS.sub("", v)) for v in clean if len(v) > 1]
        self.parts: list[tuple[str, str]] = []
        self.short: list[tuple[list[str], str]] = []
        self.han: list[str] = []
        for value in clean:
            if "@" in value or _DIGIT.search(value):
                continue
            if not value.isascii():
                self.han += [name.replace(" ", "").replace("\u3000", "") for name in _HAN_NAME.findall(value)]
            if " " in value or "-" in value or self.han:
                found = _LATIN_PART.findall(value)
                self.parts += [(part, part.casefold()) for part in found if len(part) > 2]
                if short := [part.casefold() for part in found if len(part) == 2]:
                    self.short.append((short, "|".join(map(re.escape, found))))

    def taken_out_of(self, text: str) -> str:
        """`text` without personal values: whole ones first, so that a part of one never breaks up another."""
        folded = text.casefold()
        numbers = "".join(_DIGITS.findall(text))
        for value, small, digits in self.whole:
            found = text
            if small in folded:
                text = re.sub(_whole(value), "[person]", text, flags=re.IGNORECASE)
            if len(digits) >= 5 and digits in numbers:  # the same number written with other separators
                text = re.sub(_spelt(value, digits), "[person]", text, flags=re.IGNORECASE)
            if text is not found:
                folded, numbers = text.casefold(), "".join(_DIGITS.findall(text))
        for short, parts in self.short:
            if any(part in folded for part in short):  # of two letters: only where a name is to be expected
                one = f"(?:{parts})"
                text = re.sub(
                    rf"(?<![{_LATIN}])(?:{one}(?:[ ,-]+{one})+|({_STYLED})([. ] ?){one})(?![{_LATIN}])",
                    lambda m: f"{m[1]}{m[2]}[person]" if m[1] else "[person]",
                    text,
                    flags=re.IGNORECASE,
                )
                folded = text.casefold()
        for part, small in self.parts:
            if small in folded:
                text = re.sub(_whole(part), "[person]", text, flags=re.IGNORECASE)
                folded = text.casefold()
        for name in self.han:
            if name[0] in text or name[-1] in text:
                text = _without_han(text, name)
        return text


NOBODY = Personal()


def _whole(value: str) -> str:
    """Finds `value`, and where it is a Latin word, not inside another: Li is no part of `client`."""
    before = f"(?<![{_LATIN}])" if _LATIN_PART.match(value) else ""
    after = f"(?![{_LATIN}])" if before and value[-1].isalpha() else ""
    return before + re.escape(value) + after


def _spelt(value: str, digits: str) -> str:
    """Finds a number, or a code such as C-000001, however it is separated."""
    signs = [c for c in value if c.isalnum() and c.isascii()]
    if len(signs) > len(digits) and (len(signs) > 20 or "@" in value):
        signs = list(digits)
    return r"\+?" + rf"{_APART}{{0,2}}".join(signs)


def _without_han(text: str, name: str) -> str:
    """`text` without a Chinese name: whole, even spaced; the surname with a title; the given name by itself."""
    size = 2 if _TWO_SURNAMES.match(name) and len(name) > 2 else 1
    surname, given = name[:size], name[size:]
    if name[-1] in text:
        spaced = "[ \u3000]?".join(name)
        alone = f"|{given}" if len(given) > 1 else ""
        text = re.sub(spaced + alone, "[person]", text)
    if surname in text:
        text = re.sub(f"(?<=姓){surname}|{surname}(?={_TITLES})|(?<=先生){surname}(?![{_HAN}])", "[person]", text)
    return text


def redact(text: str, personal: Personal = NOBODY) -> str:
    """`text` with personal data replaced by `[email]`, `[phone]`, `[id]`, `[card]`, `[account]` or `[person]`."""
    if not text.isascii() and _ANY_WIDE.search(text):
        text = text.translate(_WIDE)
    if "@" in text:
        text = _EMAIL.sub("[email]", text)
    if personal is not NOBODY:
        text = personal.taken_out_of(text)
    if not _DIGIT.search(text):
        return text
    if _NINO_END.search(text):
        text = _NINO.sub("[id]", text)
    if _SIX_DIGITS.search(text):
        text = _HKID.sub(_hkid_found, text)
        text = _TWID.sub(lambda m: "[id]" if _twid(m[0]) else m[0], text)
    text = _IBAN.sub(_iban_found, text)
    return _NUMBER.sub(_number, text)


def _number(match: re.Match[str]) -> str:
    found = match[0]
    bare = found.lstrip("(")
    if day := _DATE.match(bare):  # what follows it in one breath is looked at by itself
        return found[: len(found) - len(bare)] + day[0] + _NUMBER.sub(_number, bare[day.end() :])
    if bare.rstrip(")").isdigit() and _is_money(match, bare):
        return found
    opened, closed = found.count("("), found.count(")")
    before = after = ""
    if found[0] == "(" and (closed == 0 or opened > closed or found.find(")") == len(found) - 1):
        before, found, opened = "(", found[1:], opened - 1  # a bracket around, which stays
    if found[-1] == ")" and closed > opened:
        found, after = found[:-1], ")"
    return before + _kind(found, match) + after


def _kind(found: str, match: re.Match[str]) -> str:
    digits = _NOT_DIGITS.sub("", found)
    if "." in found and not _DOTTED.fullmatch(found):
        apart = found.split(" ")
        if len(apart) == 1:
            return found
        return " ".join(_NUMBER.sub(_number, part) for part in apart)
    count = len(digits)
    if (count == 18 or (count == 17 and found[-1] in "Xx")) and _mainland_id(digits, found[-1]):
        return "[id]"
    if 13 <= count <= 19 and luhn(digits):
        return "[card]"
    if found.startswith(("+", "(+")) and 8 <= count <= 15:
        return "[phone]"
    if count == 9 and _SSN.fullmatch(found):
        return "[id]"
    if count == 8:
        return _of_eight(found, digits, match)
    if count == 11 and digits[0] == "1" and digits[1] in "3456789":
        return "[phone]"  # mainland mobile
    if count in (10, 11) and digits[0] == "0":
        return "[phone]"  # national format with trunk prefix
    if (count == 11 and digits.startswith(("852", "853"))) or (count == 13 and digits.startswith(("00852", "00853"))):
        return "[phone]"
    if _AREA_CODE.match(found) and 9 <= count <= 15:
        return "[phone]"
    return "[account]" if count >= 9 else found


def _of_eight(found: str, digits: str, match: re.Match[str]) -> str:
    if _MACAU_ID.fullmatch(found):
        return "[id]"
    if digits[0] not in "235679" or _like_a_day(digits):
        return found
    if _YEAR_AND_SERIAL.fullmatch(found) and _LABEL_BEFORE.search(match.string, 0, match.start()):
        return found  # INV-2026-0042
    return "[phone]"  # Hong Kong


def _is_money(match: re.Match[str], bare: str) -> bool:
    """Whether a currency stands right before or after it. `bare`: what was found, without opening brackets."""
    start, text = match.end() - len(bare), match.string
    end = start + len(bare.rstrip(")"))
    return bool(_CURRENCY_BEFORE.search(text[max(0, start - 5) : start]) or _CURRENCY_AFTER.match(text, end))


def _like_a_day(digits: str) -> bool:
    return digits[:2] in ("19", "20") and "01" <= digits[4:6] <= "12" and "01" <= digits[6:8] <= "31"


# words that may stand before another number of seven digits
_NO_CARD = frozenset(("a", "am", "an", "at", "by", "hk", "in", "is", "my", "no", "nt", "of", "on", "or", "to", "us"))


def _hkid_found(match: re.Match[str]) -> str:
    found = match[0]
    letters = found[: 2 if found[1].isalpha() else 1]
    digits = "".join(c for c in found[len(letters) :] if c.isalnum())
    if match[1] and letters.lower() in _NO_CARD and found[-8:].isalnum():
        return found
    return "[id]" if _hkid(letters, digits[:6], digits[6:]) else found


def _iban_found(match: re.Match[str]) -> str:
    """ISO 13616: modulo 97 (ISO 7064), with the first four signs moved to the end and letters counting from 10. What
    follows in capitals may be no part of it."""
    parts = re.split(f"[{_SPACE}]", match[0])
    for end in range(len(parts), 0, -1):
        number = "".join(parts[:end])
        if len(number) >= 15 and int("".join(str(int(c, 36)) for c in number[4:] + number[:4])) % 97 == 1:
            return " ".join(["[account]", *parts[end:]])
    return match[0]


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


def _twid(number: str) -> bool:
    """Taiwan's national identification number and resident certificate: weights 1, 9, 8..1, 1, modulo 10. The second
    sign is 1, 2 (citizens), 8, 9 (residents), or A to D (residents until 2021), which counts by its last digit."""
    codes = ["ABCDEFGHJKLMNPQRSTUVXYWZIO".index(c) + 10 if c.isalpha() else int(c) for c in number[:2].upper()]
    digits = (codes[0] // 10, codes[0] % 10, codes[1] % 10, *map(int, number[2:]))
    return sum(d * w for d, w in zip(digits, (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1), strict=True)) % 10 == 0
