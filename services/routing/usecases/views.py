"""What people see of a case."""

from decimal import Decimal
from typing import Any

import orjson

from services.routing.domain import machine
from services.routing.domain.case import missing
from services.routing.store import ComplaintCase
from services.routing.usecases.steps import SAME, decision_view, domain
from shared.clock import rfc3339

_TIMES = (
    "received_at",
    *(name for name in SAME if name.endswith("_at")),
    "waiting_since",
    "withdrawn_at",
    "disputed_at",
)
_PLAIN = (
    *("complaint_id", "reference", "channel", "state", "department", "routing_reason", "category", "severity"),
    *("confidence", "decided_by", "model", "product", "branch", "language", "currency", "assignee", "outcome"),
    *("root_cause", "no_redress_reason", "escalation_level", "escalation_role", "imported", "version"),
    *("proposed_by", "approved_by", "delivered_via", "rights_told", "reopened", "vulnerable", "incident_id"),
)


def view(row: ComplaintCase) -> dict[str, Any]:
    """A case for people who work with it."""
    case = domain(row)
    redress = case.decision.redress if case.decision else None
    return {
        **{name: getattr(row, name) for name in _PLAIN},
        **{name: rfc3339(at) if (at := getattr(row, name)) else None for name in _TIMES},
        "amount": _money(row.amount),
        "rules": orjson.loads(row.rules),
        "about": list(case.about),
        "redress": {"value": _money(redress.value), "currency": redress.currency} if redress else None,
        "proposed": decision_view(case.proposed) if case.proposed else None,
        "next_steps": [str(v) for v in machine.permitted(case)],
        "missing": list(missing(case)),
    }


def _money(value: Decimal | None) -> str | None:
    return None if value is None else f"{value.normalize():f}"
