"""The directory, the log and the subscriptions over HTTP."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import standardwebhooks

from services.sla import store
from services.sla.api import notices as api_notices
from services.sla.api import posts as api_posts
from services.sla.settings import SlaSettings, sender
from services.sla.usecases import notices, subscriptions
from shared import audit
from shared.clock import utcnow
from shared.security import keys
from shared.security.crypto import MasterKeys
from shared.security.keys import NewKey
from shared.web.app import create_app
from tests.component.sla.sinks import Desk, HttpSink, MailSink, new_database

ROLES = ("agent", "officer", "supervisor", "manager", "auditor", "admin")
HEAD = {"role": "supervisor", "department": "cards", "holder": "s-1", "email": "head@bank.example"}


@dataclass
class Web:
    desk: Desk
    http: httpx.AsyncClient
    tokens: dict[str, str]
    settings: SlaSettings

    async def call(
        self, method: str, path: str, who: str = "admin", body: Any = None, **headers: str
    ) -> httpx.Response:
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"Authorization": f"Bearer {self.tokens[who]}"} | headers
        return await self.http.request(method, path, headers=sent, json=body)


@pytest.fixture
async def web(migrated: Callable[[str], str], tmp_path: Path) -> AsyncIterator[Web]:
    desk = Desk(new_database(migrated("sla")), MailSink(), HttpSink(), tmp_path)
    desk.mail.start()
    await desk.http.start()
    known: dict[str, Any] = {"smtp_host": "127.0.0.1", "smtp_port": desk.mail.port, "smtp_tls": "none"}
    settings = SlaSettings(home=tmp_path, webhook_private=True, languages=("en", "zh-Hant"), **known)
    async with desk.db.transaction() as tx:
        tokens = {
            role: await keys.create(tx, store.tables, NewKey(role, roles=[role]), actor="test", now=desk.now)
            for role in ROLES
        }
    routers = [api_notices.router, api_posts.router]
    app = create_app("sla", "x", settings=settings, db=desk.db, clock=lambda: desk.now, routers=routers)
    app.state.notice_setup, app.state.notice_keys = settings.notice_setup(), settings.notice_keys()
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://sla") as http:
        yield Web(desk, http, tokens, settings)
    await desk.close()
    await desk.http.stop()
    desk.mail.stop()
    await desk.db.close()


async def test_a_post_is_made_changed_and_removed_by_version(web: Web) -> None:
    made = await web.call("PUT", "/v1/posts/cards-head", "supervisor", HEAD)
    assert (made.status_code, made.headers["etag"]) == (201, '"1"')
    same = await web.call("PUT", "/v1/posts/cards-head", "supervisor", HEAD)
    assert (same.status_code, same.headers["etag"]) == (200, '"1"')
    full = HEAD | {"deputy": "s-2", "time_zone": "Europe/London", "language": "zh-Hant"}
    full |= {"quiet": {"start": "20:00", "end": "08:00", "weekends": True}}
    full |= {"absences": [{"first": "2026-12-21", "last": "2027-01-03", "whose": "holder"}]}
    changed = await web.call("PUT", "/v1/posts/cards-head", "admin", full, If_Match='"1"')
    assert changed.headers["etag"] == '"2"'
    read = (await web.call("GET", "/v1/posts/cards-head", "officer")).json()
    assert {name: read[name] for name in full} == full
    late = await web.call("PUT", "/v1/posts/cards-head", "admin", HEAD, If_Match='"1"')
    assert (late.status_code, late.json()["code"]) == (412, "post_changed")
    late = await web.call("DELETE", "/v1/posts/cards-head", "admin", If_Match='"1"')
    assert late.status_code == 412
    assert (await web.call("DELETE", "/v1/posts/cards-head", "admin", If_Match='"2"')).status_code == 204
    assert (await web.call("GET", "/v1/posts/cards-head", "officer")).json()["code"] == "post_not_found"
    entries = [e async for e in audit.export(web.desk.db)]
    actions = [e["action"] for e in entries if e["subject"] == "cards-head"]
    assert actions == ["post.created", "post.changed", "post.deleted"]
    assert "bank.example" not in str(entries), "staff's addresses are no matter for the trail"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"role": "king"}, "/role"),
        ({"deputy": "s-1"}, "/deputy"),
        ({"deputy_email": "d@bank.example"}, "/deputy_email"),
        ({"email": "nobody"}, "/email"),
        ({"language": "fr"}, "/language"),
        ({"time_zone": "Mars/Base"}, "/time_zone"),
        ({"quiet": {"start": "20:00", "end": "20:00"}}, "/quiet/end"),
        ({"quiet": {"start": "25:00", "end": "08:00"}}, "/quiet/start"),
        ({"absences": [{"first": "2026-03-02", "last": "2026-03-01"}]}, "/absences/0/last"),
        ({"absences": [{"first": 20000, "last": "2026-03-01"}]}, "/absences/0/first"),
        ({"absences": [{"first": "2026-03-02", "last": "2026-03-03", "whose": "deputy"}]}, "/absences/0/whose"),
        ({"chat": "00000000-0000-0000-0000-000000000000"}, "/chat"),
        ({"unknown": 1}, "/unknown"),
    ],
)
async def test_a_post_that_cannot_be_is_refused_at_its_field(web: Web, change: dict[str, Any], pointer: str) -> None:
    refused = await web.call("PUT", "/v1/posts/cards-head", "admin", HEAD | change)
    assert refused.status_code == 422
    assert pointer in [error["pointer"] for error in refused.json()["errors"]]


async def test_who_may_do_what(web: Web) -> None:
    for role in ROLES:
        reads = role != "agent"
        writes = role in ("supervisor", "admin")
        assert (await web.call("GET", "/v1/posts", role)).status_code == (200 if reads else 403), role
        assert (await web.call("GET", "/v1/notices", role)).status_code == (200 if reads else 403), role
        put = await web.call("PUT", f"/v1/posts/{role}", role, HEAD)
        assert put.status_code == (201 if writes else 403), role
        subscribed = await web.call("POST", "/v1/subscriptions", role, {"url": "https://x.example/", "name": "x"})
        assert subscribed.status_code == (201 if role == "admin" else 403), role
        listed = await web.call("GET", "/v1/subscriptions", role)
        assert listed.status_code == (200 if role in ("admin", "auditor") else 403), role
    assert (await web.http.get("/v1/posts")).status_code == 401


async def test_posts_are_listed_and_asked_who_would_be_reached(web: Web) -> None:
    for n in range(5):
        await web.call("PUT", f"/v1/posts/p-{n}", "admin", HEAD | {"holder": f"s-{n}", "department": f"d-{n % 2}"})
    first = (await web.call("GET", "/v1/posts?limit=2")).json()
    second = (await web.call("GET", f"/v1/posts?limit=3&cursor={first['next']}")).json()
    assert [p["id"] for p in first["items"] + second["items"]] == [f"p-{n}" for n in range(5)]
    assert second["next"] is None
    assert [p["id"] for p in (await web.call("GET", "/v1/posts?department=d-1")).json()["items"]] == ["p-1", "p-3"]
    assert [p["id"] for p in (await web.call("GET", "/v1/posts?person=s-3")).json()["items"]] == ["p-3"]
    path = "/v1/posts/reached?role=supervisor&department=d-1"
    assert (await web.call("GET", path)).json()["post_id"] == "p-1"
    assert (await web.call("GET", f"{path}&assignee=s-1")).json()["post_id"] == "p-3"
    nobody = (await web.call("GET", "/v1/posts/reached?role=internal_audit")).json()
    assert nobody == {"person": "duty", "post_id": "duty", "via": "fallback", "role": "duty"}


async def test_a_webhook_is_set_up_tested_rotated_and_switched_off(web: Web) -> None:
    web.desk.now = utcnow()
    body = {"url": web.desk.http.url("/hook?token=secret"), "name": "Operations", "kinds": ["missed"]}
    made = (await web.call("POST", "/v1/subscriptions", body=body)).json()
    assert made["secret"].startswith("whsec_")
    assert made["address"].endswith("/hook")
    path = f"/v1/subscriptions/{made['id']}"
    shown = await web.call("GET", path)
    assert "secret" not in shown.text
    tested = await web.call("POST", f"{path}/test")
    assert tested.status_code == 202
    sending = sender(web.desk.db, web.settings, lambda: web.desk.now)
    await sending.run_once()
    (request,) = web.desk.http.got
    assert standardwebhooks.Webhook(made["secret"]).verify(request.body, request.headers)["type"] == "notice.test"
    log = (await web.call("GET", f"/v1/notices/{tested.json()['id']}")).json()
    assert (log["state"], [a["outcome"] for a in log["log"]]) == ("sent", ["sent"])
    rotated = (await web.call("POST", f"{path}/rotate")).json()
    assert rotated["secret"] != made["secret"]
    own = await web.call("POST", f"{path}/rotate", body={"secret": "whsec_" + "QUJD" * 8})
    assert own.json()["secret"] == "whsec_" + "QUJD" * 8
    unfit = await web.call("POST", f"{path}/rotate", body={"secret": "whsec_AAAA"})
    assert (unfit.status_code, unfit.json()["code"]) == (422, "secret_unfit")
    for _ in range(2):
        assert (await web.call("DELETE", path)).status_code == 204
    for verb in ("test", "rotate"):
        assert (await web.call("POST", f"{path}/{verb}")).json()["code"] == "subscription_off"


async def test_addresses_and_secrets_are_sealed_and_can_be_wrapped_anew(web: Web) -> None:
    url = "https://hooks.slack.com/services/T0/B0/sesame"
    chat = await web.call("POST", "/v1/subscriptions", body={"url": url, "name": "Cards", "format": "slack"})
    assert (chat.status_code, chat.json()["secret"]) == (201, None)
    assert chat.json()["address"] == "https://hooks.slack.com/…"
    hook = (await web.call("POST", "/v1/subscriptions", body={"url": "https://x.example/h", "name": "x"})).json()
    rows = await web.desk.rows("SELECT * FROM subscription")
    kept = b"".join(v if isinstance(v, bytes) else str(v).encode() for row in rows for v in row.values())
    kept += b"".join(row["sealed"] for row in await web.desk.rows("SELECT sealed FROM subscription_secret"))
    assert b"sesame" not in kept
    assert hook["secret"].removeprefix("whsec_").encode() not in kept
    for path, code in (("rotate", "subscription_has_no_secret"), ("test", None)):
        answer = await web.call("POST", f"/v1/subscriptions/{chat.json()['id']}/{path}")
        assert answer.json().get("code") == code
    old = web.settings.notice_keys()
    assert old is not None
    both = {"new": b"n" * 32, "dev1": _raw(web.settings)}
    rotated = MasterKeys(both, pseudonym_key=b"p" * 32)
    async with web.desk.db.transaction() as tx:
        assert await subscriptions.rewrap(tx, rotated, 10) == 2
    assert {r["key_id"] for r in await web.desk.rows("SELECT key_id FROM subscription")} == {"new"}


def _raw(settings: SlaSettings) -> bytes:
    import base64
    import json

    kept = json.loads((settings.home / "encryption-keys.json").read_text())
    return base64.b64decode(kept["encryption"]["dev1"])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"url": "ftp://x.example/"}, "webhook_address_refused"),
        ({"url": "https://u:p@x.example/"}, "webhook_address_refused"),
        ({"url": "https://例.example/"}, "webhook_address_refused"),
        ({"url": "https://" + "x" * 300 + "/"}, "webhook_address_refused"),
        ({"language": "fr"}, "language_unknown"),
        ({"secret": "whsec_short"}, "secret_unfit"),
        ({"format": "slack", "secret": "whsec_" + "QUJD" * 8}, "subscription_has_no_secret"),
        ({"format": "irc"}, "invalid_request"),
        ({"kinds": ["gossip"]}, "invalid_request"),
    ],
)
async def test_a_subscription_that_cannot_be_is_refused(web: Web, change: dict[str, Any], code: str) -> None:
    refused = await web.call("POST", "/v1/subscriptions", body={"url": "https://x.example/", "name": "x"} | change)
    assert (refused.status_code, refused.json()["code"]) == (422, code)


async def test_the_log_pages_filters_and_lets_failed_ones_be_sent_again(web: Web) -> None:
    await web.call("PUT", "/v1/posts/cards-head", "admin", HEAD)
    web.desk.setup = web.settings.notice_setup()
    web.desk.mail.answer = lambda _: "550 5.1.1 <head@bank.example> unknown"
    for n in range(3):
        await web.desk.tell(await web.desk.notice(n))
    await web.desk.tell(await web.desk.notice(9, department="loans", urgent=True))
    sending = sender(web.desk.db, web.settings, lambda: web.desk.now)
    web.desk.now += timedelta(minutes=5)
    await sending.run_once()
    first = (await web.call("GET", "/v1/notices?limit=2", "officer")).json()
    second = (await web.call("GET", f"/v1/notices?cursor={first['next']}", "officer")).json()
    assert len(first["items"]) + len(second["items"]) == 5
    assert second["next"] is None
    failed = (await web.call("GET", "/v1/notices?state=failed&kind=digest")).json()["items"]
    assert [f["reason"] for f in failed] == ["550 5.1.1 [address] unknown"]
    (digest,) = failed
    members = (await web.call("GET", f"/v1/notices?digest={digest['id']}")).json()["items"]
    assert {m["state"] for m in members} == {"failed"}
    assert len(members) == 3
    (duty,) = (await web.call("GET", "/v1/notices?recipient=duty")).json()["items"]
    assert (duty["state"], duty["reason"]) == ("failed", "no address is known")
    web.desk.mail.answer = lambda _: None
    retried = await web.call("POST", f"/v1/notices/{members[0]['id']}/retry", "supervisor")
    assert (retried.status_code, retried.json()["id"]) == (200, digest["id"])
    await sending.run_once()
    assert len(web.desk.mail.mails) == 1
    again = await web.call("POST", f"/v1/notices/{digest['id']}/retry", "supervisor")
    assert (again.status_code, again.json()["code"]) == (409, "notice_not_failed")
    nowhere = await web.call("GET", "/v1/notices/00000000-0000-0000-0000-000000000000")
    assert nowhere.json()["code"] == "notice_not_found"
    assert "bank.example" not in (await web.call("GET", "/v1/notices")).text, "the log holds no address"
    assert await notices.prune(web.desk.db, web.desk.now + timedelta(days=1)) == 5


async def test_every_answer_is_documented(web: Web) -> None:
    paths = (await web.http.get("/openapi.json")).json()["paths"]
    for path in ("/v1/posts/{id}", "/v1/notices", "/v1/subscriptions/{id}/rotate"):
        for operation in paths[path].values():
            assert {"401", "403", "422", "503"} <= operation["responses"].keys()
