"""Intake's background process."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from services.intake import consumers
from services.intake.settings import IntakeSettings
from services.intake.usecases.complaint import Desk
from services.intake.usecases.privacy import erase_what_is_out_of_retention
from shared.bus import Bus
from shared.clock import Clock, utcnow
from shared.db import Database
from shared.security.crypto import MasterKeys
from shared.worker import Consumes, Timer, Worker


def create_worker(
    settings: IntakeSettings, db: Database, bus: Bus, *, keys: MasterKeys | None = None, clock: Clock = utcnow
) -> Worker:
    """Relays intake's events; hears routing, sla and itself. `keys` default to those of the settings."""
    desk = Desk(keys or settings.master_keys(), settings.zone)
    context = consumers.Context(
        desk,
        clock,
        settings.zone,
        settings.public_url.rstrip("/"),
        settings.languages,
        timedelta(days=settings.link_window_days),
    )
    timers = []
    if settings.complaint_retention_days is not None:
        keep = timedelta(days=settings.complaint_retention_days)
        timers.append(Timer("retention", 3600, _retention(db, clock, keep)))
    return Worker(
        db,
        bus,
        clock,
        consumes=Consumes(("intake", "routing", "sla"), consumers.HANDLED, consumers.handler(context)),
        timers=timers,
        retention_days=settings.retention_days,
        max_parked=settings.max_parked,
    )


def _retention(db: Database, clock: Clock, keep: timedelta) -> Callable[[], Awaitable[None]]:
    async def erase() -> None:
        while True:
            async with db.transaction() as tx:
                if not await erase_what_is_out_of_retention(tx, clock() - keep, 100, now=clock()):
                    return

    return erase
