"""Routing's tables and queries, one module a subject. Never commits."""

from services.routing.store import case, incident, learning, queue, staff, supervision, work
from services.routing.store.base import Base, metadata, tables
from services.routing.store.case import (
    ComplaintCase,
    EarlyEscalation,
    Row,
    cases,
    early_escalations,
    insert,
    overtaken,
    page,
    table,
)

__all__ = [
    "Base",
    "ComplaintCase",
    "EarlyEscalation",
    "Row",
    "case",
    "cases",
    "early_escalations",
    "incident",
    "insert",
    "learning",
    "metadata",
    "overtaken",
    "page",
    "queue",
    "staff",
    "supervision",
    "table",
    "tables",
    "work",
]
