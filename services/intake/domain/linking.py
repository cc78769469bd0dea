"""One complaint, not five: which complaints of one person may be one matter, and what follows once that is confirmed.

Nothing is decided here by itself: a pair that scores high enough is suggested, and an operator decides. Complaints of
different persons are never compared, whatever they say.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
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
SUGGEST = 0.65
"""The score from which on a pair is suggested."""
MOST_SUGGESTIONS = 5
"""For one new complaint: who complains daily shall not drown the operators."""


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
# generated set (tests/unit/intake/generated_matters.py: seeds 1 to 8, every other kind of matter), rounded, and set by
# judgement in three places: people mistake a day (near_day came out as -2.0), many have one branch (same_branch, 0),
# and nobody quotes the reference of a complaint that they do not mean.
_PRIOR = 0.0
_WEIGHTS = {
    "near_text": 0.6,
    "same_subject": 1.4,
    "other_subject": -2.8,
    "same_amount": 3.8,
    "telling_amount": 2.5,
    "other_amount": -5.1,
    "amount_missing": -0.8,
    "same_day": 3.5,
    "near_day": -0.8,
    "other_day": -4.5,
    "same_transaction": 3.8,
    "other_transaction": -1.5,
    "quotes_reference": 6.0,
    "same_product": 0.3,
    "other_product": -2.1,
    "same_branch": 0.2,
    "other_branch": -3.2,
    "other_channel": 0.6,
    "days_apart": -3.5,
}
REASONS = frozenset(
    (
        "near_text",
        "same_subject",
        "same_amount",
        "same_day",
        "same_transaction",
        "quotes_reference",
        "same_product",
        "same_branch",
    )
)
"""Codes of what is told to the operator as speaking for a link."""
_WORTH_TELLING = 0.4  # of 1: text and subject are always a little alike


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
    if a.sketch.own in b.sketch.codes or b.sketch.own in a.sketch.codes:
        found["quotes_reference"] = 1.0
    elif a.sketch.codes and b.sketch.codes:
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
    found = findings(a, b)
    weighed = {name: _WEIGHTS[name] * value for name, value in found.items()}
    reasons = sorted((n for n in found if n in REASONS and found[n] >= _WORTH_TELLING), key=lambda n: -weighed[n])
    return 1 / (1 + exp(-(_PRIOR + sum(weighed.values())))), tuple(reasons)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Two complaints that may be one matter; `earlier` came first."""

    earlier: Trait
    later: Trait
    score: float
    reasons: tuple[str, ...]


def suggest(
    one: Trait, others: Iterable[Trait], *, matter_of: Mapping[str, str], window: timedelta
) -> list[Suggestion]:
    """What a new complaint may belong to: of each matter (`matter_of` names it for complaints already linked, see
    `matters`) the one report that is nearest, so that five reports make four links and not ten."""
    best: dict[str, Suggestion] = {}
    for other in candidates(one, others, window=window):
        value, reasons = score(one, other)
        matter = matter_of.get(other.complaint_id, other.complaint_id)
        if value >= SUGGEST and (matter not in best or value > best[matter].score):
            earlier, later = sorted((one, other), key=lambda t: t.order)
            best[matter] = Suggestion(earlier, later, round(value, 4), reasons)
    return sorted(best.values(), key=lambda s: -s.score)[:MOST_SUGGESTIONS]


def matters(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """For each complaint in `pairs` of linked ones: the name of its matter, which is the least id among its reports."""
    root: dict[str, str] = {}

    def find(id: str) -> str:
        while root.setdefault(id, id) != id:
            id = root[id]
        return id

    for a, b in pairs:
        first, second = sorted((find(a), find(b)))
        root[second] = first
    return {id: find(id) for id in root}


def governs_from(confirmed: Collection[tuple[str, str]], received: Mapping[str, datetime]) -> dict[str, datetime]:
    """For each complaint in `received`: the earliest receipt among the complaints confirmed to be its matter."""
    matter_of = matters(confirmed)
    earliest: dict[str, datetime] = {}
    for id, at in received.items():
        matter = matter_of.get(id, id)
        earliest[matter] = min(at, earliest.get(matter, at))
    return {id: earliest[matter_of.get(id, id)] for id in received}


def check_one_person(persons: Sequence[Person]) -> None:
    """That all reports of one matter are of one person: two links, each right by itself over a phone that a couple
    shares, may join both their customer numbers. Raises DifferentPersons."""
    if len({person.ref for person in persons if person.numbered}) > 1:
        raise DifferentPersons("This would join reports of different customers.")


def decide(state: State, verb: Verb, *, expected: State | None = None) -> State:
    """The state after `verb`. The same again changes nothing; another decision has to be reset first.

    `expected` is the state that whoever decides has seen. Raises LinkDecided when it is another one by now.
    """
    after = STATE_AFTER[verb]
    if state == after:
        return after
    if (expected is not None and state != expected) or (verb != "reset" and state != "suggested"):
        raise LinkDecided(state)
    return after
