"""The event catalogue is what the code gives: committed files, AsyncAPI's structure, the schemas, who reads what."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from deploy import catalogue, topics
from deploy.registry import SERVICES
from shared.bus.local import LocalBus
from shared.events import EVENTS, TOPICS
from shared.settings import Settings

_document = cache(catalogue.asyncapi)
GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.json"))
_REF = {
    "type": "object",
    "required": ["$ref"],
    "properties": {"$ref": {"type": "string"}},
    "additionalProperties": False,
}


def _closed(required: list[str], **properties: Any) -> dict[str, Any]:
    """An object of AsyncAPI 3.0: no field but those of the specification, and extensions."""
    extensions = {"^x-[\\w.-]+$": True}
    return {
        "type": "object",
        "required": required,
        "properties": properties,
        "patternProperties": extensions,
        "additionalProperties": False,
    }


def _map(of: Any) -> dict[str, Any]:
    return {"type": "object", "patternProperties": {"^[A-Za-z0-9._-]+$": of}, "additionalProperties": False}


_TEXT, _ANY = {"type": "string"}, {"type": "object"}
_COMMON = {"title": _TEXT, "summary": _TEXT, "description": _TEXT, "bindings": _ANY}
# After https://www.asyncapi.com/docs/reference/specification/v3.0.0, as far as the document makes use of it.
ASYNCAPI = _closed(
    ["asyncapi", "info"],
    asyncapi={"const": "3.0.0"},
    info=_closed(["title", "version"], title=_TEXT, version=_TEXT, description=_TEXT),
    defaultContentType=_TEXT,
    channels=_map(_closed([], address=_TEXT, messages=_map(_REF), **_COMMON)),
    operations=_map(
        _closed(
            ["action", "channel"],
            action={"enum": ["send", "receive"]},
            channel=_REF,
            messages={"type": "array", "items": _REF},
            **_COMMON,
        )
    ),
    components=_closed(
        [],
        schemas=_map(_ANY),
        messages=_map(_closed([], headers=_ANY, payload=_ANY, name=_TEXT, contentType=_TEXT, **_COMMON)),
    ),
)


@pytest.mark.parametrize("path", catalogue.documents(), ids=lambda path: path.name)
def test_what_is_kept_is_what_the_models_say(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == catalogue.documents()[path], "write it anew: python -m deploy.catalogue"


def _references(found: Any) -> Iterator[str]:
    if isinstance(found, dict):
        if isinstance(target := found.get("$ref"), str):
            yield target
        for inner in found.values():
            yield from _references(inner)
    elif isinstance(found, list):
        for inner in found:
            yield from _references(inner)


def _at(document: Any, reference: str) -> Any:
    """What a reference leads to. Raises KeyError where that is nothing."""
    found = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def test_the_document_is_asyncapi() -> None:
    document = _document()
    jsonschema.Draft202012Validator.check_schema(ASYNCAPI)
    jsonschema.validate(document, ASYNCAPI)
    references = list(_references(document))
    assert len(references) > 200
    for one in references:
        _at(document, one)
    for name, operation in document["operations"].items():  # only messages of the channel that it names
        of = operation["channel"]["$ref"]
        assert all(m["$ref"].startswith(f"{of}/messages/") for m in operation["messages"]), name
    for broken in (document | {"servers": 1}, document | {"asyncapi": "2.6.0"}, {**document, "info": {"title": "x"}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, ASYNCAPI)


def test_a_reference_that_leads_nowhere_is_found() -> None:
    with pytest.raises(KeyError):
        _at(_document(), "#/components/schemas/Nothing")


def test_every_event_is_in_it_once_under_its_topic() -> None:
    document = _document()
    there = {name: channel["messages"] for name, channel in document["channels"].items()}
    assert sorted(m for messages in there.values() for m in messages) == sorted(m.__name__ for m in EVENTS.values())
    assert {c["address"] for c in document["channels"].values()} == set(TOPICS.values())
    assert all(f"## {name.removeprefix('com.redress.').removesuffix('.v1')}\n" in catalogue.page() for name in EVENTS)


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda path: path.stem)
def test_an_event_as_it_travels_fits_what_the_document_says(golden: Path) -> None:
    document = _document()
    event = json.loads(golden.read_text())
    message = next(m for m in document["components"]["messages"].values() if m["name"] == event["type"])
    validator = jsonschema.Draft7Validator({**message["payload"], "components": document["components"]})
    validator.check_schema(message["payload"])
    validator.validate(event)
    assert not validator.is_valid(event | {"type": "com.redress.other.v1"})
    assert not validator.is_valid(event | {"data": {}})


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_reads_what_the_catalogue_says(name: str, tmp_path: Path) -> None:
    service = SERVICES[name]
    settings = service.settings(home=tmp_path)
    worker = service.worker(settings, service.database(settings), LocalBus())
    assert worker.consumes is not None
    heard = {m.type for m in EVENTS.values() if catalogue.publisher(m) in worker.consumes.services}
    said = {m.type for m in EVENTS.values() if name in catalogue.readers(m)}
    assert said == worker.consumes.types & heard


def test_kafka_forgets_before_the_services_do() -> None:
    assert int(topics.configuration(replication=3)["retention.ms"]) == topics.RETENTION_DAYS * 24 * 3600 * 1000
    topics.check_retention(Settings(), topics.RETENTION_DAYS)
    with pytest.raises(ValueError, match="REDRESS_RETENTION_DAYS"):
        topics.check_retention(Settings(retention_days=14), 14)


def test_events_of_one_key_are_never_compacted_away() -> None:
    assert topics.configuration(replication=1)["cleanup.policy"] == "delete"
    assert topics.configuration(replication=3)["min.insync.replicas"] == "2"
    assert topics.configuration(replication=1)["min.insync.replicas"] == "1"
    assert re.search(r"`cleanup.policy` \| `delete`", catalogue.page())
