"""Pages wherever a service is mounted: language, signing in and out, errors that people can read."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request
from sqlalchemy import MetaData, func, select
from starlette.responses import HTMLResponse, Response

from shared import audit
from shared.clock import utcnow
from shared.db import Database, SystemTables
from shared.db.pending import plant_genesis
from shared.errors import Unavailable
from shared.security import keys
from shared.security.keys import NewKey
from shared.settings import Settings
from shared.web import pages, session
from shared.web.access import allow, public
from shared.web.app import Tx, create_app

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "accept-language": "en"}
METADATA = MetaData()
TABLES = SystemTables(METADATA)


def routes() -> APIRouter:
    router = APIRouter(default_response_class=HTMLResponse)

    @router.get("/figures", dependencies=[Depends(allow("manager"))], response_class=HTMLResponse)
    async def figures(request: Request) -> Response:
        return pages.render(request, "own.html", who="<b>")

    @router.get("/down", dependencies=[Depends(public())], response_class=HTMLResponse)
    async def down() -> Response:
        raise Unavailable

    @router.get("/numbers", dependencies=[Depends(public())], response_class=HTMLResponse)
    async def numbers(n: int) -> Response:
        return HTMLResponse(str(n))

    @router.post("/written", dependencies=[Depends(public())], response_class=HTMLResponse)
    async def written(request: Request, tx: Tx, status: int) -> Response:
        audit.add(tx, "somebody", "page.written", "1", now=utcnow())
        return pages.render(request, "own.html", status, who="x")

    api = APIRouter(prefix="/v1")

    @api.get("/figures", dependencies=[Depends(allow("manager"))])
    async def api_figures() -> dict[str, int]:
        return {"n": 1}

    router.include_router(api)
    return router


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[FastAPI]:
    for name, text in {
        "templates/own.html": '{% extends "base.html" %}{% block title %}Own{% endblock %}{% block head %}'
        '<script src="{{ static("own.js") }}" defer></script>{% endblock %}'
        '{% block content %}<h1>{{ who }}</h1><a href="{{ url("/figures") }}">x</a>{% endblock %}',
        "static/own.js": "'use strict';",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    db = Database("reporting", f"sqlite+aiosqlite:///{tmp_path / 'own.db'}", TABLES)
    async with db.engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
        await connection.run_sync(plant_genesis, TABLES)
    app = create_app("reporting", "", settings=Settings(), db=db, clock=utcnow, routers=[routes(), session.router()])
    pages.install(app, tmp_path)
    yield app
    await db.close()


@pytest.fixture
async def browser(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """The service by itself, at `/`."""
    async with client(app) as found:
        yield found


@pytest.fixture
async def mounted(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """The service inside the desk, at `/reporting`."""
    desk = FastAPI()
    desk.mount("/reporting", app)
    async with client(desk) as found:
        yield found


def client(app: FastAPI, scheme: str = "http") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app)
    return httpx.AsyncClient(transport=transport, base_url=f"{scheme}://desk.test", headers=BROWSER)


async def a_key(app: FastAPI, *roles: str) -> str:
    db: Database = app.state.db
    async with db.transaction() as tx:
        return await keys.create(tx, TABLES, NewKey("somebody", roles=roles), actor="test", now=utcnow())


@pytest.mark.parametrize(("status", "kept"), [(200, 1), (422, 0), (409, 0)])
async def test_a_page_that_tells_of_an_error_keeps_nothing(
    app: FastAPI, browser: httpx.AsyncClient, status: int, kept: int
) -> None:
    answer = await browser.post("/written", params={"status": status})
    assert answer.status_code == status
    async with app.state.db.reading() as found:
        query = select(func.count()).where(TABLES.audit.c.action == "page.written")
        assert await found.scalar(query) == kept


async def test_without_a_key_a_browser_gets_the_form(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/figures", params={"from": "2025-01-01"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert '<html lang="en">' in answer.text
    assert 'action="/session"' in answer.text
    assert 'name="back" value="/figures?from=2025-01-01"' in answer.text


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html;q=0, application/json"])
async def test_a_program_gets_a_problem_even_from_a_page(browser: httpx.AsyncClient, accept: str) -> None:
    answer = await browser.get("/figures", headers={"accept": accept})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_api_answers_problems_even_to_a_browser(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/v1/figures")
    assert answer.status_code == 401
    assert answer.json()["code"] == "unauthenticated"


async def test_signing_in_opens_the_page_and_signing_out_closes_it(app: FastAPI, mounted: httpx.AsyncClient) -> None:
    key = await a_key(app, "manager")
    form = await mounted.get("/reporting/figures")
    assert 'action="/reporting/session"' in form.text
    answer = await mounted.post("/reporting/session", data={"credential": f" {key} ", "back": "/reporting/figures"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/reporting/figures"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/;" in cookie
    assert "secure" not in cookie
    page = await mounted.get("/reporting/figures")
    assert page.status_code == 200
    assert "<h1>&lt;b&gt;</h1>" in page.text, "what is not markup is shown as text"
    assert 'action="/intake/session/end"' in page.text, "intake tells the other services"

    left = await mounted.post("/reporting/session/end", data={"back": "/reporting/figures"})
    assert left.status_code == 303
    assert (await mounted.get("/reporting/figures")).status_code == 401


async def test_over_https_the_cookie_stays_there(app: FastAPI) -> None:
    key = await a_key(app, "manager")
    async with client(app, "https") as browser:
        answer = await browser.post("/session", data={"credential": key, "back": "/figures"})
    assert "secure" in answer.headers["set-cookie"].lower()


@pytest.mark.parametrize("wrong", ["", "rdk_0000000000_no", "eyJ.eyJ.sig", "a b", "ключ", "x" * 9000])
async def test_a_wrong_key_gets_the_form_again(browser: httpx.AsyncClient, wrong: str) -> None:
    answer = await browser.post("/session", data={"credential": wrong, "back": "/figures?from=2025-01-01"})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "This key is not known here" in answer.text
    assert 'value="/figures?from=2025-01-01"' in answer.text
    assert 'href="/figures?from=2025-01-01&amp;lang=zh-Hant"' in answer.text, "the language switch has somewhere to go"
    assert not wrong.strip() or wrong not in answer.text


async def test_an_ended_key_signs_nobody_in(app: FastAPI, browser: httpx.AsyncClient) -> None:
    db: Database = app.state.db
    new = NewKey("gone", roles=["manager"], expires_at=utcnow() - timedelta(seconds=1))
    async with db.transaction() as tx:
        key = await keys.create(tx, TABLES, new, actor="test", now=utcnow())
    assert (await browser.post("/session", data={"credential": key})).status_code == 401


async def test_another_sites_form_signs_nobody_in(app: FastAPI, browser: httpx.AsyncClient) -> None:
    key = await a_key(app, "manager")
    answer = await browser.post("/session", data={"credential": key}, headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.test/",
        "//evil.test/",
        "/\\evil.test/",
        "\\\\evil.test",
        "/\t/evil.test",
        "/\n/evil.test",
        "javascript:alert(1)",
        "evil.test",
        " //evil.test",
        "///evil.test",
        "",
    ],
)
async def test_signing_in_leads_nowhere_else(app: FastAPI, browser: httpx.AsyncClient, elsewhere: str) -> None:
    key = await a_key(app, "manager")
    answer = await browser.post("/session", data={"credential": key, "back": elsewhere})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"


async def test_without_the_role_the_page_says_so(app: FastAPI, browser: httpx.AsyncClient) -> None:
    key = await a_key(app, "agent")
    answer = await browser.get("/figures", headers={"authorization": f"Bearer {key}"})
    assert answer.status_code == 403
    assert "This page is not open to you" in answer.text


async def test_nothing_there_is_a_page_for_people_and_a_problem_for_programs(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/nowhere")
    assert page.status_code == 404
    assert "There is nothing here" in page.text
    problem = await browser.get("/nowhere", headers={"accept": "application/json"})
    assert problem.headers["content-type"] == "application/problem+json"


async def test_an_outage_is_said_in_plain_words(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/down", headers={"accept-language": "zh-HK"})
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "系統暫時未能回應" in answer.text


async def test_a_value_that_is_not_allowed_is_said_in_plain_words(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/numbers", params={"n": "many"})
    assert answer.status_code == 422
    assert "A value in it is not allowed" in answer.text
    assert answer.headers["x-request-id"] in answer.text


async def test_the_chosen_language_is_remembered(browser: httpx.AsyncClient) -> None:
    first = await browser.get("/figures", params={"lang": "zh-Hans"})
    assert '<html lang="zh-Hans">' in first.text
    assert first.headers["content-language"] == "zh-Hans"
    assert '<html lang="zh-Hans">' in (await browser.get("/figures")).text


async def test_only_the_banks_languages_are_offered(app: FastAPI, browser: httpx.AsyncClient) -> None:
    app.state.settings = Settings(languages=("zh-Hant", "en"))
    answer = await browser.get("/figures", params={"lang": "zh-Hans"})
    assert '<html lang="zh-Hant">' in answer.text
    assert "简体中文" not in answer.text


async def test_the_header_links_the_desk_only_where_there_is_one(
    app: FastAPI, browser: httpx.AsyncClient, mounted: httpx.AsyncClient
) -> None:
    alone = (await browser.get("/figures")).text
    assert 'href="/dashboard"' in alone
    assert ">Desk<" not in alone
    together = (await mounted.get("/reporting/figures")).text
    assert '<a href="/">Desk</a>' in together
    assert 'href="/reporting/dashboard"' in together


async def test_static_files_are_found_kept_and_may_be_ones_own(app: FastAPI, mounted: httpx.AsyncClient) -> None:
    key = await a_key(app, "manager")
    page = await mounted.get("/reporting/figures", headers={"authorization": f"Bearer {key}"})
    links = [part.split('"')[0] for part in page.text.split('="')[1:] if "/static/" in part.split('"')[0]]
    found = {link.split("?")[0] for link in links}
    assert found == {f"/reporting/static/{name}" for name in ("mark.svg", "redress.css", "own.js")}
    for link in links:
        answer = await mounted.get(link)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    assert (await mounted.get("/reporting/static/redress.css")).headers["cache-control"] == "no-cache"


async def test_a_missing_static_file_fails_when_the_page_is_made(app: FastAPI) -> None:
    with pytest.raises(LookupError, match=r"nothing\.css"):
        app.state.pages.static_url("", "nothing.css")


async def test_pages_keep_to_the_content_security_policy(app: FastAPI, browser: httpx.AsyncClient) -> None:
    key = await a_key(app, "manager")
    for answer in (
        await browser.get("/figures", headers={"authorization": f"Bearer {key}"}),
        await browser.get("/figures"),
        await browser.get("/nowhere"),
    ):
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert " style=" not in answer.text
        assert "<style" not in answer.text
        assert "<script>" not in answer.text
        assert answer.headers["cache-control"] == "no-store"
