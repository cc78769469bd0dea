"""Reporting's background process."""

from services.reporting import consumers
from services.reporting.reports import making
from services.reporting.settings import ReportingSettings
from services.reporting.usecases import goals, watching
from shared.bus import Bus
from shared.clock import Clock, utcnow
from shared.db import Database
from shared.worker import Consumes, Timer, Worker

REPORTS = 2.0  # seconds
WATCH = 600.0
HOURLY = 3600.0


def create_worker(settings: ReportingSettings, db: Database, bus: Bus, *, clock: Clock = utcnow) -> Worker:
    """Hears intake, routing and sla, and counts; watches for surges; says when goals are missed; makes reports."""
    return Worker(
        db,
        bus,
        clock,
        consumes=Consumes(consumers.SOURCES, consumers.HANDLED, consumers.handler(settings.zone)),
        timers=(
            Timer("watch", WATCH, lambda: watching.watch(db, clock, settings.zone)),
            Timer("goals", HOURLY, lambda: goals.settle(db, clock, settings.zone)),
            Timer("reports due", WATCH, lambda: making.order_due(db, clock, settings)),
            Timer("reports", REPORTS, lambda: making.make_next(db, clock, settings)),
        ),
        retention_days=settings.retention_days,
        max_parked=settings.max_parked,
    )
