"""The typed Python client: as the API is today, sound under mypy, and at work against a running intake."""

import asyncio
import importlib.util
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
import uvicorn

from deploy import client
from deploy.infra.ports import free_port
from services.intake import store
from services.intake.app import create_app
from services.intake.settings import IntakeSettings
from shared.db import Database
from shared.migrations import migrate
from shared.security import keys
from shared.security.keys import NewKey

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client as it would be written now."""
    path = tmp_path_factory.mktemp("client") / "redress_intake.py"
    path.write_text(client.generate(client.document()), encoding="utf-8")
    root = Path(client.__file__).parents[1]
    command = [sys.executable, "-m", "ruff", "format", "--quiet", "--config", str(root / "pyproject.toml"), str(path)]
    subprocess.run(command, check=True)
    return path


@pytest.fixture
def module() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("redress_intake", client.FILE)
    assert spec
    assert spec.loader
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    yield found
    sys.modules.pop("redress_intake", None)


def test_the_file_is_what_make_client_writes(written: Path) -> None:
    assert client.FILE.read_text(encoding="utf-8") == written.read_text(encoding="utf-8"), "run `make client`"


def test_a_caller_is_told_of_its_mistakes_by_mypy(written: Path) -> None:
    use = written.with_name("use.py")
    use.write_text(
        "from redress_intake import Intake\n"
        'with Intake("http://desk", "key") as intake:\n'
        '    receipt = intake.complaints_receive({"channel": "phone", "narrative": "x", "complainant": {}})\n'
        '    reveal_type(receipt["reference"])\n'
        '    intake.complaints_receive({"channel": "fax", "narrative": "x", "complainant": {}})\n',
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "/dev/null", "use.py", "redress_intake.py"]
    told = subprocess.run(command, cwd=written.parent, capture_output=True, text=True, check=False).stdout
    errors = [line for line in told.splitlines() if ": error:" in line]
    assert len(errors) == 1, told
    assert errors[0].startswith("use.py:5:")
    assert 'use.py:4: note: Revealed type is "str"' in told or '"builtins.str"' in told


def _desk(answers: Callable[[httpx.Request], httpx.Response], module: ModuleType, **options: Any) -> Any:
    return module.Intake("http://desk/intake", "key", transport=httpx.MockTransport(answers), **options)


def test_a_complaint_is_sent_again_under_the_same_key_until_it_is_taken(module: ModuleType) -> None:
    seen: list[httpx.Request] = []

    def answers(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if len(seen) == 1:
            raise httpx.ConnectError("gone")
        if len(seen) == 2:
            return httpx.Response(503, json={"code": "unavailable"}, headers={"Retry-After": "0"})
        return httpx.Response(201, json={"reference": "261123-7T51-DVFS9"})

    with _desk(answers, module) as desk:
        receipt = desk.complaints_receive({"channel": "phone", "narrative": "x", "complainant": {"anonymous": True}})
    assert receipt["reference"] == "261123-7T51-DVFS9"
    assert len({request.headers["Idempotency-Key"] for request in seen}) == 1
    assert {request.headers["Authorization"] for request in seen} == {"Bearer key"}
    assert {request.url.path for request in seen} == {"/intake/v1/complaints"}


def test_what_cannot_be_repeated_safely_is_not(module: ModuleType) -> None:
    calls = 0

    def answers(_: httpx.Request) -> httpx.Response:
        nonlocal calls
        calls += 1
        return httpx.Response(503, json={"code": "unavailable", "detail": "away"})

    with _desk(answers, module) as desk, pytest.raises(module.Problem, match="503 unavailable: away"):
        desk.privacy_subject_access({"customer_no": "C-000001"})
    assert calls == 1


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>"])
def test_an_answer_that_is_no_problem_document_is_still_told(module: ModuleType, body: bytes) -> None:
    with (
        _desk(lambda _: httpx.Response(404, content=body), module) as desk,
        pytest.raises(module.Problem, match="404 http_error") as told,
    ):
        desk.complaints_read("none/../x")
    assert told.value.errors == []


def test_patience_ends(module: ModuleType) -> None:
    def answers(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("gone")

    with _desk(answers, module, patience=0.3) as desk, pytest.raises(httpx.ConnectError):
        desk.complaints_read("x")


def test_it_speaks_with_a_real_intake(module: ModuleType, served_intake: Any) -> None:
    url, token = served_intake
    with module.Intake(url, token) as desk:
        receipt = desk.complaints_receive(
            {"channel": "phone", "narrative": "Charged twice", "complainant": {"anonymous": True}}
        )
        assert desk.complaints_read(receipt["id"])["reference"] == receipt["reference"]
        with pytest.raises(module.Problem) as told:
            desk.complaints_receive({"channel": "phone", "narrative": " ", "complainant": {"anonymous": True}})
    assert (told.value.status, told.value.errors[0]["pointer"]) == (422, "/narrative")


@pytest.fixture
def served_intake(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Intake by uvicorn on SQLite; its address and a key."""
    settings = IntakeSettings(home=tmp_path)
    migrate(Path(client.__file__).parents[1] / "services" / "intake" / "migrations", settings.database)

    async def key() -> str:
        db = Database("intake", settings.database, store.tables)
        async with db.transaction() as tx:
            new = NewKey("any", scopes=["complaints:write", "complaints:read"])
            token = await keys.create(tx, store.tables, new, actor="test", now=NOW)
        await db.close()
        return token

    token = asyncio.run(key())
    app = create_app(settings, Database("intake", settings.database, store.tables))
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}", token
    finally:
        server.should_exit = True
        thread.join()
