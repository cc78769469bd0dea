"""Intake's background process."""

from services.intake import consumers
from services.intake.settings import IntakeSettings
from shared.bus import Bus
from shared.clock import Clock, utcnow
from shared.db import Database
from shared.worker import Consumes, Worker


def create_worker(settings: IntakeSettings, db: Database, bus: Bus, *, clock: Clock = utcnow) -> Worker:
    """Relays intake's events; hears routing and sla."""
    return Worker(
        db,
        bus,
        clock,
        consumes=Consumes(("routing", "sla"), consumers.HANDLED, consumers.handle),
        retention_days=settings.retention_days,
        max_parked=settings.max_parked,
    )
