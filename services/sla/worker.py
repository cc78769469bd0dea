"""SLA's background process: hears intake and routing, and does what falls due."""

import time
from collections.abc import Callable
from datetime import timedelta

import structlog

from services.sla import consumers
from services.sla.settings import SlaSettings, sender
from services.sla.usecases import engine, notices
from services.sla.usecases.current import FRESH, Current
from services.sla.usecases.current import recalculate as recalculation
from shared.bus import Bus
from shared.clock import Clock, utcnow
from shared.db import Database
from shared.worker import Consumes, Timer, Worker

POLL = 1.0  # seconds
CATCH_UP = 120.0  # seconds
HOURLY = 3600.0  # seconds
log = structlog.get_logger()


class CatchUp:
    """Whether this worker has heard, since it started, what was published while it was away.

    Until then nothing is fired: a miss would be recorded of many a step whose acknowledgement is still on its way
    through Kafka. It ends when the bus says that nothing is left to hear, or after `at_most` seconds, because a
    deadline must not depend on a bus that is down. The in-process bus keeps nothing back, so there is nothing to wait
    for.
    """

    def __init__(self, bus: Bus, *, at_most: float = CATCH_UP, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._bus = bus
        self._monotonic = monotonic
        self._until = monotonic() + at_most
        self._done = False

    def done(self) -> bool:
        if not self._done:
            state = self._bus.status()
            lag = state.get("lag", {}).get("sla")
            heard = state["kind"] == "in-process" or (bool(lag) and not any(lag.values()))
            self._done = heard or self._monotonic() >= self._until
        return self._done


def create_worker(settings: SlaSettings, db: Database, bus: Bus, *, clock: Clock = utcnow) -> Worker:
    """Consumes, relays, fires deadlines every second and tells of them. Raises PackError or CalendarError when a file
    of packs or calendars cannot be used."""
    current = Current(settings.policies())
    setup = settings.notice_setup()
    telling = sender(db, settings, clock)
    catch_up = CatchUp(bus)

    async def fire() -> None:
        if catch_up.done():
            await engine.fire_due(db, clock, setup)

    async def refresh() -> None:
        await current.refresh(db, clock())

    async def recalculate() -> None:
        await current.refresh(db, clock())
        if moved := await recalculation(db, current, setup, clock()):
            log.info("clocks.recalculated", complaints=moved)

    async def prune() -> None:
        await notices.prune(db, clock() - timedelta(days=settings.notice_retention_days))

    handle = consumers.handler(current, clock, grace=settings.grace)
    return Worker(
        db,
        bus,
        clock,
        consumes=Consumes(("intake", "routing"), consumers.HANDLED, handle),
        timers=[
            Timer("deadlines", POLL, fire),
            Timer("notices", POLL, telling.run_once),
            Timer("estimates", FRESH.total_seconds(), refresh),
            Timer("calendars", HOURLY, recalculate),
            Timer("old-notices", HOURLY, prune),
        ],
        retention_days=settings.retention_days,
        max_parked=settings.max_parked,
    )
