"""The event catalogue, generated from the models: an AsyncAPI 3.0 document and a page to read.

    python -m deploy.catalogue

writes `docs/events/asyncapi.json` and `docs/events.md` anew; a test keeps them from falling behind. `redress schemas
FOLDER` writes the document and a JSON Schema for each event wherever they are wanted.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deploy import topics
from deploy.acls import HEARS
from services.intake.consumers import HANDLED as INTAKE
from services.reporting.consumers import HANDLED as REPORTING
from services.routing.consumers import HANDLED as ROUTING
from services.sla.consumers import HANDLED as SLA
from shared import __version__
from shared.bus.kafka import GROUP
from shared.cloudevents import CONTENT_TYPE, dataschema
from shared.events import EVENTS, TOPICS, ComplaintErased, Event, StaffSignedOut

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE = DOCS / "events.md"
DOCUMENT = DOCS / "events" / "asyncapi.json"
_BY_EVERY_WORKER = frozenset({ComplaintErased.type, StaffSignedOut.type})  # see `shared.worker`
_HANDLED = {"intake": INTAKE, "routing": ROUTING, "sla": SLA, "reporting": REPORTING}
_SCHEMAS = "#/components/schemas/{model}"
_HEAD = """# Event catalogue

Whatever happens to a complaint is published as an event. A bank's own systems (data warehouse, CRM, fraud desk) may read them; they need
nothing but Kafka and this page. The same for programs: [asyncapi.json](events/asyncapi.json) (AsyncAPI 3.0).

<!-- Written by `python -m deploy.catalogue` from the models in shared/events.py; changes here are lost. -->

## The envelope
[CloudEvents 1.0](https://cloudevents.io), structured JSON: the message's value is one JSON object, its header `content-type` says
`application/cloudevents+json`, its **key is the complaint's id** in UTF-8, so that the events of one complaint from one service stay in order. Events of
*different* services come in any order.

| Attribute | |
|---|---|
| `specversion` | `1.0` |
| `id` | UUIDv7. **The same event may come twice; a reader keeps the ids that it has acted on** |
| `source` | `/redress/` and the publishing service |
| `type` | `com.redress.` and the name below, and `.v1` |
| `subject` | the complaint's id, as in the key and in `data.complaint_id` |
| `time` | when it was written down, RFC 3339 in UTC. When it happened is a field of `data` |
| `datacontenttype` | `application/json` |
| `dataschema` | `urn:redress:schema:` and the type; `redress schemas FOLDER` writes the JSON Schemas |
| `traceparent` | where tracing is on: the W3C trace of whatever caused it |
| `correlationid` | where there is one: follows a complaint's request through all services |
| `data` | the event's fields, below. A field without a value is left out |

**What may change:** fields and types are only added, so readers pass over what they do not know. No event carries a name, phone, e-mail, account or identity
number; what people wrote is redacted, and marked *erasable*: once `complaint.erased` has come, a reader drops it.
"""  # noqa: E501


def readers(model: type[Event]) -> list[str]:
    """The services that read an event."""
    service = publisher(model)
    return [s for s in TOPICS if service in HEARS[s] and model.type in _HANDLED[s] | _BY_EVERY_WORKER]


def publisher(model: type[Event]) -> str:
    """The service that publishes an event."""
    return model.source.rsplit("/", 1)[-1]


def schema(model: type[Event]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of an event's `data`."""
    found = model.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": dataschema(model.type), **found}


def asyncapi() -> dict[str, Any]:
    """An AsyncAPI 3.0 document: a channel for each topic, a message for each event type, and what each service does
    with them (`send` and `receive` are meant from the service's side)."""
    schemas: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    for model in EVENTS.values():
        found = model.model_json_schema(mode="serialization", ref_template=_SCHEMAS)
        schemas |= found.pop("$defs", {})
        schemas[model.__name__] = found | {"x-erasable": list(model.erasable)} if model.erasable else found
        messages[model.__name__] = {
            "name": model.type,
            "title": model.__name__,
            "summary": _when(model),
            "description": _told(model),
            "contentType": CONTENT_TYPE,
            "headers": {"$ref": "#/components/schemas/KafkaHeaders"},
            "payload": _envelope(model),
            "bindings": {"kafka": {"key": {"$ref": "#/components/schemas/Key"}, "bindingVersion": "0.5.0"}},
            "x-published-by": publisher(model),
            "x-read-by": readers(model),
        }
    schemas["Key"] = {"type": "string", "description": "The complaint's id, UTF-8, or that of what the event is about"}
    schemas["KafkaHeaders"] = {
        "type": "object",
        "required": ["content-type"],
        "properties": {"content-type": {"type": "string", "const": CONTENT_TYPE}},
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Redress events",
            "version": __version__,
            "description": "Every event of the desk, sent at least once: readers keep the ids that they acted on.",
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {service: _channel(service) for service in TOPICS},
        "operations": dict(_operations()),
        "components": {"schemas": dict(sorted(schemas.items())), "messages": messages},
    }


def _of(service: str) -> list[type[Event]]:
    return [model for model in EVENTS.values() if publisher(model) == service]


def _channel(service: str) -> dict[str, Any]:
    set_up = topics.configuration(replication=3)
    return {
        "address": TOPICS[service],
        "title": f"Events of {service}",
        "description": "Kept for a time and never compacted: all events of a complaint bear its id as their key.",
        "messages": {m.__name__: {"$ref": f"#/components/messages/{m.__name__}"} for m in _of(service)},
        "bindings": {
            "kafka": {
                "topic": TOPICS[service],
                "topicConfiguration": {
                    "cleanup.policy": [set_up["cleanup.policy"]],
                    "retention.ms": int(set_up["retention.ms"]),
                    "retention.bytes": int(set_up["retention.bytes"]),
                    "max.message.bytes": int(set_up["max.message.bytes"]),
                },
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for service in TOPICS:
        yield f"{service}-publishes", _operation("send", service, _of(service))
    for service in TOPICS:
        for other in HEARS[service]:
            heard = [model for model in _of(other) if service in readers(model)]
            group = {"type": "string", "const": GROUP.format(service)}
            yield (
                f"{service}-reads-{other}",
                _operation("receive", other, heard)
                | {"bindings": {"kafka": {"groupId": group, "bindingVersion": "0.5.0"}}},
            )


def _operation(action: str, channel: str, models: list[type[Event]]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{m.__name__}"} for m in models],
    }


def _envelope(model: type[Event]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["specversion", "id", "source", "type", "subject", "time", "data"],
        "properties": {
            "specversion": {"type": "string", "const": "1.0"},
            "id": {"type": "string", "format": "uuid", "description": "UUIDv7"},
            "source": {"type": "string", "const": model.source},
            "type": {"type": "string", "const": model.type},
            "subject": {"type": "string", "description": "As the key"},
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"type": "string", "const": "application/json"},
            "dataschema": {"type": "string", "const": dataschema(model.type)},
            "traceparent": {"type": "string"},
            "correlationid": {"type": "string"},
            "data": {"$ref": _SCHEMAS.format(model=model.__name__)},
        },
    }


def page() -> str:
    """The page as it should be."""
    set_up = topics.configuration(replication=3)
    parts = [_HEAD, "## Topics\n", "| Topic | Published by | Read by | Events |", "|---|---|---|---|"]
    for service, topic in TOPICS.items():
        hearing = [other for other in TOPICS if service in HEARS[other]]
        parts.append(f"| `{topic}` | {service} | {', '.join(hearing)} | {len(_of(service))} |")
    parts += ["", "`redress topics` sets each of them up like this (why: [capacity.md](capacity.md#kafka)):\n"]
    parts += ["| Setting | Value |", "|---|---|", *(f"| `{name}` | `{value}` |" for name, value in set_up.items())]
    parts += ["", "## All events\n", "| Event | When | Published by | Read by |", "|---|---|---|---|"]
    for model in EVENTS.values():
        link = f"[`{_name(model)}`](#{_anchor(model)})"
        parts.append(f"| {link} | {_when(model)} | {publisher(model)} | {', '.join(readers(model)) or 'for others'} |")
    for service in TOPICS:
        for model in _of(service):
            parts += ["", f"## {_name(model)}", "", _told(model), ""]
            parts.append(
                f"Topic `{TOPICS[service]}`. Read by {', '.join(readers(model)) or 'no service; there for others'}.\n"
            )
            parts += [
                "| Field | Type | |",
                "|---|---|---|",
                *_fields(model.model_json_schema(mode="serialization"), model),
            ]
            for inner in model.model_json_schema(mode="serialization").get("$defs", {}).values():
                parts += ["", f"Each `{inner['title']}`: {' '.join(inner['description'].split())}\n"]
                parts += ["| Field | Type | |", "|---|---|---|", *_fields(inner, None)]
    return "\n".join(parts) + "\n"


def _fields(schema: dict[str, Any], model: type[Event] | None) -> Iterator[str]:
    needed = set(schema.get("required", ()))
    for name, inner in schema["properties"].items():
        notes = (
            []
            if name in needed
            else [f"default `{json.dumps(d)}`" if (d := inner.get("default")) else "may be left out"]
        )
        notes += ["erasable"] if model and name in model.erasable else []
        notes += [inner["description"]] if "description" in inner else []
        yield f"| `{name}` | {_type(inner)} | {'; '.join(notes)} |"


def _type(inner: dict[str, Any]) -> str:
    """A type for people. Raises LookupError for one that there is no word for."""
    if "anyOf" in inner:
        return " or ".join(_type(one) for one in inner["anyOf"] if one.get("type") != "null")
    if "enum" in inner:
        return ", ".join(f"`{value}`" for value in inner["enum"])
    if "$ref" in inner:
        return f"`{inner['$ref'].rsplit('/', 1)[-1]}`"
    match inner.get("type"):
        case "array":
            return f"list of {_type(inner['items'])}"
        case "object":
            return f"object of {_type(inner['additionalProperties'])}"
        case "string":
            return {"date-time": "time", "date": "day"}.get(inner.get("format", ""), "text")
        case "integer" | "number" | "boolean" as kind:
            limits = [f"from {inner['minimum']:g}"] if "minimum" in inner else []
            limits += [f"to {inner['maximum']:g}"] if "maximum" in inner else []
            return " ".join([{"integer": "whole number", "number": "number", "boolean": "yes or no"}[kind], *limits])
    raise LookupError(f"no word for {inner}")


def _name(model: type[Event]) -> str:
    return model.type.removeprefix("com.redress.").removesuffix(".v1")


def _anchor(model: type[Event]) -> str:
    return _name(model).replace(".", "")  # as GitHub makes anchors of headings


def _told(model: type[Event]) -> str:
    """What the model says of itself, each paragraph in one line."""
    return "\n\n".join(" ".join(part.split()) for part in (model.__doc__ or "").strip().split("\n\n"))


def _when(model: type[Event]) -> str:
    """The first sentence of it."""
    first, full_stop, _ = _told(model).split("\n")[0].partition(". ")
    return f"{first.partition('; ')[0]}." if full_stop else first.partition("; ")[0].rstrip(".") + "."


def documents() -> dict[Path, str]:
    """What is kept in the repository, by path."""
    return {PAGE: page(), DOCUMENT: _json(asyncapi())}


def write(folder: Path) -> int:
    """Write `asyncapi.json` and `<type>.json` for each event; how many files."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {"asyncapi": asyncapi(), **{name: schema(model) for name, model in EVENTS.items()}}
    for name, document in found.items():
        (folder / f"{name}.json").write_text(_json(document), encoding="utf-8")
    return len(found)


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for path, text in documents().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
