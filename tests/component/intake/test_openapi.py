"""What the OpenAPI document promises is what is answered: every status, media type and shape."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import checks
from sqlalchemy import create_engine

from deploy.infra.ports import free_port
from services.intake import store
from services.intake.app import create_app
from services.intake.settings import IntakeSettings
from shared.clock import utcnow
from shared.db import Database
from shared.security.crypto import MasterKeys
from shared.security.keys import digest, mint

SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
RIGHTS: dict[str, dict[str, str]] = {
    "history": {"scopes": "complaints:write complaints:import complaints:read"},
    "phone": {"scopes": "complaints:write complaints:read", "channels": "phone"},
    "officer": {"roles": "officer"},
    "manager": {"roles": "manager"},
}


@pytest.fixture
def served(migrated: Callable[[str], str], tmp_path: Path) -> Iterator[tuple[Any, str, dict[str, str]]]:
    """Intake over real HTTP on loopback: the app, its address, and tokens."""
    url = migrated("intake")
    tokens = {}
    engine = create_engine(url.replace("+aiosqlite", ""))
    with engine.begin() as connection:
        for who, rights in RIGHTS.items():
            id, tokens[who] = mint()
            row = {"id": id, "hash": digest(tokens[who]), "name": who, "created_at": utcnow(), **rights}
            connection.execute(store.tables.api_key.insert().values(row))
    engine.dispose()
    keys = MasterKeys({"k": b"k" * 32}, pseudonym_key=b"p" * 32)
    app = create_app(IntakeSettings(home=tmp_path), Database("intake", url, store.tables), keys=keys)
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, ws="none", lifespan="on"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield app, f"http://127.0.0.1:{port}", tokens
    finally:
        server.should_exit = True
        thread.join()


@SQLITE
def test_every_answer_is_one_that_the_document_promises(served: Any) -> None:
    app, base_url, tokens = served
    document = app.openapi()
    schema = schemathesis.openapi.from_dict(document)
    promised = (
        checks.not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_headers_conformance,
        checks.response_schema_conformance,
    )
    with httpx.Client() as client:
        taken = client.post(
            f"{base_url}/v1/complaints",
            headers={"Authorization": f"Bearer {tokens['phone']}"},
            json={"channel": "phone", "narrative": "n", "complainant": {"anonymous": True}},
        ).json()
    known = {"id": taken["id"], "reference": taken["reference"]}

    operations = [o.ok() for o in schema.get_all_operations()]
    assert {(o.method.upper(), o.path) for o in operations} >= {
        ("POST", "/v1/complaints"),
        ("GET", "/v1/complaints/{id}"),
        ("GET", "/v1/track/{reference}"),
    }

    def answers(operation: Any) -> set[int]:
        """Every status that the operation answered, each checked against the document."""
        answered: set[int] = set()

        @settings(
            max_examples=15,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
            database=None,
        )
        @given(case=operation.as_strategy(), hit=st.booleans())
        def call(who: str | None, case: Any, hit: bool) -> None:
            if hit and case.path_parameters:
                case.path_parameters = {k: known.get(k, v) for k, v in case.path_parameters.items()}
                case.query = (
                    {"token": taken["tracking"]["token"]} if "reference" in case.path_parameters else case.query
                )
            headers = {"Authorization": f"Bearer {tokens[who]}"} if who else {}
            answer = case.call(base_url=base_url, headers=headers)
            answered.add(answer.status_code)
            case.validate_response(answer, checks=promised)

        for who in (*tokens, None):
            call(who)
        return answered

    seen = {o.label: answers(o) for o in operations}
    assert 201 in seen["POST /v1/complaints"]
    assert {401, 422} <= seen["POST /v1/complaints"]
    assert {200, 401, 404} <= seen["GET /v1/complaints/{id}"]
    assert {200, 404} <= seen["GET /v1/track/{reference}"]


@SQLITE
def test_the_document_itself_is_whole(served: Any) -> None:
    app, base_url, _ = served
    document = httpx.get(f"{base_url}/openapi.json").json()
    assert document == app.openapi()

    def references(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            for key, value in node.items():
                if key == "$ref":
                    yield value
                else:
                    yield from references(value)
        elif isinstance(node, list):
            for value in node:
                yield from references(value)

    for reference in set(references(document)):
        node = document
        assert reference.startswith("#/")
        for part in reference[2:].split("/"):
            node = node[part]
