"""Reporting's tables and how they are written. Never commits."""

from services.reporting.store import goals, publications, surveys
from services.reporting.store import reports as _reports  # noqa: F401
from services.reporting.store import surges as _surges  # noqa: F401
from services.reporting.store.base import (
    BIGINT,
    Base,
    counters,
    customers,
    deadlines,
    facts,
    metadata,
    read_model,
    tables,
    texts,
)
from services.reporting.store.recording import (
    customers_of,
    forget_customers,
    hold,
    meet_customers,
    move,
    neighbours,
    save,
    slots,
)
from services.reporting.store.swapping import (
    SLOTTED,
    Build,
    drop_some,
    lacking,
    of_build,
    stale,
    start_building,
    stop_building,
    swap,
)
from services.reporting.store.wording import forget_texts, keep_texts

__all__ = [
    "BIGINT",
    "SLOTTED",
    "Base",
    "Build",
    "counters",
    "customers",
    "customers_of",
    "deadlines",
    "drop_some",
    "facts",
    "forget_customers",
    "forget_texts",
    "goals",
    "hold",
    "keep_texts",
    "lacking",
    "meet_customers",
    "metadata",
    "move",
    "neighbours",
    "of_build",
    "publications",
    "read_model",
    "save",
    "slots",
    "stale",
    "start_building",
    "stop_building",
    "surveys",
    "swap",
    "tables",
    "texts",
]
