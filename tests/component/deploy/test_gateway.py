"""The gateway hands on what it is given, whole and to the right service, and says who sent it."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.gateway import Gateway


async def _echo(request: Request) -> Response:
    """What arrived, with two cookies on the answer."""
    body = {
        "method": request.method,
        "path": request.scope["raw_path"].decode(),
        "query": request.url.query,
        "body": (await request.body()).decode(),
        "sender": request.headers.getlist("x-forwarded-for"),
        "scheme": request.headers.getlist("x-forwarded-proto"),
        "key": request.headers.get("idempotency-key"),
    }
    answer = JSONResponse(body, 422)
    answer.headers.append("set-cookie", "a=1")
    answer.headers.append("set-cookie", "b=2")
    return answer


async def _front(request: Request) -> Response:
    return Response("front")


def _gone(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("nobody")


@pytest.fixture
def gateway() -> httpx.AsyncClient:
    methods = ["GET", "POST", "DELETE"]
    service = Starlette(routes=[Route("/{rest:path}", _echo, methods=methods)])
    clients = {
        "routing": httpx.AsyncClient(transport=httpx.ASGITransport(service), base_url="http://10.0.0.1:8000"),
        "sla": httpx.AsyncClient(transport=httpx.MockTransport(_gone), base_url="http://10.0.0.2:8000"),
    }
    front = Starlette(routes=[Route("/{rest:path}", _front)])
    transport = httpx.ASGITransport(Gateway(clients, front), client=("192.0.2.9", 4000))
    return httpx.AsyncClient(transport=transport, base_url="http://desk.bank.example")


async def test_a_request_arrives_as_it_was_sent(gateway: httpx.AsyncClient) -> None:
    lies = {"x-forwarded-for": "198.51.100.1", "x-forwarded-proto": "https", "idempotency-key": "k1"}
    answer = await gateway.post("/routing/v1/a%20b?x=1&x=%E4%B8%AD", content="正文", headers=lies)
    assert answer.status_code == 422
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert answer.json() == {
        "method": "POST",
        "path": "/v1/a%20b",
        "query": "x=1&x=%E4%B8%AD",
        "body": "正文",
        "sender": ["192.0.2.9"],
        "scheme": ["http"],
        "key": "k1",
    }


@pytest.mark.parametrize("path", ["/", "/routing", "/nowhere/x", "/routingx/v1", "/health/ready"])
async def test_what_is_of_no_service_is_the_front_pages(gateway: httpx.AsyncClient, path: str) -> None:
    assert (await gateway.get(path)).text == "front"


async def test_a_service_that_is_away_is_said_to_be(gateway: httpx.AsyncClient) -> None:
    answer = await gateway.get("/sla/at-risk")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"] == "2"
