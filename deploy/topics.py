"""Kafka's topics, created on purpose: no broker should make them up with its own idea of partitions."""

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from shared.events import TOPICS
from shared.settings import Settings


async def create(settings: Settings, *, partitions: int, replication: int) -> list[str]:
    """Create those that are missing; their names."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka, **settings.kafka_options())
    await admin.start()
    try:
        missing = sorted(set(TOPICS.values()) - set(await admin.list_topics()))
        if missing:
            await admin.create_topics([NewTopic(name, partitions, replication) for name in missing])
        return missing
    finally:
        await admin.close()
