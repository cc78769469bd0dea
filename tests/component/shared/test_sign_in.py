"""Signing in to pages: through a real OpenID Connect provider, with a key, or as the development staff; sessions that
end when they should, in every service; and forms that only our own pages can send."""

import base64
import hashlib
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi import APIRouter, Depends, FastAPI, Request
from jwt.algorithms import RSAAlgorithm
from sqlalchemy import MetaData, select
from starlette.responses import HTMLResponse, Response
from structlog.testing import capture_logs

from shared.clock import utcnow
from shared.cloudevents import decode
from shared.db import Database, SystemTables
from shared.db.pending import plant_genesis
from shared.security import ended, keys, sessions
from shared.security.keys import NewKey
from shared.security.principal import Principal, Role
from shared.settings import Settings
from shared.web import pages, session
from shared.web.access import COOKIE, SECURE_COOKIE, allow
from shared.web.app import create_app
from tests.signing_in import token_in

METADATA = MetaData()
TABLES = SystemTables(METADATA)
READER, CHANGER = allow(*Role), allow("officer", own_form=True)
BROWSER = {"accept": "text/html", "accept-language": "en"}


@dataclass
class Clock:
    now: datetime = field(default_factory=utcnow)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Bench:
    app: FastAPI
    db: Database
    clock: Clock
    done: list[str]

    def browser(self, scheme: str = "http", host: str = "127.0.0.1", name: str = "desk.test") -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=self.app, client=(host, 50_000))
        return httpx.AsyncClient(transport=transport, base_url=f"{scheme}://{name}", headers=BROWSER)

    async def key(self, *roles: str) -> tuple[str, str]:
        """A key's id and token."""
        id, token = keys.mint()
        async with self.db.transaction() as tx:
            await keys.store(tx, TABLES, NewKey("somebody", roles=roles), id=id, token=token, actor="t", now=utcnow())
        return id, token

    async def endings(self) -> list[Any]:
        async with self.db.reading() as reading:
            rows = (await reading.execute(select(TABLES.outbox.c.payload).order_by(TABLES.outbox.c.seq))).scalars()
            return [decode(row.encode()).data for row in rows]


def routes(done: list[str]) -> APIRouter:
    router = APIRouter(default_response_class=HTMLResponse)

    @router.get("/page", response_class=HTMLResponse)
    async def page(request: Request, who: Principal = Depends(READER)) -> Response:
        return pages.render(request, "own.html", who=who)

    @router.post("/page", response_class=HTMLResponse)
    async def change(request: Request, who: Principal = Depends(CHANGER)) -> Response:
        form = await request.form()
        done.append(str(form["word"]))
        return HTMLResponse("done")

    return router


async def bench_of(tmp_path: Path, **settings: Any) -> Bench:
    page = (
        '{% extends "base.html" %}{% block title %}Own{% endblock %}{% block content %}<p>{{ who.id }} '
        '{{ who.roles | sort | join(" ") }} {{ who.branch }} {{ who.departments | sort | join(" ") }}</p>'
        '<form method="post">{{ form_token() }}</form>{% endblock %}'
    )
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "own.html").write_text(page)
    db = Database("intake", f"sqlite+aiosqlite:///{tmp_path / 'own.db'}", TABLES)
    async with db.engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
        await connection.run_sync(plant_genesis, TABLES)
    clock, done = Clock(), list[str]()
    routers = [routes(done), session.router(tells=True)]
    app = create_app("intake", "", settings=Settings(home=tmp_path, **settings), db=db, clock=clock, routers=routers)
    pages.install(app, tmp_path)
    return Bench(app, db, clock, done)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    found = await bench_of(tmp_path)
    yield found
    await found.db.close()


async def signed_in(bench: Bench, browser: httpx.AsyncClient, *roles: str) -> str:
    """Sign in with a new key; the token of our forms in that session."""
    _, token = await bench.key(*roles)
    answer = await browser.post("/session", data={"credential": token, "back": "/page"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/page")
    return token_in((await browser.get("/page")).text)


# --- forms ---


@pytest.mark.parametrize(
    ("kind", "site", "sent", "passes"),
    [
        ("form", "same-origin", "own", True),
        ("form", None, "own", True),  # browsers without Fetch Metadata
        ("multipart", "same-origin", "own", True),
        ("form", "same-origin", "header", True),
        ("form", "same-origin", "none", False),
        ("form", "same-origin", "wrong", False),
        ("form", "same-origin", "another session's", False),
        ("form", "same-site", "own", False),
        ("form", "cross-site", "own", False),
        ("json", "same-origin", "own", False),
    ],
)
async def test_only_a_form_of_our_own_page_changes_anything(
    bench: Bench, kind: str, site: str | None, sent: str, passes: bool
) -> None:
    async with bench.browser() as browser, bench.browser() as other:
        own, another = await signed_in(bench, browser, "officer"), await signed_in(bench, other, "officer")
        assert own != another
        field = {"own": own, "wrong": "0" * 64, "another session's": another}.get(sent)
        data = {"word": "w"} | ({"form_token": field} if field else {})
        headers = ({"sec-fetch-site": site} if site else {}) | ({"x-form-token": own} if sent == "header" else {})
        how: dict[str, Any] = {"json": data} if kind == "json" else {"data": data}
        if kind == "multipart":
            how = {"files": {name: (None, value) for name, value in data.items()}}
        answer = await browser.post("/page", headers=headers, **how)
        assert answer.status_code == (200 if passes else 403)
        assert bench.done == (["w"] if passes else [])


async def test_the_cookie_is_sealed_and_says_nothing(bench: Bench) -> None:
    _, token = await bench.key("officer")
    async with bench.browser() as browser:
        answer = await browser.post("/session", data={"credential": token})
        cookie = answer.headers["set-cookie"]
        for flag in ("HttpOnly", "SameSite=Strict", "Path=/"):
            assert flag in cookie
        assert token not in cookie
        assert token[:14] not in cookie
        value = browser.cookies[COOKIE]
        for at in (0, len(value) // 2, len(value) - 3):
            changed = value[:at] + ("A" if value[at] != "A" else "B") + value[at + 1 :]
            assert (await httpx_get(bench, {COOKIE: changed})).status_code == 401
        assert (await httpx_get(bench, {COOKIE: token})).status_code == 401, "a bare key is no session"
        assert (await httpx_get(bench, {COOKIE: value})).status_code == 200
    async with bench.browser("https") as browser:
        answer = await browser.post("/session", data={"credential": token})
        assert answer.headers["set-cookie"].startswith(f"{SECURE_COOKIE}=")
        assert "; Secure" in answer.headers["set-cookie"]


async def httpx_get(bench: Bench, cookies: dict[str, str]) -> httpx.Response:
    async with bench.browser() as browser:
        return await browser.get("/page", headers={"cookie": "; ".join(f"{k}={v}" for k, v in cookies.items())})


# --- how long a session lasts ---


async def test_a_session_ends_when_nothing_is_done_and_at_last_whatever_is_done(bench: Bench) -> None:
    async with bench.browser() as browser:
        await signed_in(bench, browser, "officer")
        began = bench.clock.now
        first = browser.cookies[COOKIE]
        while bench.clock.now + timedelta(minutes=29) < began + timedelta(hours=12):
            bench.clock.now += timedelta(minutes=29)
            assert (await browser.get("/page")).status_code == 200
        assert browser.cookies[COOKIE] != first, "renewed by being used"
        assert (await httpx_get(bench, {COOKIE: first})).status_code == 401, "the unused copy is too old"
        bench.clock.now = began + timedelta(hours=12, seconds=1)
        assert (await browser.get("/page")).status_code == 401
    async with bench.browser() as idle:
        await signed_in(bench, idle, "officer")
        bench.clock.now += timedelta(minutes=31)
        assert (await idle.get("/page")).status_code == 401


async def test_signing_out_ends_every_copy_and_tells_the_other_services(bench: Bench, tmp_path: Path) -> None:
    async with bench.browser() as browser:
        await signed_in(bench, browser, "officer")
        copy = browser.cookies[COOKIE]
        left = await browser.post("/session/end", data={"back": "/page"})
        assert left.status_code == 303
        assert COOKIE not in browser.cookies
        assert (await httpx_get(bench, {COOKIE: copy})).status_code == 401
    (event,) = await bench.endings()
    (tmp_path / "other").mkdir()
    other = await bench_of(tmp_path / "other")
    assert (await httpx_get(other, {COOKIE: copy})).status_code == 401, "its keys are its own: not known there"
    async with other.db.transaction() as tx:
        await ended.note(tx, TABLES, ended.Ending(event.signed_out_at, event.session))
    known = sessions.read(bench.app.state.authenticator.sessions.keys, copy)
    assert known is not None
    assert await ended.Ended(other.db, other.clock).includes(known)
    await other.db.close()


async def test_who_has_signed_in_with_a_key_is_out_when_it_is_revoked(bench: Bench) -> None:
    id, token = await bench.key("officer")
    async with bench.browser() as browser:
        await browser.post("/session", data={"credential": token})
        assert (await browser.get("/page")).status_code == 200
        async with bench.db.transaction() as tx:
            await keys.revoke(tx, TABLES, id, actor="test", now=utcnow())
        bench.app.state.authenticator.keys.forget()
        assert (await browser.get("/page")).status_code == 401


async def test_keys_cannot_be_guessed_at_any_speed(tmp_path: Path) -> None:
    bench = await bench_of(tmp_path, sign_in_limit="5/minute")
    async with bench.browser() as browser:
        answers = [await browser.post("/session", data={"credential": "rdk_0000000000_no"}) for _ in range(6)]
        assert [a.status_code for a in answers] == [401] * 5 + [429]
        assert answers[-1].headers["retry-after"] == "60"
    async with bench.browser(host="192.0.2.9") as elsewhere:
        assert (await elsewhere.post("/session", data={"credential": "rdk_0000000000_no"})).status_code == 401
    await bench.db.close()


async def test_the_development_staff_sign_in_only_from_this_machine(bench: Bench) -> None:
    _, token = await bench.key("auditor")
    async with bench.browser(name="127.0.0.1:8000") as browser:
        assert "Development staff" not in (await browser.get("/page")).text
        bench.app.state.development_staff = {"auditor": token}
        assert "Development staff" in (await browser.get("/page")).text
        assert (await browser.post("/session", data={"staff": "auditor"})).status_code == 303
        assert "key:somebody auditor" in (await browser.get("/page")).text
    # from elsewhere; through a proxy on this machine; under a name that was made to lead here
    for elsewhere in (
        bench.browser(host="192.0.2.9", name="127.0.0.1:8000"),
        bench.browser(name="desk.bank.example"),
        bench.browser(name="localhost:8000"),
    ):
        if elsewhere.base_url.host == "localhost":
            elsewhere.headers["x-forwarded-for"] = "192.0.2.9"
        assert "Development staff" not in (await elsewhere.get("/page")).text
        assert (await elsewhere.post("/session", data={"staff": "auditor"})).status_code == 401
        await elsewhere.aclose()


# --- through the bank's directory ---


@pytest.fixture
def provider() -> Iterator[str]:
    """A real provider, from the package index; the address of its issuer."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from oidc_provider_mock import User, run_server_in_thread

        claims = {"roles": ["officer", "cleaner"], "branch": "central", "departments": ["cards"], "sid": "s-1"}
        people = [User(sub="maria", claims=claims), User(sub="guest", claims={})]
        with run_server_in_thread(user_claims=people) as server:
            yield f"http://localhost:{server.server_port}"


@pytest.fixture
async def banked(tmp_path: Path, provider: str) -> AsyncIterator[Bench]:
    found = await bench_of(tmp_path, oidc_issuer=provider, oidc_client_id="redress", oidc_client_secret="s3")
    yield found
    await found.app.state.authenticator.staff.close()
    await found.db.close()


async def at_the_directory(browser: httpx.AsyncClient, as_whom: str | None, back: str = "/page") -> tuple[str, str]:
    """Go there, say who one is (None: refuse): where that was, and where it sends the browser back."""
    start = await browser.get("/session/start", params={"back": back})
    assert start.status_code == 303
    there = start.headers["location"]
    async with httpx.AsyncClient() as direct:
        form = {"sub": as_whom} if as_whom else {"action": "deny"}
        answer = await direct.post(there, data=form)
    assert answer.status_code in (302, 303), answer.text
    return there, str(answer.headers["location"])


@pytest.mark.filterwarnings("ignore")
async def test_a_person_of_the_bank_signs_in_by_code_and_pkce(banked: Bench) -> None:
    sent: list[httpx.Request] = []

    async def note(request: httpx.Request) -> None:
        sent.append(request)

    banked.app.state.authenticator.staff.client.event_hooks = {"request": [note]}
    async with banked.browser() as browser:
        form = await browser.get("/page")
        assert "/session/start?back=%2Fpage" in form.text
        start = await browser.get("/session/start", params={"back": "/page"})
        asked = parse_qs(urlsplit(start.headers["location"]).query)
        assert asked["response_type"] == ["code"]
        assert asked["code_challenge_method"] == ["S256"]
        assert "samesite=lax" in start.headers["set-cookie"].lower()

        there, returned = await at_the_directory(browser, "maria")
        answer = await browser.get(returned)
        assert answer.status_code == 200
        assert 'content="0; url=/page"' in answer.text
        page = await browser.get("/page")
        assert "staff:maria officer central cards" in page.text, "roles that are not ours are passed over"

        (exchange,) = [r for r in sent if r.method == "POST"]
        verifier = parse_qs(exchange.content.decode())["code_verifier"][0]
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        assert [challenge] == parse_qs(urlsplit(there).query)["code_challenge"]

        assert (await browser.get(returned)).status_code == 401, "a code is taken once"


@pytest.mark.filterwarnings("ignore")
async def test_an_answer_to_another_question_signs_nobody_in(banked: Bench) -> None:
    async with banked.browser() as victim, banked.browser() as attacker:
        _, stolen = await at_the_directory(attacker, "maria")
        await at_the_directory(victim, "maria")
        for browser, address in ((victim, stolen), (banked.browser(), stolen)):
            answer = await browser.get(address)
            assert answer.status_code == 401
            assert COOKIE not in browser.cookies
            assert "Signing in did not work" in answer.text
        _, late = await at_the_directory(attacker, "maria")
        banked.clock.now += timedelta(minutes=11)
        assert (await attacker.get(late)).status_code == 401


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("whom", "said"), [(None, "did not let you in"), ("guest", "have no part in the complaint desk")]
)
async def test_who_is_refused_or_has_no_role_is_told_so(banked: Bench, whom: str | None, said: str) -> None:
    async with banked.browser() as browser:
        _, returned = await at_the_directory(browser, whom)
        answer = await browser.get(returned)
        assert answer.status_code == 401
        assert said in answer.text
        assert (await browser.get("/page")).status_code == 401


ISSUER = "https://directory.bank.example"
RSA = rsa.generate_private_key(65537, 2048)
EVENT = "http://schemas.openid.net/event/backchannel-logout"


@pytest.fixture
async def told(tmp_path: Path) -> AsyncIterator[Bench]:
    """A desk whose directory is played, so that it can tell of what ended there."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/jwks":
            jwk = RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True)
            return httpx.Response(200, json={"keys": [{**jwk, "kid": "k", "alg": "RS256", "use": "sig"}]})
        return httpx.Response(200, json={"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks"})

    found = await bench_of(tmp_path, oidc_issuer=ISSUER, oidc_client_id="redress")
    found.app.state.authenticator.staff.client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    yield found
    await found.app.state.authenticator.staff.close()
    await found.db.close()


def cookie(bench: Bench, staff: str, sid: str, *, began: datetime | None = None) -> dict[str, str]:
    known = bench.app.state.authenticator.sessions
    who = Principal(f"staff:{staff}", roles=frozenset({Role.OFFICER}))
    made = sessions.begin(who, now=began or bench.clock.now, directory_session=sid)
    return {COOKIE: sessions.seal(known.keys, made)}


def logout(key: Any = RSA, **changes: Any) -> str:
    claims = {"iss": ISSUER, "aud": "redress", "iat": int(time.time()), "jti": "1", "events": {EVENT: {}}, **changes}
    return jwt.encode({k: v for k, v in claims.items() if v is not ...}, key, "RS256", headers={"kid": "k"})


async def test_the_directory_ends_one_session_or_all_of_a_person(told: Bench) -> None:
    ours = {name: cookie(told, *name.split()) for name in ("maria s-1", "maria s-2", "chen s-3")}

    async def inside() -> set[str]:
        return {name for name, held in ours.items() if (await httpx_get(told, held)).status_code == 200}

    async with told.browser() as directory:
        assert await inside() == set(ours)
        with capture_logs() as logs:
            answer = await directory.post("/session/ended", data={"logout_token": logout(sid="s-1")})
        assert answer.status_code == 200
        assert "s-1" not in str(logs)
        assert await inside() == {"maria s-2", "chen s-3"}
        assert (await directory.post("/session/ended", data={"logout_token": logout(sub="maria")})).status_code == 200
        assert await inside() == {"chen s-3"}
    ours["maria again"] = cookie(told, "maria", "s-4", began=told.clock.now + timedelta(seconds=5))
    assert await inside() == {"chen s-3", "maria again"}, "who signs in anew is in"
    said = [(e.directory_session, e.staff) for e in await told.endings()]
    assert said == [("s-1", None), (None, "staff:maria")]


@pytest.mark.parametrize(
    "token",
    [
        "", "a.b.c",
        logout(sid="s-1", events={}), logout(sid="s-1", events=...), logout(sid="s-1", nonce="n"), logout(),
        logout(sid="s-1", aud="payroll"), logout(sid="s-1", iss="https://elsewhere.example"),
        logout(sid="s-1", jti=...),
        logout(rsa.generate_private_key(65537, 2048), sid="s-1"),
    ],
)  # fmt: skip
async def test_what_is_no_logout_token_ends_nothing(told: Bench, token: str) -> None:
    held = cookie(told, "maria", "s-1")
    async with told.browser() as directory:
        assert (await directory.post("/session/ended", data={"logout_token": token})).status_code == 422
    assert (await httpx_get(told, held)).status_code == 200
    assert await told.endings() == []
