"""Intake's tables and queries. Never commits."""

from services.intake.store import complaint
from services.intake.store.base import Base, metadata, tables

__all__ = ["Base", "complaint", "metadata", "tables"]
