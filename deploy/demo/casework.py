"""What becomes of a demonstration complaint: who claims it when, when it is answered, and what came out of it.

Pure and drawn from the complaint alone, so that the same complaints always have the same life.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any

from deploy.demo.complaints import DemoComplaint
from deploy.demo.timing import BANK_ZONE
from deploy.demo.wording import load

_FAULTLESS = frozenset({"rejected", "withdrawn"})
_NO_FAULT = "none_found"
_HOLDING = timedelta(days=27)
"""When those who will wait longer than a month hear why; the Hong Kong pack wants a reply by day 30."""

_STUCK = 0.05
"""The share of cases that lie about, whatever their age: no desk is without them."""

_TOLD_BY = {
    "claim": "assigned_at",
    "acknowledge": "acknowledged_at",
    "respond": "final_response_at",
    "resolve": "resolved_at",
    "close": "closed_at",
}
"""The field of a case that tells that a verb was done."""


@dataclass(frozen=True, slots=True)
class Move:
    """One step of casework: the verb of `POST /v1/cases/{id}/{verb}`, and when it really happened (aware)."""

    verb: str
    at: datetime
    facts: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def body(self) -> dict[str, Any]:
        return {"at": self.at.isoformat(), **self.facts}

    def done(self, case: Mapping[str, Any]) -> bool:
        """Whether `case`, as `GET /v1/cases/{id}` shows it, has this step behind it, whoever took it."""
        if self.verb == "respond" and not self.facts["final"]:
            # Nobody sends a holding response after the final one.
            return bool(case.get("holding_response_at") or case.get("final_response_at"))
        return bool(case.get(_TOLD_BY[self.verb]))


def plan(complaint: DemoComplaint, *, until: datetime) -> tuple[Move, ...]:
    """What had been done about `complaint` by `until` (aware), in order; none where nobody has looked at it yet.

    Each move lies after the one before, the first after the receipt, all before `until` and in office hours.
    Acknowledged within a week; answered after five days to two months, most within one.
    """
    rng = Random(f"casework|{complaint.key}")  # noqa: S311 - made-up lives, no secret is drawn from it
    moves = _life(rng, complaint)
    if rng.random() < _STUCK:
        moves = moves[: rng.randrange(1, 3)]
    return tuple(move for move in moves if move.at < until)


def _life(rng: Random, complaint: DemoComplaint) -> Sequence[Move]:
    received = complaint.received_at
    claimed = _in_office(rng, received + timedelta(hours=rng.uniform(0.2, 36)))
    # Four days at most here: office hours may put off an acknowledgement over a week-end, and a week is the limit.
    acknowledged = _in_office(rng, received + timedelta(days=1 + 3.5 * rng.betavariate(1.2, 3)), after=claimed)
    days = min(max(rng.lognormvariate(2.75, 0.55) * _shares()["pace"][_kind(complaint)], 5), 53)
    answered = _in_office(rng, received + timedelta(days=days), after=acknowledged)
    resolved = _in_office(rng, answered + timedelta(hours=rng.uniform(0, 20)), after=answered)
    closed = _in_office(rng, resolved + timedelta(days=rng.uniform(1, 8)), after=resolved)
    moves = [Move("claim", claimed), Move("acknowledge", acknowledged)]
    holding = _in_office(rng, received + _HOLDING, after=acknowledged)
    if answered > holding + timedelta(days=1) and rng.random() < 0.7:
        moves.append(Move("respond", holding, {"final": False}))
    return [
        *moves,
        Move("respond", answered, {"final": True, "via": "email", "rights_told": True}),
        Move("resolve", resolved, _decision(rng, complaint)),
        Move("close", closed),
    ]


def _decision(rng: Random, complaint: DemoComplaint) -> dict[str, Any]:
    shares, kind = _shares(), _kind(complaint)
    outcome = _weighted(rng, shares["outcomes"][kind])
    if outcome in _FAULTLESS:
        cause, redress = _NO_FAULT, None
    else:
        cause, redress = _weighted(rng, shares["root_causes"][kind]), _redress(rng, complaint, outcome)
    decision: dict[str, Any] = {"outcome": outcome, "root_cause": cause}
    if redress is None:
        return decision | {"no_redress_reason": _weighted(rng, shares["unpaid"][outcome])}
    return decision | {"redress": {"value": str(redress[0]), "currency": redress[1]}}


def _kind(complaint: DemoComplaint) -> str:
    return "surge" if complaint.in_surge else complaint.kind


@cache
def _shares() -> Mapping[str, Any]:
    return load("casework")


def _redress(rng: Random, complaint: DemoComplaint, outcome: str) -> tuple[Decimal, str] | None:
    """What the bank pays: what was at stake or a part of it, or a round sum for the trouble; mostly nothing."""
    at_stake = complaint.amount
    if outcome != "goodwill" and at_stake and complaint.kind in ("fees", "information_security", "product", "channel"):
        value, currency = at_stake
        share = 1.0 if outcome == "upheld" and rng.random() < 0.7 else rng.choice((0.25, 0.5, 0.5, 0.75))
        return max(Decimal(1), value * Decimal(str(share))).quantize(Decimal("0.01")), currency
    if rng.random() < (0.8 if outcome == "goodwill" else 0.2):
        return Decimal(rng.choice((50, 100, 100, 150, 200, 200, 300, 500, 800))).quantize(Decimal("0.01")), "HKD"
    return None


def _in_office(rng: Random, at: datetime, *, after: datetime | None = None) -> datetime:
    """`at`, or the next moment at which an office is open; later than `after`, to the second."""
    if after is not None and at <= after:
        at = after + timedelta(minutes=rng.uniform(5, 90))
    local = at.astimezone(BANK_ZONE).replace(microsecond=0)
    if local.hour >= 18:
        local = (local + timedelta(days=1)).replace(hour=9, minute=rng.randrange(60))
    elif local.hour < 9:
        local = local.replace(hour=9, minute=rng.randrange(60))
    if local.weekday() > 4:
        local = (local + timedelta(days=7 - local.weekday())).replace(hour=9, minute=rng.randrange(60))
    if after is not None and local <= after:
        # Two moves fell into the same first hour of a day.
        local = after.astimezone(BANK_ZONE) + timedelta(minutes=rng.randrange(2, 20))
    return local


def _weighted(rng: Random, shares: Mapping[str, float]) -> str:
    return rng.choices(list(shares), list(shares.values()))[0]
