"""The bus on Apache Kafka, by aiokafka. aiokafka's defaults are wrong for us in three places; they are set below."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    KafkaError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)

from shared.bus import Handler, Message, waves

log = structlog.get_logger()
GROUP = "redress-{}"
"""The consumer group of a service."""
_RETRY_AT_MOST = 2.0  # seconds
_PROBE_EVERY = 2.0  # seconds
_PROBE_AT_MOST = 5.0  # seconds
_ANSWER_AT_MOST = 10.0  # seconds that a message may wait for its acknowledgement before it counts as not taken


class KafkaBus:
    """See `shared.bus` for the contract. `options` go to producer and consumer alike (TLS, SASL)."""

    def __init__(self, bootstrap: str, *, client_id: str, batch: int = 500, **options: Any) -> None:
        self._common = {
            "bootstrap_servers": bootstrap,
            "client_id": client_id,
            "metadata_max_age_ms": 10_000,
            **options,
        }
        self._batch = batch
        self._subscriptions: list[tuple[str, tuple[str, ...], Handler]] = []
        self._producer: AIOKafkaProducer | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self._closing: set[asyncio.Task[None]] = set()
        self._reasons: dict[str, str] = {}
        self._failures: dict[str, int] = {}
        self._lag: dict[str, dict[str, dict[int, int]]] = {}

    def subscribe(self, group: str, topics: Sequence[str], handler: Handler) -> None:
        self._subscriptions.append((group, tuple(topics), handler))

    async def start(self) -> None:
        """Begin consuming. Does not wait for the broker: it may be down now and come later."""
        self._stopping = False
        self._tasks = [asyncio.create_task(self._consume(*s), name=f"consume-{s[0]}") for s in self._subscriptions]

    async def stop(self) -> None:
        self._stopping = True
        left = set(self._tasks)
        while left:  # once is not enough: aiokafka, and wait_for until Python 3.12, now and then swallow a cancellation
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=1)
        self._tasks = []
        await asyncio.gather(*self._closing)
        await self._drop_producer()

    async def publish(self, messages: Sequence[Message]) -> list[bool]:
        taken = [False] * len(messages)
        try:
            producer = await self._connected()
            failed: set[str] = set()
            for wave in waves(messages):
                sending = [i for i in wave if messages[i].key not in failed]
                for i, error in zip(sending, await self._send(producer, [messages[i] for i in sending]), strict=True):
                    taken[i] = error is None
                    if error is not None:
                        failed.add(messages[i].key)
                        self._reasons["producer"] = type(error).__name__
            if failed:
                await self._drop_producer()  # an idempotent producer may not be usable after a failure
            else:
                self._reasons.pop("producer", None)
        except (KafkaError, OSError, TimeoutError) as error:
            self._reasons["producer"] = type(error).__name__
            await self._drop_producer()
        return taken

    async def _send(self, producer: AIOKafkaProducer, messages: Sequence[Message]) -> list[BaseException | None]:
        """Send `messages`, no two of one key; for each, None once it is acknowledged, else why it is not.

        aiokafka itself would wait for ever: its idempotent producer retries until the broker is back.
        """
        if not messages:
            return []
        tasks = [asyncio.create_task(self._send_one(producer, m)) for m in messages]
        try:
            await asyncio.wait(tasks, timeout=_ANSWER_AT_MOST)
        finally:
            for task in tasks:
                task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        return [TimeoutError() if isinstance(r, asyncio.CancelledError) else r for r in results]

    @staticmethod
    async def _send_one(producer: AIOKafkaProducer, message: Message) -> None:
        sent = await producer.send(
            message.topic,
            message.value,
            key=message.key.encode(),
            headers=[("content-type", b"application/cloudevents+json")],
        )
        await sent

    async def _connected(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                **self._common,
                enable_idempotence=True,  # off by default: a retried send would be written twice
                acks="all",
                linger_ms=2,
                request_timeout_ms=8_000,
                max_request_size=2_000_000,
            )
            try:
                await asyncio.wait_for(producer.start(), 10)
            except BaseException:
                with contextlib.suppress(Exception):
                    await producer.stop()
                raise
            self._producer = producer
        return self._producer

    async def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._abandon(producer), 15)

    @staticmethod
    async def _abandon(producer: AIOKafkaProducer) -> None:
        """Stop `producer` without flushing: what was not taken is sent again by whoever wanted it published.

        Its own `stop` flushes, so it waits for a broker that is away; cut short, it leaves its sender running, which
        would publish stale messages once the broker is back.
        """
        producer._closed = True
        await producer._sender.close()
        await producer.client.close()

    async def _consume(self, group: str, topics: tuple[str, ...], handler: Handler) -> None:
        """Consume for ever; after any failure begin again at the last committed offset."""
        while not self._stopping:
            consumer = AIOKafkaConsumer(
                *topics,
                **self._common,
                group_id=GROUP.format(group),
                enable_auto_commit=False,  # on by default: it would commit what is not yet handled
                auto_offset_reset="earliest",  # "latest" by default: a new group would miss what came before it
                max_poll_records=self._batch,
                session_timeout_ms=10_000,
                heartbeat_interval_ms=2_000,
                fetch_max_wait_ms=250,
            )
            try:
                await consumer.start()
                await self._poll(consumer, group, handler)
            except Exception as error:  # rather begin again than skip
                self._reasons[group] = type(error).__name__
                log.warning("bus.consumer_restarts", group=group, error=type(error).__name__)
            finally:  # shielded, so that a cancellation in between leaves no connection open
                closing = asyncio.create_task(self._quietly_stop(consumer))
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)
                await asyncio.shield(closing)
            failures = self._failures[group] = self._failures.get(group, 0) + 1
            await asyncio.sleep(min(0.05 * 2.0 ** min(failures, 10), _RETRY_AT_MOST))

    async def _poll(self, consumer: AIOKafkaConsumer, group: str, handler: Handler) -> None:
        measured = probed = 0.0
        while not self._stopping:
            found: dict[TopicPartition, list[Any]] = await consumer.getmany(timeout_ms=500, max_records=self._batch)
            batch = [
                Message(
                    r.topic,
                    (r.key or b"").decode(errors="replace"),
                    r.value or b"",
                    f"{r.topic}/{r.partition}/{r.offset}",
                )
                for records in found.values()
                for r in records
            ]
            if batch:
                await handler(batch)
                try:
                    done = {tp: records[-1].offset + 1 for tp, records in found.items()}
                    await asyncio.wait_for(consumer.commit(done), _ANSWER_AT_MOST)  # by itself it would try for ever
                except (CommitFailedError, IllegalGenerationError, UnknownMemberIdError, RebalanceInProgressError):
                    log.info("bus.rebalanced", group=group)  # somebody else gets them again; the inbox knows them
            self._reasons.pop(group, None)
            self._failures.pop(group, None)
            if time.monotonic() - measured > 1:
                measured = time.monotonic()
                await self._measure(consumer, group)
            if not batch and time.monotonic() - probed > _PROBE_EVERY:
                await self._probe(consumer)
                probed = time.monotonic()

    async def _measure(self, consumer: AIOKafkaConsumer, group: str) -> None:
        lag: dict[str, dict[int, int]] = {}
        for partition in consumer.assignment():
            end = consumer.highwater(partition)
            if end is not None:
                behind = max(0, end - await consumer.position(partition))
                lag.setdefault(partition.topic, {})[partition.partition] = behind
        self._lag[group] = lag

    async def _probe(self, consumer: AIOKafkaConsumer) -> None:
        """Ask the broker something: to a consumer with nothing to read, a broker that is away looks like one that is
        silent, and while nothing is published the producer would not notice either."""
        assigned = sorted(consumer.assignment())
        if not assigned:
            return
        try:
            await asyncio.wait_for(consumer.end_offsets(assigned[:1]), _PROBE_AT_MOST)
            self._reasons.pop("broker", None)
        except (KafkaError, OSError, TimeoutError) as error:
            self._reasons["broker"] = type(error).__name__

    @staticmethod
    async def _quietly_stop(consumer: AIOKafkaConsumer) -> None:
        with contextlib.suppress(Exception):
            await asyncio.wait_for(consumer.stop(), 5)

    def status(self) -> dict[str, Any]:
        reasons = [f"{who}: {why}" for who, why in self._reasons.items()]
        return {
            "ok": not reasons,
            "kind": "kafka",
            "lag": {g: {t: sum(of.values()) for t, of in lag.items()} for g, lag in self._lag.items()},
            "partitions": self._lag,
            **({"reason": "; ".join(reasons)} if reasons else {}),
        }
