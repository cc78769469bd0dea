"""Our own Kafka broker comes back after a crash with all that it had acknowledged."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from deploy.infra.install import Unavailable
from deploy.infra.kafka import Kafka

pytestmark = pytest.mark.kafka

TOPIC = "redress.trial.v1"


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[Kafka]:
    broker = Kafka(tmp_path / "kafka")
    try:
        broker.start()
    except Unavailable as error:
        pytest.skip(str(error))
    yield broker
    broker.destroy()


async def _produce(broker: Kafka, *values: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap, enable_idempotence=True, acks="all") as producer:
        for value in values:
            await producer.send_and_wait(TOPIC, value.encode(), key=b"one complaint")


async def _consume(broker: Kafka, count: int) -> list[str]:
    """The next `count` values for the group, whose offset is committed."""
    async with AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=broker.bootstrap,
        group_id="trial",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    ) as consumer:
        values = [record.value.decode() for record in [await consumer.getone() for _ in range(count)]]
        await consumer.commit()
        return values


async def test_acknowledged_records_and_committed_offsets_survive_a_crash_and_an_orderly_stop(kafka: Kafka) -> None:
    await kafka.create_topics({TOPIC: 3})
    await _produce(kafka, "a", "b", "c")
    assert await _consume(kafka, 2) == ["a", "b"]

    kafka.kill()
    assert not kafka.running
    kafka.start()
    assert await _consume(kafka, 1) == ["c"]

    await _produce(kafka, "d")
    kafka.stop()
    assert not kafka.running
    kafka.start()
    assert await _consume(kafka, 1) == ["d"]


async def test_a_client_that_was_connected_goes_on_after_the_broker_was_killed(kafka: Kafka) -> None:
    await kafka.create_topics({TOPIC: 1})
    async with (
        AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, enable_idempotence=True, acks="all") as producer,
        AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest") as consumer,
    ):
        consumer.assign([TopicPartition(TOPIC, 0)])
        await producer.send_and_wait(TOPIC, b"before")
        kafka.kill()
        kafka.start()
        await producer.send_and_wait(TOPIC, b"after")

        assert [(await consumer.getone()).value for _ in range(2)] == [b"before", b"after"]


async def test_making_topics_twice_is_harmless_and_none_is_made_by_itself(kafka: Kafka) -> None:
    await kafka.create_topics({TOPIC: 3})
    await kafka.create_topics({TOPIC: 3, "redress.other.v1": 1})

    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        await admin.describe_topics(["redress.unknown.v1"])
        described = await admin.describe_topics()
    finally:
        await admin.close()
    assert {topic["topic"]: len(topic["partitions"]) for topic in described} == {TOPIC: 3, "redress.other.v1": 1}


async def test_a_refused_topic_is_an_error(kafka: Kafka) -> None:
    with pytest.raises(RuntimeError, match="not a name"):
        await kafka.create_topics({"not a name": 1})
