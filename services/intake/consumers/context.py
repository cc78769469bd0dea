"""What the parts of intake's consumer have at hand."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from services.intake.domain.linking import WINDOW_DAYS
from services.intake.usecases.complaint import Desk
from shared.clock import Clock
from shared.cloudevents import Envelope

Handle = Callable[[AsyncSession, Sequence[Envelope]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Context:
    """Given to each part when the worker is made."""

    desk: Desk
    clock: Clock
    zone: ZoneInfo
    public_url: str
    languages: tuple[str, ...]
    link_window: timedelta = timedelta(days=WINDOW_DAYS)


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that intake does with what it hears. `make` gives the handler of `types`."""

    types: frozenset[str]
    make: Callable[[Context], Handle]
