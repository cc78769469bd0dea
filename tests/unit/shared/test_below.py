"""A service at a path of an address that it shares, behind a proxy that strips the path or one that does not."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from shared.serve import Below


@pytest.mark.parametrize(("asked", "status"), [("/intake/form", 200), ("/form", 200), ("/intakes/form", 404)])
async def test_it_answers_and_makes_its_addresses_below_its_path(asked: str, status: int) -> None:
    async def form(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.url_for("form").path + " " + request.scope["root_path"])

    app = Below(Starlette(routes=[Route("/form", form, name="form")]), "/intake")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk") as http:
        answer = await http.get(asked)
    assert answer.status_code == status
    assert status == 404 or answer.text == "/intake/form /intake"
