"""When something that could not be sent is tried again. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Schedule:
    """Pauses that grow fourfold from `first` to `longest`, until `give_up_after` has passed."""

    first: timedelta
    longest: timedelta
    give_up_after: timedelta

    def next_attempt(self, attempts: int, *, since: datetime, now: datetime, chance: float) -> datetime | None:
        """When to try again after `attempts` that failed; None once it has been tried for long enough since `since`.

        `chance` in [0, 1) spreads each pause over 75 to 125 %, so that many that failed together do not come back
        together.
        """
        if now - since >= self.give_up_after:
            return None
        grown: int = 4 ** min(attempts - 1, 10)
        pause = min(self.first * grown, self.longest)
        # the last attempt is made when the time is over, not given up early because the next pause would end after it
        return min(now + pause * (0.75 + chance / 2), max(since + self.give_up_after, now + self.first))
