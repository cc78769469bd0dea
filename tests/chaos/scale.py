"""How much the crash and outage tests do: the short form, or the long one with `REDRESS_CHAOS=long`.

`REDRESS_CHAOS_SEED=7` throws the dice as an earlier run did, which printed that seed.
"""

import os
import secrets
from dataclasses import dataclass

# Read when this module is imported: the environment of a run is cleared of REDRESS_* before the first test.
LONG = os.environ.get("REDRESS_CHAOS", "") == "long"
SEED = int(os.environ.get("REDRESS_CHAOS_SEED") or secrets.randbelow(1_000_000))


@dataclass(frozen=True, slots=True)
class Scale:
    """`outage` in seconds."""

    complaints: int
    kills: int
    outage: float


SCALE = Scale(5_000, 24, 60) if LONG else Scale(400, 8, 12)
