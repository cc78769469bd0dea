"""Reporting's background process."""

from services.reporting import consumers
from services.reporting.settings import ReportingSettings
from shared.bus import Bus
from shared.clock import Clock, utcnow
from shared.db import Database
from shared.worker import Consumes, Worker


def create_worker(settings: ReportingSettings, db: Database, bus: Bus, *, clock: Clock = utcnow) -> Worker:
    """Hears intake, routing and sla, and counts."""
    return Worker(
        db,
        bus,
        clock,
        consumes=Consumes(consumers.SOURCES, consumers.HANDLED, consumers.handler(settings.zone)),
        retention_days=settings.retention_days,
        max_parked=settings.max_parked,
    )
