"""Reporting's tables and how they are written. Never commits."""

from services.reporting.store import goals, surveys
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
from services.reporting.store.facts import count_terms, hold, meet_customers, move, neighbours, save, slots

__all__ = [
    "BIGINT",
    "Base",
    "count_terms",
    "counters",
    "customers",
    "deadlines",
    "facts",
    "goals",
    "hold",
    "meet_customers",
    "metadata",
    "move",
    "neighbours",
    "read_model",
    "save",
    "slots",
    "surveys",
    "tables",
    "terms",
]
