"""Reporting's tables and how they are written. Never commits."""

from services.reporting.store import publications
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
    terms,
)
from services.reporting.store.recording import count_terms, hold, meet_customers, move, neighbours, save, slots
from services.reporting.store.swapping import SLOTTED, drop_some, lacking, stale, start_building, stop_building, swap

__all__ = [
    "BIGINT",
    "SLOTTED",
    "Base",
    "count_terms",
    "counters",
    "customers",
    "deadlines",
    "drop_some",
    "facts",
    "hold",
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
    "swap",
    "tables",
    "terms",
]
