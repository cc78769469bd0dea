"""The embedded form over HTTP: keys, sessions, identities, spam, files, and the page without script."""

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest

from services.intake.domain.form import is_solved
from shared.security import keys as api_keys
from shared.security.keys import NewKey

BANK = "https://www.bank.example"
OURS = "http://127.0.0.1:8000"
LOOK = {"name": "Example Bank", "logo": "https://cdn.bank.example/logo.svg", "colour": "#7a1f2b"}
FORM = {"name": "Website", "channel": "web_form", "origins": [BANK], "look": LOOK}
WORDS = {"narrative": "The fee was charged twice.", "name": "Chan Example", "email": "chan@person.example"}


class Running:
    """A desk with one form, and the browser's side of it."""

    def __init__(self, desk: Any, admin: str) -> None:
        self.desk, self.http, self.admin = desk, desk.http, {"Authorization": f"Bearer {admin}"}
        self.key = self.secret = ""

    def later(self, **by: float) -> None:
        self.desk.now += timedelta(**by)

    @property
    def now(self) -> datetime:
        found: datetime = self.desk.now
        return found

    async def open(self, identity: str | None = None, **headers: str) -> httpx.Response:
        body = {"key": self.key} | ({"identity": identity} if identity else {})
        answer: httpx.Response = await self.http.post("/v1/form/sessions", json=body, headers=headers)
        return answer

    async def send(
        self, session: dict[str, Any], body: dict[str, Any], *, key: str = "k1", proof: str | None = None, **more: str
    ) -> httpx.Response:
        if proof is None:
            proof = next(str(n) for n in range(10_000_000) if is_solved(session["seed"], key, str(n), session["bits"]))
        headers = {"X-Form-Session": session["session"], "X-Form-Proof": proof, "Idempotency-Key": key} | more
        answer: httpx.Response = await self.http.post("/v1/form/complaints", json=body, headers=headers)
        return answer

    def identity(self, **changes: Any) -> str:
        at = int(self.now.timestamp())
        claims = {"aud": self.key, "sub": "C-000001", "name": "Wong Example", "iat": at, "exp": at + 300} | changes
        return jwt.encode({k: v for k, v in claims.items() if v is not None}, self.secret, "HS256")

    async def count(self) -> int:
        return int(await self.desk.scalar("SELECT count(*) FROM complaint"))


@pytest.fixture
async def form(desk: Any) -> AsyncIterator[Running]:
    from services.intake import store

    async with desk.db.transaction() as tx:
        admin = await api_keys.create(tx, store.tables, NewKey("admin", roles=["admin"]), actor="test", now=desk.now)
    running = Running(desk, admin)
    made = await desk.http.post("/v1/forms", json=FORM, headers=running.admin)
    assert made.status_code == 201, made.text
    running.key, running.secret = made.json()["id"], made.json()["identity_secret"]
    return running


def code(answer: httpx.Response) -> str:
    found: str = answer.json()["code"]
    return found


# --- keys ---


async def test_only_an_admin_makes_forms(form: Running, desk: Any) -> None:
    for who in ("officer", "any"):
        assert (await desk.http.post("/v1/forms", json=FORM, headers=desk.headers(who))).status_code == 403
    assert (await desk.http.get("/v1/forms")).status_code == 401


async def test_a_form_is_listed_changed_and_closed(form: Running) -> None:
    listed = (await form.http.get("/v1/forms", headers=form.admin)).json()["items"]
    assert [(f["id"], f["origins"], f["look"]) for f in listed] == [(form.key, [BANK], LOOK)]
    assert "secret" not in str(listed)
    other = FORM | {"origins": ["https://m.bank.example/", "https://m.bank.example"]}
    changed = await form.http.put(f"/v1/forms/{form.key}", json=other, headers=form.admin)
    assert changed.json()["origins"] == ["https://m.bank.example"]
    assert (await form.http.delete(f"/v1/forms/{form.key}", headers=form.admin)).status_code == 204
    assert (await form.http.get(f"/form?key={form.key}")).status_code == 404
    assert (await form.open()).status_code == 404
    assert (await form.http.delete(f"/v1/forms/{form.key}", headers=form.admin)).status_code == 404


async def test_wrong_origins_and_unreadable_colours_are_refused(form: Running) -> None:
    for body, pointer in (
        (FORM | {"origins": [BANK, "http://bank.example"]}, "/origins/1"),
        (FORM | {"look": LOOK | {"colour": "#ffcc00"}}, "/look/colour"),
    ):
        answer = await form.http.post("/v1/forms", json=body, headers=form.admin)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


# --- sending ---


async def test_a_complaint_by_the_form_is_kept_once_with_its_facts(form: Running, desk: Any) -> None:
    session = (await form.open()).json()
    form.later(minutes=1)
    body = WORDS | {
        "desired_outcome": "Pay it back",
        "amount": {"value": "120.00", "currency": "HKD"},
        "language": "en",
    }
    first = await form.send(session, body)
    again = await form.send(session, body)
    assert (first.status_code, again.status_code) == (201, 201), first.text
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert await form.count() == 1
    kept = (await desk.get(f"/v1/complaints/{first.json()['id']}")).json()
    assert (kept["channel"], kept["narrative"], kept["complainant"]["email"]) == (
        "web_form",
        WORDS["narrative"],
        WORDS["email"],
    )
    assert kept["facts"] == {"form": form.key, "signed_in": False}


async def test_the_same_key_with_other_words_is_refused(form: Running) -> None:
    session = (await form.open()).json()
    form.later(minutes=1)
    await form.send(session, WORDS)
    changed = await form.send(session, WORDS | {"narrative": "Something else."})
    assert (changed.status_code, code(changed)) == (422, "idempotency_key_reused")
    assert await form.count() == 1


async def test_spam_is_held_off(form: Running) -> None:
    session = (await form.open()).json()
    quick = await form.send(session, WORDS)
    assert (quick.status_code, code(quick)) == (422, "looks_automatic")
    form.later(minutes=1)
    trapped = await form.send(session, WORDS | {"website": "http://spam.example"})
    assert code(trapped) == "looks_automatic"
    for proof in ("", "no"):
        assert code(await form.send(session, WORDS, proof=proof)) == "proof_of_work_missing"
    solved = next(str(n) for n in range(10_000_000) if is_solved(session["seed"], "k1", str(n), session["bits"]))
    assert (await form.send(session, WORDS, proof=solved)).status_code == 201
    assert code(await form.send(session, WORDS, key="k2", proof=solved)) == "proof_of_work_missing"
    assert await form.count() == 1


async def test_a_session_that_is_over_or_not_ours_is_refused(form: Running) -> None:
    session = (await form.open()).json()
    form.later(hours=3)
    assert code(await form.send(session, WORDS)) == "form_session_ended"
    for sealed in ("", "x", f"{form.key}.AAAA", f"{form.key}.{'A' * 200}", f"pk_other.{session['session']}"):
        assert code(await form.send(session | {"session": sealed}, WORDS)) == "form_session_ended"
    assert await form.count() == 0


async def test_who_says_nothing_of_themselves_says_so(form: Running) -> None:
    session = (await form.open()).json()
    form.later(minutes=1)
    answer = await form.send(session, {"narrative": "x"})
    assert [e["pointer"] for e in answer.json()["errors"]] == ["/name", "/email"]
    assert (await form.send(session, {"narrative": "x", "anonymous": True})).status_code == 201
    both = await form.send(session, WORDS | {"anonymous": True}, key="k2")
    assert both.status_code == 422


async def test_other_sites_cannot_call(form: Running) -> None:
    evil = {"Origin": "https://evil.example"}
    assert code(await form.open(**evil)) == "origin_not_allowed"
    session = (await form.open(Origin=OURS)).json()
    form.later(minutes=1)
    assert code(await form.send(session, WORDS, Origin="https://evil.example")) == "origin_not_allowed"
    assert code(await form.send(session, WORDS, Origin="null")) == "origin_not_allowed"
    assert code(await form.send(session, WORDS, **{"Sec-Fetch-Site": "cross-site"})) == "origin_not_allowed"
    assert code(await form.send(session, WORDS, **{"Sec-Fetch-Site": "same-site"})) == "origin_not_allowed"
    assert await form.count() == 0
    assert (await form.send(session, WORDS, **{"Sec-Fetch-Site": "same-origin"})).status_code == 201


# --- identity ---


async def test_who_is_signed_in_leaves_out_the_person(form: Running, desk: Any) -> None:
    opened = await form.open(form.identity(email="wong@person.example"))
    assert opened.json()["signed_in_as"] == "Wong Example"
    form.later(minutes=40)  # the identity has ended, the session has not: people take their time
    sent = await form.send(opened.json(), {"narrative": "The fee was charged twice."})
    assert sent.status_code == 201, sent.text
    kept = (await desk.get(f"/v1/complaints/{sent.json()['id']}")).json()
    assert (kept["complainant"]["customer_no"], kept["complainant"]["email"]) == ("C-000001", "wong@person.example")
    assert kept["facts"]["signed_in"] is True


async def test_a_forged_foreign_or_ended_identity_is_refused(form: Running) -> None:
    at = int(form.now.timestamp())
    claims = {"aud": form.key, "sub": "C-1", "name": "A", "iat": at, "exp": at + 300}
    forged = jwt.encode(claims, "x" * 32, "HS256")
    unsigned = jwt.encode(claims, "", "none")
    head, payload, sign = form.identity().split(".")
    for identity in (
        forged,
        unsigned,
        f"{head}.{payload}.{sign[:-4]}AAAA",
        "rubbish",
        form.identity(aud="pk_other"),
        form.identity(iat=at - 400, exp=at - 1),
        form.identity(exp=at + 601),
        form.identity(iat=at + 120, exp=at + 300),
        form.identity(exp=None),
        form.identity(sub=None),
        form.identity(name=None),
        form.identity(name="x" * 201),
        form.identity(email="no address"),
        form.identity(phone={"a": 1}),
    ):
        answer = await form.open(identity)
        assert (answer.status_code, code(answer)) == (403, "identity_refused"), identity
        assert identity not in answer.text


async def test_a_new_secret_ends_what_the_old_one_signed(form: Running) -> None:
    old = form.identity()
    session = (await form.open(old)).json()
    form.later(minutes=1)
    fresh = await form.http.post(f"/v1/forms/{form.key}/rotate", headers=form.admin)
    assert code(await form.open(old)) == "identity_refused"
    assert code(await form.send(session, WORDS)) == "form_session_ended"
    form.secret = fresh.json()["identity_secret"]
    assert (await form.open(form.identity())).status_code == 201


# --- files ---


async def test_files_are_taken_for_a_session_only(form: Running, desk: Any) -> None:
    session = (await form.open()).json()
    headers = {
        "X-Form-Session": session["session"],
        "Content-Type": "text/plain",
        "X-File-Name": "bill%20%E6%94%B6.txt",
    }
    up = await form.http.post("/v1/form/uploads", content=b"paid twice", headers=headers)
    assert up.status_code == 201, up.text
    refused = await form.http.post("/v1/form/uploads", content=b"x", headers=headers | {"X-Form-Session": "no"})
    assert code(refused) == "form_session_ended"
    exe = await form.http.post("/v1/form/uploads", content=b"MZ\x90\x00" * 50, headers=headers)
    assert exe.status_code == 422
    form.later(minutes=1)
    sent = await form.send(session, WORDS | {"attachments": [up.json()["ticket"]]})
    assert sent.status_code == 201
    listed = (await desk.get(f"/v1/complaints/{sent.json()['id']}/attachments")).json()["items"]
    assert [one["name"] for one in listed] == ["bill 收.txt"]


# --- pages ---


async def test_the_page_may_be_framed_by_its_sites_alone(form: Running) -> None:
    page = await form.http.get(f"/form?key={form.key}&origin={BANK}&lang=en")
    policy = page.headers["content-security-policy"]
    assert page.status_code == 200
    assert policy.endswith(f"frame-ancestors 'self' {BANK}")
    assert "unsafe" not in policy
    assert "img-src 'self' https://cdn.bank.example;" in policy
    assert "x-frame-options" not in page.headers
    assert not re.search(r"<style|style=|\son\w+=|<script(?![^>]*src=)", page.text)


@pytest.mark.parametrize(
    ("origin", "headers"),
    [
        ("https://evil.example", {}),
        ("", {"Sec-Fetch-Dest": "iframe", "Referer": "https://evil.example/page"}),
        ("", {"Sec-Fetch-Dest": "iframe"}),
        ("https://www.bank.example.evil.example", {}),
        ("null", {}),
    ],
)
async def test_the_server_refuses_other_sites_too(form: Running, origin: str, headers: dict[str, str]) -> None:
    page = await form.http.get("/form", params={"key": form.key, "origin": origin}, headers=headers)
    assert page.status_code == 403


async def test_the_colour_and_the_script_are_served(form: Running) -> None:
    css = await form.http.get(f"/form.css?key={form.key}")
    assert (css.text, css.headers["content-type"]) == (":root{--brand:#7a1f2b}", "text/css; charset=utf-8")
    script = await form.http.get("/embed.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert script.headers["cross-origin-resource-policy"] == "cross-origin"


def fields_of(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))


@pytest.mark.parametrize("lang", ["en", "zh-Hant", "zh-Hans"])
async def test_without_script_the_form_is_posted_and_says_what_is_wrong(form: Running, lang: str) -> None:
    address = f"/form?key={form.key}&lang={lang}"
    hidden = fields_of((await form.http.get(address)).text)
    form.later(minutes=1)
    wrong = await form.http.post(address, data=hidden | {"amount": "much", "occurred_on": "2999-01-01", "phone": "x"})
    assert wrong.status_code == 422
    for name in ("narrative", "amount", "phone"):
        assert f'<a href="#{name}">' in wrong.text
    future = await form.http.post(address, data=hidden | WORDS | {"occurred_on": "2999-01-01"})
    assert future.status_code == 422
    assert '<a href="#occurred_on">' in future.text
    assert WORDS["narrative"] in future.text
    nobody = await form.http.post(address, data=hidden | {"narrative": "x"})
    assert '<a href="#name">' in nobody.text
    assert '<a href="#email">' in nobody.text
    sent = await form.http.post(address, data=hidden | WORDS | {"amount": "1,200.50", "currency": "TWD"})
    assert sent.status_code == 200
    again = await form.http.post(address, data=hidden | WORDS | {"amount": "1,200.50", "currency": "TWD"})
    number = re.search(r"\d{6}-\w{4}-\w{5}", sent.text)
    assert number
    assert number[0] in again.text
    assert await form.count() == 1
    assert str(await form.desk.scalar("SELECT amount FROM complaint")).startswith("1200.5")


async def test_without_script_nothing_is_lost_when_the_form_was_open_for_too_long(form: Running) -> None:
    address = f"/form?key={form.key}&lang=en"
    hidden = fields_of((await form.http.get(address)).text)
    form.later(hours=3)
    late = await form.http.post(address, data=hidden | WORDS)
    assert late.status_code == 403
    assert WORDS["narrative"] in late.text
    form.later(minutes=1)
    assert (await form.http.post(address, data=fields_of(late.text) | WORDS)).status_code == 200
    assert await form.count() == 1


async def test_without_script_an_address_sends_so_many_and_no_more(form: Running) -> None:
    address = f"/form?key={form.key}"
    hidden = fields_of((await form.http.get(address)).text)
    form.later(minutes=1)
    answers = [await form.http.post(address, data=hidden | WORDS | {"submission": f"k{n}"}) for n in range(31)]
    assert [a.status_code for a in answers] == [200] * 30 + [429]


async def test_the_last_words_need_the_token(form: Running) -> None:
    session = (await form.open()).json()
    form.later(minutes=1)
    receipt = (await form.send(session, WORDS)).json()
    given = {"reference": receipt["reference"], "token": receipt["tracking"]["token"]}
    words = await form.http.post(f"/form/done?key={form.key}&lang=en", data=given)
    assert words.status_code == 200
    assert receipt["reference"] in words.text
    assert "<html" not in words.text
    assert (await form.http.post(f"/form/done?key={form.key}", data=given | {"token": "x"})).status_code == 404
