"""Plausible complaints from nobody, the same ones again for the same seed."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from deploy.demo import channels, people
from deploy.demo.people import Person
from deploy.demo.timing import BANK_ZONE, Calendar, surge_day
from deploy.demo.wording import Branch, Pattern, Wording, bank, wording

_LANGUAGE_SHARES = {"zh-Hant": 0.50, "zh-Hans": 0.27, "en": 0.23}
_KIND_SHARES = {
    "service_quality": 0.27,
    "product": 0.17,
    "channel": 0.20,
    "fees": 0.16,
    "information_security": 0.11,
    "other": 0.09,
}
_CURRENCIES = {
    "zh-Hant": {"HKD": 0.88, "USD": 0.07, "CNY": 0.05},
    "zh-Hans": {"CNY": 0.68, "HKD": 0.26, "USD": 0.06},
    "en": {"HKD": 0.76, "USD": 0.18, "CNY": 0.06},
}
_AMOUNTS = {
    "fees": (60, 1_500),
    "information_security": (800, 180_000),
    "product": (300, 60_000),
    "channel": (100, 30_000),
    "service_quality": (50_000, 800_000),
    "other": (1_000, 90_000),
}
"""From and to, by type of complaint; the only amounts in complaints about service are the loans applied for."""

_SURGE_SHARE = 0.04
_REPEATS = 0.12
_RECENT = 40
_TRIES = 25
"""How often to begin anew when the text has been told before; short ones would come twice in a large number."""


@dataclass(frozen=True, slots=True)
class DemoComplaint:
    """One made-up complaint. `kind` and `in_surge` are what its maker meant; they are not part of the body."""

    channel: str
    language: str
    kind: str
    narrative: str
    complainant: Person | None
    received_at: datetime
    occurred_at: datetime | None
    channel_ref: str | None
    branch: str | None
    product: str
    amount: tuple[Decimal, str] | None
    desired_outcome: str | None
    says_language: bool
    detail: Mapping[str, str] = field(hash=False)
    in_surge: bool = False

    def body(self) -> dict[str, Any]:
        """The body of `POST /v1/complaints`; what is not known is left out."""
        value, currency = self.amount or (None, None)
        whole = {
            "channel": self.channel,
            "narrative": self.narrative,
            "complainant": self.complainant.body() if self.complainant else {"anonymous": True},
            "channel_ref": self.channel_ref,
            "branch": self.branch,
            "product": self.product,
            "amount": {"value": str(value), "currency": currency} if self.amount else None,
            "occurred_at": self.occurred_at.isoformat() if self.occurred_at else None,
            "received_at": self.received_at.isoformat(),
            "desired_outcome": self.desired_outcome,
            "language": self.language if self.says_language else None,
            "detail": dict(self.detail),
        }
        return {key: value for key, value in whole.items() if value is not None}

    @property
    def key(self) -> str:
        """The idempotency key, drawn from the body: an equal key means an equal body, so a repeat never conflicts."""
        text = json.dumps(self.body(), sort_keys=True, ensure_ascii=False)
        return f"demo-{hashlib.sha256(text.encode()).hexdigest()[:40]}"


def generate(n: int, *, seed: int, until: datetime, months: int = 18) -> Iterator[DemoComplaint]:
    """`n` complaints from the `months` before `until` (aware), oldest first.

    The same arguments give the same complaints; any other ones give others, not the same people saying the same things
    an hour later, which a desk would take for duplicates. From `n` = 30 on, every channel, language and type
    occurs. Raises ValueError for a naive `until`, or for `months` below 1.
    """
    origin = f"{seed}|{until.astimezone(BANK_ZONE).isoformat()}|{months}|{n}"
    rng = Random(origin)  # noqa: S311 - made-up complaints, to be repeated at will; no secret is drawn from it
    calendar = Calendar(rng, until, months)
    failure = surge_day(until, seed=seed)
    plan = sorted(_plan(rng, calendar, failure, n), key=lambda one: one.received_at)
    recent: list[Person] = []
    told: set[str] = set()
    for number, slot in enumerate(plan):
        tag = hashlib.sha256(f"{origin}|{number}".encode()).hexdigest()[:12]
        for _ in range(_TRIES):
            complaint = _compose(rng, slot, tag, recent)
            if complaint.narrative not in told:
                break
        told.add(complaint.narrative)
        if complaint.complainant and complaint.complainant not in recent:
            recent = [*recent[1 - _RECENT :], complaint.complainant]
        yield complaint


@dataclass(frozen=True, slots=True)
class _Slot:
    received_at: datetime
    channel: str
    language: str
    kind: str
    in_surge: bool


def _plan(rng: Random, calendar: Calendar, failure: date, n: int) -> Iterator[_Slot]:
    """Who complains how, when and about what, before a word is written."""
    rows = zip(
        _quota(rng, channels.SHARES, n), _quota(rng, _LANGUAGE_SHARES, n), _quota(rng, _KIND_SHARES, n), strict=True
    )
    left = round(n * _SURGE_SHARE)
    for channel, language, kind in rows:
        # Nobody writes to the regulator or goes to a branch within the hours of a failure.
        if left and kind == "channel" and channel not in ("letter", "regulator", "branch"):
            left -= 1
            yield _Slot(calendar.surge_arrival(failure), channel, language, kind, True)
        else:
            yield _Slot(calendar.arrival(channel, kind), channel, language, kind, False)


def _quota(rng: Random, shares: Mapping[str, float], n: int) -> list[str]:
    """`n` values in the given shares, shuffled: drawn by quota, so that rare ones are not missing by chance."""
    counts = {name: int(share * n) for name, share in shares.items()}
    if n >= 2 * len(shares):
        counts = {name: max(1, count) for name, count in counts.items()}
    while sum(counts.values()) != n:
        if sum(counts.values()) < n:
            counts[max(shares, key=lambda name: shares[name] * n - counts[name])] += 1
        else:
            counts[max(shares, key=lambda name: counts[name] - shares[name] * n if counts[name] > 1 else -n)] -= 1
    values = [name for name, count in counts.items() for _ in range(count)]
    rng.shuffle(values)
    return values


def _compose(rng: Random, slot: _Slot, tag: str, recent: list[Person]) -> DemoComplaint:
    words = wording(slot.language)
    person, before = _complainant(rng, slot, recent)
    pattern = _pattern(rng, words, slot)
    product = pattern.product or _weighted(rng, bank().product_shares)
    sentences = _sentences(rng, words, slot, pattern, product, before)
    used = frozenset().union(*(sentence.slots for sentence in sentences))
    # What the text mentions must agree with the facts beside it: the amount, the branch, the day.
    days = rng.randrange(3, 31)
    occurred_at = _occurred_at(rng, slot, days if "days" in used else None)
    amount = _amount(rng, slot) if "amount" in used else None
    branch = rng.choice(bank().branches)
    slots = _slots(rng, words, product, branch, occurred_at, days, amount)
    says_branch = "branch" in used or slot.channel == "branch" or rng.random() < 0.3
    says_when = bool(used & {"date", "time"}) or rng.random() < 0.5
    subject = words.fill(rng.choice(words.lists["subjects"]), slots)
    wishes = words.refunds.get(slot.kind) if amount and rng.random() < 0.7 else None
    return DemoComplaint(
        channel=slot.channel,
        language=slot.language,
        kind=slot.kind,
        narrative=words.join([words.fill(sentence.text, slots) for sentence in sentences]),
        complainant=person,
        received_at=slot.received_at,
        occurred_at=occurred_at if says_when else None,
        channel_ref=f"demo-{tag}" if rng.random() < 0.85 else None,
        branch=branch.code if says_branch else None,
        product=product,
        amount=amount,
        desired_outcome=rng.choice(wishes or words.outcomes[slot.kind]) if rng.random() < 0.75 else None,
        says_language=rng.random() < 0.9,
        detail=channels.facts(slot.channel, rng, received_at=slot.received_at, product=product, subject=subject),
        in_surge=slot.in_surge,
    )


def _complainant(rng: Random, slot: _Slot, recent: list[Person]) -> tuple[Person | None, bool]:
    """Who complains, None for somebody unnamed, and whether that person has complained before."""
    if rng.random() < channels.ANONYMOUS[slot.channel]:
        return None, False
    known = [person for person in recent if person.language == slot.language]
    if known and rng.random() < _REPEATS:
        return rng.choice(known), True
    return people.invent(rng, slot.language), False


def _pattern(rng: Random, words: Wording, slot: _Slot) -> Pattern:
    if slot.in_surge:
        return Pattern(rng.choice(words.lists["surge"]), "mobile_banking")
    return rng.choice(words.patterns[slot.kind])


def _sentences(rng: Random, words: Wording, slot: _Slot, pattern: Pattern, product: str, before: bool) -> list[Pattern]:
    """What is said, its slots not yet filled: an opening, what happened, what came of it, what was tried, the end."""
    openers = words.openers.get(slot.channel) or words.openers["any"]
    if rng.random() < 0.3 and slot.channel not in ("phone", "regulator"):
        openers = words.openers["any"]
    said = [Pattern(rng.choice(openers), None), pattern]
    if rng.random() < 0.8 and not slot.in_surge:
        said.append(rng.choice([effect for effect in words.effects[slot.kind] if effect.product in (None, product)]))
    if before:
        said.append(Pattern(rng.choice(words.lists["again"]), None))
    elif rng.random() < 0.55 and not slot.in_surge:
        said.append(Pattern(rng.choice(words.lists["history"]), None))
    return [*said, Pattern(rng.choice(words.lists["closers"]), None)]


def _occurred_at(rng: Random, slot: _Slot, days: int | None) -> datetime:
    """When it happened: `days` before where the text says so, within hours in the surge, some days before otherwise."""
    if slot.in_surge:
        midnight = slot.received_at.replace(hour=0, minute=0, second=0)
        return max(midnight, (slot.received_at - timedelta(hours=rng.uniform(0.1, 3))).replace(second=0))
    hours = min(rng.expovariate(1 / 96), 24 * 45) if days is None else days * 24 + rng.uniform(0, 20)
    at = (slot.received_at - timedelta(hours=hours)).replace(second=0)
    if 8 <= at.hour < 21:
        return at
    # Most texts tell of counters, calls and appointments, which nobody has at night.
    return (at - timedelta(days=1)).replace(hour=rng.randrange(9, 20))


def _slots(
    rng: Random,
    words: Wording,
    product: str,
    branch: Branch,
    at: datetime,
    days: int,
    amount: tuple[Decimal, str] | None,
) -> dict[str, str]:
    local = at.astimezone(BANK_ZONE)
    slots = {
        "product": rng.choice(words.products[product]),
        "branch": branch.names[words.language],
        "date": words.date_text(local.month, local.day),
        "time": f"{local:%H:%M}",
        "wait": str(rng.randrange(25, 160, 5)),
        "days": str(days),
        "count": str(rng.randrange(2, 7)),
    }
    for slot, name in (("staff", "staff"), ("merchant", "merchants"), ("place", "places"), ("device", "devices")):
        slots[slot] = rng.choice(words.lists[name])
    if amount:
        slots["amount"] = words.money_text(rng, *amount)
    return slots


def _amount(rng: Random, slot: _Slot) -> tuple[Decimal, str]:
    """Small sums are commoner than large ones; a third are odd to the cent, the rest round."""
    low, high = _AMOUNTS[slot.kind]
    currency = _weighted(rng, _CURRENCIES[slot.language])
    value = low * (high / low) ** rng.random() / (7.8 if currency == "USD" else 1)
    if rng.random() < 0.35 and value < 10_000:
        return Decimal(f"{value:.2f}"), currency
    step = 1 if value < 200 else 10 if value < 2_000 else 100
    return Decimal(max(step, round(value / step) * step)).quantize(Decimal("0.01")), currency


def _weighted(rng: Random, shares: Mapping[str, float]) -> str:
    return rng.choices(list(shares), list(shares.values()))[0]
