"""Which decisions need a second person, and whose word suffices. The bank's own rules, as data."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from services.routing.domain.case import Actor, Case, ConflictOfInterest, Decision, NotEntitled, SamePerson
from shared.events import Outcome, Severity


@dataclass(frozen=True, slots=True)
class Powers:
    """`outcomes` and `severities` always need a second person; so does redress above `alone` of its currency (of one
    that is not there: any amount). Above `supervisor` of its currency the second person is a manager."""

    outcomes: frozenset[Outcome]
    severities: frozenset[Severity]
    alone: Mapping[str, Decimal]
    supervisor: Mapping[str, Decimal]

    def reasons(self, case: Case, decision: Decision) -> tuple[str, ...]:
        """Why this decision needs a second person: `outcome`, `severity`, `amount`; empty where it needs none."""
        found = {
            "outcome": decision.outcome in self.outcomes,
            "severity": case.severity in self.severities,
            "amount": _above(self.alone, decision),
        }
        return tuple(name for name, holds in found.items() if holds)

    def check_approver(self, case: Case, decision: Decision, actor: Actor) -> None:
        """Raises SamePerson, ConflictOfInterest or NotEntitled where `actor` may not approve `decision`."""
        if actor.id in (case.proposed_by, case.assignee):
            raise SamePerson
        if not (actor.manager or (actor.supervisor and not _above(self.supervisor, decision))):
            raise NotEntitled("Redress of this amount needs a manager." if actor.supervisor else "")
        if decision.outcome == "rejected" and actor.branch is not None and actor.branch == case.branch:
            raise ConflictOfInterest


def _above(limits: Mapping[str, Decimal], decision: Decision) -> bool:
    redress = decision.redress
    return redress is not None and redress.value > limits.get(redress.currency, Decimal(0))
