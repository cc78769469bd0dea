"""Calls every operation of a service over real HTTP with what fits its schema and what does not quite, from callers
with every kind of right and from strangers, and holds its answers against its OpenAPI document.

Each operation gets its share of a fixed time. What fails is told for all operations together.
"""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import schemathesis
import uvicorn
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode, checks
from sqlalchemy import create_engine

from deploy.infra.ports import free_port
from shared.db import SystemTables
from shared.security.keys import digest, mint

PROMISED = (
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
)


class _Enough(BaseException):
    """The time is over. Hypothesis takes no such exception for a failure, and passes it on."""


@dataclass
class Served:
    """A service over real HTTP on loopback. `known` are values of path parameters under which there is something;
    `callers` are drawn from, None being a stranger; `extra` are headers for the paths that hold the key."""

    app: FastAPI
    url: str
    tokens: dict[str, str]
    callers: Sequence[str | None]
    known: dict[str, str] = field(default_factory=dict)
    extra: dict[str, dict[str, str]] = field(default_factory=dict)

    def headers(self, who: str | None) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[who]}"} if who else {}


def mint_keys(url: str, tables: SystemTables, rights: Mapping[str, Mapping[str, str]], now: datetime) -> dict[str, str]:
    """A token for each of `rights` in the SQLite database at `url`."""
    tokens = {}
    engine = create_engine(url.replace("+aiosqlite", ""))
    with engine.begin() as connection:
        for who, has in rights.items():
            id, tokens[who] = mint()
            row = {"id": id, "hash": digest(tokens[who]), "name": who, "created_at": now, **has}
            connection.execute(tables.api_key.insert().values(row))
    engine.dispose()
    return tokens


@contextmanager
def serving(app: FastAPI, tokens: dict[str, str], callers: Sequence[str | None]) -> Iterator[Served]:
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, ws="none", lifespan="on"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield Served(app, f"http://127.0.0.1:{port}", tokens, callers)
    finally:
        server.should_exit = True
        thread.join()


def drive_all(served: Served, seconds: float) -> Counter[int]:
    """Call every operation; how often which status was answered. Raises AssertionError with all that was broken."""
    schema = schemathesis.openapi.from_dict(served.app.openapi())
    operations = [found.ok() for found in schema.get_all_operations()]
    seen: defaultdict[str, Counter[int]] = defaultdict(Counter)
    failures: list[str] = []
    for operation in operations:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):  # what fits the schema, and what does not quite
            try:
                seen[operation.label] += _drive(served, operation, mode, seconds / len(operations) / 2)
            except Exception as error:
                failures.append(f"{operation.label}, {mode.value}: {_told(error)}")
    assert not failures, "\n\n".join(failures)
    assert set(seen) == {o.label for o in operations}
    assert all(seen.values()), "every operation was called"
    return sum(seen.values(), Counter())


def _drive(served: Served, operation: Any, mode: GenerationMode, seconds: float) -> Counter[int]:
    """How often which status was answered within `seconds`."""
    answered: Counter[int] = Counter()
    broken = False  # then Hypothesis goes on until it has told what it found
    ends = time.monotonic() + seconds

    @settings(
        max_examples=30,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
        derandomize=True,
    )
    @given(
        case=operation.as_strategy(generation_mode=mode),
        who=st.sampled_from(served.callers),
        hit=st.booleans(),
    )
    def call(case: Any, who: str | None, hit: bool) -> None:
        nonlocal broken
        if answered and not broken and time.monotonic() > ends:
            raise _Enough
        if hit and case.path_parameters:
            case.path_parameters = {k: served.known.get(k, v) for k, v in case.path_parameters.items()}
        headers = served.headers(who)
        if hit:
            headers |= next((h for part, h in served.extra.items() if part in operation.path), {})
        try:
            answer = case.call(base_url=served.url, headers=headers)
            answered[answer.status_code] += 1
            case.validate_response(answer, checks=PROMISED)
        except Exception:
            broken = True
            raise

    with suppress(_Enough):
        call()
    return answered


def _told(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return "\n".join(_told(inner) for inner in error.exceptions)
    return f"{type(error).__name__}: {error}"
