"""Compliance checks of closed cases (`domain.compliance`)."""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.routing.classifier import Current
from services.routing.domain import compliance as rules
from services.routing.domain.compliance import Closed
from services.routing.store import ComplaintCase
from services.routing.store import compliance as store
from services.routing.usecases.steps import domain
from shared.compliance import Check, Fact, Find, Finding, Period, Place, sift
from shared.i18n import mark

Judge = Callable[[Closed], dict[str, Fact] | None]
"""What shows that a case broke the rule; None where it did not."""


def checks(current: Current) -> list[Check]:
    """Those of the service; `current` has the powers in force."""
    return [
        Check(
            "unanswered",
            mark("Closed without a final response"),
            mark("Before it is closed, a complaint has its final response, delivered, naming the right to go further."),
            _amiss(_unanswered),
        ),
        Check(
            "undecided",
            mark("Closed without outcome or root cause"),
            mark("A closed complaint has an outcome, a root cause, and what is paid or why nothing is."),
            _amiss(_undecided),
        ),
        Check(
            "self_approved",
            mark("Approved by who proposed it"),
            mark("A decision that needs a second person is approved by somebody else than who proposed it."),
            _amiss(_self_approved),
        ),
        Check(
            "beyond_powers",
            mark("Decided beyond one's powers"),
            mark("Outcomes, severities and amounts that the bank's powers name are decided by two."),
            _alone(current),
        ),
        Check(
            "own_interest",
            mark("Handled by whom it is about"),
            mark("Nobody handles, proposes or approves a complaint about themselves."),
            _amiss(_involved),
        ),
    ]


def _amiss(judge: Judge) -> Find:
    async def find(session: AsyncSession, period: Period, after: Place | None, limit: int) -> list[Finding]:
        async def fetch(behind: Place | None, most: int) -> Sequence[ComplaintCase]:
            return await store.amiss(session, period.start, period.end, _key(behind), most)

        return await sift(fetch, lambda row: _finding(row, judge), _place, after, limit)

    return find


def _alone(current: Current) -> Find:
    async def find(session: AsyncSession, period: Period, after: Place | None, limit: int) -> list[Finding]:
        powers = current.book.powers

        async def fetch(behind: Place | None, most: int) -> Sequence[ComplaintCase]:
            return await store.alone(session, powers, period.start, period.end, _key(behind), most)

        def judge(closed: Closed) -> dict[str, Fact] | None:
            decision = closed.case.decision
            if decision is None or not (needs := rules.beyond_powers(closed, powers)):
                return None
            paid = f"{decision.redress.currency} {decision.redress.value:,.2f}" if decision.redress else "–"
            return {
                "needs": " ".join(needs),
                "outcome": decision.outcome,
                "redress": paid,
                "proposed_by": closed.case.proposed_by or "–",
                "assignee": closed.case.assignee or "–",
            }

        return await sift(fetch, lambda row: _finding(row, judge), _place, after, limit)

    return find


def _key(place: Place | None) -> tuple[datetime, str] | None:
    return None if place is None else (place.at, place.key)


def _place(row: ComplaintCase) -> Place:
    assert row.closed_at is not None
    return Place(row.closed_at, row.complaint_id)


def _finding(row: ComplaintCase, judge: Judge) -> Finding | None:
    assert row.closed_at is not None
    facts = judge(Closed(domain(row), row.closed_at))
    if facts is None:
        return None
    return Finding(row.closed_at, row.complaint_id, row.complaint_id, {"reference": row.reference, **facts})


def _unanswered(closed: Closed) -> dict[str, Fact] | None:
    return _missing(closed, rules.unanswered(closed))


def _undecided(closed: Closed) -> dict[str, Fact] | None:
    return _missing(closed, rules.undecided(closed))


def _missing(closed: Closed, names: tuple[str, ...]) -> dict[str, Fact] | None:
    return {"missing": " ".join(names), "assignee": closed.case.assignee or "–"} if names else None


def _self_approved(closed: Closed) -> dict[str, Fact] | None:
    return {"proposed_by": closed.case.proposed_by or "–"} if rules.approved_oneself(closed) else None


def _involved(closed: Closed) -> dict[str, Fact] | None:
    people = rules.involved(closed)
    return {"people": ", ".join(people)} if people else None
