"""The frame of every service's HTTP app."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.exceptions import HTTPException
from starlette.responses import Response

from shared import __version__, trace
from shared.clock import Clock
from shared.db import Database
from shared.errors import FieldError, Malformed, RedressError
from shared.security.ended import Ended
from shared.security.keys import KeyRing
from shared.security.oidc import ClaimNames, StaffTokens
from shared.settings import Settings
from shared.web import docs, health, limits, problems
from shared.web.access import Authenticator, Sessions, seal
from shared.web.edge import Edge
from shared.web.router import include

log = structlog.get_logger()
KEYS_NOTED_EVERY = 30.0  # seconds between two notes of when keys were last used

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(
    service: str,
    summary: str,
    *,
    settings: Settings,
    db: Database,
    clock: Clock,
    routers: Sequence[APIRouter],
    lifespan: Lifespan | None = None,
) -> FastAPI:
    """An app with the service's `routers` and what all services have. `lifespan` is the service's own part."""
    staff = _staff_tokens(settings)
    keys = KeyRing(db, clock)

    @asynccontextmanager
    async def whole(app: FastAPI) -> AsyncIterator[None]:
        trace.start_exporting(settings.otlp_endpoint, service, __version__)
        noting = asyncio.create_task(_note_use(service, keys), name="note-key-use")
        try:
            if lifespan is None:
                yield
            else:
                async with lifespan(app):
                    yield
        finally:
            for close in app.state.closing:
                await close()
            noting.cancel()
            await asyncio.gather(noting, return_exceptions=True)
            with contextlib.suppress(Exception):
                await keys.note_use()
            if staff is not None:
                await staff.close()
            await db.close()
            trace.stop_exporting()

    app = FastAPI(
        title=f"Redress {service}",
        summary=summary,
        version=__version__,
        lifespan=whole,
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=False,
        # ours follow a complaint beyond HTTP (shared/trace.py, shared/metrics.py); a second set would only cost
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.service = service
    app.state.settings = settings
    app.state.db = db
    app.state.clock = clock
    sessions = Sessions(
        settings.sealing,
        Ended(db, clock),
        clock,
        lifetime=timedelta(hours=settings.session_hours),
        idle=timedelta(minutes=settings.session_idle_minutes),
    )
    app.state.authenticator = Authenticator(keys, staff, sessions)
    app.state.closing = []  # what the parts of the app want awaited before its database goes
    dress(app, service, settings)
    include(app, health.router)
    docs.install(app)
    for router in routers:
        include(app, router)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    limits.install(
        app,
        callers=settings.rate_limit_callers,
        addresses=settings.rate_limit_addresses,
        readers=settings.rate_limit_readers,
        proxies=settings.trusted_proxies,
    )
    seal(app)
    return app


async def _note_use(service: str, keys: KeyRing) -> None:
    while True:
        await asyncio.sleep(KEYS_NOTED_EVERY)
        try:
            await keys.note_use()
        except Exception as error:
            log.warning("keys.use_not_noted", service=service, error=type(error).__name__)


def dress(app: FastAPI, service: str, settings: Settings) -> None:
    """Put the edge around `app` and let it answer errors as problems."""
    app.add_middleware(Edge, service=service, max_body=settings.max_body)
    app.add_exception_handler(RedressError, _named)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


def _staff_tokens(settings: Settings) -> StaffTokens | None:
    if not settings.oidc_issuer:
        return None
    return StaffTokens(
        settings.oidc_issuer,
        settings.oidc_audience,
        jwks_url=settings.oidc_jwks_url,
        names=ClaimNames(settings.oidc_roles_claim, settings.oidc_branch_claim, settings.oidc_departments_claim),
    )


class _Refused(Exception):
    """Rolls back, and goes no further."""


async def transaction(request: Request) -> AsyncIterator[AsyncSession]:
    """The unit of work of a request; committed before the answer leaves because of `scope="function"`. A page that
    tells of an error (`pages.render`) keeps nothing, however far the use case had come."""
    db: Database = request.app.state.db
    with contextlib.suppress(_Refused):
        async with db.transaction() as tx:
            yield tx
            if getattr(request.state, "refused", False):
                raise _Refused


async def reading(request: Request) -> AsyncIterator[AsyncSession]:
    db: Database = request.app.state.db
    async with db.reading() as session:
        yield session


def _clock(request: Request) -> Clock:
    found: Clock = request.app.state.clock
    return found


Tx = Annotated[AsyncSession, Depends(transaction, scope="function")]
Reading = Annotated[AsyncSession, Depends(reading, scope="function")]
ClockDep = Annotated[Clock, Depends(_clock)]


def _request_id() -> str | None:
    here = trace.current()
    return here.correlation_id if here else None


async def _named(_: Request, error: Exception) -> Response:
    assert isinstance(error, RedressError)
    return problems.response(error, request_id=_request_id())


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    raised = list(error.errors())
    if any(e["type"] == "json_invalid" for e in raised):
        where = FieldError("", "is no valid JSON", "json_invalid")
        return problems.response(Malformed("The body is no valid JSON.", errors=(where,)), request_id=_request_id())
    fields = problems.fields_of(raised)
    detail = "Some values cannot be taken; see errors."
    return problems.build(422, "Refused", "invalid_request", detail, fields, request_id=_request_id())


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, RedressError):  # raised while FastAPI read the body, which makes a plain 400 of it
        return await _named(_, error.__cause__)
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
    detail = str(error.detail)
    headers = dict(error.headers or {})
    title = "Not found" if error.status_code == 404 else detail
    return problems.build(error.status_code, title, code, detail, request_id=_request_id(), headers=headers)


def _openapi(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document with the schema of problems, which answers refer to, and how to authenticate."""
    if app.openapi_schema is None:
        found = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            routes=app.routes,
            separate_input_output_schemas=app.separate_input_output_schemas,
        )
        components = found.setdefault("components", {})
        schema = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        components.setdefault("schemas", {}).update(schema.pop("$defs", {}))
        components["schemas"]["Problem"] = schema
        components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
        found["security"] = [{"bearer": []}]
        for path in found["paths"].values():
            for operation in path.values():
                for given in operation.get("requestBody", {}).get("content", {}).values():
                    # a body that a route reads itself brings its models along
                    schema = given.get("schema", {})
                    components["schemas"].update(schema.pop("$defs", {}))
                    if "title" in schema and "properties" in schema:
                        components["schemas"][schema["title"]] = schema
                        given["schema"] = {"$ref": f"#/components/schemas/{schema['title']}"}
                unprocessable = operation.get("responses", {}).get("422", {}).get("content", {})
                if "application/json" in unprocessable:  # FastAPI's own default, which we never answer
                    unprocessable.clear()
                    unprocessable[problems.MEDIA_TYPE] = {"schema": {"$ref": "#/components/schemas/Problem"}}
        app.openapi_schema = found
    return app.openapi_schema
