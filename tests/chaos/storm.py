"""Processes killed at random moments while complaints pour in."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.chaos.load import Channels, Complaint, portions
from tests.chaos.sites import Site
from tests.chaos.waiting import until


@dataclass(slots=True)
class Storm:
    """What was done: kills by process, and how long it took. `fell` are processes that ended without being killed."""

    kills: Counter[str] = field(default_factory=Counter)
    fell: list[str] = field(default_factory=list)
    seconds: float = 0.0


def plan(rng: random.Random, kills: int, *, always: Sequence[str], victims: Sequence[str]) -> list[str]:
    """Whom to kill, in order: each of `always` once in every ten kills, the rest at random."""
    rounds = max(1, kills // 10)
    chosen = [*always] * rounds
    chosen += rng.choices(victims, k=kills - len(chosen))
    rng.shuffle(chosen)
    return chosen


async def rage(
    site: Site, channels: Channels, batch: Sequence[Complaint], victims: Sequence[str], rng: random.Random
) -> Storm:
    """Post `batch` and kill `victims` one after the other, each while its portion of `batch` is under way.

    A victim stays dead for up to a second and a half, while the load goes on; the next may follow before it is back at
    work. Returns when everything was taken and everything runs again.
    """
    storm, began = Storm(), time.monotonic()
    first, *others = portions(batch, len(victims) + 1)
    channels.post(first)
    for victim, portion in zip(victims, others, strict=True):
        goal = channels.told.taken + round(rng.uniform(0.05, 0.7) * len(portion))
        channels.post(portion)
        await until(
            lambda goal=goal: channels.told.taken >= goal or channels.told.wrong,  # type: ignore[misc]
            within=120,
            what=f"the load before {victim} is killed",
            every=0.002,
        )
        storm.fell += [name for name in site.dead() if name not in storm.fell]
        await asyncio.to_thread(site.kill, victim)
        storm.kills[victim] += 1
        await asyncio.sleep(rng.uniform(0, 1.5))
        await asyncio.to_thread(site.start, victim)
    await channels.finished()
    storm.fell += [name for name in site.dead() if name not in storm.fell]
    storm.seconds = time.monotonic() - began
    return storm
