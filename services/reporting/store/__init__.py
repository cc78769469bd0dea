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
from services.reporting.store.recording import hold, meet_customers, move, neighbours, save, slots
from services.reporting.store.swapping import SLOTTED, drop_some, lacking, stale, start_building, stop_building, swap
from services.reporting.store.wording import forget_texts, keep_texts

__all__ = [
    "BIGINT",
    "SLOTTED",
    "Base",
    "counters",
    "customers",
    "deadlines",
    "drop_some",
    "facts",
    "forget_texts",
    "goals",
    "hold",
    "keep_texts",
    "lacking",
    "meet_customers",
    "metadata",
    "move",
    "neighbours",
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
