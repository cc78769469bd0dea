"""Waiting for a condition instead of for a time."""

import asyncio
from collections.abc import Callable
from typing import Any

from tests.chaos.scale import PATIENCE


async def until(check: Callable[[], Any], *, within: float, what: str = "", every: float = 0.05) -> Any:
    """The first true answer of `check` (which may be a coroutine function). Fails the test after `within` seconds."""
    loop = asyncio.get_running_loop()
    end = loop.time() + within * PATIENCE
    while True:
        found = check()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        assert loop.time() < end, f"{what or 'it'} did not come about within {within:g} s"
        await asyncio.sleep(every)
