"""SLA's tables and queries. Never commits."""

from services.sla.store import notices as _notices  # noqa: F401  # its tables
from services.sla.store import posts as _posts  # noqa: F401
from services.sla.store import subscriptions as _subscriptions  # noqa: F401
from services.sla.store.base import CLOCK, COMPLAINT, EDITION, ENTRY, HANDLING, STEP, Base, metadata, tables
from services.sla.store.complaint import ledger, locked, save, save_fired, take
from services.sla.store.due import StepKey, claim_due, due_steps, next_due, set_aside
from services.sla.store.reading import (
    OpenStep,
    Window,
    at_risk,
    by_due,
    clock_ids,
    count_due,
    escalations,
    of_department,
    page,
    provisional,
    watch,
)

__all__ = [
    "CLOCK",
    "COMPLAINT",
    "EDITION",
    "ENTRY",
    "HANDLING",
    "STEP",
    "Base",
    "OpenStep",
    "StepKey",
    "Window",
    "at_risk",
    "by_due",
    "claim_due",
    "clock_ids",
    "count_due",
    "due_steps",
    "escalations",
    "ledger",
    "locked",
    "metadata",
    "next_due",
    "of_department",
    "page",
    "provisional",
    "save",
    "save_fired",
    "set_aside",
    "tables",
    "take",
    "watch",
]
