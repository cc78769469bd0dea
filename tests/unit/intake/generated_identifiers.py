"""Made-up identifiers with true check digits, in sentences of three languages; and ordinary numbers that are none.

No number here was ever issued to anybody on purpose: all are drawn by `random.Random(seed)`, which also picks the
sentence, the separators, and full-width digits here and there. Expected is what must not be readable afterwards.
"""

# ruff: noqa: E501 (lists of samples)

import random
from collections.abc import Callable
from dataclasses import dataclass

_WIDE = str.maketrans("0123456789", "０１２３４５６７８９")
_ALL_WIDE = {
    n: n + 0xFEE0 for n in (*range(ord("0"), ord("9") + 1), *range(ord("A"), ord("Z") + 1), ord("("), ord(")"))
}
_TYPESET = str.maketrans(" -", "\u00a0\u2013")  # as word processors and phones put them
Maker = Callable[[random.Random], str]


@dataclass(frozen=True, slots=True)
class Sample:
    """`text` holds `value` as it is written there; `kind` names the generator."""

    kind: str
    text: str
    value: str


def _digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choice("0123456789") for _ in range(count))


def _letters(rng: random.Random, count: int, signs: str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ") -> str:
    return "".join(rng.choice(signs) for _ in range(count))


def _luhn_check(body: str) -> str:
    total = 0
    for place, sign in enumerate(reversed(body)):
        doubled = int(sign) * (2 if place % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return str(-total % 10)


def _grouped(rng: random.Random, value: str, *sizes: int, signs: str = " -") -> str:
    """`value` in groups, all separated alike, or in one."""
    if rng.random() < 0.4:
        return value
    sign, parts, at = rng.choice(signs), [], 0
    for size in sizes:
        parts.append(value[at : at + size])
        at += size
    return sign.join([*parts, value[at:]] if value[at:] else parts)


# --- identity numbers ---


def hkid(rng: random.Random) -> str:
    """Identity Card of Hong Kong: one or two letters, six digits, check digit in brackets or not (weights 9 to 2)."""
    letters, body = _letters(rng, rng.choice((1, 1, 1, 2))), _digits(rng, 6)
    values = [36] * (2 - len(letters)) + [ord(c) - 55 for c in letters] + [int(d) for d in body]
    check = "0123456789A"[-sum(v * w for v, w in zip(values, (9, 8, 7, 6, 5, 4, 3, 2), strict=True)) % 11]
    if rng.random() < 0.3:
        letters = letters.lower()
    shape = rng.choice(("{}({})", "{}({})", "{}（{}）", "{} ({})", "{}{}", "{}-{}"))
    inner = rng.choice(("", "", "", " "))
    return letters + inner + shape.format(body, check)


def mainland_id(rng: random.Random) -> str:
    """Resident identity card (GB 11643-1999): region, birthday, serial, check character by ISO 7064 MOD 11-2."""
    region = rng.choice(("110105", "310101", "440305", "510104", "330106", "650102", "810000", "830000"))
    birthday = f"{rng.randrange(1935, 2012)}{rng.randrange(1, 13):02d}{rng.randrange(1, 29):02d}"
    body = region + birthday + _digits(rng, 3)
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    check = "10X98765432"[sum(int(d) * w for d, w in zip(body, weights, strict=True)) % 11]
    number = body + (check.lower() if rng.random() < 0.3 else check)
    return _grouped(rng, number, 6, 8, 4) if rng.random() < 0.4 else number


def _taiwan(rng: random.Random, second: str) -> str:
    letter, body = _letters(rng, 1), second + _digits(rng, 7)
    code = "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(letter) + 10
    total = code // 10 + code % 10 * 9 + sum(int(d) * w for d, w in zip(body, range(8, 0, -1), strict=True))
    number = letter + body + str(-total % 10)
    return number.lower() if rng.random() < 0.2 else number


def taiwan_id(rng: random.Random) -> str:
    """National identification number of Taiwan: a letter, 1 or 2, seven digits and a check digit."""
    return _taiwan(rng, rng.choice("12"))


def taiwan_resident(rng: random.Random) -> str:
    """Resident certificate of Taiwan: since 2021 a letter with 8 or 9; before, two letters (second A to D)."""
    if rng.random() < 0.6:
        return _taiwan(rng, rng.choice("89"))
    letters = _letters(rng, 1) + rng.choice("ABCD")
    codes = ["ABCDEFGHJKLMNPQRSTUVXYWZIO".index(c) + 10 for c in letters]
    body = f"{codes[1] % 10}" + _digits(rng, 7)
    total = codes[0] // 10 + codes[0] % 10 * 9
    total += sum(int(d) * w for d, w in zip(body, range(8, 0, -1), strict=True))
    return letters + body[1:] + str(-total % 10)


def macau_id(rng: random.Random) -> str:
    """Resident identity card of Macau: 1, 5 or 7, six digits, and one more in brackets; its check rule is not published."""
    number = rng.choice("157") + _digits(rng, 6)
    return number + rng.choice(("({})", "（{}）")).format(_digits(rng, 1))


def nino(rng: random.Random) -> str:
    """National Insurance number of the United Kingdom (no check digit, but a shape and prefixes that are never used)."""
    while True:
        prefix = _letters(rng, 1, "ABCEGHJKLMNOPRSTWXYZ") + _letters(rng, 1, "ABCEGHJKLMNPRSTWXYZ")
        if prefix not in {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"}:
            break
    return _grouped(rng, f"{prefix}{_digits(rng, 6)}{rng.choice('ABCD')}", 2, 2, 2, 2, signs=" -")


def nhs(rng: random.Random) -> str:
    """NHS number of the United Kingdom: ten digits, weights 10 to 2, modulo 11; written 3-3-4."""
    while True:
        body = rng.choice("4679") + _digits(rng, 8)
        check = -sum(int(d) * w for d, w in zip(body, range(10, 1, -1), strict=True)) % 11
        if check != 10:
            return _grouped(rng, body + str(check), 3, 3)


def ssn(rng: random.Random) -> str:
    """Social Security number of the United States as it is written: 3-2-4."""
    while True:
        area = rng.randrange(1, 900)
        if area != 666:
            break
    sign = rng.choice("-- ")
    return f"{area:03d}{sign}{rng.randrange(1, 100):02d}{sign}{rng.randrange(1, 10000):04d}"


def itin(rng: random.Random) -> str:
    """Individual taxpayer number of the United States: 9xx, group 50-65, 70-88, 90-92 or 94-99, 3-2-4."""
    group = rng.choice([*range(50, 66), *range(70, 89), *range(90, 93), *range(94, 100)])
    sign = rng.choice("-- ")
    return f"9{_digits(rng, 2)}{sign}{group}{sign}{_digits(rng, 4)}"


# --- cards and accounts ---


def card(rng: random.Random) -> str:
    """Payment card (ISO/IEC 7812) with Luhn's check digit: 15 digits with American Express, else 16 to 19."""
    if rng.random() < 0.15:
        body = rng.choice(("34", "37")) + _digits(rng, 12)
        return _grouped(rng, body + _luhn_check(body), 4, 6)
    length = rng.choice((16, 16, 16, 16, 19))
    prefix = rng.choice(("4", "51", "55", "2223", "62", "3528", "6011"))
    body = prefix + _digits(rng, length - 1 - len(prefix))
    return _grouped(rng, body + _luhn_check(body), 4, 4, 4, 4, signs=" -.")


def account(rng: random.Random) -> str:
    """Bank account: nine digits and more, in the ways in which banks print them."""
    length = rng.choice((9, 10, 11, 12, 12, 14, 16, 17, 19))
    number = rng.choice("123456789") + _digits(rng, length - 1)
    return rng.choice(
        (number, _grouped(rng, number, 3, 3), _grouped(rng, number, 3, 6), _grouped(rng, number, 4, 4, 4))
    )


def iban(rng: random.Random) -> str:
    """International bank account number (ISO 13616, modulo 97) of the United Kingdom or Germany."""
    country, body = rng.choice((("GB", _letters(rng, 4) + _digits(rng, 14)), ("DE", _digits(rng, 18))))
    number = "".join(str(int(c, 36)) for c in f"{body}{country}00")
    value = f"{country}{98 - int(number) % 97:02d}{body}"
    return _grouped(rng, value, *[4] * (len(value) // 4), signs=" ")


# --- phones and mail ---


def phone_hk(rng: random.Random) -> str:
    number = rng.choice("235679") + _digits(rng, 7)
    while number[:2] in {"19", "20"}:  # looks like a day of the year: 20261123
        number = rng.choice("235679") + _digits(rng, 7)
    national = _grouped(rng, number, 4, signs=" -.")
    return rng.choice(("", "", "+852 ", "+852-", "(852) ", "852-", "00852 ")) + national


def phone_macau(rng: random.Random) -> str:
    number = rng.choice(("6", "28")) + _digits(rng, 7)
    return rng.choice(("+853 ", "(853)", "00853-", "")) + _grouped(rng, number[:8], 4)


def phone_mainland(rng: random.Random) -> str:
    mobile = "1" + rng.choice("3456789") + _digits(rng, 9)
    if rng.random() < 0.8:
        return rng.choice(("", "", "+86 ", "+86-", "0086 ", "86-")) + _grouped(rng, mobile, 3, 4)
    return (
        rng.choice(("010", "021", "0755", "(020)", "(0571)"))
        + rng.choice("- ")
        + rng.choice("2345678")
        + _digits(rng, 7)
    )


def phone_taiwan(rng: random.Random) -> str:
    if rng.random() < 0.7:
        return _grouped(rng, "09" + _digits(rng, 8), 4, 3)
    return rng.choice(("+886 9", "+886-9", "00886 9")) + _grouped(rng, _digits(rng, 8), 2, 3)


def phone_taiwan_fixed(rng: random.Random) -> str:
    area, body = rng.choice((("02", "2" + _digits(rng, 7)), ("04", "2" + _digits(rng, 7)), ("07", _digits(rng, 7))))
    return rng.choice((f"({area})", f"{area}-", f"{area} ")) + _grouped(rng, body, 4 if len(body) == 8 else 3)


def phone_uk(rng: random.Random) -> str:
    if rng.random() < 0.6:
        return rng.choice(("07", "+44 7", "+44 (0)7", "0044 7")) + _grouped(rng, _digits(rng, 9), 3, signs=" ")
    return rng.choice(("020 ", "(020) ", "+44 20 ", "0161 ")) + _grouped(rng, "7" + _digits(rng, 6) + "3", 4, signs=" ")


def phone_us(rng: random.Random) -> str:
    area, office, line = rng.choice(("212", "415", "646", "312")), rng.randrange(200, 999), _digits(rng, 4)
    shape = rng.choice(("({}) {}-{}", "{}-{}-{}", "{}.{}.{}", "+1 {} {} {}", "+1-{}-{}-{}", "1-{}-{}-{}", "+1{}{}{}"))
    return shape.format(area, office, line)


def phone_world(rng: random.Random) -> str:
    country = rng.choice(("61", "65", "81", "49", "33", "60", "7", "971", "91"))
    return f"+{country}{rng.choice(' -')}" + _grouped(rng, _digits(rng, rng.choice((8, 9, 10))), 2, 4)


def email(rng: random.Random) -> str:
    user = rng.choice(("chan.tm", "lee_example", "wong+bank", "a1", "zhang-san", "info")) + rng.choice(
        ("", _digits(rng, 3))
    )
    host = rng.choice(("example.com", "mail.example.org", "example.com.hk", "example.co.uk", "qq.example.cn"))
    return f"{user}@{host}" if rng.random() < 0.8 else f"{user}@{host}".upper()


KINDS: dict[str, Maker] = {
    made.__name__: made
    for made in (
        hkid, mainland_id, taiwan_id, taiwan_resident, macau_id, nino, nhs, ssn, itin, card, account, iban, phone_hk,
        phone_macau, phone_mainland, phone_taiwan, phone_taiwan_fixed, phone_uk, phone_us, phone_world, email,
    )
}  # fmt: skip
NEVER_WIDE = frozenset(("email",))

_CARRIERS = (
    "{}", "Please call or write to {} today.", "My number is {}, thank you.", "number:{}", "({})", "I told them {}; they lost it.",
    "It is {} and I said so on 2026-11-23.", "ref 261123-7T51-DVFS9, mine is {}.", '"{}"', "Contact {}!", "{}\nRegards",
    "我的號碼是{}，謝謝。", "號碼{}。", "請聯絡{}先生", "（{}）", "號碼：{}；已登記", "「{}」", "我在2026年11月23日留下{}作聯絡", "、{}、",
    "我的号码是{}，谢谢。", "号码{}。", "请联系{}女士", "号码：{}；已登记", "“{}”", "我2026-11-23留了{}", "资料是{}没错",
)  # fmt: skip


def identifiers(kind: str, count: int, seed: int) -> list[Sample]:
    """`count` sentences with an identifier of `kind` in each."""
    rng = random.Random(f"{kind}-{seed}")
    found = []
    for _ in range(count):
        value = KINDS[kind](rng)
        if kind not in NEVER_WIDE and rng.random() < 0.2:
            value = value.translate(rng.choice((_WIDE, _ALL_WIDE, _TYPESET)))
        found.append(Sample(kind, rng.choice(_CARRIERS).format(value), value))
    return found


# --- ordinary numbers ---


def _amount(rng: random.Random) -> str:
    value = rng.choice((rng.randrange(1, 1000), rng.randrange(1000, 10**6), rng.randrange(10**6, 10**9)))
    cents = rng.choice(("", "", f".{rng.randrange(100):02d}"))
    return rng.choice((
        f"HK${value:,}{cents}", f"HKD {value}{cents}", f"${value}{cents}", f"US${value:,}{cents}", f"{value}元", f"{value:,}{cents}元",
        f"{value}{cents}蚊", f"港幣{value}元", f"人民币{value}{cents}元", f"RMB{value}", f"£{value}{cents}", f"NT${value}",
        f"{value} dollars", f"{value:,}", f"{value % 1000}萬元", f"新台幣{value}元", f"¥{value}", f"{value}块", f"HKD{value:,}{cents}",
        f"港幣 {value:,}{cents} 元", f"{value}港元", f"MOP {value}", f"TWD {value}", f"EUR {value}", f"{value}美元",
    ))  # fmt: skip


def _day(rng: random.Random) -> str:
    y, m, d = rng.randrange(1995, 2031), rng.randrange(1, 13), rng.randrange(1, 29)
    return rng.choice((
        f"{y}-{m:02d}-{d:02d}", f"{d:02d}/{m:02d}/{y}", f"{y}年{m}月{d}日", f"{y}/{m}/{d}", f"{y}.{m:02d}.{d:02d}", f"{y}{m:02d}{d:02d}",
        f"{d}-{m}-{y}", f"{m}月{d}號", f"{d:02d}.{m:02d}.{y}", f"{y}-{m:02d}-{d:02d} 14:05", f"{y}-{m:02d}-{d:02d}T09:30:00Z",
        f"{y}-{m:02d}-{d:02d} to {y}-{m:02d}-{d + 0:02d}", f"{y}{m:02d}{d:02d}-{y}{m:02d}{d:02d}", f"民國{y - 1911}年{m}月{d}日",
        f"{d:02d}-{m:02d}-{y} 09.30", f"{y}{m:02d}{d:02d} 1405", f"{d} {m} {y}",
    ))  # fmt: skip


def _time(rng: random.Random) -> str:
    h, m = rng.randrange(24), rng.randrange(60)
    return rng.choice((f"{h:02d}:{m:02d}", f"{h:02d}:{m:02d}:{rng.randrange(60):02d}", f"{h}點{m}分", f"{h:02d}{m:02d} hours",
                       f"{h:02d}:{m:02d}-{(h + 1) % 24:02d}:{m:02d}", f"{h % 12}.{m:02d} pm"))  # fmt: skip


def _reference(rng: random.Random) -> str:
    y = rng.randrange(20, 31)
    return rng.choice((
        f"{y}{rng.randrange(1, 13):02d}{rng.randrange(1, 29):02d}-{_letters(rng, 1)}{_digits(rng, 1)}{_letters(rng, 2)}-{_letters(rng, 4)}{_digits(rng, 1)}",
        "261123-7T51-DVFS9", f"FT{_digits(rng, 5)}{_letters(rng, 4)}", f"TXN-{_digits(rng, 6)}", f"ORD{_digits(rng, 8)}",
        f"#{_digits(rng, 6)}", f"no. {_digits(rng, 5)}", f"編號{_digits(rng, 6)}", f"HKMA-{_digits(rng, 4)}-{_digits(rng, 3)}",
        f"order {_digits(rng, 6)}", f"INV-2026-{_digits(rng, 4)}", f"C-{_digits(rng, 6)}", f"{_letters(rng, 2)}{_digits(rng, 10)}",
    ))  # fmt: skip


def _other(rng: random.Random) -> str:
    n = rng.randrange(1, 1000)
    return rng.choice((
        f"{n / 10:.1f}%", f"{n}%", f"{n} Nathan Road", f"{n % 50 + 1}/F, Block {n % 9}", f"彌敦道{n}號{n % 40}樓", f"Flat {n % 30}A",
        f"the {n % 100 + 1900}s", f"iPhone {n % 17}", f"version {n % 9}.{n % 12}.{n % 7}.1", f"{n} times", f"等了{n}分鐘", f"第{n}次",
        f"{n},{n:03d},{n:03d} users", f"{n}.{n:03d}", f"{n}:{n}", f"{n}-{n + 20} days", f"192.168.{n % 255}.{n % 200}", "call 1823",
        "dial 999", f"{n % 24}x7", f"{n % 12 + 1}/{n % 28 + 1}", f"rate 0.{n:06d}", f"HIBOR + {n / 100:.2f}", f"{n:.8f}", f"{n / 7:.6f}",
    ))  # fmt: skip


ORDINARY: dict[str, Maker] = {
    "amount": _amount, "day": _day, "time": _time, "reference": _reference, "other": _other,
}  # fmt: skip


def ordinary(kind: str, count: int, seed: int) -> list[Sample]:
    """`count` sentences with an ordinary number of `kind` in each; a day may stand in the sentence besides."""
    rng = random.Random(f"{kind}-{seed}")
    found = []
    for _ in range(count):
        value = ORDINARY[kind](rng)
        found.append(Sample(kind, rng.choice(_CARRIERS).format(value), value))
    return found
