"""Kafka's topics, created on purpose: no broker should make them up with its own idea of partitions, of what it keeps,
or of how many copies there are before it says "taken"."""

from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from shared.events import TOPICS
from shared.settings import Settings

RETENTION_DAYS = 14
"""How long Kafka keeps an event. A service may be away this long and still read on; beyond it its events come from the
publisher's outbox (`redress reporting rebuild`, a restore). It must stay below `REDRESS_RETENTION_DAYS`, after which
inboxes forget: what is read again later than that would act twice. And it is how long redacted words outlive an erasure
(decision 8)."""
LARGEST = 2_097_152
"""Bytes of a batch: what our producer would send (`max_request_size`), a topic must take. The broker's own default is
half of it, and an event that it refuses would hold up its complaint for ever."""
_DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Differs:
    """A topic that is there and was set up otherwise. Only people change such a one: events may be lost by it."""

    topic: str
    setting: str
    found: str
    wanted: str


def configuration(*, replication: int, retention_days: int = RETENTION_DAYS) -> dict[str, str]:
    """How each topic is set.

    `cleanup.policy`: never `compact`. All events of a complaint bear one key, and compaction would keep the last alone.
    `min.insync.replicas`: with three copies two must have it before a producer's `acks=all` is answered, so that one
    broker may fail and nothing that was taken is lost; with less there is nothing to choose.
    `segment.ms`: what is past its time goes only with a whole, closed segment; a quiet topic would keep one for a week
    more.
    `message.timestamp.type` is the producer's, so that retention counts from when the event was sent.
    """
    return {
        "cleanup.policy": "delete",
        "retention.ms": str(retention_days * _DAY_MS),
        "retention.bytes": "-1",  # by time alone: a surge must not push out what has not been read
        "segment.ms": str(_DAY_MS),
        "max.message.bytes": str(LARGEST),
        "min.insync.replicas": str(2 if replication >= 3 else 1),
        "unclean.leader.election.enable": "false",  # rather stand still than go on with a copy that lacks events
        "message.timestamp.type": "CreateTime",
    }


def check_retention(settings: Settings, retention_days: int) -> None:
    """Raises ValueError when Kafka would keep events longer than inboxes remember that they have seen them."""
    if retention_days >= settings.retention_days:
        raise ValueError(
            f"Kafka may not keep events for {retention_days} days: after {settings.retention_days} days "
            "(REDRESS_RETENTION_DAYS) services forget which ones they have seen"
        )


async def create(
    settings: Settings, *, partitions: int, replication: int, retention_days: int = RETENTION_DAYS
) -> tuple[list[str], list[Differs]]:
    """Create those that are missing; their names, and in what those that were there are set otherwise."""
    wanted = configuration(replication=replication, retention_days=retention_days)
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka, **settings.kafka_options())
    await admin.start()
    try:
        there = set(await admin.list_topics())
        missing = sorted(set(TOPICS.values()) - there)
        if missing:
            await admin.create_topics(
                [NewTopic(name, partitions, replication, topic_configs=wanted) for name in missing]
            )
        old = sorted(set(TOPICS.values()) & there)
        return missing, await _differing(admin, old, wanted) if old else []
    finally:
        await admin.close()


async def _differing(admin: Any, topics: list[str], wanted: dict[str, str]) -> list[Differs]:
    asked = [ConfigResource(ConfigResourceType.TOPIC, name, configs=dict.fromkeys(wanted)) for name in topics]
    found: list[Differs] = []
    for answer in await admin.describe_configs(asked):
        for resource in answer.resources:
            name = resource[3]
            said = {entry[0]: entry[1] for entry in resource[4]}
            found += [Differs(name, k, said[k], v) for k, v in wanted.items() if k in said and said[k] != v]
    return found
