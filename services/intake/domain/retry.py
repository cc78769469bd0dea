"""When something that could not be sent is tried again. Pure; one schedule for whatever leaves intake."""

from datetime import timedelta

from shared.retry import Schedule

FIRST = timedelta(seconds=5)
LONGEST = timedelta(hours=2)
GIVE_UP_AFTER = timedelta(hours=24)
next_attempt = Schedule(FIRST, LONGEST, GIVE_UP_AFTER).next_attempt
