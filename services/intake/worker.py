"""Intake's background process."""

from services.intake import consumers
from services.intake.settings import IntakeSettings
from services.intake.usecases.complaint import Desk
from shared.bus import Bus
from shared.clock import Clock, utcnow
from shared.db import Database
from shared.security.crypto import MasterKeys
from shared.worker import Consumes, Worker


def create_worker(
    settings: IntakeSettings, db: Database, bus: Bus, *, keys: MasterKeys | None = None, clock: Clock = utcnow
) -> Worker:
    """Relays intake's events; hears routing, sla and itself. `keys` default to those of the settings."""
    desk = Desk(keys or settings.master_keys(), settings.zone)
    context = consumers.Context(desk, clock, settings.zone, settings.public_url.rstrip("/"), settings.languages)
    return Worker(
        db,
        bus,
        clock,
        consumes=Consumes(("intake", "routing", "sla"), consumers.HANDLED, consumers.handler(context)),
        retention_days=settings.retention_days,
        max_parked=settings.max_parked,
    )
