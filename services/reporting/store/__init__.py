"""Reporting's tables and how they are written. Never commits."""

from services.reporting.store.base import (
    COUNTERS,
    Base,
    deadlines,
    facts,
    hold,
    margins,
    metadata,
    move,
    save,
    tables,
    volume,
)

__all__ = [
    "COUNTERS",
    "Base",
    "deadlines",
    "facts",
    "hold",
    "margins",
    "metadata",
    "move",
    "save",
    "tables",
    "volume",
]
