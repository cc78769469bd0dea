"""Intake's tables and queries. Never commits."""

from services.intake.store import attachment, caller, complaint, correspondence, link, person, privacy, voice
from services.intake.store.base import Base, metadata, tables

__all__ = [
    "Base",
    "attachment",
    "caller",
    "complaint",
    "correspondence",
    "link",
    "metadata",
    "person",
    "privacy",
    "tables",
    "voice",
]
