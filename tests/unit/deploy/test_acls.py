"""Access rules at Kafka against what the services really publish and hear."""

from pathlib import Path
from typing import Any

from deploy import acls
from deploy.registry import SERVICES
from shared.bus.local import LocalBus
from shared.events import TOPICS


def test_each_service_may_read_what_it_hears_write_what_it_publishes_and_nothing_else(tmp_path: Path) -> None:
    found = {(rule.principal, rule.kind, rule.name, rule.operation) for rule in acls.rules("User:CN={service}")}
    wanted = set()
    for name, service in SERVICES.items():
        settings = service.settings(home=tmp_path)
        subscribed: list[tuple[str, tuple[str, ...]]] = []

        class Listening(LocalBus):
            def subscribe(self, group: str, topics: Any, handler: Any, to: Any = subscribed) -> None:
                to.append((group, tuple(topics)))

        worker = service.worker(settings, service.database(settings), Listening())
        for group, topics in subscribed:
            wanted.add((f"User:CN={name}", "group", f"redress-{group}", "Read"))
            wanted |= {(f"User:CN={name}", "topic", topic, "Read") for topic in topics}
        wanted.add((f"User:CN={name}", "topic", worker._relay._topic, "Write"))
    assert found == wanted
    assert {name for _, kind, name, _ in found if kind == "topic"} == set(TOPICS.values())


def test_the_commands_are_for_kafkas_own_tool() -> None:
    first = next(acls.rules()).command("kafka:9093")
    assert first == (
        "kafka-acls.sh --bootstrap-server kafka:9093 --add --allow-principal 'User:intake' "
        "--operation Write --topic redress.intake.v1"
    )
