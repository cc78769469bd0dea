"""The obligations in `shared.bus`, proven on both buses.

A publisher is played as the relay does it: what was not taken is sent again, in order, until everything is.
"""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest

from deploy.infra.kafka import Kafka
from deploy.infra.ports import free_port
from shared.bus import Message, waves
from shared.bus.kafka import KafkaBus
from shared.bus.local import LocalBus

_numbers = itertools.count(1)
KAFKA_ONLY = pytest.mark.parametrize("kind", [pytest.param("kafka", marks=pytest.mark.kafka)], indirect=True)
LOCAL_ONLY = pytest.mark.parametrize("kind", ["local"], indirect=True)
Handler = Callable[[Sequence[Message]], Awaitable[None]]


class Kit:
    """Makes buses of one kind over the same topics; stops those that a test leaves running."""

    def __init__(self, make: Callable[[], Any], topics: list[str], broker: Kafka | None) -> None:
        self._make = make
        self.topics = topics
        self.broker = broker
        self.prefix = f"g{next(_numbers)}"
        self._stack = AsyncExitStack()

    async def bus(self, **handlers: Handler | tuple[Sequence[str], Handler]) -> Any:
        """A started bus; `handlers` by group, on all topics unless told."""
        bus = self._make()
        for group, wanted in handlers.items():
            topics, handler = wanted if isinstance(wanted, tuple) else (self.topics, wanted)
            bus.subscribe(f"{self.prefix}-{group}", topics, handler)
        await bus.start()
        self._stack.push_async_callback(bus.stop)
        return bus

    async def close(self) -> None:
        await self._stack.aclose()


@pytest.fixture(params=["local", pytest.param("kafka", marks=pytest.mark.kafka)])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def kit(kind: str, request: pytest.FixtureRequest) -> AsyncIterator[Kit]:
    if kind == "local":
        found = Kit(LocalBus, ["one.v1", "two.v1"], None)
    else:
        broker: Kafka = request.getfixturevalue("kafka")
        topics = await request.getfixturevalue("make_topics")(2, partitions=3)
        found = Kit(lambda: KafkaBus(broker.bootstrap, client_id="contract"), topics, broker)
    yield found
    await found.close()


class Seen:
    """A handler that remembers, by key, what it has handled; `fails` may make it raise before it has."""

    def __init__(self, fails: Callable[[Sequence[Message]], bool] = lambda batch: False) -> None:
        self.fails = fails
        self.calls: list[list[bytes]] = []
        self.by_key: dict[str, list[bytes]] = defaultdict(list)
        self.messages: list[Message] = []

    async def __call__(self, batch: Sequence[Message]) -> None:
        self.calls.append([m.value for m in batch])
        if self.fails(batch):
            raise RuntimeError("not now")
        for message in batch:
            self.messages.append(message)
            if message.value not in self.by_key[message.key]:  # at least once: repeats are the inbox's to know
                self.by_key[message.key].append(message.value)

    def all(self) -> list[bytes]:
        return sorted(v for values in self.by_key.values() for v in values)


def _some(topic: str, count: int, *, keys: int = 3) -> list[Message]:
    return [Message(topic, f"key-{n % keys}", b"%04d" % n) for n in range(count)]


def _by_key(messages: Sequence[Message]) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = defaultdict(list)
    for message in messages:
        found[message.key].append(message.value)
    return dict(found)


def _in_order(messages: Sequence[Message], taken: Sequence[bool]) -> None:
    """No message that was not taken is followed by a taken one of its key."""
    failed: set[str] = set()
    for message, ok in zip(messages, taken, strict=True):
        assert not (ok and message.key in failed)
        if not ok:
            failed.add(message.key)


async def _send(bus: Any, messages: Sequence[Message], *, within: float = 40.0) -> int:
    """Send until all is taken; how often it had to be sent again."""
    left = list(messages)
    for again in itertools.count():
        async with asyncio.timeout(within):
            taken = await bus.publish(left)
        _in_order(left, taken)
        left = [m for m, ok in zip(left, taken, strict=True) if not ok]
        if not left:
            return again
        await asyncio.sleep(0.05)
    raise AssertionError("unreachable")


async def test_every_group_gets_everything(kit: Kit, eventually: Any) -> None:
    first, second, third = Seen(), Seen(), Seen()
    bus = await kit.bus(first=first, second=second, third=third)
    messages = _some(kit.topics[0], 60) + _some(kit.topics[1], 30, keys=5)
    await _send(bus, messages)

    for seen in (first, second, third):
        assert await eventually(lambda s=seen: set(s.messages) == set(messages), within=20)


async def test_a_group_gets_only_the_topics_it_asked_for(kit: Kit, eventually: Any) -> None:
    one, both = Seen(), Seen()
    bus = await kit.bus(one=([kit.topics[0]], one), both=both)
    await _send(bus, [Message(kit.topics[1], "k", b"other"), Message(kit.topics[0], "k", b"mine")])

    assert await eventually(lambda: len(both.messages) == 2, within=20)
    assert await eventually(lambda: one.all() == [b"mine"], within=20)


async def test_those_of_one_key_come_in_the_order_of_publishing(kit: Kit, eventually: Any) -> None:
    seen = Seen()
    bus = await kit.bus(group=seen)
    messages = _some(kit.topics[0], 200, keys=7)
    for start in range(0, 200, 50):
        await _send(bus, messages[start : start + 50])

    assert await eventually(lambda: len(seen.all()) == 200, within=20)
    assert seen.by_key == _by_key(messages)


async def test_a_handler_that_raises_gets_the_same_messages_again(kit: Kit, eventually: Any) -> None:
    failures = iter([True, True, True])
    seen = Seen(lambda batch: next(failures, False))
    healthy = Seen()
    bus = await kit.bus(failing=seen, healthy=healthy)
    messages = _some(kit.topics[0], 9)
    await _send(bus, messages)

    assert await eventually(lambda: len(seen.all()) == 9, within=30)
    assert await eventually(lambda: len(healthy.all()) == 9, within=30)
    assert len(seen.calls) >= 4
    assert set(seen.calls[0]) <= {v for call in seen.calls[1:] for v in call}
    assert seen.by_key == _by_key(messages) == healthy.by_key


async def test_order_holds_while_one_key_keeps_failing_for_a_while(kit: Kit, eventually: Any) -> None:
    count = itertools.count()
    seen = Seen(lambda batch: any(m.key == "key-1" for m in batch) and next(count) < 4)
    bus = await kit.bus(group=seen)
    messages = _some(kit.topics[0], 30)
    await _send(bus, messages)
    assert await eventually(lambda: len(seen.all()) == 30, within=30)
    assert seen.by_key == _by_key(messages)


async def test_a_consumer_that_is_restarted_gets_what_it_had_not_finished(kit: Kit, eventually: Any) -> None:
    never = Seen(lambda batch: any(m.value >= b"0005" for m in batch))
    first = await kit.bus(group=never)
    messages = _some(kit.topics[0], 10)
    await _send(first, messages[:5])
    assert await eventually(lambda: len(never.all()) == 5, within=20)
    publishing = asyncio.create_task(_send(first, messages[5:]))
    assert await eventually(lambda: any(b"0009" in c or b"0005" in c for c in never.calls), within=20)
    await first.stop()

    seen = Seen()
    second = await kit.bus(group=seen)
    publishing.cancel()
    await asyncio.gather(publishing, return_exceptions=True)
    if kit.broker is None:  # in-process the outbox is the memory: what was not taken is sent again
        await _send(second, messages[5:])
    assert await eventually(lambda: len(seen.all()) >= 5, within=30)
    assert set(seen.all()) >= {m.value for m in messages[5:]}
    assert {k: [v for v in vs if v >= b"0005"] for k, vs in seen.by_key.items()} == _by_key(messages[5:])


async def test_a_message_of_one_megabyte_goes_through(kit: Kit, eventually: Any) -> None:
    seen = Seen()
    bus = await kit.bus(group=seen)
    large = [Message(kit.topics[0], "k", bytes([65 + n]) * 1_000_000) for n in range(3)]
    await _send(bus, [Message(kit.topics[0], "k", b"small"), *large, Message(kit.topics[0], "k", b"last")])
    assert await eventually(lambda: seen.by_key["k"][-1:] == [b"last"], within=30)
    assert seen.by_key["k"] == [b"small", *(m.value for m in large), b"last"]


async def test_nothing_to_send_is_no_trouble(kit: Kit) -> None:
    bus = await kit.bus(group=Seen())
    assert await bus.publish([]) == []


async def test_the_state_tells_how_it_is(kit: Kit, eventually: Any) -> None:
    broken = {"now": True}
    bus = await kit.bus(group=Seen(lambda batch: broken["now"]))
    publishing = asyncio.create_task(_send(bus, _some(kit.topics[0], 6)))
    assert await eventually(lambda: not bus.status()["ok"], within=20)
    assert "RuntimeError" in bus.status()["reason"]
    assert "not now" not in str(bus.status()), "the message of an error may quote somebody"
    broken["now"] = False
    await publishing
    assert await eventually(lambda: bus.status()["ok"], within=20)
    assert "reason" not in bus.status()


@LOCAL_ONLY
async def test_in_process_nothing_counts_as_taken_until_every_group_has_handled_it(kit: Kit) -> None:
    failing, healthy = Seen(lambda batch: True), Seen()
    bus = await kit.bus(failing=failing, healthy=healthy)
    messages = _some(kit.topics[0], 4)
    assert await bus.publish(messages) == [False] * 4
    assert len(healthy.all()) == 4
    failing.fails = lambda batch: False
    assert await bus.publish(messages) == [True] * 4
    assert failing.by_key == healthy.by_key


@KAFKA_ONLY
async def test_while_the_broker_is_down_nothing_is_taken_and_afterwards_all_is(kit: Kit, eventually: Any) -> None:
    assert kit.broker is not None
    seen = Seen()
    bus = await kit.bus(group=seen)
    messages = _some(kit.topics[0], 90)
    await _send(bus, messages[:30])
    assert await eventually(lambda: len(seen.all()) == 30, within=20)

    await asyncio.to_thread(kit.broker.kill)
    try:
        taken = await bus.publish(messages[30:60])
        assert taken == [False] * 30
        assert not bus.status()["ok"]
    finally:
        await asyncio.to_thread(kit.broker.start)
    await _send(bus, messages[30:])

    assert await eventually(lambda: len(seen.all()) == 90, within=40)
    assert seen.by_key == _by_key(messages)
    assert await eventually(lambda: bus.status()["ok"], within=20)


@KAFKA_ONLY
async def test_messages_in_flight_when_the_broker_dies_keep_their_order(kit: Kit, eventually: Any) -> None:
    assert kit.broker is not None
    seen = Seen()
    bus = await kit.bus(group=seen)
    messages = _some(kit.topics[0], 3_000, keys=20)

    async def publish() -> None:
        for start in range(0, len(messages), 500):
            await _send(bus, messages[start : start + 500])

    publishing = asyncio.create_task(publish())
    assert await eventually(lambda: len(seen.messages) > 100, within=20)
    await asyncio.to_thread(kit.broker.kill)
    await asyncio.to_thread(kit.broker.start)
    await publishing

    assert await eventually(lambda: len(seen.all()) == 3_000, within=60)
    assert seen.by_key == _by_key(messages)


@KAFKA_ONLY
async def test_a_bus_that_starts_before_its_broker_waits_for_it(kit: Kit, eventually: Any) -> None:
    assert kit.broker is not None
    await asyncio.to_thread(kit.broker.kill)
    try:
        seen = Seen()
        bus = await kit.bus(group=seen)
        assert await bus.publish(_some(kit.topics[0], 3)) == [False] * 3
        assert await eventually(lambda: not bus.status()["ok"], within=10)
    finally:
        await asyncio.to_thread(kit.broker.start)
    await _send(bus, _some(kit.topics[0], 3))
    assert await eventually(lambda: len(seen.all()) == 3, within=40)


@KAFKA_ONLY
async def test_a_new_group_gets_what_came_before_it(kit: Kit, eventually: Any) -> None:
    bus = await kit.bus()
    messages = _some(kit.topics[0], 20)
    await _send(bus, messages)
    late = Seen()
    await kit.bus(late=late)
    assert await eventually(lambda: late.by_key == _by_key(messages), within=20)


@KAFKA_ONLY
async def test_members_of_one_group_share_the_work_and_lose_nothing_when_one_goes(kit: Kit, eventually: Any) -> None:
    one, two = Seen(), Seen()
    first = await kit.bus(group=one)
    messages = _some(kit.topics[0], 200, keys=20)
    await _send(first, messages[:50])
    assert await eventually(lambda: len(one.all()) == 50, within=20)
    second = await kit.bus(group=two)
    await asyncio.sleep(3)  # a rebalance
    await _send(first, messages[50:150])
    assert await eventually(lambda: len(set(one.all()) | set(two.all())) == 150, within=20)
    assert two.messages, "the second has got its share"
    await second.stop()
    await _send(first, messages[150:])
    assert await eventually(lambda: len(set(one.all()) | set(two.all())) == 200, within=30)
    for key, values in _by_key(messages).items():
        for seen in (one, two):
            assert seen.by_key[key] == [v for v in values if v in seen.by_key[key]]


@KAFKA_ONLY
async def test_the_lag_is_told(kit: Kit, eventually: Any) -> None:
    gate = asyncio.Event()

    async def slow(batch: Sequence[Message]) -> None:
        if len(batch) > 1 or batch[0].value != b"first":
            await gate.wait()

    bus = await kit.bus(group=slow)
    group = f"{kit.prefix}-group"
    await _send(bus, [Message(kit.topics[0], "k", b"first")])
    assert await eventually(lambda: bus.status()["lag"].get(group, {}).get(kit.topics[0]) == 0, within=20)
    gate.set()
    await _send(bus, _some(kit.topics[0], 50))
    assert await eventually(lambda: bus.status()["lag"][group][kit.topics[0]] == 0, within=20)
    partitions = bus.status()["partitions"][group][kit.topics[0]]
    assert set(partitions.values()) == {0}


@pytest.mark.kafka
async def test_where_nobody_listens_publishing_gives_up_soon() -> None:
    bus = KafkaBus(f"127.0.0.1:{free_port()}", client_id="contract")
    await bus.start()
    async with asyncio.timeout(15):
        assert await bus.publish([Message("t", "k", b"v")]) == [False]
    await bus.stop()


@pytest.mark.parametrize("keys", ["", "a", "aaa", "abc", "abacab", "aabbcc"])
def test_waves_keep_each_key_in_order_and_at_most_once_a_round(keys: str) -> None:
    messages = [Message("t", k, str(n).encode()) for n, k in enumerate(keys)]
    rounds = waves(messages)
    assert sorted(i for r in rounds for i in r) == list(range(len(keys)))
    for r in rounds:
        assert len({keys[i] for i in r}) == len(r)
    for key in set(keys):
        assert [i for r in rounds for i in r if keys[i] == key] == [i for i, k in enumerate(keys) if k == key]
