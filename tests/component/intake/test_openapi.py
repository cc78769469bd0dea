"""The OpenAPI document is whole. That what it promises is what is answered, `tests/contract` sees to."""

from collections.abc import Iterator
from typing import Any


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


async def test_the_document_itself_is_whole(desk: Any) -> None:
    document = (await desk.http.get("/openapi.json")).json()
    assert document == desk.app.openapi()
    for reference in set(_references(document)):
        node = document
        assert reference.startswith("#/")
        for part in reference[2:].split("/"):
            node = node[part]


async def test_every_call_has_a_name_of_its_own(desk: Any) -> None:
    document = (await desk.http.get("/openapi.json")).json()
    names = [spec["operationId"] for methods in document["paths"].values() for spec in methods.values()]
    assert len(names) == len(set(names))
    assert "complaints_receive" in names
