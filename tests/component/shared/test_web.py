"""The frame of every service's HTTP app: problems, strictness, access, limits, headers, health and metrics."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Literal
from uuid import UUID

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, Request, WebSocket
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import MetaData, text
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import JSONResponse, Response, StreamingResponse
from structlog.testing import capture_logs

from shared import errors, trace
from shared.clock import utcnow
from shared.db import Database, SystemTables
from shared.errors import FieldError, RedressError
from shared.security import keys, sessions
from shared.security.keys import NewKey
from shared.security.principal import Principal
from shared.settings import Settings
from shared.web.access import COOKIE, SignedIn, allow, public
from shared.web.app import Reading, Tx, create_app
from shared.web.edge import direct
from shared.web.problems import documented
from shared.web.router import Router

SERVICE = "frame"
MAX_BODY = 2048
SECRET = "written-in-confidence"  # stands for whatever somebody typed; must be in no answer to an error and in no log
PROBLEM = "application/problem+json"
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


class OwnRule(errors.Refused):
    """A rule of one service's own."""

    code = "own_rule"


# family, status, title, further headers
FAMILIES: list[tuple[type[RedressError], int, str, dict[str, str]]] = [
    (errors.Malformed, 400, "Bad request", {}),
    (errors.Unauthenticated, 401, "Not signed in", {"www-authenticate": 'Bearer realm="redress"'}),
    (errors.Forbidden, 403, "Not allowed", {}),
    (errors.NotFound, 404, "Not found", {}),
    (errors.Gone, 410, "Gone", {}),
    (errors.TooManyRequests, 429, "Too many requests", {"retry-after": "1"}),
    (errors.Conflict, 409, "Conflict", {}),
    (errors.PreconditionFailed, 412, "Changed meanwhile", {}),
    (errors.TooLarge, 413, "Too large", {}),
    (errors.Refused, 422, "Refused", {}),
    (errors.Invalid, 422, "Refused", {}),
    (OwnRule, 422, "Refused", {}),
    (errors.Unavailable, 503, "Unavailable", {"retry-after": "2"}),
    (errors.Overloaded, 503, "Unavailable", {"retry-after": "2"}),
]
BY_NAME = {family.__name__: family for family, *_ in FAMILIES}


class UnforeseenSlip(Exception):
    """An error that nobody thought of."""


class Phone(BaseModel):
    kind: Literal["phone"]


class Letter(BaseModel):
    kind: Literal["letter"]
    pages: int


class Note(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str
    amount: float | None = None
    day: date | None = None
    tags: list[Annotated[str, Field(pattern="^[a-z]+$")]] = []
    tracked: UUID | None = None
    counts: dict[str, int] = {}
    via: Annotated[Phone | Letter, Field(discriminator="kind")] | None = None


def routes() -> APIRouter:
    router = Router(prefix="/v1")
    everybody = [Depends(public())]

    def fail(name: str) -> None:
        if name == "unforeseen":
            raise UnforeseenSlip(SECRET)
        raise BY_NAME[name]("Plain words.", errors=(FieldError("/a~1b/0", "is too long", "too_long"),))

    @router.get("/fail", dependencies=everybody)
    async def through_the_framework(name: str) -> None:
        fail(name)

    @router.get("/straight", dependencies=everybody)
    @direct
    async def past_the_framework(request: Request) -> Response:
        if name := request.query_params.get("name"):
            fail(name)
        return JSONResponse({"taken": len(await request.body())})

    async def broken() -> None:
        raise UnforeseenSlip(SECRET)

    @router.get("/broken", dependencies=[*everybody, Depends(broken)])
    async def never_reached() -> None: ...

    @router.get("/half", dependencies=everybody)
    async def half() -> Response:
        async def body() -> AsyncIterator[bytes]:
            yield b"begun"
            raise UnforeseenSlip(SECRET)

        return StreamingResponse(body())

    @router.post("/notes", dependencies=everybody)
    async def note(body: Note) -> Note:
        return body

    @router.get("/things/{thing}", dependencies=everybody)
    async def thing(thing: str, n: int = 0, x_code: Annotated[int, Header()] = 0) -> dict[str, str]:
        here = trace.current()
        assert here is not None
        return {"thing": thing, "correlation_id": here.correlation_id, "traceparent": here.traceparent}

    @router.get("/numbers/{n}", dependencies=everybody)
    async def number(n: int) -> int:
        return n

    @router.get("/kept", dependencies=everybody)
    async def kept() -> Response:
        return Response("x", headers={"cache-control": "max-age=60"})

    @router.api_route("/own", methods=METHODS, include_in_schema=False)
    async def own(principal: Annotated[Any, Depends(allow("officer", "complaints:read"))]) -> str:
        return str(principal.id)

    @router.post("/rows", dependencies=everybody)
    async def write(tx: Tx) -> None:
        await tx.execute(text("INSERT INTO thing (id, n) VALUES ('a', 1)"))

    @router.get("/rows", dependencies=everybody)
    async def read(session: Reading) -> int:
        return int((await session.execute(text("SELECT count(*) FROM thing"))).scalar_one())

    return router


@pytest.fixture
async def desk(open_database: Any, tmp_path: Path) -> Any:
    return await open_database(f"sqlite+aiosqlite:///{tmp_path / 'data' / 'test.db'}")


def frame(desk: Any, *routers: APIRouter, **more: Any) -> FastAPI:
    settings = Settings(max_body=MAX_BODY)
    return create_app(SERVICE, "", settings=settings, db=desk.db, clock=desk.clock, routers=routers, **more)


@pytest.fixture
def app(desk: Any) -> FastAPI:
    return frame(desk, routes())


@pytest.fixture
async def bare(tmp_path: Path) -> AsyncIterator[FastAPI]:
    """As `app`, over a database in which there is nothing, for what needs none."""
    db = Database("intake", f"sqlite+aiosqlite:///{tmp_path / 'bare.db'}", SystemTables(MetaData()))
    yield frame(SimpleNamespace(db=db, clock=utcnow), routes())
    await db.close()


def calling(app: Any, **headers: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://frame.test", headers=headers)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(app) as found:
        yield found


@pytest.fixture
async def anyone(bare: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(bare) as found:
        yield found


async def a_key(desk: Any, *roles: str, **more: Any) -> str:
    async with desk.db.transaction() as tx:
        return await keys.create(tx, desk.tables, NewKey("somebody", roles=roles, **more), actor="test", now=desk.now)


async def take_away(desk: Any, tmp_path: Path) -> None:
    """Let the database be gone, as when its server or its volume is."""
    await desk.db.close()
    shutil.rmtree(tmp_path / "data")


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem that `answer` holds, which tells `status` and `code` and is whole."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM), answer.text
    found: dict[str, Any] = answer.json()
    assert found["status"] == status
    assert found["code"] == code
    assert found["type"] == f"urn:redress:problem:{code}"
    assert found["instance"] == f"urn:redress:request:{answer.headers['x-request-id']}"
    assert found["title"]
    assert found["detail"]
    return found


# --- problems ---


@pytest.mark.parametrize("path", ["/v1/fail", "/v1/straight"])
@pytest.mark.parametrize(("family", "status", "title", "headers"), FAMILIES, ids=list(BY_NAME))
async def test_a_named_error_answers_as_documented(
    anyone: httpx.AsyncClient, path: str, family: type[RedressError], status: int, title: str, headers: dict[str, str]
) -> None:
    answer = await anyone.get(path, params={"name": family.__name__}, headers={"x-request-id": "r-1"})
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
    assert answer.json() == {
        "type": f"urn:redress:problem:{family.code}",
        "title": title,
        "status": status,
        "detail": "Plain words.",
        "code": family.code,
        "instance": "urn:redress:request:r-1",
        "errors": [{"pointer": "/a~1b/0", "detail": "is too long", "code": "too_long"}],
    }
    told = {k: answer.headers[k] for k in ("www-authenticate", "retry-after") if k in answer.headers}
    assert told == headers
    assert f"`{family.code}`" in documented(family)[status]["description"]


def test_no_family_is_left_out_above() -> None:
    named = {e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, RedressError)}
    assert named - {RedressError} == set(BY_NAME.values()) - {OwnRule}


@pytest.mark.parametrize(
    ("sent", "pointer", "code"),
    [
        ({}, "/text", "missing"),
        ({"text": 7}, "/text", "string_type"),
        ({"text": "", "amount": SECRET}, "/amount", "float_parsing"),
        ({"text": "", "day": SECRET}, "/day", "date_from_datetime_parsing"),
        ({"text": "", "tags": ["a", SECRET]}, "/tags/1", "string_pattern_mismatch"),
        ({"text": "", "tracked": SECRET}, "/tracked", "uuid_parsing"),
        ({"text": "", "counts": {"a/b~c": SECRET}}, "/counts/a~1b~0c", "int_parsing"),
        ({"text": "", "via": {"kind": SECRET}}, "/via", "union_tag_invalid"),
        ({"text": "", "via": {"kind": "letter", "pages": SECRET}}, "/via/letter/pages", "int_parsing"),
        ({"text": "", "unknown": SECRET}, "/unknown", "extra_forbidden"),
        ([SECRET], "", "model_attributes_type"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_wrong_field_is_named_and_not_quoted(
    anyone: httpx.AsyncClient, sent: Any, pointer: str, code: str
) -> None:
    answer = await anyone.post("/v1/notes", json=sent)
    (one,) = problem(answer, 422, "invalid_request")["errors"]
    assert (one["pointer"], one["code"]) == (pointer, code)
    assert one["detail"]
    assert SECRET not in answer.text


async def test_every_wrong_field_is_named_at_once(anyone: httpx.AsyncClient) -> None:
    answer = await anyone.post("/v1/notes", json={"text": 1, "day": "x", "tags": ["A", "b", "C"]})
    named = [e["pointer"] for e in problem(answer, 422, "invalid_request")["errors"]]
    assert named == ["/text", "/day", "/tags/0", "/tags/2"]


@pytest.mark.parametrize(
    ("path", "headers", "name"),
    [
        (f"/v1/numbers/{SECRET}", {}, "n"),
        (f"/v1/things/a?n={SECRET}", {}, "n"),
        ("/v1/things/a", {"x-code": SECRET}, "x-code"),
        ("/v1/fail", {}, "name"),
    ],
)
async def test_a_wrong_parameter_goes_by_its_name(
    anyone: httpx.AsyncClient, path: str, headers: dict[str, str], name: str
) -> None:
    answer = await anyone.get(path, headers=headers)
    assert [e["pointer"] for e in problem(answer, 422, "invalid_request")["errors"]] == [name]
    assert SECRET not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        b'{"text": "' + SECRET.encode(),
        b'{"text": "a", "amount": NaN}',
        b'{"text": "a", "amount": -Infinity}',
        rb'{"text": "\ud800"}',
        b'{"text": "\xff\xfe"}',
        b'{"text": "\xed\xa0\x80"}',
        b'\xef\xbb\xbf{"text": "a"}',
        b'{"text": "a",}',
        b'{"text": "a"} {}',
        b"[" * 1500 + b"]" * 400,
    ],
    ids=["cut", "nan", "infinity", "surrogate", "no-utf8", "utf8-surrogate", "bom", "comma", "two", "deep"],
)
async def test_json_is_read_to_the_letter(anyone: httpx.AsyncClient, body: bytes) -> None:
    answer = await anyone.post("/v1/notes", content=body, headers={"content-type": "application/json"})
    assert problem(answer, 400, "malformed_request")["errors"] == [
        {"pointer": "", "detail": "is no valid JSON", "code": "json_invalid"}
    ]
    assert SECRET not in answer.text


async def test_any_proper_text_is_taken_as_it_is(anyone: httpx.AsyncClient) -> None:
    written = '投訴 𠮷野家 \U0001f600 é \\ " \u2028'
    answer = await anyone.post("/v1/notes", json={"text": written})
    assert answer.status_code == 200
    assert answer.json()["text"] == written


@pytest.mark.parametrize("path", ["/v1/fail?name=unforeseen", "/v1/straight?name=unforeseen", "/v1/broken"])
async def test_an_unforeseen_error_tells_the_caller_nothing_and_the_log_its_kind_and_place(
    anyone: httpx.AsyncClient, capfd: pytest.CaptureFixture[str], path: str
) -> None:
    with capture_logs() as lines:
        answer = await anyone.get(path)
    found = problem(answer, 500, "internal_error")
    assert "errors" not in found
    assert UnforeseenSlip.__name__ not in answer.text
    assert SECRET not in answer.text
    (line,) = lines
    assert (line["event"], line["log_level"], line["service"]) == ("request.failed", "error", SERVICE)
    assert line["error"] == UnforeseenSlip.__name__
    assert re.fullmatch(r"test_web\.py:\d+", line["where"])
    assert SECRET not in str(line)
    assert capfd.readouterr() == ("", ""), "and nothing is printed past the log"


async def test_an_answer_that_breaks_off_is_ended_without_quoting(anyone: httpx.AsyncClient) -> None:
    with capture_logs() as lines, pytest.raises(RuntimeError) as raised:
        await anyone.get("/v1/half")
    assert SECRET not in f"{raised.value!r} {raised.value.__cause__!r} {lines}"
    assert raised.value.__suppress_context__, "a server that prints it shows not where it came from either"
    assert [line["event"] for line in lines] == ["request.failed"]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_while_the_database_is_away_requests_are_to_be_sent_again(
    client: httpx.AsyncClient, desk: Any, tmp_path: Path, method: str
) -> None:
    assert (await client.get("/v1/rows")).json() == 0
    await take_away(desk, tmp_path)
    answer = await client.request(method, "/v1/rows")
    problem(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "2"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [(errors.Unavailable, 503, "unavailable"), (UnforeseenSlip, 500, "internal_error")],
)
async def test_a_transaction_that_fails_at_its_end_is_not_answered_as_done(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, error: type[Exception], status: int, code: str
) -> None:
    async def fail(*_: Any) -> None:
        raise error(SECRET if error is UnforeseenSlip else "")

    with monkeypatch.context() as patched, capture_logs():
        patched.setattr(AsyncSession, "flush", fail)  # the last step before the commit
        answer = await client.post("/v1/rows")
    problem(answer, status, code)
    assert SECRET not in answer.text
    assert (await client.get("/v1/rows")).json() == 0
    assert (await client.post("/v1/rows")).status_code == 200
    assert (await client.get("/v1/rows")).json() == 1


# --- what there is not ---


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not_found"),
        ("GET", f"/v1/{SECRET}", 404, "not_found"),
        ("POST", f"/v1/things/{SECRET}", 405, "method_not_allowed"),
        ("BREW", "/v1/things/a", 405, "method_not_allowed"),
        ("DELETE", "/v1/straight", 405, "method_not_allowed"),
    ],
)
async def test_what_there_is_not_is_a_problem(
    anyone: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    answer = await anyone.request(method, path)
    problem(answer, status, code)
    assert SECRET not in answer.text
    assert answer.headers.get("allow") == ("GET" if status == 405 else None)


@pytest.mark.parametrize("path", ["/%00", "/v1/things/a%00b", "/v1/things/a?n=%00", "/v1/things/a?%00=1"])
async def test_a_nul_in_the_address_is_malformed(anyone: httpx.AsyncClient, path: str) -> None:
    problem(await anyone.get(path), 400, "malformed_request")


async def test_what_only_looks_like_a_nul_is_none(anyone: httpx.AsyncClient) -> None:
    assert (await anyone.get("/v1/things/a%2500b")).json()["thing"] == "a%00b"


# --- access ---


def _routes_that_say_nothing(kind: str) -> APIRouter:
    router = Router()
    if kind == "of its own":
        router.add_api_route("/open", lambda: None)
    elif kind == "deep within":
        inner = Router()
        inner.add_api_route("/open", lambda: None)
        router.include_router(inner, prefix="/deep")
    elif kind == "beside a good one":
        router.add_api_route("/shut", lambda: None, dependencies=[Depends(allow("officer"))])
        router.add_api_route("/open", lambda: None, methods=["POST"])
    elif kind == "signed in is no rule":

        @router.get("/open")
        async def anybody(principal: SignedIn) -> None: ...

    else:

        @router.websocket("/open")
        async def talk(socket: WebSocket) -> None: ...

    return router


@pytest.mark.parametrize(
    "kind", ["of its own", "deep within", "beside a good one", "signed in is no rule", "a websocket"]
)
def test_a_route_without_a_rule_keeps_the_app_from_starting(bare: FastAPI, kind: str) -> None:
    with pytest.raises(RuntimeError, match=r"without an access rule: (/deep)?/open$"):
        frame(bare.state, _routes_that_say_nothing(kind))


def test_a_rule_may_stand_anywhere_above_the_route_and_names_somebody(bare: FastAPI) -> None:
    inner = Router()
    inner.add_api_route("/shut", lambda: None)
    outer = Router(dependencies=[Depends(allow("officer"))])
    outer.include_router(inner)
    frame(bare.state, outer)
    with pytest.raises(ValueError, match="roles or scopes"):
        allow()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer   "},
        {"authorization": f"Basic {SECRET}"},
        {"authorization": f"Bearer {SECRET}"},
        {"authorization": f"Bearer rdk_0123456789_{SECRET}"},
        {"cookie": f"{COOKIE}={SECRET}"},
        {"cookie": f"{COOKIE}="},
    ],
)
async def test_without_a_known_key_nobody_passes(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    answer = await client.get("/v1/own", headers=headers)
    problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"] == 'Bearer realm="redress"'
    assert SECRET not in answer.text


@pytest.mark.parametrize(
    ("roles", "scopes", "status"),
    [
        (["officer"], [], 200),
        ([], ["complaints:read"], 200),
        (["auditor", "officer"], [], 200),
        (["admin"], [], 403),
        ([], ["complaints:write"], 403),
        ([], [], 403),
    ],
)
async def test_a_key_passes_with_any_one_of_what_is_wanted(
    client: httpx.AsyncClient, desk: Any, roles: list[str], scopes: list[str], status: int
) -> None:
    token = await a_key(desk, *roles, scopes=scopes)
    answer = await client.get("/v1/own", headers={"authorization": f"bEARER {token}"})
    if status == 200:
        assert (answer.status_code, answer.json()) == (200, "key:somebody")
    else:
        assert problem(answer, 403, "forbidden")["detail"] == "This needs one of: officer, complaints:read."
        assert "www-authenticate" not in answer.headers


@pytest.mark.parametrize("method", METHODS)
async def test_the_cookie_is_for_reading_alone(app: FastAPI, client: httpx.AsyncClient, desk: Any, method: str) -> None:
    token = await a_key(desk, "officer")
    known = app.state.authenticator.sessions
    session = sessions.begin(Principal("key:somebody"), now=utcnow(), credential=token)
    sealed = sessions.seal(known.keys, session)
    by_cookie = await client.request(method, "/v1/own", headers={"cookie": f"{COOKIE}={sealed}"})
    assert by_cookie.status_code == (200 if method in ("GET", "HEAD") else 401)
    by_header = await client.request(method, "/v1/own", headers={"authorization": f"Bearer {token}"})
    assert by_header.status_code == 200


async def test_a_wrong_header_is_not_made_good_by_a_cookie(client: httpx.AsyncClient, desk: Any) -> None:
    both = {"authorization": "Bearer rdk_x", "cookie": f"{COOKIE}={await a_key(desk, 'officer')}"}
    assert (await client.get("/v1/own", headers=both)).status_code == 401


@pytest.mark.parametrize("known", [True, False])
async def test_requests_that_come_at_once_share_the_looking_up_of_their_key(
    app: FastAPI, client: httpx.AsyncClient, desk: Any, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    token = await a_key(desk, "officer") if known else "rdk_unknown"
    ring, asked = app.state.authenticator.keys, []
    check = ring.check

    async def slowly(token: str) -> Any:
        asked.append(token)
        await asyncio.sleep(0.05)
        return await check(token)

    monkeypatch.setattr(ring, "check", slowly)
    headers = {"authorization": f"Bearer {token}"}
    answers = await asyncio.gather(*(client.get("/v1/own", headers=headers) for _ in range(10)))
    assert {a.status_code for a in answers} == {200 if known else 401}
    assert asked == [token]
    await client.get("/v1/own", headers=headers)
    assert asked == [token] * (1 if known else 2), "a refusal is not remembered: the key may be made meanwhile"


async def test_while_the_database_is_away_known_keys_pass_and_others_are_not_called_wrong(
    client: httpx.AsyncClient, desk: Any, tmp_path: Path
) -> None:
    known, other = await a_key(desk, "officer"), await a_key(desk, "officer")
    assert (await client.get("/v1/own", headers={"authorization": f"Bearer {known}"})).status_code == 200
    await take_away(desk, tmp_path)
    assert (await client.get("/v1/own", headers={"authorization": f"Bearer {known}"})).status_code == 200
    answer = await client.get("/v1/own", headers={"authorization": f"Bearer {other}"})
    problem(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "2"


# --- limits and headers ---


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("over", [0, 1, 100_000])
@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/notes"), ("GET", "/v1/straight")])
async def test_a_body_is_taken_up_to_the_limit(
    anyone: httpx.AsyncClient, method: str, path: str, over: int, chunked: bool
) -> None:
    frame_of_body = len(b'{"text": ""}')
    body = b'{"text": "%s"}' % (b"x" * (MAX_BODY + over - frame_of_body))
    drawn = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal drawn
        for i in range(0, len(body), 500):
            drawn += 1
            yield body[i : i + 500]

    headers = {"content-type": "application/json"}
    answer = await anyone.request(method, path, content=pieces() if chunked else body, headers=headers)
    assert ("content-length" in answer.request.headers) is not chunked
    if over:
        found = problem(answer, 413, "payload_too_large")
        assert found["errors"] == [{"pointer": "", "detail": found["detail"], "code": "payload_too_large"}]
        assert str(MAX_BODY) in found["detail"]
        assert drawn <= MAX_BODY // 500 + 2, "what comes after the limit is not drawn in"
    else:
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("path", ["/v1/things/a", "/nowhere"])
@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("req-1_A.b", True),
        ("x" * 64, True),
        ("x" * 65, False),
        ("a b", False),
        ("a/b", False),
        ("a\xe9", False),
        ("", False),
        (None, False),
    ],
)
async def test_a_well_formed_request_id_comes_back_and_any_other_is_replaced(
    anyone: httpx.AsyncClient, path: str, sent: str | None, kept: bool
) -> None:
    headers = {} if sent is None else {"x-request-id": sent.encode("latin-1")}
    answer = await anyone.get(path, headers=headers)
    (given,) = answer.headers.get_list("x-request-id")
    if kept:
        assert given == sent
    else:
        assert re.fullmatch(r"[0-9a-f]{16}", given)
    body = answer.json()
    assert body.get("correlation_id", body.get("instance")) in (given, f"urn:redress:request:{given}")


TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (f"00-{TRACE}-{SPAN}-01", True),
        (f"00-{TRACE}-{SPAN}-00", True),
        (f"00-{TRACE.upper()}-{SPAN}-01", False),
        (f"00-{'0' * 32}-{SPAN}-01", False),
        (f"00-{TRACE}-{SPAN}", False),
        (f"ff-{TRACE}-{SPAN}-01", False),
        (f"00-{TRACE}-{SPAN}-01-more", False),
        ("", False),
    ],
)
async def test_a_callers_trace_is_followed_if_it_is_one(anyone: httpx.AsyncClient, sent: str, kept: bool) -> None:
    found = (await anyone.get("/v1/things/a", headers={"traceparent": sent})).json()["traceparent"]
    form = re.fullmatch(r"00-([0-9a-f]{32})-([0-9a-f]{16})-01", found)
    assert form
    assert (form[1] == TRACE) is kept
    assert form[1] != "0" * 32
    assert form[2] != SPAN, "our span is not the caller's"
    assert trace.current() is None, "nothing of a request stays behind"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/things/a", 200),
        ("GET", "/v1/straight", 200),
        ("GET", "/v1/kept", 200),
        ("GET", "/health/live", 200),
        ("GET", "/metrics", 200),
        ("GET", "/docs", 200),
        ("GET", "/docs-assets/swagger-ui.css", 200),
        ("GET", "/a%00", 400),
        ("GET", "/v1/own", 401),
        ("GET", "/nowhere", 404),
        ("GET", "/docs-assets/nothing.js", 404),
        ("PUT", "/v1/kept", 405),
        ("GET", "/v1/fail?name=TooLarge", 413),
        ("GET", "/v1/fail", 422),
        ("GET", "/v1/fail?name=unforeseen", 500),
        ("GET", "/v1/straight?name=Unavailable", 503),
    ],
)
async def test_every_answer_is_dressed(anyone: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    with capture_logs():
        answer = await anyone.request(method, path)
    assert answer.status_code == status
    for name, value in {
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "x-frame-options": "DENY",
        "cache-control": "max-age=60" if path == "/v1/kept" and status == 200 else "no-store",
    }.items():
        assert answer.headers.get_list(name) == [value], "once each"
    (policy,) = answer.headers.get_list("content-security-policy")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == rules["frame-ancestors"] == rules["base-uri"] == "'none'"
    assert rules["script-src"] == "'self'"
    assert ("'unsafe-inline'" in rules["style-src"]) is (path == "/docs"), "Swagger UI's page alone may style inline"
    assert len(answer.headers.get_list("x-request-id")) == 1


# --- health and metrics ---


async def test_it_lives_whatever_it_depends_on(client: httpx.AsyncClient, desk: Any, tmp_path: Path) -> None:
    await take_away(desk, tmp_path)
    answer = await client.get("/health/live")
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["service"]) == ("live", SERVICE)


async def _beat(desk: Any, *, ago: float = 1, bus: bool = True) -> None:
    async with desk.db.transaction() as tx:
        detail = f'{{"bus": {{"ok": {str(bus).lower()}}}}}'
        at = desk.now - timedelta(seconds=ago)
        await tx.execute(desk.tables.heartbeat.insert().values(process="w-1", at=at, detail=detail))


async def _outbox(desk: Any, *ages: float) -> None:
    async with desk.db.transaction() as tx:
        for i, age in enumerate(ages):
            at = desk.now - timedelta(seconds=age)
            row = {"event_id": f"e-{i}", "key": "c-1", "type": "t", "payload": "{}", "created_at": at}
            await tx.execute(desk.tables.outbox.insert().values(**row))


async def _park(desk: Any, *, settled: bool) -> None:
    async with desk.db.transaction() as tx:
        row = {"event_id": "e-1", "topic": "t", "payload": "{}", "reason": "undecodable", "error": "x", "attempts": 1}
        when = {"parked_at": desk.now, "settled_at": desk.now if settled else None}
        await tx.execute(desk.tables.parked.insert().values(**row, **when))


@pytest.mark.parametrize(
    ("state", "causes"),
    [
        ([_beat], []),
        ([_beat, lambda d: _outbox(d, 30, 2)], []),
        ([_beat, lambda d: _park(d, settled=True)], []),
        ([], [{"code": "no_worker"}]),
        ([lambda d: _beat(d, ago=20)], []),
        ([lambda d: _beat(d, ago=21)], [{"code": "worker_silent", "worker": "w-1", "seconds": 21}]),
        ([lambda d: _beat(d, bus=False)], [{"code": "bus_away", "worker": "w-1"}]),
        ([_beat, lambda d: _outbox(d, 31, 2)], [{"code": "outbox_waits", "count": 2, "seconds": 31}]),
        ([_beat, lambda d: _park(d, settled=False)], [{"code": "parked", "count": 1}]),
        (
            [lambda d: _outbox(d, 99), lambda d: _park(d, settled=False)],
            [
                {"code": "outbox_waits", "count": 1, "seconds": 99},
                {"code": "parked", "count": 1},
                {"code": "no_worker"},
            ],
        ),
    ],
)
async def test_it_is_ready_or_says_why_it_is_only_half(
    client: httpx.AsyncClient, desk: Any, state: list[Any], causes: list[dict[str, Any]]
) -> None:
    for made in state:
        await made(desk)
    answer = await client.get("/health/ready")
    found = answer.json()
    assert answer.status_code == 200, "half is still of use: no load balancer should take it out"
    assert found["status"] == ("degraded" if causes else "ready")
    assert found["causes"] == causes
    assert len(found["reasons"]) == len(causes)
    assert not any("{" in reason for reason in found["reasons"])
    assert found["checks"]["database"] == {"ok": True}


async def test_without_its_database_it_is_not_ready(client: httpx.AsyncClient, desk: Any, tmp_path: Path) -> None:
    await _beat(desk)
    await take_away(desk, tmp_path)
    answer = await client.get("/health/ready")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    found = answer.json()
    assert found["status"] == "not_ready"
    assert found["causes"] == [{"code": "database_away"}]
    assert found["reasons"] == ["The database does not answer."]
    assert found["checks"] == {"database": {"ok": False, "error": "Unavailable"}}
    assert str(tmp_path) not in answer.text
    assert (await client.get("/metrics")).status_code == 200, "metrics are wanted most when something is wrong"


Samples = dict[tuple[str, str, str], float]


async def _counted(client: httpx.AsyncClient) -> tuple[Samples, str]:
    """Requests counted for this service by method, route and status, and all that `/metrics` says of it."""
    answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    mine = "\n".join(line for line in answer.text.splitlines() if f'service="{SERVICE}"' in line)
    form = re.compile(
        r'redress_http_requests_total\{method="(.*?)",route="(.*?)",service="frame",status="(\d+)"\} (\S+)'
    )
    return {(m[1], m[2], m[3]): float(m[4]) for m in form.finditer(mine)}, mine


async def test_requests_are_counted_by_route_and_never_by_address(anyone: httpx.AsyncClient) -> None:
    before, _ = await _counted(anyone)
    with capture_logs():
        for method, path in [
            ("GET", f"/v1/things/{SECRET}-1"),
            ("GET", f"/v1/things/{SECRET}-2?n=1"),
            ("GET", f"/v1/things/a?n={SECRET}"),
            ("GET", f"/v1/straight?x={SECRET}"),
            ("GET", "/v1/fail?name=unforeseen"),
            ("GET", f"/{SECRET}"),
            (SECRET.upper(), f"/{SECRET}"),
            ("GET", f"/{SECRET}%00"),
        ]:
            await anyone.request(method, path)
    after, said = await _counted(anyone)
    assert {k: n - before.get(k, 0) for k, n in after.items() if n > before.get(k, 0)} == {
        ("GET", "/v1/things/{thing}", "200"): 2,
        ("GET", "/v1/things/{thing}", "422"): 1,
        ("GET", "/v1/straight", "200"): 1,
        ("GET", "/v1/fail", "500"): 1,
        ("GET", "unmatched", "404"): 1,
        ("OTHER", "unmatched", "404"): 1,
        ("GET", "unmatched", "400"): 1,
        ("GET", "/metrics", "200"): 1,
    }
    assert SECRET not in said.lower()
    assert 'redress_http_request_seconds_bucket{le="0.001",method="GET",route="/v1/things/{thing}"' in said


async def test_what_waits_is_measured_at_the_moment_of_asking(client: httpx.AsyncClient, desk: Any) -> None:
    for depth, age in [(0, 0.0), (2, 40.0)]:
        if depth:
            await _outbox(desk, 40, 5)
            await _park(desk, settled=False)
        told = (await client.get("/metrics")).text
        assert f'redress_outbox_depth{{service="intake"}} {float(depth)}' in told
        assert f'redress_outbox_oldest_age_seconds{{service="intake"}} {age}' in told
        assert f'redress_parked{{reason="undecodable",service="intake"}} {float(bool(depth))}' in told


# --- documents, and the app's life ---


@pytest.mark.parametrize("root", ["", "/frame"])
async def test_the_documents_come_from_ourselves_wherever_we_are_mounted(bare: FastAPI, root: str) -> None:
    outer = FastAPI()
    outer.mount("/frame", bare)
    async with calling(outer if root else bare) as client:
        page = (await client.get(f"{root}/docs")).text
        linked = [a for a in re.findall(r'(?:src|href|data-openapi)="(.*?)"', page) if a != "data:,"]
        assert len(linked) == 4
        for address in linked:
            assert address.startswith(f"{root}/")
            assert (await client.get(address)).status_code == 200
        assert "<script>" not in page, "the policy lets no inline script run"


async def test_the_description_tells_of_problems_and_of_keys(anyone: httpx.AsyncClient) -> None:
    found = (await anyone.get("/openapi.json")).json()
    assert found["security"] == [{"bearer": []}]
    assert found["components"]["securitySchemes"]["bearer"] == {"type": "http", "scheme": "bearer"}
    unprocessable = found["paths"]["/v1/notes"]["post"]["responses"]["422"]["content"]
    assert unprocessable == {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    told = set(re.findall(r'"#/components/schemas/(\w+)"', str(found).replace("'", '"')))
    assert {"Problem", "FieldProblem", "Note"} <= told <= set(found["components"]["schemas"]), "no reference dangles"
    assert not [path for path in found["paths"] if path.startswith("/docs")]


async def test_the_services_own_part_lives_within_the_app_and_the_use_of_keys_is_noted_at_the_end(desk: Any) -> None:
    lived = []

    @asynccontextmanager
    async def own(app: FastAPI) -> AsyncIterator[None]:
        lived.append("began")
        yield
        assert app.state.db is desk.db
        lived.append("ended")

    app = frame(desk, routes(), lifespan=own)
    token = await a_key(desk, "officer")
    used = "SELECT count(*) FROM api_key WHERE last_used_at IS NOT NULL"
    async with app.router.lifespan_context(app), calling(app) as client:
        assert lived == ["began"]
        assert (await client.get("/v1/own", headers={"authorization": f"Bearer {token}"})).status_code == 200
        assert await desk.scalar(used) == 0
    assert lived == ["began", "ended"]
    assert await desk.scalar(used) == 1
