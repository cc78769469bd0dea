"""What each service may do at Kafka: write its own topic, read those of the services that it hears, and nothing else.

`redress acls` prints the commands for Kafka's own tool, or with `--apply` tells the brokers itself. Rules are only ever
added here: what is to be taken away, an administrator takes away.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest

from shared.bus.kafka import GROUP
from shared.events import TOPICS
from shared.settings import Settings

HEARS = {
    "intake": ("intake", "routing", "sla"),
    "routing": ("intake", "sla", "reporting"),
    "sla": ("intake", "routing"),
    "reporting": ("intake", "routing", "sla"),
}
"""Whose topics a service reads. A test holds it against what the workers subscribe to."""
PRINCIPAL = "User:{service}"
"""How the brokers call a service: by `ssl.principal.mapping.rules` the CN of its certificate; with SASL its user."""

# Kafka's protocol guide, under ACL: types of resources, operations, patterns and permissions
_TYPES = {"topic": 2, "group": 3}
_OPERATIONS = {"Read": 3, "Write": 4}
_LITERAL, _ALLOW = 3, 3


@dataclass(frozen=True, slots=True)
class Rule:
    """`principal` may do `operation` with one topic or consumer group, from any host."""

    principal: str
    kind: Literal["topic", "group"]
    name: str
    operation: Literal["Read", "Write"]  # each allows Describe as well

    def command(self, bootstrap: str) -> str:
        """For Kafka's `kafka-acls.sh`."""
        who = f"--allow-principal '{self.principal}' --operation {self.operation}"
        return f"kafka-acls.sh --bootstrap-server {bootstrap} --add {who} --{self.kind} {self.name}"


def rules(principal: str = PRINCIPAL) -> Iterator[Rule]:
    """All rules. `principal` holds `{service}`."""
    for service, heard in HEARS.items():
        who = principal.format(service=service)
        yield Rule(who, "topic", TOPICS[service], "Write")
        for other in heard:
            yield Rule(who, "topic", TOPICS[other], "Read")
        yield Rule(who, "group", GROUP.format(service), "Read")


async def apply(settings: Settings, principal: str = PRINCIPAL) -> int:
    """Tell the brokers of all rules, as somebody who may alter access; how many. A rule that is there stays. Raises
    RuntimeError where the brokers refuse one."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka, **settings.kafka_options())
    await admin.start()
    try:
        told = 0
        for rule in rules(principal):
            kind, operation = _TYPES[rule.kind], _OPERATIONS[rule.operation]
            request = CreateAclsRequest(kind, rule.name, _LITERAL, rule.principal, "*", operation, _ALLOW)
            answer: Any = await admin._send_request(request)  # there is no public way
            for code, reason in answer.creation_responses:
                if code:
                    raise RuntimeError(f"Kafka refused a rule for {rule.principal}: {reason} (error {code})")
            told += 1
        return told
    finally:
        await admin.close()
