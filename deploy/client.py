"""The typed Python client of intake, written from its OpenAPI document into one file that callers can copy.

`make client` writes it; a test keeps it from falling behind.
"""

import keyword
import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parent.parent / "clients" / "python" / "redress_intake.py"
_PLAIN = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "null": "None",
    "object": "JsonObject",
}
_WIDTH = 116
_HEAD = Path(__file__).with_name("client_head.py.txt")


def document() -> dict[str, Any]:
    """Intake's OpenAPI document, without starting it."""
    from services.intake.app import create_app
    from services.intake.settings import IntakeSettings
    from services.intake.store import tables
    from shared.db import Database
    from shared.security.crypto import MasterKeys

    keys = MasterKeys({"none": bytes(32)}, pseudonym_key=bytes(32))
    db = Database("intake", "postgresql+asyncpg://nowhere/none", tables)  # nothing connects to it
    return create_app(IntakeSettings(), db, keys=keys).openapi()


def generate(found: Mapping[str, Any]) -> str:
    """The client's source."""
    schemas = found["components"]["schemas"]
    operations = list(_operations(found))
    used = sorted(_closure(schemas, [names for one in operations for names in one.names]))
    parts = [_HEAD.read_text(encoding="utf-8")]
    parts += [_model(name, schemas[name]) for name in used if name not in ("Problem", "FieldProblem")]
    parts.append("class Intake(_Caller):\n" + _doc("Intake's API. Each method is one call; raises `Problem`.", 4))
    parts += [textwrap.indent(one.source, "    ") for one in operations]
    return "\n\n".join(part.rstrip("\n") + "\n" for part in parts)


class _Operation:
    """One call as a method. `names` are the schemas that it refers to."""

    def __init__(self, path: str, method: str, spec: Mapping[str, Any]) -> None:
        self.names: list[str] = []
        name = _name(spec["operationId"])
        needed, more, passed = ["self"], list[str](), list[str]()
        address = re.sub(r"{(\w+)}", lambda m: "{_part(" + _name(m[1]) + ")}", path)
        queries, headers = list[str](), list[str]()
        for one in spec.get("parameters", []):
            known = _name(one["name"])
            kind = self._type(one["schema"])
            if one["in"] == "path":
                needed.append(f"{known}: str")
                continue
            if one["in"] == "cookie" or one["name"].lower() == "authorization":
                continue
            more.append(f"{known}: {kind if 'None' in kind else kind + ' | None'} = None")
            (queries if one["in"] == "query" else headers).append(f'"{one["name"]}": {known}')
        body = spec.get("requestBody", {}).get("content", {})
        if "application/json" in body:
            needed.append(f"body: {self._type(body['application/json']['schema'])}")
            passed.append("json=body")
        elif body:
            needed.append("content: bytes")
            media = next(iter(body))
            passed.append("content=content")
            headers.insert(0, f'"Content-Type": "{media}"')
        if queries:
            passed.append("params={" + ", ".join(queries) + "}")
        if headers:
            passed.append("headers={" + ", ".join(headers) + "}")
        returned = self._returned(spec["responses"])
        signature = ", ".join([*needed, *(["*", *more] if more else [])])
        call = (
            f'self._call("{method.upper()}", {"f" if "{" in address else ""}"{address}", {", ".join(passed)})'.replace(
                ", )", ")"
            )
        )
        told = spec.get("description") or spec.get("summary") or name
        self.source = (
            f"def {name}({signature}) -> {returned}:\n"
            + _doc(told, 4)
            + (f"    {call}\n" if returned == "None" else f"    return {_cast(returned, call)}\n")
        )

    def _returned(self, responses: Mapping[str, Any]) -> str:
        good = [r for status, r in sorted(responses.items()) if status.startswith("2")]
        kinds: list[str] = []
        for one in good:
            content = one.get("content", {})
            kind = "None"
            if "application/json" in content:
                kind = self._type(content["application/json"].get("schema", {}))
            elif content:
                kind = "bytes"
            if kind not in kinds:
                kinds.append(kind)
        return " | ".join(kinds) or "None"

    def _type(self, schema: Mapping[str, Any]) -> str:
        return _type(schema, self.names)


def _cast(kind: str, call: str) -> str:
    if kind == "bytes":
        return call + ".content"
    return f'cast("{kind}", {call}.json())'


def _operations(found: Mapping[str, Any]) -> Iterator[_Operation]:
    for path, methods in found["paths"].items():
        for method, spec in methods.items():
            body = spec.get("requestBody", {}).get("content", {})
            pages = any("text/html" in r.get("content", {}) for r in spec["responses"].values())
            if path.startswith("/v1/") and not pages and not set(body) & {"application/x-www-form-urlencoded"}:
                yield _Operation(path, method, spec)


def _closure(schemas: Mapping[str, Any], wanted: list[list[str]] | list[str]) -> set[str]:
    """`wanted` and all that they refer to."""
    left = [name for one in wanted for name in ([one] if isinstance(one, str) else one)]
    found: set[str] = set()
    while left:
        name = left.pop()
        if name in found:
            continue
        found.add(name)
        _model(name, schemas[name], left)
    return found


def _model(name: str, schema: Mapping[str, Any], names: list[str] | None = None) -> str:
    names = [] if names is None else names
    if "properties" not in schema:
        return f"{name} = {_type(schema, names)}\n"
    required = set(schema.get("required", ()))
    fields = []
    for field, inner in schema["properties"].items():
        kind = _type(inner, names)
        fields.append(f"    {field}: {kind}" if field in required else f"    {field}: NotRequired[{kind}]")
    return f"class {name}(TypedDict):\n" + _doc(schema.get("description", name), 4) + "\n" + "\n".join(fields) + "\n"


def _type(schema: Mapping[str, Any], names: list[str]) -> str:
    if "$ref" in schema:
        names.append(schema["$ref"].rsplit("/", 1)[-1])
        return names[-1]
    if "enum" in schema or "const" in schema:
        return "Literal[" + ", ".join(repr(v) for v in schema.get("enum", [schema.get("const")])) + "]"
    for several in ("anyOf", "oneOf"):
        if several in schema:
            kinds = list(dict.fromkeys(_type(one, names) for one in schema[several]))
            return " | ".join(kinds)
    if "allOf" in schema and len(schema["allOf"]) == 1:
        return _type(schema["allOf"][0], names)
    kind = schema.get("type")
    if isinstance(kind, list):
        return " | ".join(_type({**schema, "type": k}, names) for k in kind)
    if kind == "array":
        return f"list[{_type(schema.get('items', {}), names)}]"
    if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"dict[str, {_type(schema['additionalProperties'], names)}]"
    return _PLAIN.get(str(kind), "Any")


def _name(told: str) -> str:
    found = re.sub(r"\W+", "_", told).strip("_").lower()
    return found + "_" if keyword.iskeyword(found) else found


def _doc(told: str, indent: int) -> str:
    paragraphs = [" ".join(part.split()) for part in told.strip().split("\n\n")]
    lines = [line for part in paragraphs for line in [*textwrap.wrap(part, _WIDTH - indent - 6), ""]][:-1]
    lines = [line.replace("\\", "\\\\").replace('"""', "'''") for line in lines]
    if len(lines) == 1:
        return " " * indent + f'"""{lines[0]}"""\n'
    inner = "\n".join(" " * indent + line if line else "" for line in lines[1:])
    return " " * indent + f'"""{lines[0]}\n{inner}\n' + " " * indent + '"""\n'


if __name__ == "__main__":
    FILE.write_text(generate(document()), encoding="utf-8")
