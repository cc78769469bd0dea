"""Kafka's topics as a real broker has them once `redress topics` has run."""

from uuid import uuid4

import pytest

from deploy import topics
from deploy.infra.kafka import Kafka
from shared.settings import Settings


@pytest.fixture(autouse=True)
def of_this_test_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = uuid4().hex[:8]
    monkeypatch.setattr(topics, "TOPICS", {name: f"{mine}.{name}" for name in ("intake", "sla")})


async def test_topics_are_set_up_as_the_catalogue_says_and_once(kafka: Kafka) -> None:
    settings = Settings(kafka=kafka.bootstrap)
    made, differing = await topics.create(settings, partitions=2, replication=1)
    assert made == sorted(topics.TOPICS.values())
    assert differing == []
    assert await topics.create(settings, partitions=2, replication=1) == ([], [])  # the broker has what was asked for


async def test_a_topic_that_was_made_otherwise_is_left_and_told_of(kafka: Kafka) -> None:
    compacted = topics.TOPICS["sla"]
    await kafka.create_topics({compacted: 1}, {"cleanup.policy": "compact"})
    made, differing = await topics.create(Settings(kafka=kafka.bootstrap), partitions=2, replication=1)
    assert made == [topics.TOPICS["intake"]]
    told = {one.setting: (one.topic, one.found, one.wanted) for one in differing}
    assert told["cleanup.policy"] == (compacted, "compact", "delete")
    assert told["retention.ms"][2] == str(14 * 24 * 3600 * 1000)
