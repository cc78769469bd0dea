"""One complaint, not five: which complaints of one person may be one matter, and what follows once that is confirmed.

Nothing is decided here by itself: a pair that scores high enough is suggested, and an operator decides. Complaints of
different persons are never compared, whatever they say.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from math import exp
from typing import Literal

from services.intake.domain.sketch import Sketch, similarity
from shared.errors import Conflict, FieldError, Refused

State = Literal["suggested", "confirmed", "rejected"]
Verb = Literal["confirm", "reject", "reset"]
STATE_AFTER: dict[Verb, State] = {"confirm": "confirmed", "reject": "rejected", "reset": "suggested"}
WINDOW_DAYS = 30
SUGGEST = 0.5
"""The score from which on a pair is suggested."""


class DifferentPersons(Refused):
    """Complaints of different persons are never linked."""

    code = "different_persons"


class LinkDecided(Conflict):
    """Somebody has decided on this link in the meantime."""

    code = "link_decided"

    def __init__(self, state: State) -> None:
        super().__init__(f"The link is {state} now.", errors=(FieldError("/expected", f"is {state}", state),))
        self.state = state


@dataclass(frozen=True, slots=True)
class Person:
    """Who complains, in keyed hashes alone. `ref` is the customer_ref, `numbered` whether it is that of a customer
    number, the one thing that two people never share; `names` are those of the parts of the name."""

    ref: str
    numbered: bool = False
    phone: str | None = None
    email: str | None = None
    names: frozenset[str] = frozenset()

    def ways(self) -> tuple[str, ...]:
        """Phone and e-mail, by which one person may be known in one channel and also in another."""
        return tuple(way for way in (self.phone, self.email) if way)


def same_person(a: Person, b: Person) -> bool:
    """Whether two complaints come from one person as far as can be told: the same customer number; or, unless their
    customer numbers differ, the same phone or e-mail without names that have nothing in common (a couple's phone)."""
    if a.numbered and b.numbered:
        return a.ref == b.ref
    if a.ref != b.ref and not set(a.ways()) & set(b.ways()):
        return False
    return not a.names or not b.names or bool(a.names & b.names) or _scripts(a) != _scripts(b)


def _scripts(person: Person) -> frozenset[str]:
    return frozenset(name[:1] for name in person.names)


@dataclass(frozen=True, slots=True)
class Trait:
    """What a complaint is compared by. Codes as the channel sent them, redacted."""

    complaint_id: str
    person: Person
    received_at: datetime
    channel: str
    sketch: Sketch
    branch: str | None = None
    product: str | None = None
    amount: Decimal | None = None
    currency: str | None = None
    occurred_at: datetime | None = None

    @property
    def order(self) -> tuple[datetime, str]:
        """Which of two came first."""
        return self.received_at, self.complaint_id


def candidates(one: Trait, others: Iterable[Trait], *, window: timedelta) -> list[Trait]:
    """Those of `others` that are of the same person and within the window.

    A phone or e-mail that is known of two customer numbers among them belongs to more than one person and tells
    nothing.
    """
    known = [t for t in others if t.complaint_id != one.complaint_id]
    owners: dict[str, set[str]] = {}
    for person in (one.person, *(t.person for t in known)):
        if person.numbered:
            for way in person.ways():
                owners.setdefault(way, set()).add(person.ref)
    shared = {way for way, refs in owners.items() if len(refs) > 1}
    return [
        t
        for t in known
        if abs(t.received_at - one.received_at) <= window
        and same_person(one.person, t.person)
        and (one.person.ref == t.person.ref or (set(one.person.ways()) & set(t.person.ways())) - shared)
    ]


# Weights of evidence, as in record linkage (Fellegi and Sunter, 1969): the log of how much likelier each finding is
# among reports of one matter than among other complaints of the same person. Fitted by logistic regression on the
# generated set (tests/unit/intake/generated_matters.py; seeds 1 to 8, half its kinds of matter) and rounded.
_PRIOR = -2.6
_WEIGHTS: dict[str, float] = {}


def findings(a: Trait, b: Trait) -> dict[str, float]:
    """What speaks for (or, by `_WEIGHTS`, against) `a` and `b` being one matter, each as a number of 0 to 1."""
    found: dict[str, float] = {}
    near = similarity(a.sketch, b.sketch)
    if near is not None:
        found["near_text"] = near
    ours, theirs = a.sketch.concepts, b.sketch.concepts
    if ours and theirs:
        found["same_subject"] = len(ours & theirs) / min(len(ours), len(theirs))
        found["other_subject"] = float(not ours & theirs)
    found |= _of_amounts(a, b)
    found |= _of_days(a.sketch.days, b.sketch.days)
    if a.sketch.codes and b.sketch.codes:
        same = bool(a.sketch.codes & b.sketch.codes)
        found["same_transaction" if same else "other_transaction"] = 1.0
    for name, mine, yours in (("product", a.product, b.product), ("branch", a.branch, b.branch)):
        if mine and yours:
            same = mine.strip().casefold() == yours.strip().casefold()
            found[f"same_{name}" if same else f"other_{name}"] = 1.0
    if a.channel != b.channel:
        found["other_channel"] = 1.0
    found["days_apart"] = min(1.0, abs(a.received_at - b.received_at) / timedelta(days=WINDOW_DAYS))
    return found


def _of_amounts(a: Trait, b: Trait) -> dict[str, float]:
    ours, theirs = a.sketch.amounts, b.sketch.amounts
    if not ours or not theirs:
        return {"amount_missing": float(ours != theirs)}
    if a.amount and b.amount and a.currency != b.currency:
        return {"other_amount": 1.0}
    same = ours & theirs
    if same:  # that two matters are over 1,238.12 each is less likely than over 100 each
        return {"same_amount": 1.0, "telling_amount": min(1.0, max(len(f"{v}".rstrip("0")) for v in same) / 5)}
    return {"other_amount": 1.0}


def _of_days(ours: frozenset[int], theirs: frozenset[int]) -> dict[str, float]:
    if not ours or not theirs:
        return {}
    apart = min(abs(x - y) for x in ours for y in theirs)
    return {"same_day": 1.0} if apart == 0 else {"near_day": 1.0} if apart <= 2 else {"other_day": 1.0}


def score(a: Trait, b: Trait) -> tuple[float, tuple[str, ...]]:
    """How likely `a` and `b` are one matter, 0 to 1, and the codes of what speaks for it, the strongest first.

    Raises DifferentPersons.
    """
    if not same_person(a.person, b.person):
        raise DifferentPersons
    weighed = {name: _WEIGHTS[name] * value for name, value in findings(a, b).items()}
    reasons = sorted((n for n, w in weighed.items() if w >= 0.5 and n in REASONS), key=lambda n: -weighed[n])
    return 1 / (1 + exp(-(_PRIOR + sum(weighed.values())))), tuple(reasons)
