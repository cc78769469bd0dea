"""After a start nothing is fired before the worker has heard what happened meanwhile, but not for ever."""

from collections.abc import Sequence
from typing import Any

import pytest

from services.sla.worker import CatchUp
from shared.bus import Handler, Message
from shared.bus.local import LocalBus


class Lagging:
    """A bus that says how far behind it is."""

    def __init__(self) -> None:
        self.lag: dict[str, dict[str, int]] = {}

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def publish(self, messages: Sequence[Message]) -> list[bool]:
        return [True] * len(messages)

    def subscribe(self, group: str, topics: Sequence[str], handler: Handler) -> None: ...

    def status(self) -> dict[str, Any]:
        return {"ok": True, "kind": "kafka", "lag": self.lag}


@pytest.fixture
def seconds() -> list[float]:
    return [1000.0]


def test_it_waits_until_nothing_is_left_to_hear_and_never_again(seconds: list[float]) -> None:
    bus = Lagging()
    catch_up = CatchUp(bus, at_most=120, monotonic=lambda: seconds[0])

    assert not catch_up.done()  # no partition is known yet
    bus.lag = {"sla": {"redress.intake.v1": 0, "redress.routing.v1": 7}}
    assert not catch_up.done()
    bus.lag = {"sla": {"redress.intake.v1": 0, "redress.routing.v1": 0}}
    assert catch_up.done()
    bus.lag = {"sla": {"redress.intake.v1": 500, "redress.routing.v1": 0}}
    assert catch_up.done()


def test_another_services_lag_does_not_hold_it_up(seconds: list[float]) -> None:
    bus = Lagging()
    bus.lag = {"sla": {"redress.routing.v1": 0}, "reporting": {"redress.routing.v1": 9}}
    assert CatchUp(bus, monotonic=lambda: seconds[0]).done()


def test_a_bus_that_is_down_does_not_hold_deadlines_up_for_ever(seconds: list[float]) -> None:
    catch_up = CatchUp(Lagging(), at_most=120, monotonic=lambda: seconds[0])
    seconds[0] += 119.9
    assert not catch_up.done()
    seconds[0] += 0.1
    assert catch_up.done()


def test_the_in_process_bus_keeps_nothing_back() -> None:
    assert CatchUp(LocalBus()).done()
