"""The embedded form in a real browser, in a page of another origin: every state, three languages, a telephone and a
desk, with and without script, by keyboard alone, signed in, and with the network cut in the middle of it."""

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Frame, Page, Route, expect

from tests.chaos.sites import DeskSite

pytestmark = pytest.mark.chromium

RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
}
WIDTHS = (360, 1280)
WORDS = {
    "zh-Hant": "分行就同一筆轉賬收了兩次手續費，請退還。",
    "zh-Hans": "网点对同一笔转账收取了两次手续费，请退还。",
    "en": "The branch charged me twice for one transfer; please pay it back.",
}
SEND = {"zh-Hant": "提交投訴", "zh-Hans": "提交投诉", "en": "Send the complaint"}
TAKEN = {"zh-Hant": "我們已收到您的投訴", "zh-Hans": "我们已收到您的投诉", "en": "We have your complaint"}
OFFLINE = {"zh-Hant": "沒有網絡連線", "zh-Hans": "没有网络连接", "en": "There is no connection"}


@dataclass
class Bank:
    """A bank's site on an origin of its own, the desk, and a form that may stand on the site. `pages` are what the site
    serves, by path; as `localhost` instead of `127.0.0.1` it is another origin, where the form may not stand."""

    desk: DeskSite
    site: str
    pages: dict[str, str]
    form: str = ""
    secret: str = ""
    errors: list[str] = field(default_factory=list)

    @property
    def elsewhere(self) -> str:
        return self.site.replace("127.0.0.1", "localhost")

    @property
    def intake(self) -> str:
        return self.desk.url("intake")

    def page(self, name: str, **data: str) -> str:
        """A page with the script tag; where it is."""
        told = "".join(f' data-{key}="{value}"' for key, value in ({"key": self.form} | data).items())
        self.pages[f"/{name}"] = (
            '<!doctype html><html lang="en"><title>Bank</title><h1>Bank</h1><div id="here"></div>'
            f'<script src="{self.intake}/embed.js"{told} async></script>'
        )
        return f"{self.site}/{name}"

    def identity(self, **changes: Any) -> str:
        at = int(time.time())
        claims = {"aud": self.form, "sub": "C-000777", "name": "Wong Example", "iat": at, "exp": at + 300} | changes
        return jwt.encode(claims, self.secret, "HS256")

    def complaints(self, words: str) -> list[str]:
        """The ids of those that say `words`, as an officer finds them."""
        with sqlite3.connect(self.desk.home / "intake.db", timeout=10) as db:
            ids = [row[0] for row in db.execute("SELECT id FROM complaint ORDER BY id")]
        officer = {"Authorization": f"Bearer {self.desk.tokens['officer']}"}
        found = [httpx.get(f"{self.intake}/v1/complaints/{id}", headers=officer).json() for id in ids]
        return [one["id"] for one in found if one["narrative"] == words]

    def read(self, id: str) -> dict[str, Any]:
        officer = {"Authorization": f"Bearer {self.desk.tokens['officer']}"}
        found: dict[str, Any] = httpx.get(f"{self.intake}/v1/complaints/{id}", headers=officer).json()
        return found


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    pages: dict[str, str] = {}

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = pages.get(self.path)
            self.send_response(200 if page else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write((page or "").encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    desk = DeskSite(tmp_path_factory.mktemp("form") / "home")
    try:
        desk.start_and_wait()
        found = Bank(desk, f"http://127.0.0.1:{server.server_port}", pages)
        admin = {"Authorization": f"Bearer {desk.tokens['admin']}"}
        about = {"name": "Site", "origins": [found.site], "look": {"name": "Example Bank", "colour": "#7a1f2b"}}
        made = httpx.post(f"{found.intake}/v1/forms", json=about, headers=admin).json()
        found.form, found.secret = made["id"], made["identity_secret"]
        yield found
    finally:
        desk.kill("desk")
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    found = chromium.new_context(viewport={"width": 1280, "height": 900}, locale="en")
    found.set_default_timeout(15_000)
    yield found
    found.close()


def alone(bank: Bank, context: BrowserContext, lang: str = "en", width: int = 1280) -> Page:
    """The form by itself, as a mobile web view opens it."""
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": 900})
    page.on("pageerror", lambda error: bank.errors.append(str(error)))
    page.on("console", lambda m: bank.errors.append(m.text) if "Content Security Policy" in m.text else None)
    page.goto(f"{bank.intake}/form?key={bank.form}&lang={lang}")
    return page


@pytest.fixture(autouse=True)
def no_errors(bank: Bank) -> Iterator[None]:
    bank.errors.clear()
    yield
    assert bank.errors == []


def assert_good(page: Page, name: str) -> None:
    """Nobody is kept out, nothing sticks out to the side; and a picture, where somebody has said where to put it."""
    found = Axe().run(page, options=RULES)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"form-{name}.png", full_page=True)


def fill(page: Page | Frame, words: str) -> None:
    page.fill("#narrative", words)
    page.fill("#name", "Chan Example")
    page.fill("#email", "chan@person.example")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("lang", list(WORDS))
def test_every_state_is_good_in_every_language(bank: Bank, context: BrowserContext, lang: str, width: int) -> None:
    page = alone(bank, context, lang, width)
    words = f"{WORDS[lang]} {width}"
    assert_good(page, f"{lang}-{width}-1-empty")

    page.fill("#email", "nowhere")
    page.fill("#amount", "much")
    page.click("#send")
    expect(page.locator("#summary")).to_be_focused()
    assert page.locator("#wrong-list li").count() == 4
    assert_good(page, f"{lang}-{width}-2-invalid")

    fill(page, words)
    page.fill("#amount", "1,200.50")
    page.set_input_files("#files", [{"name": "收據.txt", "mimeType": "text/plain", "buffer": b"paid twice"}])
    expect(page.locator("#file-list progress")).to_be_hidden()
    held: list[Route] = []
    handle: Callable[[Route], object] = held.append
    page.route("**/v1/form/complaints", lambda route: handle(route))
    page.click("#send")
    expect(page.locator("#working")).to_be_visible()
    while not held:
        page.wait_for_timeout(50)
    assert_good(page, f"{lang}-{width}-3-sending")

    held.pop().abort()
    expect(page.locator("#state-text")).to_contain_text(OFFLINE[lang])
    assert_good(page, f"{lang}-{width}-4-offline")

    handle = Route.continue_
    for route in held:  # the page tries again by itself, and may have done so meanwhile
        route.continue_()
    expect(page.locator("#done")).to_have_text(TAKEN[lang])
    expect(page.locator("[data-settled=true]")).to_be_visible()  # the deadlines have come
    expect(page.locator("#done")).to_be_focused()
    assert_good(page, f"{lang}-{width}-5-done")
    (id,) = bank.complaints(words)
    kept = bank.read(id)
    assert (kept["channel"], kept["language"], kept["complainant"]["name"]) == ("web_form", lang, "Chan Example")


def test_the_page_around_learns_the_reference_and_the_frame_fits(bank: Bank, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(bank.page("allowed", target="#here"))
    page.evaluate("addEventListener('redress:submitted', (event) => { window.heard = event.detail.reference; })")
    frame = page.frame_locator("iframe")
    expect(page.locator("#here iframe")).to_have_attribute("title", "Make a complaint – Example Bank")
    frame.locator("#narrative").fill("Sent from the bank's own page.")
    frame.locator("#anonymous").check()
    frame.locator("#send").click()
    expect(frame.locator("#done")).to_be_visible()
    reference = frame.locator("dd").first.inner_text()
    page.wait_for_function("window.heard")
    assert page.evaluate("window.heard") == reference
    inner = next(f for f in page.frames if f.url.startswith(bank.intake))
    page.wait_for_timeout(300)
    needed = inner.evaluate("document.body.scrollHeight")
    assert page.locator("iframe").bounding_box()["height"] >= needed  # type: ignore[index]
    assert len(bank.complaints("Sent from the bank's own page.")) == 1


def test_another_origin_is_refused_by_the_server(bank: Bank, context: BrowserContext) -> None:
    bank.page("refused")
    page = context.new_page()
    with page.expect_response(lambda r: "/form?" in r.url) as answer:
        page.goto(f"{bank.elsewhere}/refused")
    assert answer.value.status == 403
    assert page.frame_locator("iframe").locator("#complaint").count() == 0


def test_an_origin_that_lies_is_refused_by_the_browser(bank: Bank, context: BrowserContext) -> None:
    """It names an origin that is allowed, and hides its own: only the policy is left to hold it."""
    bank.pages["/liar"] = (
        "<!doctype html><title>x</title><iframe referrerpolicy='no-referrer' "
        f"src='{bank.intake}/form?key={bank.form}&amp;origin={bank.site}'></iframe>"
    )
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda m: said.append(m.text))
    with page.expect_response(lambda r: "/form?" in r.url) as answer:
        page.goto(f"{bank.elsewhere}/liar")
    assert answer.value.status == 200
    page.wait_for_timeout(500)
    assert any("frame-ancestors" in text for text in said), said
    assert page.frame_locator("iframe").locator("#complaint").count() == 0
    said.clear()
    page.goto(f"{bank.site}/liar")  # the same page where the form may stand, so it was not the page
    expect(page.frame_locator("iframe").locator("#complaint")).to_be_visible()


def test_who_is_signed_in_writes_only_what_happened(bank: Bank, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(bank.page("signed", identity=bank.identity()))
    frame = page.frame_locator("iframe")
    expect(frame.locator("#signed-in-name")).to_have_text("Wong Example")
    expect(frame.locator("#name")).to_be_hidden()
    frame.locator("#narrative").fill("Signed in and charged twice.")
    frame.locator("#send").click()
    expect(frame.locator("#done")).to_be_visible()
    (id,) = bank.complaints("Signed in and charged twice.")
    kept = bank.read(id)
    assert (kept["complainant"]["customer_no"], kept["facts"]["signed_in"]) == ("C-000777", True)


def test_an_answer_from_before_the_sign_in_does_not_undo_it(bank: Bank, context: BrowserContext) -> None:
    page = context.new_page()
    early: list[Route] = []

    def hold(route: Route) -> None:
        if json.loads(route.request.post_data or "{}")["identity"] is None:
            early.append(route)
        else:
            route.continue_()

    page.route("**/sessions", hold)
    page.goto(bank.page("signed-late", identity=bank.identity()))
    frame = page.frame_locator("iframe")
    expect(frame.locator("#signed-in-name")).to_have_text("Wong Example")
    (route,) = early
    with page.expect_response(lambda r: r.url.endswith("/sessions")):
        route.continue_()
    page.wait_for_timeout(300)
    expect(frame.locator("#signed-in")).to_be_visible()
    expect(frame.locator("#name")).to_be_hidden()


@pytest.mark.parametrize("kind", ["forged", "expired"])
def test_a_forged_or_expired_identity_is_refused(bank: Bank, context: BrowserContext, kind: str) -> None:
    at = int(time.time())
    claims = {"aud": bank.form, "sub": "C-1", "name": "Mallory", "iat": at, "exp": at + 300}
    bad = {"forged": jwt.encode(claims, "x" * 32, "HS256"), "expired": bank.identity(iat=at - 600, exp=at - 300)}
    page = context.new_page()
    page.goto(bank.page(kind, identity=bad[kind]))
    frame = page.frame_locator("iframe")
    expect(frame.locator("#unconfirmed")).to_be_visible()
    expect(frame.locator("#name")).to_be_visible()
    expect(frame.locator("#signed-in")).to_be_hidden()


def test_the_network_cut_after_the_server_took_it_leads_to_one_complaint(bank: Bank, context: BrowserContext) -> None:
    page = alone(bank, context)
    words = "The line broke just then."
    fill(page, words)
    tries: list[int] = []

    def cut(route: Route) -> None:
        tries.append(1)
        if len(tries) < 3:
            assert route.fetch().status == 201  # it has arrived; nobody is told
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/v1/form/complaints", cut)
    page.click("#send")
    expect(page.locator("#done")).to_be_visible()
    assert len(tries) == 3
    assert len(bank.complaints(words)) == 1


def test_closed_while_it_was_being_sent_it_goes_on(bank: Bank, context: BrowserContext) -> None:
    page = alone(bank, context)
    words = "The telephone was in a tunnel."
    fill(page, words)
    page.route("**/v1/form/complaints", lambda route: (route.fetch(), route.abort("connectionreset")))
    page.click("#send")
    expect(page.locator("#state-text")).to_contain_text(OFFLINE["en"])
    page.unroute_all(behavior="ignoreErrors")
    page.reload()
    expect(page.locator("#done")).to_be_visible()
    assert len(bank.complaints(words)) == 1


def test_by_keyboard_alone(bank: Bank, context: BrowserContext) -> None:
    page = alone(bank, context)
    page.keyboard.press("Tab")
    for _ in range(40):
        here = page.evaluate("document.activeElement.id")
        if here == "narrative":
            page.keyboard.type("Typed without a mouse.")
        elif here == "name":
            page.keyboard.type("Chan Example")
        elif here == "email":
            page.keyboard.type("chan@person.example")
        elif here == "send":
            page.keyboard.press("Enter")
            break
        assert here != "website", "the trap is met by keyboard"
        page.keyboard.press("Tab")
    expect(page.locator("#done")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.href").startswith(f"{bank.intake}/track/")


@pytest.mark.parametrize("lang", list(WORDS))
def test_with_the_script_blocked_it_works_all_the_same(bank: Bank, context: BrowserContext, lang: str) -> None:
    context.route("**/static/form.js*", lambda route: route.abort())
    page = alone(bank, context, lang)
    page.click("#send")
    expect(page.locator("#summary")).to_be_visible()  # posted at once: too quick for a person, and said so
    page.wait_for_timeout(3200)
    page.click("#send")
    assert page.locator("#wrong-list li").count() == 3
    assert_good(page, f"{lang}-plain-invalid")
    words = f"{WORDS[lang]} plain"
    fill(page, words)
    page.wait_for_timeout(3200)
    page.click("#send")
    expect(page.locator("#done")).to_have_text(TAKEN[lang])
    assert_good(page, f"{lang}-plain-done")
    assert len(bank.complaints(words)) == 1


def test_a_draft_is_kept_on_the_device_without_the_person(bank: Bank, context: BrowserContext) -> None:
    page = alone(bank, context)
    fill(page, "Half a story")
    page.reload()
    expect(page.locator("#narrative")).to_have_value("Half a story")
    expect(page.locator("#name")).to_have_value("")
    assert "Chan" not in page.evaluate("JSON.stringify(localStorage)")
    page.click("#drop")
    expect(page.locator("#narrative")).to_have_value("")
    page.reload()
    expect(page.locator("#draft")).to_be_hidden()


def test_files_show_how_they_fare(bank: Bank, context: BrowserContext) -> None:
    page = alone(bank, context)
    page.wait_for_selector(".scripted")
    page.evaluate("document.getElementById('files').dataset.most")
    page.set_input_files("#files", [{"name": "tool.exe", "mimeType": "text/plain", "buffer": b"MZ\x90\x00" * 99}])
    expect(page.locator("#file-list .state")).to_contain_text("cannot take this kind of file")
    page.click("#file-list button")
    expect(page.locator("#file-list li")).to_have_count(0)
    page.set_input_files("#files", [{"name": "a.txt", "mimeType": "text/plain", "buffer": b"words " * 10}])
    expect(page.locator("#file-list .state")).to_have_text("Ready")
    fill(page, "With a file.")
    page.click("#send")
    expect(page.locator("#done")).to_be_visible()
    (id,) = bank.complaints("With a file.")
    officer = {"Authorization": f"Bearer {bank.desk.tokens['officer']}"}
    files = httpx.get(f"{bank.intake}/v1/complaints/{id}/attachments", headers=officer).json()["items"]
    assert [one["name"] for one in files] == ["a.txt"]


def test_the_sample_page_shows_the_form(bank: Bank, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{bank.desk.port}/?lang=en")
    page.click("text=Complaint form")
    expect(page.frame_locator("iframe").locator("#narrative")).to_be_visible()
    assert_good(page, "sample")
