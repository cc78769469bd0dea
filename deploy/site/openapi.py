"""A service's OpenAPI document as a Markdown page: made here, so that nobody's browser has to run a script for it."""

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deploy.registry import SERVICES

_METHODS = ("get", "post", "put", "patch", "delete")
_PROBLEM = "application/problem+json"


def document(service: str) -> dict[str, Any]:
    """The OpenAPI document of a service, without starting it."""
    with tempfile.TemporaryDirectory(prefix="redress-site-") as folder:
        made = SERVICES[service]
        settings = made.settings(home=Path(folder))
        return made.app(settings, made.database(settings)).openapi()


def page(service: str, found: Mapping[str, Any]) -> str:
    """The page. What is for browsers (HTML pages and their forms) is left out."""
    return _Page(service).of(found)


class _Page:
    """The page of one service. Labels are the whole site's, and services have schemas of one name, so each label begins
    with the service."""

    def __init__(self, service: str) -> None:
        self._service = service

    def of(self, found: Mapping[str, Any]) -> str:
        parts = [f"# API of {self._service}", "", found["info"].get("summary", ""), ""]
        parts.append(f"Its address begins with `/{self._service}` where the four share one. What holds for every call:")
        parts.append("[the API in short](../api.md).\n")
        tagged: dict[str, list[tuple[str, str, Mapping[str, Any]]]] = {}
        for path, methods in found["paths"].items():
            for method in _METHODS:
                if (spec := methods.get(method)) and not _is_page(spec):
                    tagged.setdefault((spec.get("tags") or ["other"])[0], []).append((method.upper(), path, spec))
        parts += ["| Call | |", "|---|---|"]
        for several in tagged.values():
            parts += [f"| [`{m} {path}`](#{self._call_label(spec)}) | {_first(spec)} |" for m, path, spec in several]
        for tag, several in tagged.items():
            parts += ["", f"## {tag.replace('_', ' ').capitalize()}"]
            for method, path, spec in several:
                parts += [
                    "",
                    f"({self._call_label(spec)})=",
                    f"### {method} {path}",
                    "",
                    _text(spec),
                    *self._call(spec),
                ]
        parts += ["", "## Schemas", ""]
        for name, schema in sorted(found["components"]["schemas"].items()):
            parts += [f"({self._schema_label(name)})=", f"### {name}", "", *self._schema(schema), ""]
        return "\n".join(parts).rstrip() + "\n"

    def _call(self, spec: Mapping[str, Any]) -> Iterator[str]:
        rows = [
            f"| `{one['name']}` | {one['in']} | {self._type(one['schema'])} | {_notes(one['schema'], one)} |"
            for one in spec.get("parameters", ())
            if one["name"].lower() != "authorization"
        ]
        if rows:
            yield from ("", "| Parameter | In | Type | |", "|---|---|---|---|", *rows)
        for kind, content in spec.get("requestBody", {}).get("content", {}).items():
            yield from ("", f"**Takes** `{kind}`: {self._type(content.get('schema', {}))}")
        yield from ("", "| Answer | |", "|---|---|")
        for status, answer in sorted(spec["responses"].items()):
            contents = answer.get("content", {}).items()
            shapes = [self._type(c.get("schema", {})) for kind, c in contents if kind != _PROBLEM]
            told = answer.get("description", "")
            shapes += [] if told == "Successful Response" else [_cell(told)]
            yield f"| `{status}` | {' '.join(shapes)} |"

    def _schema(self, schema: Mapping[str, Any]) -> Iterator[str]:
        if text := _text(schema):
            yield from (text, "")
        if "properties" not in schema:
            yield self._type(schema)
            return
        required = set(schema.get("required", ()))
        yield from ("| Field | Type | |", "|---|---|---|")
        for name, inner in schema["properties"].items():
            yield f"| `{name}` | {self._type(inner)} | {_notes(inner, {'required': name in required})} |"

    def _type(self, schema: Mapping[str, Any]) -> str:
        """A type in a cell of a table."""
        if "$ref" in schema:
            name = schema["$ref"].rsplit("/", 1)[-1]
            return f"[{name}](#{self._schema_label(name)})"
        if "enum" in schema or "const" in schema:
            return _cell(", ".join(f"`{json.dumps(v)}`" for v in schema.get("enum", [schema.get("const")])))
        for several in ("anyOf", "oneOf", "allOf"):
            if several in schema:
                kinds = dict.fromkeys(self._type(one) for one in schema[several] if one.get("type") != "null")
                return " or ".join(kinds) or "nothing"
        kind = schema.get("type")
        if kind == "array":
            return f"list of {self._type(schema.get('items', {}))}"
        if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
            return f"object of {self._type(schema['additionalProperties'])}"
        if kind == "string":
            return {"date-time": "time", "date": "day", "binary": "bytes"}.get(schema.get("format", ""), "text")
        return _WORDS.get(str(kind), "anything")

    def _call_label(self, spec: Mapping[str, Any]) -> str:
        return f"{self._service}-call-{_plain(spec['operationId'])}"

    def _schema_label(self, name: str) -> str:
        return f"{self._service}-schema-{_plain(name)}"


_WORDS = {"integer": "whole number", "number": "number", "boolean": "yes or no", "object": "object", "null": "nothing"}


def _is_page(spec: Mapping[str, Any]) -> bool:
    """Whether it answers with HTML, or takes what a page's form sends and leads on to another page."""
    good = {status: answer for status, answer in spec["responses"].items() if status[0] in "23"}
    kinds = {kind for answer in good.values() for kind in answer.get("content", {})}
    forms = "application/x-www-form-urlencoded" in spec.get("requestBody", {}).get("content", {})
    return "text/html" in kinds or (forms and not kinds - {"application/json"})


def _notes(schema: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    notes = ["needed"] if about.get("required") else []
    if schema.get("default") is not None:
        notes.append(f"default `{json.dumps(schema['default'], ensure_ascii=False)}`")
    for one in (schema, *schema.get("anyOf", ())):
        for limit, words in (("maxLength", "at most {} characters"), ("minimum", "from {}"), ("maximum", "to {}")):
            if limit in one:
                notes.append(words.format(one[limit]))
    if told := about.get("description") or schema.get("description"):
        notes.append(" ".join(told.split()))
    return _cell("; ".join(notes))


def _text(spec: Mapping[str, Any]) -> str:
    """What is said of it, each paragraph in one line."""
    told = spec.get("description") or spec.get("summary") or ""
    return "\n\n".join(" ".join(part.split()) for part in told.strip().split("\n\n"))


def _first(spec: Mapping[str, Any]) -> str:
    return _cell(_text(spec).split("\n")[0])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").strip()


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
