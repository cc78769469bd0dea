"""How much a stranger may send to the forms of surveys. Counted in this process alone, over a moving window."""

from fastapi import Request
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from shared.errors import TooManyRequests

ANSWERS = "300/minute"
"""From one address to one survey: colleagues in one office, and all customers behind one proxy, share an address."""


class Strangers:
    """Addresses are personal data: they stay in memory. `limit` as the library writes it."""

    def __init__(self, limit: str = ANSWERS) -> None:
        self._item = parse(limit)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def spend(self, address: str, token: str) -> None:
        """Count one answer. Raises TooManyRequests."""
        if not self._limiter.hit(self._item, address, token):
            seconds = self._item.get_expiry()
            most = f"More than {self._item.amount} answers in {seconds} seconds from one address; wait a little."
            error = TooManyRequests(most)
            error.retry_after = seconds
            raise error


def spend(request: Request, token: str) -> None:
    """Count an answer of whoever sends `request`, by what `app.state.survey_strangers` says where it is set. Raises
    TooManyRequests."""
    state = request.app.state
    found: Strangers | None = getattr(state, "survey_strangers", None)
    if found is None:
        found = state.survey_strangers = Strangers()
    found.spend(state.addresses.of(request), token)
