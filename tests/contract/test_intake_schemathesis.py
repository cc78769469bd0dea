"""Intake answers nothing that its OpenAPI document does not promise, and no 5xx, whatever is sent to any route."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis

from services.intake import store
from services.intake.app import create_app
from services.intake.settings import IntakeSettings
from shared.db import Database
from shared.security.crypto import MasterKeys
from tests.contract.driving import Served, drive_all, mint_keys, serving

SECONDS = 45.0  # for all operations together
NOW = datetime(2026, 11, 23, 15, tzinfo=UTC)  # the documented examples are of this day
RIGHTS: dict[str, dict[str, str]] = {
    "all": {
        "roles": "agent officer supervisor manager auditor admin",
        "scopes": "complaints:write complaints:import complaints:read",
    },
    "phone": {"scopes": "complaints:write complaints:read", "channels": "phone"},
    "officer": {"roles": "officer"},
}
CALLERS = ["all", "all", "all", "phone", "officer", None]  # mostly somebody who gets past the door
pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


@schemathesis.serializer("message/rfc822", "message/global")
def as_it_is(_: schemathesis.SerializationContext, value: Any) -> bytes:
    """A mail goes over the wire as whatever text was made up for it."""
    return value if isinstance(value, bytes) else str(value).encode(errors="surrogatepass")


@pytest.fixture
def served(migrated: Callable[[str], str], tmp_path: Path) -> Iterator[Served]:
    url = migrated("intake")
    app = create_app(
        IntakeSettings(home=tmp_path, rate_limit_addresses="1000000/minute"),
        Database("intake", url, store.tables),
        keys=MasterKeys({"k": b"k" * 32}, pseudonym_key=b"p" * 32),
        clock=lambda: NOW,
    )
    with serving(app, mint_keys(url, store.tables, RIGHTS, NOW), CALLERS) as served:
        yield _with_a_complaint(served)


def _with_a_complaint(served: Served) -> Served:
    body = {"channel": "phone", "narrative": "n", "complainant": {"name": "Chan Example", "customer_no": "C-000001"}}
    taken = httpx.post(f"{served.url}/v1/complaints", headers=served.headers("all"), json=body).json()
    served.known = dict.fromkeys(("id", "complaint_id"), taken["id"]) | {"reference": taken["reference"]}
    served.extra = {"/track/": {"X-Tracking-Token": taken["tracking"]["token"]}}
    return served


@pytest.mark.timeout(240)
def test_no_answer_is_a_5xx_or_undocumented(served: Served) -> None:
    every = drive_all(served, SECONDS)
    assert {200, 201, 400, 401, 403, 404, 422} <= set(every), "it came through the doors, and against them"


def test_the_documented_examples_are_taken(served: Served) -> None:
    document = served.app.openapi()
    taken = 0
    for path, operations in document["paths"].items():
        if path != "/v1/complaints" and not path.startswith("/v1/channels/"):
            continue
        given_ = operations["post"]["requestBody"]["content"].get("application/json", {}).get("schema", {})
        if "$ref" in given_:
            given_ = document["components"]["schemas"][given_["$ref"].rsplit("/", 1)[-1]]
        for example in given_.get("examples", []):
            answer = httpx.post(f"{served.url}{path}", headers=served.headers("all"), json=example)
            assert answer.status_code == 201, (path, answer.text)
            taken += 1
    assert taken >= 7, "one for every channel with a shape of its own, and one for any channel"


def test_the_documented_forms_are_taken(served: Served) -> None:
    taken = 0
    for path, operations in served.app.openapi()["paths"].items():
        content = operations.get("post", {}).get("requestBody", {}).get("content", {})
        if (form := content.get("multipart/form-data")) is None:
            continue
        report, files = form["example"]["complaint"], form["example"]["file"]
        parts: list[Any] = [("complaint", (None, json.dumps(report), form["encoding"]["complaint"]["contentType"]))]
        parts += [("file", (f"{n}.pdf", file.encode(), "application/pdf")) for n, file in enumerate(files)]
        answer = httpx.post(f"{served.url}{path}", headers=served.headers("all"), files=parts)
        assert answer.status_code == 201, (path, answer.text)
        taken += 1
    assert taken == 2, "letters and branch forms"
