"""Routing's background process."""

from services.routing import classifier, consumers
from services.routing.settings import RoutingSettings
from services.routing.usecases import deadlines, opening
from services.routing.usecases.models import FOLLOWED_EVERY, Follower
from shared.bus import Bus
from shared.clock import Clock, utcnow
from shared.db import Database
from shared.worker import Consumes, Timer, Worker


def create_worker(settings: RoutingSettings, db: Database, bus: Bus, *, clock: Clock = utcnow) -> Worker:
    """Opens a case for each complaint; relays routing's events. Raises BadRegister."""
    current = classifier.Current(settings.routing_registers, classifier.shipped())
    follower = Follower(db, current, classifier.shipped())
    handle = consumers.handler(current, clock, settings.letter_desk)

    async def catch_up() -> None:
        async with db.transaction() as tx:
            await opening.catch_up(tx, now=clock())
            await deadlines.catch_up(tx, now=clock())

    return Worker(
        db,
        bus,
        clock,
        consumes=Consumes(("intake", "sla", "reporting"), consumers.HANDLED, handle),
        timers=[Timer("heard-early", 60, catch_up), Timer("model", FOLLOWED_EVERY, follower.look)],
        retention_days=settings.retention_days,
        max_parked=settings.max_parked,
    )
