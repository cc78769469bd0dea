"""When something that could not be sent is tried again. Pure; one schedule for whatever leaves the house."""

from datetime import datetime, timedelta

FIRST = timedelta(seconds=5)
LONGEST = timedelta(hours=2)
GIVE_UP_AFTER = timedelta(hours=24)


def next_attempt(attempts: int, *, since: datetime, now: datetime, chance: float) -> datetime | None:
    """When to try again after `attempts` that failed; None once it has been tried for 24 hours since `since`.

    Waits grow fourfold from 5 s to 2 h. `chance` in [0, 1) spreads each over 75 to 125 %, so that many that failed
    together do not come back together.
    """
    if now - since >= GIVE_UP_AFTER:
        return None
    grown: int = 4 ** min(attempts - 1, 10)
    pause = min(FIRST * grown, LONGEST)
    # the last attempt is made when the day is over, not given up early because the next pause would end after it
    return min(now + pause * (0.75 + chance / 2), max(since + GIVE_UP_AFTER, now + FIRST))
