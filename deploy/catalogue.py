"""The event catalogue, generated from the models: AsyncAPI 3 and JSON Schemas."""

import json
from pathlib import Path
from typing import Any

from shared import __version__
from shared.cloudevents import CONTENT_TYPE, dataschema
from shared.events import EVENTS, TOPICS, Event


def schema(model: type[Event]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of an event's `data`."""
    found = model.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": dataschema(model.type), **found}


def asyncapi() -> dict[str, Any]:
    """An AsyncAPI 3.0 document: a channel for each topic, a message for each event type."""
    by_service: dict[str, list[type[Event]]] = {name: [] for name in TOPICS}
    for model in EVENTS.values():
        by_service[model.source.rsplit("/", 1)[-1]].append(model)
    channels, operations, messages = {}, {}, {}
    for service, models in by_service.items():
        names = [m.__name__ for m in models]
        channels[service] = {
            "address": TOPICS[service],
            "description": f"Events of {service}; the message key is the complaint's id.",
            "messages": {n: {"$ref": f"#/components/messages/{n}"} for n in names},
        }
        operations[f"publish-{service}"] = {"action": "send", "channel": {"$ref": f"#/channels/{service}"}}
        for model in models:
            messages[model.__name__] = {
                "name": model.type,
                "title": model.__name__,
                "summary": (model.__doc__ or "").strip(),
                "contentType": CONTENT_TYPE,
                "payload": {
                    "schemaFormat": "application/schema+json;version=draft-2020-12",
                    "schema": _envelope(model),
                },
            }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Redress events", "version": __version__},
        "defaultContentType": CONTENT_TYPE,
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    }


def _envelope(model: type[Event]) -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "type": "object",
        "required": ["specversion", "id", "source", "type", "subject", "time", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {"type": "string", "format": "uuid", "description": "UUIDv7"},
            "source": {"const": model.source},
            "type": {"const": model.type},
            "subject": {"type": "string", "description": "The complaint's id"},
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"const": "application/json"},
            "dataschema": {"const": dataschema(model.type)},
            "traceparent": text,
            "correlationid": text,
            "data": model.model_json_schema(mode="serialization"),
        },
    }


def write(folder: Path) -> int:
    """Write `asyncapi.json` and `<type>.json` for each event; how many files."""
    folder.mkdir(parents=True, exist_ok=True)
    documents = {"asyncapi": asyncapi(), **{name: schema(model) for name, model in EVENTS.items()}}
    for name, document in documents.items():
        (folder / f"{name}.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return len(documents)
