"""Phone numbers as one writes them, brought to one form."""

import re
import unicodedata

# National numbers by their looks, where no country code is written: who sees (how many digits, beginning) -> code.
_NATIONAL = (
    (re.compile(r"1[3-9]\d{9}"), "86", 0),  # mainland mobile
    (re.compile(r"09\d{8}"), "886", 1),  # Taiwan mobile
    (re.compile(r"07\d{9}"), "44", 1),  # British mobile
    (re.compile(r"[235-9]\d{7}"), "852", 0),  # Hong Kong
)
_CODES = ("852", "853", "886", "86", "44", "1")


def e164(text: str) -> str:
    """A phone number in E.164 form as far as can be told (ITU-T E.164: +, country code, number); else its digits.

    A bare number of eight digits is taken for one of Hong Kong, though Macau's look alike: what needs to be sure that
    two such numbers are one person looks at more than the number.
    """
    narrow = unicodedata.normalize("NFKC", text).strip()
    digits = "".join(c for c in narrow if c.isascii() and c.isdigit())
    if narrow.startswith(("+", "(+")):
        return _without_trunk_prefix("+" + digits)
    if digits.startswith("00") and len(digits) > 10:
        return _without_trunk_prefix("+" + digits[2:])
    for pattern, code, prefix in _NATIONAL:
        if pattern.fullmatch(digits):
            return f"+{code}{digits[prefix:]}"
    for code in ("852", "853"):
        if len(digits) == 11 and digits.startswith(code):
            return "+" + digits
    return digits


def _without_trunk_prefix(number: str) -> str:
    """+44 (0)20 7946 0958 is +442079460958."""
    for code in _CODES:
        if number.startswith(f"+{code}0") and code != "1":
            return f"+{code}{number[len(code) + 2 :]}"
    return number
