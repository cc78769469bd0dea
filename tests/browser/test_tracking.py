"""The complainant's page in a real browser: every state, three languages, a telephone and a desk, with and without
script, by keyboard alone."""

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from fastapi import FastAPI
from playwright.sync_api import Browser, BrowserContext, Page, expect

from services.intake import store
from services.intake.app import create_app
from services.intake.consumers import progress
from services.intake.settings import IntakeSettings
from shared.bus import Message
from shared.clock import utcnow
from shared.cloudevents import Envelope, encode
from shared.db import Database
from shared.events import (
    TOPICS,
    ClockMet,
    ClockStarted,
    ClockStep,
    ComplaintAssigned,
    ComplaintClosed,
    ComplaintResolved,
    ComplaintResponded,
    ComplaintRouted,
    DeadlineMissed,
    Event,
)
from shared.ids import uuid7
from shared.inbox import Consumer
from shared.security import keys
from shared.security.crypto import MasterKeys
from shared.security.keys import NewKey

pytestmark = pytest.mark.chromium

RULES = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }
}
WIDTHS = (360, 1280)
HEADLINES = {
    "new": {
        "zh-Hant": "我們已收到您的投訴",
        "zh-Hans": "我们已收到您的投诉",
        "en": "We have received your complaint",
    },
    "in_progress": {
        "zh-Hant": "我們正在調查您的投訴",
        "zh-Hans": "我们正在调查您的投诉",
        "en": "We are looking into your complaint",
    },
    "late": {
        "zh-Hant": "我們正在調查您的投訴",
        "zh-Hans": "我们正在调查您的投诉",
        "en": "We are looking into your complaint",
    },
    "resolved": {
        "zh-Hant": "我們已回覆您的投訴",
        "zh-Hans": "我们已答复您的投诉",
        "en": "We have answered your complaint",
    },
    "disputed": {
        "zh-Hant": "我們正在覆核結果",
        "zh-Hans": "我们正在复核处理结果",
        "en": "We are looking at the outcome again",
    },
    "closed": {"zh-Hant": "您的投訴已結案", "zh-Hans": "您的投诉已结案", "en": "Your complaint is closed"},
    "withdrawn": {"zh-Hant": "您已撤回投訴", "zh-Hans": "您已撤回投诉", "en": "You have withdrawn your complaint"},
}
WORDS = {
    "zh-Hant": "分行就同一筆轉賬收了兩次手續費，我已附上收據。請問何時退款？",
    "zh-Hans": "网点对同一笔转账收取了两次手续费，收据已附上。请问何时退款？",
    "en": "The branch charged me twice for one transfer; I have the receipt. When will it be paid back?",
}
REPLY = {
    "zh-Hant": "多謝來信。我們已向分行索取紀錄，將於三個工作天內回覆。",
    "zh-Hans": "感谢来信。我们已向网点调取记录，将在三个工作日内答复。",
    "en": "Thank you. We have asked the branch for its records and will come back to you within three working days.",
}
T = TypeVar("T")


@dataclass
class Followed:
    """A complaint with its way in."""

    id: str
    reference: str
    token: str


@dataclass
class Desk:
    """Intake mounted in a desk that listens on a port."""

    url: str
    db: Database
    loop: asyncio.AbstractEventLoop
    keys: dict[str, str]

    def run(self, work: Awaitable[T]) -> T:
        async def doing() -> T:
            return await work

        return asyncio.run_coroutine_threadsafe(doing(), self.loop).result(30)

    def post(self, path: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
        answer = httpx.post(f"{self.url}/intake{path}", json=body, headers=headers)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def take(self, lang: str = "en") -> Followed:
        body = {
            "channel": "web_form",
            "narrative": WORDS[lang],
            "complainant": {"name": "Chan Example", "phone": "+852 2345 6789"},
            "jurisdiction": "hk",
        }
        receipt = self.post("/v1/complaints", body, Authorization=f"Bearer {self.keys['web']}")
        return Followed(receipt["id"], receipt["reference"], receipt["tracking"]["token"])

    def say(self, mine: Followed, verb: str, body: dict[str, Any]) -> None:
        self.post(f"/v1/track/{mine.reference}/{verb}", body, **{"X-Tracking-Token": mine.token})

    def reply(self, mine: Followed, text: str) -> None:
        self.post(f"/v1/complaints/{mine.id}/messages", {"text": text}, Authorization=f"Bearer {self.keys['officer']}")

    def hear(self, *events: Event) -> None:
        messages = []
        for event in events:
            envelope = Envelope(uuid7(), event.source, event.type, event.complaint_id, datetime.now(UTC), event)
            topic = TOPICS[event.source.rsplit("/", 1)[-1]]
            messages.append(Message(topic, event.complaint_id, encode(envelope).encode()))
        self.run(Consumer(self.db, progress.handle, progress.PART.types, utcnow).process(messages))

    def work(self, mine: Followed, *, began: datetime, until: str, outcome: Any = "rejected") -> None:
        """Routing and sla do their work on it, which began at `began`."""
        id, steps = (
            mine.id,
            tuple(
                ClockStep(name=name, due_at=_end_of_day(began + timedelta(days=days)))
                for name, days in (("acknowledge", 7), ("interim", 30), ("final", 60))
            ),
        )
        found: list[Event] = [
            ComplaintRouted(complaint_id=id, department="cards", reason="rule", routed_at=began),
            ComplaintAssigned(complaint_id=id, assignee="staff:7", assigned_at=began),
            ClockStarted(complaint_id=id, clock_id=id, pack="p", pack_version="1", started_at=began, steps=steps),
            ClockMet(
                complaint_id=id, clock_id=id, step="acknowledge", due_at=steps[0].due_at, met_at=began, in_time=True
            ),
        ]
        if until == "late":
            late = steps[1].due_at + timedelta(days=3)
            found += [
                ClockMet(
                    complaint_id=id, clock_id=id, step="interim", due_at=steps[1].due_at, met_at=late, in_time=False
                ),
                DeadlineMissed(
                    complaint_id=id, clock_id=id, step="final", due_at=steps[2].due_at, missed_at=steps[2].due_at
                ),
            ]
        if until in ("resolved", "closed"):
            at = began + timedelta(days=9)
            found += [
                ComplaintResponded(complaint_id=id, responded_at=at, final=True),
                ComplaintResolved(complaint_id=id, outcome=outcome, root_cause="system", resolved_at=at),
                ClockMet(complaint_id=id, clock_id=id, step="interim", due_at=steps[1].due_at, met_at=at, in_time=True),
                ClockMet(complaint_id=id, clock_id=id, step="final", due_at=steps[2].due_at, met_at=at, in_time=True),
            ]
        if until == "closed":
            found.append(ComplaintClosed(complaint_id=id, closed_at=began + timedelta(days=10)))
        self.hear(*found)


def _end_of_day(moment: datetime) -> datetime:
    """In Hong Kong."""
    return moment.replace(hour=15, minute=59, second=59, microsecond=0)


async def _keys(db: Database) -> dict[str, str]:
    wanted = {
        "web": NewKey("web", scopes=["complaints:write"], channels=["web_form"]),
        "officer": NewKey("officer", roles=["officer"]),
    }
    async with db.transaction() as tx:
        return {
            who: await keys.create(tx, store.tables, new, actor="test", now=utcnow()) for who, new in wanted.items()
        }


@pytest.fixture(scope="module")
def desk(templates: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    home = tmp_path_factory.mktemp("tracking")
    db = Database("intake", templates.sqlite("intake", home / "intake.db"), store.tables)
    app = FastAPI()
    master = MasterKeys({"k1": bytes(range(32))}, pseudonym_key=bytes(32))
    intake = create_app(IntakeSettings(home=home), db, keys=master)
    app.mount("/intake", intake)
    app.router.lifespan_context = lambda _: intake.router.lifespan_context(intake)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", ws="none"))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(server.serve()))
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    found = Desk(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", db, loop, {})
    found.keys = found.run(_keys(db))
    try:
        yield found
    finally:
        server.should_exit = True
        thread.join()
        loop.close()


Open = Callable[..., Page]


@pytest.fixture
def opened(desk: Desk, chromium: Browser) -> Iterator[Open]:
    """`opened(mine, lang="en", width=360)`: the complaint's page as its link opens it; errors are noted."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def open(
        mine: Followed | None,
        *,
        lang: str = "en",
        width: int = 1280,
        dark: bool = False,
        script: bool = True,
        fragment: bool = True,
    ) -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": 800},
            locale=lang,
            color_scheme="dark" if dark else "light",
            java_script_enabled=script,
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda m: errors.append(m.text) if "Content Security Policy" in m.text else None)
        path = f"/track/{mine.reference}" if mine else "/track"
        page.goto(f"{desk.url}/intake{path}" + (f"#t={mine.token}" if mine and fragment else ""))
        return page

    yield open
    for context in contexts:
        context.close()
    assert not errors


@pytest.fixture(scope="module")
def stories(desk: Desk) -> dict[tuple[str, str], Followed]:
    """A complaint in each state, in each language."""
    return {(state, lang): _story(desk, state, lang) for state in HEADLINES for lang in WORDS}


def _story(desk: Desk, state: str, lang: str) -> Followed:
    mine, now = desk.take(lang), utcnow()
    if state == "in_progress":
        desk.work(mine, began=now - timedelta(days=2), until=state)
    elif state == "late":
        desk.work(mine, began=now - timedelta(days=64), until=state)
    elif state in ("resolved", "closed", "disputed"):
        until = "resolved" if state == "resolved" else "closed"
        desk.work(mine, began=now - timedelta(days=12), until=until, outcome="partly_upheld")
    elif state == "withdrawn":
        desk.say(mine, "withdraw", {})
    if state != "new":
        desk.say(mine, "messages", {"text": WORDS[lang]})
        desk.reply(mine, REPLY[lang])
    if state == "closed":
        desk.say(mine, "rate", {"overall": 3, "staff": 4})
    if state == "disputed":
        desk.say(mine, "dispute", {"grounds": WORDS[lang]})
    return mine


def assert_accessible(page: Page) -> None:
    found = Axe().run(page, options=RULES)
    assert found.violations_count == 0, found.generate_report()


def assert_fits(page: Page) -> None:
    """Nothing sticks out to the side (WCAG 1.4.10)."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def kept(page: Page, name: str) -> None:
    """A picture to look at, where somebody has said where to put it."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("lang", list(WORDS))
@pytest.mark.parametrize("state", list(HEADLINES))
def test_every_state_is_accessible_fits_and_says_how_it_is(
    stories: dict[tuple[str, str], Followed], opened: Open, state: str, lang: str, width: int
) -> None:
    page = opened(stories[state, lang], lang=lang, width=width)
    expect(page.locator("html")).to_have_attribute("lang", lang)
    expect(page.locator("#status")).to_have_text(HEADLINES[state][lang])
    for summary in page.locator("summary").all():
        summary.click()
    kept(page, f"{state}-{lang}-{width}")
    assert_accessible(page)
    assert_fits(page)


@pytest.mark.parametrize("state", ["late", "resolved"])
def test_in_the_dark_too(stories: dict[tuple[str, str], Followed], opened: Open, state: str) -> None:
    page = opened(stories[state, "zh-Hant"], lang="zh-Hant", dark=True)
    expect(page.locator("#status")).to_be_visible()
    kept(page, f"{state}-dark")
    assert_accessible(page)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("lang", list(WORDS))
def test_the_way_in_is_accessible_also_when_it_is_the_wrong_one(
    desk: Desk, opened: Open, lang: str, width: int
) -> None:
    page = opened(None, lang=lang, width=width)
    assert_accessible(page)
    assert_fits(page)
    kept(page, f"open-{lang}-{width}")
    page.locator("#reference").fill(desk.take().reference)
    page.locator("#token").fill("wrong")
    page.get_by_role("main").get_by_role("button").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.locator("#reference")).not_to_have_value("")
    kept(page, f"wrong-{lang}-{width}")
    assert_accessible(page)
    assert_fits(page)


def test_the_link_opens_it_and_the_code_leaves_the_address(desk: Desk, opened: Open) -> None:
    mine = desk.take()
    page = opened(mine)
    expect(page.locator("#status")).to_be_visible()
    assert mine.token not in page.url
    page.reload()
    expect(page.locator("#status")).to_be_visible()
    page.get_by_role("link", name="简体中文").click()
    expect(page.locator("#status")).to_have_text("我们已收到您的投诉")
    page.get_by_role("button", name="退出").click()
    page.wait_for_url("**/track")
    page.goto(f"{desk.url}/intake/track/{mine.reference}")
    expect(page.locator("#token")).to_be_visible()


def test_a_link_with_a_wrong_code_asks_for_the_right_one(desk: Desk, opened: Open) -> None:
    mine = desk.take()
    page = opened(Followed(mine.id, mine.reference, "wrong"))
    expect(page.get_by_role("alert")).to_contain_text("We find no complaint")
    page.get_by_label("Access code").fill(mine.token)
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_be_visible()


@pytest.mark.parametrize("lang", list(WORDS))
def test_withdrawing_asks_first_and_says_what_it_means(desk: Desk, opened: Open, lang: str) -> None:
    mine = desk.take(lang)
    page = opened(mine, lang=lang, width=360)
    page.locator(".last a").click()
    expect(page.locator("textarea#reason")).to_be_visible()
    kept(page, f"withdraw-{lang}")
    assert_accessible(page)
    assert_fits(page)
    page.get_by_role("main").get_by_role("button").click()
    expect(page.locator("#status")).to_have_text(HEADLINES["withdrawn"][lang])
    expect(page.get_by_role("status")).to_be_focused()
    kept(page, f"withdrawn-done-{lang}")
    assert_accessible(page)
    expect(page.locator(".last")).to_have_count(0)


def test_without_script_everything_can_be_done(desk: Desk, opened: Open) -> None:
    mine = desk.take()
    desk.work(mine, began=utcnow() - timedelta(days=12), until="resolved")
    page = opened(mine, script=False, width=360)
    page.get_by_label("Access code").fill(mine.token)
    page.get_by_role("button", name="Open").click()
    expect(page.locator("#status")).to_have_text("We have answered your complaint")

    page.get_by_label("Write to us").fill("What about the second fee?")
    page.get_by_role("button", name="Send the message").click()
    expect(page.get_by_role("status")).to_contain_text("Your message has been sent")
    expect(page.locator(".messages .in .words")).to_have_text("What about the second fee?")

    page.get_by_role("group", name="All in all").get_by_label("2").check(force=True)
    page.get_by_role("button", name="Send the rating").click()
    expect(page.get_by_role("status")).to_contain_text("Your rating has been kept")

    page.get_by_text("Object to the outcome").click()
    page.get_by_label("What do you not agree with?").fill("It leaves out the second fee.")
    page.get_by_role("button", name="Send the objection").click()
    expect(page.locator("#status")).to_have_text("We are looking at the outcome again")
    expect(page.get_by_text("It leaves out the second fee.")).to_be_visible()


def test_by_keyboard_alone(desk: Desk, opened: Open) -> None:
    mine = desk.take()
    desk.work(mine, began=utcnow() - timedelta(days=12), until="resolved")
    page = opened(mine, fragment=False)
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(2):
        page.keyboard.press("Tab")
    expect(page.get_by_label("Access code")).to_be_focused()
    page.keyboard.type(mine.token)
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_be_visible()

    _tab_to(page, "#object")
    page.keyboard.press("Enter")
    expect(page.locator("#grounds")).to_be_visible()
    _tab_to(page, "input[name=overall]")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(page.locator("input[name=overall][value='4']")).to_be_checked()
    kept(page, "keyboard-radio")
    page.keyboard.press("Tab")
    expect(page.locator("input[name=staff]").first).to_be_focused()
    page.keyboard.press("Space")
    _tab_to(page, "#rating ~ form button")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_be_focused()
    expect(page.locator("input[name=overall][value='4']")).to_be_checked()
    expect(page.locator("input[name=staff][value='1']")).to_be_checked()

    _tab_to(page, "#text")
    page.keyboard.type("Thank you.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".messages .words")).to_have_text("Thank you.")


def _tab_to(page: Page, selector: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("s => document.activeElement.matches(s)", selector):
            return
    raise AssertionError(f"{selector} is not reached by the keyboard")


@pytest.mark.parametrize("lang", list(WORDS))
def test_what_is_wrong_is_said_at_its_place(desk: Desk, opened: Open, lang: str) -> None:
    mine = desk.take(lang)
    desk.work(mine, began=utcnow() - timedelta(days=12), until="closed")
    page = opened(mine, lang=lang, width=360)
    expect(page.locator("#status")).to_be_visible()
    page.evaluate("for (const one of document.querySelectorAll('[required]')) one.required = false")
    page.locator("#rating ~ form button").click()
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.locator("#overall .failed")).to_be_visible()
    kept(page, f"wrong-rating-{lang}")
    assert_accessible(page)
    page.get_by_role("alert").get_by_role("link").click()
    assert page.evaluate("location.hash") == "#overall"
    page.evaluate("for (const one of document.querySelectorAll('[required]')) one.required = false")
    page.locator("form[action$=messages] button").click()
    expect(page.locator("#text")).to_have_attribute("aria-invalid", "true")
    assert_accessible(page)
    page.get_by_role("link", name="English").click()
    expect(page.locator("#status")).to_have_text("Your complaint is closed")


def test_pressed_twice_a_message_is_sent_once(desk: Desk, opened: Open) -> None:
    mine = desk.take()
    page = opened(mine)
    page.get_by_label("Write to us").fill("Is there news?")
    page.evaluate("() => { const f = document.querySelector('form[action$=messages]'); f.submit(); f.submit(); }")
    expect(page.get_by_role("status")).to_be_visible()
    page.go_back()
    page.get_by_label("Write to us").fill("Is there news?")
    expect(page.locator(".messages .words")).to_have_count(1)


def test_on_paper_there_are_words_and_no_forms(stories: dict[tuple[str, str], Followed], opened: Open) -> None:
    page = opened(stories["resolved", "en"])
    expect(page.locator("#status")).to_be_visible()
    page.emulate_media(media="print")
    expect(page.locator("form[action$=messages]")).to_be_hidden()
    expect(page.locator("#rating")).to_be_hidden()
    expect(page.locator("#status")).to_be_visible()
    expect(page.locator(".messages .words").first).to_be_visible()
    kept(page, "print")


@pytest.mark.parametrize("script", [True, False])
@pytest.mark.parametrize("lang", list(WORDS))
def test_files_are_added_with_and_without_script(desk: Desk, opened: Open, lang: str, script: bool) -> None:
    mine = desk.take(lang)
    page = opened(mine, lang=lang, width=360, script=script)
    if not script:
        page.fill("#token", mine.token)
        page.click("form#open button")
    pdf = b"%PDF-1.7\n" + b"1 0 obj << >> endobj\n" * 20 + b"%%EOF\n"
    page.set_input_files("#file", [{"name": "tool.exe", "mimeType": "application/pdf", "buffer": b"MZ\x90\x00" * 99}])
    page.click("#add-files button")
    expect(page.locator("#summary")).to_be_visible()
    if script:  # which axe is itself
        assert_accessible(page)
    assert_fits(page)
    kept(page, f"files-refused-{lang}-{script}")
    page.set_input_files("#file", [{"name": "收據.pdf", "mimeType": "application/pdf", "buffer": pdf}])
    page.click("#add-files button")
    expect(page.locator(".files")).to_contain_text("收據.pdf")
    if script:  # which axe is itself
        assert_accessible(page)
    assert_fits(page)
    kept(page, f"files-added-{lang}-{script}")
