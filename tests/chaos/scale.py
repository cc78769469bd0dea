"""How much the fault tests do, and with which dice: the short form, or the long one with `REDRESS_CHAOS=long`.

`REDRESS_SEED=7` throws the dice as an earlier run did, whose test bore that number in its name; `REDRESS_SEEDS=20` runs
each fault with twenty. `REDRESS_PATIENCE=10` waits ten times as long for everything, on a machine that has much else to
do.
"""

import os
import random
import secrets
from dataclasses import dataclass

LONG = os.environ.get("REDRESS_CHAOS", "") == "long"
PATIENCE = float(os.environ.get("REDRESS_PATIENCE") or 1)


def _seeds() -> tuple[int, ...]:
    if chosen := os.environ.get("REDRESS_SEED"):
        return (int(chosen),)
    # Workers side by side must name their tests alike: what they have in common is the number of their run.
    dice = random.Random(os.environ.get("PYTEST_XDIST_TESTRUNUID") or secrets.token_hex())
    return tuple(dice.sample(range(1_000_000), int(os.environ.get("REDRESS_SEEDS") or 1)))


SEEDS = _seeds()


@dataclass(frozen=True, slots=True)
class Scale:
    """`cases`: how many of the complaints officers see through to the end. `outage` in seconds."""

    complaints: int
    cases: int
    kills: int
    outage: float


SHORT_SCALE = Scale(400, 20, 8, 12)
LONG_SCALE = Scale(5_000, 250, 24, 60)
