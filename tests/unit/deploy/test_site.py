"""The documentation's site: what is gathered for it, and a service's API as a page. `make docs` builds all of it."""

import re
from pathlib import Path

from deploy.site import build, navigation, openapi

THING = {"application/json": {"schema": {"$ref": "#/components/schemas/ThingOut"}}}
DOCUMENT = {
    "info": {"summary": "Takes things in."},
    "paths": {
        "/v1/things/{id}": {
            "get": {
                "tags": ["things"],
                "operationId": "things_show",
                "description": "One thing |\nas it is.",
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "maxLength": 9}}
                ],
                "responses": {
                    "200": {"description": "Successful Response", "content": THING},
                    "404": {"description": "Not found · `not_found`", "content": {"application/problem+json": {}}},
                },
            }
        },
        "/page": {"get": {"operationId": "page", "responses": {"200": {"content": {"text/html": {}}}}}},
    },
    "components": {
        "schemas": {
            "ThingOut": {
                "description": "A thing.",
                "required": ["kind"],
                "properties": {
                    "kind": {"enum": ["a", "b"]},
                    "others": {"anyOf": [{"type": "array", "items": {"$ref": "#/x/ThingOut"}}, {"type": "null"}]},
                },
            }
        }
    },
}


def test_an_api_is_a_page_with_its_calls_and_schemas_and_without_pages_for_people() -> None:
    page = openapi.page("intake", DOCUMENT)
    assert "### GET /v1/things/{id}" in page
    assert "| [`GET /v1/things/{id}`](#intake-call-things-show) | One thing \\| as it is. |" in page
    assert "| `id` | path | text | needed; at most 9 characters |" in page
    assert "| `200` | [ThingOut](#intake-schema-thingout) |" in page
    assert "| `404` | Not found · `not_found` |" in page
    assert '| `kind` | `"a"`, `"b"` | needed |' in page
    assert "| `others` | list of [ThingOut](#intake-schema-thingout) |  |" in page
    assert "/page" not in page
    labels = set(re.findall(r"^\((.+)\)=$", page, re.MULTILINE))
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= labels


def test_pages_are_gathered_as_they_lie_with_what_they_link_to(tmp_path: Path) -> None:
    source = tmp_path / "source"
    build.gather(source)
    written = {f"docs/api/{service}" for service in navigation.SERVICES}
    assert {name for name in navigation.every() if not (source / f"{name}.md").is_file()} == written
    first = (source / "index.md").read_text()
    assert all(f":caption: {chapter.title}\n" in first for chapter in navigation.chapters())
    for target in ("docs/architecture.svg", "docs/events/asyncapi.json", "conf.py", "static/site.css"):
        assert (source / target).is_file(), target
    assert not (source / "README.md").exists()
    assert "/docs/runbooks/no-worker\n" in (source / "docs" / "runbooks" / "README.md").read_text()
