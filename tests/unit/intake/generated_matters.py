"""Complaints of made-up persons with known truth: which of them tell of one matter.

Each person has several real matters; some are told again through other channels, in other words, another language, cut
short or with slips of the pen, with or without the amount, the day, the branch. The hard ones: another matter of the
same kind, with the same product, in another month or over another amount, in much the same words.

Everything comes from `random.Random(seed)`.
"""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from tests.unit.intake.matter_texts import CLOSE, KINDS, LANGUAGES, OPEN

_SHOPS = (
    "Maple Books",
    "Sunrise Mart",
    "Harbour Electronics",
    "Lotus Travel",
    "Green Leaf Cafe",
    "Orient Shoes",
    "Nova Games",
)
_BRANCHES = (
    ("harbour-road", "Harbour Road branch", "海港道分行", "海港道支行"),
    ("garden-street", "Garden Street branch", "花園街分行", "花园街支行"),
    ("north-point", "North Point branch", "北角分行", "北角支行"),
    ("river-side", "Riverside branch", "河畔分行", "河畔支行"),
    ("old-town", "Old Town branch", "舊城分行", "旧城支行"),
)
_CHANNELS = ("phone", "web_chat", "mobile", "web_form", "email", "letter", "branch", "regulator")
_FORMS = frozenset(("phone", "mobile", "web_form", "branch"))  # these have fields that people fill in
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
           "December")  # fmt: skip
START = datetime(2026, 9, 1, 9, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Told:
    """One complaint. `person` and `matter` are the truth. Times as a channel sends them."""

    person: int
    matter: int
    kind: str
    channel: str
    language: str
    narrative: str
    received_at: datetime
    product: str | None
    branch: str | None
    amount: Decimal | None
    currency: str | None
    occurred_at: datetime | None
    transaction_ref: str | None


@dataclass(frozen=True, slots=True)
class _Matter:
    number: int
    kind: str
    amount: Decimal | None
    day: datetime
    branch: int
    shop: str
    reference: str | None


def tell(seed: int, persons: int, kinds: tuple[str, ...] = tuple(KINDS)) -> list[Told]:
    """Complaints of `persons`, in the order in which they were received."""
    rng = random.Random(seed)
    found: list[Told] = []
    number = 0
    for person in range(persons):
        home, tongue = rng.randrange(len(_BRANCHES)), rng.choice(LANGUAGES)
        previous: _Matter | None = None
        for _ in range(rng.choice((1, 2, 2, 3, 4))):
            matter = _matter(rng, number, home, previous, kinds)
            number, previous = number + 1, matter
            said: list[Told] = []
            for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
                said.append(_told(rng, person, matter, tongue, said))
            found.extend(said)
    return sorted(found, key=lambda t: t.received_at)


def _matter(rng: random.Random, number: int, home: int, previous: _Matter | None, kinds: tuple[str, ...]) -> _Matter:
    kind = previous.kind if previous and rng.random() < 0.35 else rng.choice(kinds)
    digits = rng.choice((2, 3, 3, 4, 4, 5))
    amount = Decimal(rng.randrange(10 ** (digits - 1), 10**digits))
    amount += Decimal(rng.choice((0, 0, 0, rng.randrange(1, 100)))) / 100
    if previous is None:
        day = START + timedelta(days=rng.randrange(45), hours=rng.randrange(8))
    elif previous.kind == kind:  # the hard ones: the same again, soon after
        day = previous.day + timedelta(days=rng.randrange(6, 40))
    else:
        day = previous.day + timedelta(days=rng.randrange(0, 30))
    branch = home if rng.random() < 0.8 else rng.randrange(len(_BRANCHES))
    letters = "".join(rng.choice("ABCDEFGHJKMNPQRSTVWXYZ") for _ in range(3))
    reference = f"{letters}{rng.randrange(10**6):06d}" if rng.random() < 0.3 else None
    return _Matter(number, kind, amount if KINDS[kind][1] else None, day, branch, rng.choice(_SHOPS), reference)


def _told(rng: random.Random, person: int, matter: _Matter, tongue: str, said: list[Told]) -> Told:
    product, _, texts = KINDS[matter.kind]
    language = tongue if rng.random() < 0.75 else rng.choice(LANGUAGES)
    first = matter.day + timedelta(hours=rng.randrange(1, 60))
    received_at = said[0].received_at + timedelta(hours=rng.randrange(1, 18 * 24)) if said else first
    others = [c for c in _CHANNELS if not said or c != said[-1].channel]
    channel = rng.choice(others)
    form = channel in _FORMS
    text = rng.choice(texts[language])
    clauses = [c.strip() for c in text.split("|")]
    short = rng.random() < 0.25
    kept = clauses[:1] if short else [clauses[0], *(c for c in clauses[1:] if rng.random() < 0.8)]
    if len(kept) > 2 and rng.random() < 0.3:
        kept[1:] = kept[:0:-1]
    narrative = _join(kept, language).format(
        amt=_amount(rng, matter.amount, language) if matter.amount is not None else "",
        on=_day(rng, matter.day, language),
        branch=_branch(matter.branch, language),
        shop=matter.shop,
    )
    if matter.reference and rng.random() < 0.5:
        narrative += {"en": f" Ref. {matter.reference}.", "zh-Hant": f"交易編號{matter.reference}。"}.get(
            language, f"流水号{matter.reference}。"
        )
    narrative = rng.choice(OPEN[language]) + narrative + rng.choice(CLOSE[language])
    if said and rng.random() < 0.15:  # pasted into another channel as it was
        language, narrative = said[-1].language, said[-1].narrative
    elif rng.random() < 0.3:
        narrative = _slips(rng, narrative)
    filled = matter.amount is not None and rng.random() < (0.6 if form else 0.15)
    return Told(
        person,
        matter.number,
        matter.kind,
        channel,
        language,
        narrative,
        received_at,
        product if rng.random() < (0.7 if form else 0.2) else None,
        _BRANCHES[matter.branch][0] if rng.random() < (0.5 if form else 0.15) else None,
        matter.amount if filled else None,
        "HKD" if filled else None,
        matter.day if rng.random() < (0.5 if form else 0.1) else None,
        matter.reference if matter.reference and rng.random() < (0.5 if form else 0.1) else None,
    )


def _join(clauses: list[str], language: str) -> str:
    if language == "en":
        return ". ".join(c[:1].upper() + c[1:] for c in clauses) + "."
    return "，".join(clauses) + "。"


def _amount(rng: random.Random, value: Decimal, language: str) -> str:
    bare, grouped = f"{value:f}", f"{value:,f}"
    if value == value.to_integral():
        bare, grouped = f"{int(value)}", f"{int(value):,}"
    if language == "en":
        return rng.choice((f"HK${grouped}", f"HKD {grouped}", f"${bare}", f"{grouped} dollars", f"HK${value:,.2f}"))
    if language == "zh-Hant":
        return rng.choice((f"港幣{grouped}元", f"{bare}元", f"HK${grouped}", f"${bare}", f"{bare}蚊"))
    return rng.choice((f"{bare}元", f"{grouped}元", f"港币{bare}元", f"{bare}块"))


def _day(rng: random.Random, day: datetime, language: str) -> str:
    if rng.random() < 0.25:
        return {"en": "recently", "zh-Hant": "早前", "zh-Hans": "前几天"}[language]
    month = _MONTHS[day.month - 1]
    if language == "en":
        return rng.choice(
            (f"on {day.day} {month}", f"on {month} {day.day}", f"on {day.day} {month[:3]}", f"on {day:%Y-%m-%d}")
        )
    return rng.choice((f"{day.month}月{day.day}日", f"{day.month}月{day.day}{'號' if language == 'zh-Hant' else '号'}",
                       f"{day:%Y-%m-%d}"))  # fmt: skip


def _branch(number: int, language: str) -> str:
    return _BRANCHES[number][1 + ("en", "zh-Hant", "zh-Hans").index(language)]


def _slips(rng: random.Random, text: str) -> str:
    """A letter or character in thirty left out or swapped with the next; digits are left alone."""
    signs = list(text)
    for _ in range(max(1, len(signs) // 30)):
        at = rng.randrange(len(signs) - 1)
        if not (signs[at].isalpha() and signs[at + 1].isalpha()):
            continue
        if rng.random() < 0.5:
            signs[at], signs[at + 1] = signs[at + 1], signs[at]
        else:
            signs[at] = ""
    return "".join(signs)
