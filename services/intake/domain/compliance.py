"""How much looking at personal data is usual, and when what waits has waited too long."""

from datetime import time, timedelta

MANY_READS = 100
"""So many complaints nobody handles in a day."""
NIGHT = (time(22), time(6))
"""Of the bank's time zone."""
UNHEARD = timedelta(hours=1)
"""After which a complaint should long be with its department."""
LONGEST_HOLD = timedelta(days=365)
"""After which somebody should ask anew whether a complaint must still be kept."""
