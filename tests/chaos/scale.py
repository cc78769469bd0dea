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
    """`cases`: how many of the complaints officers see through to the end. `outage` in seconds."""

    complaints: int
    cases: int
    kills: int
    outage: float


SCALE = Scale(5_000, 250, 24, 60) if LONG else Scale(400, 20, 8, 12)
