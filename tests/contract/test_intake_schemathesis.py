"""Intake answers nothing that its OpenAPI document does not promise, and no 5xx, whatever is sent to whichever route.

Each operation gets its share of a fixed time: requests that fit its schema, and requests that do not quite, from
callers with every kind of right and from strangers. What fails is told for all operations together.
"""

import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
import uvicorn
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode, checks
from sqlalchemy import create_engine

from deploy.infra.ports import free_port
from services.intake import store
from services.intake.app import create_app
from services.intake.settings import IntakeSettings
from shared.db import Database
from shared.security.crypto import MasterKeys
from shared.security.keys import digest, mint

SECONDS = 45.0  # of calls, for all operations together; to make up what is sent takes about as long again
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
PROMISED = (
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
)

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


@schemathesis.serializer("message/rfc822", "message/global")
def as_it_is(_: schemathesis.SerializationContext, value: Any) -> bytes:
    """A mail goes over the wire as whatever text was made up for it."""
    return value if isinstance(value, bytes) else str(value).encode(errors="surrogatepass")


@dataclass
class Served:
    """Intake over real HTTP on loopback. `known` are values of path parameters under which there is something."""

    app: FastAPI
    url: str
    tokens: dict[str, str]
    known: dict[str, str] = field(default_factory=dict)
    tracking: str = ""

    def headers(self, who: str | None) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[who]}"} if who else {}


@pytest.fixture
def served(migrated: Callable[[str], str], tmp_path: Path) -> Iterator[Served]:
    url = migrated("intake")
    tokens = {}
    engine = create_engine(url.replace("+aiosqlite", ""))
    with engine.begin() as connection:
        for who, rights in RIGHTS.items():
            id, tokens[who] = mint()
            row = {"id": id, "hash": digest(tokens[who]), "name": who, "created_at": NOW, **rights}
            connection.execute(store.tables.api_key.insert().values(row))
    engine.dispose()
    app = create_app(
        IntakeSettings(home=tmp_path, rate_limit_addresses="1000000/minute"),
        Database("intake", url, store.tables),
        keys=MasterKeys({"k": b"k" * 32}, pseudonym_key=b"p" * 32),
        clock=lambda: NOW,
    )
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, ws="none", lifespan="on"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield _with_a_complaint(Served(app, f"http://127.0.0.1:{port}", tokens))
    finally:
        server.should_exit = True
        thread.join()


def _with_a_complaint(served: Served) -> Served:
    body = {"channel": "phone", "narrative": "n", "complainant": {"name": "Chan Example", "customer_no": "C-000001"}}
    taken = httpx.post(f"{served.url}/v1/complaints", headers=served.headers("all"), json=body).json()
    served.known = dict.fromkeys(("id", "complaint_id"), taken["id"]) | {"reference": taken["reference"]}
    served.tracking = taken["tracking"]["token"]
    return served


@pytest.mark.timeout(240)
def test_no_answer_is_a_5xx_or_undocumented(served: Served) -> None:
    schema = schemathesis.openapi.from_dict(served.app.openapi())
    operations = [found.ok() for found in schema.get_all_operations()]
    seen: defaultdict[str, Counter[int]] = defaultdict(Counter)
    failures: list[str] = []
    for operation in operations:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):  # what fits the schema, and what does not quite
            try:
                seen[operation.label] += _drive(served, operation, mode, SECONDS / len(operations) / 2)
            except Exception as error:
                failures.append(f"{operation.label}, {mode.value}: {_told(error)}")
    assert not failures, "\n\n".join(failures)
    assert set(seen) == {o.label for o in operations}
    assert all(seen.values()), "every operation was called"
    every = sum(seen.values(), Counter())
    assert {200, 201, 400, 401, 403, 404, 422} <= set(every), "it came through the doors, and against them"


def _drive(served: Served, operation: Any, mode: GenerationMode, seconds: float) -> Counter[int]:
    """How often which status was answered within `seconds`."""
    answered: Counter[int] = Counter()
    ends = time.monotonic() + seconds

    @settings(
        max_examples=60,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
        derandomize=True,
    )
    @given(
        case=operation.as_strategy(generation_mode=mode),
        who=st.sampled_from(CALLERS),
        hit=st.booleans(),
    )
    def call(case: Any, who: str | None, hit: bool) -> None:
        if answered and time.monotonic() > ends:
            return
        if hit and case.path_parameters:
            case.path_parameters = {k: served.known.get(k, v) for k, v in case.path_parameters.items()}
        headers = served.headers(who)
        if hit and "/track/" in operation.path:
            headers["X-Tracking-Token"] = served.tracking
        answer = case.call(base_url=served.url, headers=headers)
        answered[answer.status_code] += 1
        case.validate_response(answer, checks=PROMISED)

    call()
    return answered


def _told(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return "\n".join(_told(inner) for inner in error.exceptions)
    return f"{type(error).__name__}: {error}"


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
