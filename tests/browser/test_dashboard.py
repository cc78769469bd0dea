"""The dashboard in a real browser: in three languages, on a telephone and on a desk, for eyes and for ears."""

import asyncio
import random
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from fastapi import FastAPI
from playwright.sync_api import Browser, BrowserContext, Page, expect

from services.reporting import consumers, store
from services.reporting.app import create_app
from services.reporting.settings import ReportingSettings
from services.reporting.usecases import record
from services.reporting.views.pages import PAGES as FIGURES
from shared.clock import utcnow
from shared.cloudevents import Envelope
from shared.db import Database
from shared.events import (
    ClockMet,
    ClockStarted,
    ClockStep,
    ComplaintClassified,
    ComplaintReceived,
    ComplaintResolved,
    ComplaintRouted,
    DeadlineMissed,
    Event,
)
from shared.ids import uuid7
from shared.security import keys
from shared.security.keys import NewKey
from shared.web.access import COOKIE
from tests.signing_in import cookie_of

pytestmark = pytest.mark.chromium

LANGUAGES = {"zh-Hant": "投訴數據概覽", "zh-Hans": "投诉数据概览", "en": "Complaints in figures"}
WIDTHS = (360, 1280)
# WCAG 2.2 AA, and what axe counts as good practice.
RULES = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }
}
CHANNELS = ("phone", "web_chat", "mobile", "web_form", "email", "letter", "branch", "social", "regulator")
CATEGORIES = ("service_quality", "product", "channel", "fees", "information_security", "other")
DEPARTMENTS = (
    "complaint_office",
    "cards",
    "lending",
    "deposits",
    "payments_remittance",
    "wealth",
    "digital_banking",
    "branch_operations",
    "information_security",
    "customer_service",
)
OUTCOMES: tuple[Any, ...] = ("upheld", "partly_upheld", "rejected", "goodwill", "withdrawn")
T = TypeVar("T")


def story(chance: random.Random, start: datetime) -> list[Event]:
    """A complaint received at `start`, with as much of a life as its age allows."""
    id = uuid7()

    def drawn(codes: tuple[Any, ...]) -> Any:
        return chance.choices(codes, [1 / (i + 1) for i in range(len(codes))])[0]

    due, resolved = start + timedelta(days=30), start + timedelta(days=chance.uniform(1, 45))
    found: list[Event] = [
        ComplaintReceived(complaint_id=id, reference="r", channel=drawn(CHANNELS), narrative="…", received_at=start),
        ComplaintClassified(
            complaint_id=id, category=drawn(CATEGORIES), severity="normal", confidence=1, classified_at=start
        ),
        ComplaintRouted(complaint_id=id, department=drawn(DEPARTMENTS), reason="…", routed_at=start),
        ClockStarted(
            complaint_id=id,
            clock_id=id,
            pack="p",
            pack_version="1",
            started_at=start,
            steps=(ClockStep(name="acknowledge", due_at=due), ClockStep(name="final", due_at=due)),
        ),
        ClockMet(complaint_id=id, clock_id=id, step="acknowledge", due_at=due, met_at=start, in_time=True),
    ]
    if resolved < utcnow():
        outcome = drawn(OUTCOMES)
        found.append(
            ComplaintResolved(complaint_id=id, outcome=outcome, root_cause="staff_service", resolved_at=resolved)
        )
        in_time = resolved <= due
        found.append(ClockMet(complaint_id=id, clock_id=id, step="final", due_at=due, met_at=resolved, in_time=in_time))
    elif due < utcnow():
        found.append(DeadlineMissed(complaint_id=id, clock_id=id, step="final", due_at=due, missed_at=due))
    return found


@dataclass
class Desk:
    """Reporting mounted in a desk that listens on a port; `run` does something inside its event loop."""

    url: str
    key: str
    db: Database
    loop: asyncio.AbstractEventLoop

    def run(self, work: Awaitable[T]) -> T:
        async def doing() -> T:
            return await work

        return asyncio.run_coroutine_threadsafe(doing(), self.loop).result(30)

    def hear(self, *events: Event) -> None:
        self.run(_hear(self.db, events))


async def _hear(db: Database, events: tuple[Event, ...]) -> None:
    zone = ReportingSettings().zone
    for i in range(0, len(events), 500):
        envelopes = [
            Envelope(uuid7(), e.source, e.type, e.complaint_id, datetime.now(UTC), e) for e in events[i : i + 500]
        ]
        assert {e.type for e in envelopes} <= consumers.HANDLED
        async with db.transaction() as tx:
            await record.record(tx, envelopes, zone)


async def _key(db: Database, role: str) -> str:
    async with db.transaction() as tx:
        return await keys.create(tx, store.tables, NewKey(role, roles=[role]), actor="test", now=utcnow())


def serve(url: str) -> Iterator[Desk]:
    """Reporting on the database `url`, in a thread of its own."""
    db = Database("reporting", url, store.tables)
    desk = FastAPI()
    reporting = create_app(ReportingSettings(), db)
    desk.mount("/reporting", reporting)
    desk.mount("/intake", reporting)  # where people sign out of all services; here it stands for intake
    server = uvicorn.Server(uvicorn.Config(desk, port=0, log_level="error", lifespan="off", ws="none"))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(server.serve()))
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    found = Desk(f"http://127.0.0.1:{port}", "", db, loop)
    found.key = found.run(_key(db, "manager"))
    try:
        yield found
        found.run(db.close())
    finally:
        server.should_exit = True
        thread.join()
        loop.close()


@pytest.fixture(scope="module")
def desk(templates: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk with some eighteen months of complaints."""
    chance = random.Random(5)
    for found in serve(templates.sqlite("reporting", tmp_path_factory.mktemp("dashboard") / "full.db")):
        ages = [chance.triangular(0, 540, 60) for _ in range(1500)] + [0.0] * 4
        found.hear(*(e for age in ages for e in story(chance, utcnow() - timedelta(days=age))))
        yield found


@pytest.fixture
def empty_desk(templates: Any, tmp_path: Path) -> Iterator[Desk]:
    yield from serve(templates.sqlite("reporting", tmp_path / "empty.db"))


Open = Callable[..., Page]


@pytest.fixture
def opened(chromium: Browser) -> Iterator[Open]:
    """`opened(desk, "/dashboard", lang="en", width=360, dark=True)`: that page, signed in, errors noted."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def open(
        desk: Desk, path: str, *, lang: str = "en", width: int = 1280, dark: bool = False, key: bool = True
    ) -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": 800}, locale=lang, color_scheme="dark" if dark else "light"
        )
        contexts.append(context)
        if key:
            value = cookie_of(f"{desk.url}/reporting", desk.key)
            cookie = {"name": COOKIE, "value": value, "url": desk.url, "httpOnly": True}
            context.add_cookies([cookie])  # type: ignore[list-item]
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        # what the content security policy stops is told on the console
        page.on("console", lambda m: errors.append(m.text) if "Content Security Policy" in m.text else None)
        page.goto(f"{desk.url}/reporting{path}")
        return page

    yield open
    for context in contexts:
        context.close()
    assert not errors


def assert_accessible(page: Page) -> None:
    found = Axe().run(page, options=RULES)
    assert found.violations_count == 0, found.generate_report()


def assert_fits(page: Page) -> None:
    """Nothing sticks out to the side (WCAG 1.4.10)."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(
    ("lang", "width", "dark"),
    [*((lang, width, False) for lang in LANGUAGES for width in WIDTHS), ("zh-Hant", 1280, True)],
)
def test_it_is_accessible_and_fits(desk: Desk, opened: Open, lang: str, width: int, dark: bool) -> None:
    page = opened(desk, "/dashboard", lang=lang, width=width, dark=dark)
    expect(page.locator("html")).to_have_attribute("lang", lang)
    expect(page.get_by_role("heading", level=1)).to_have_text(LANGUAGES[lang])
    for summary in page.locator("summary").all():
        summary.click()
    assert_accessible(page)
    assert_fits(page)


PAGES = (*(f"/dashboard/{name}" for name in FIGURES), "/complaints", "/warnings", "/reports")


@pytest.mark.slow  # test_every_page.py looks at them too, once each
@pytest.mark.parametrize(
    ("lang", "width"), [("en", WIDTHS[0]), ("en", WIDTHS[1]), ("zh-Hant", WIDTHS[0]), ("zh-Hans", WIDTHS[1])]
)
def test_every_page_of_figures_is_accessible_and_fits(desk: Desk, opened: Open, lang: str, width: int) -> None:
    for path in PAGES:
        page = opened(desk, path, lang=lang, width=width, dark=width == WIDTHS[0])
        expect(page.locator("html")).to_have_attribute("lang", lang)
        for picture in page.locator("img.picture").all():
            picture.scroll_into_view_if_needed()
            expect(picture).to_have_js_property("complete", True)
            assert picture.evaluate("one => one.naturalWidth") > 0, path
        for summary in page.locator("summary").all():
            summary.click()
        assert_accessible(page)
        assert_fits(page)
        page.close()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_form_to_sign_in_is_accessible_and_works(desk: Desk, opened: Open, lang: str) -> None:
    page = opened(desk, "/dashboard?channel=phone", lang=lang, width=360, key=False)
    assert_accessible(page)
    assert_fits(page)
    field = page.locator("input[name=credential]")
    field.fill("rdk_0000000000_wrong")
    field.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    assert_accessible(page)
    page.locator("input[name=credential]").fill(desk.key)
    page.get_by_role("main").get_by_role("button").click()
    page.wait_for_url("**/reporting/dashboard?channel=phone")
    expect(page.get_by_role("heading", level=1)).to_have_text(LANGUAGES[lang])
    page.get_by_role("banner").get_by_role("button").click()
    expect(page.locator("input[name=credential]")).to_be_visible()


def test_without_a_mouse_all_can_be_reached(desk: Desk, opened: Open) -> None:
    page = opened(desk, "/dashboard")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Overview")).to_be_focused()
    summary = page.locator("#table-channel")
    summary.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("table", name="By channel")).to_be_visible()


def test_filters_stand_in_the_address(desk: Desk, opened: Open) -> None:
    page = opened(desk, "/dashboard")
    page.get_by_label("Channel", exact=True).select_option("letter")
    page.get_by_role("button", name="Show", exact=True).click()
    page.wait_for_url("**channel=letter**")
    expect(page.get_by_text("Complaints chosen")).to_be_visible()
    assert page.locator("#channel-letter").is_visible()
    assert page.locator("#channel-phone").count() == 0
    page.get_by_role("link", name="繁體中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hant")
    assert "channel=letter" in page.url
    page.get_by_role("link", name="顯示全部").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hant")
    page.locator("#category-fees").click()
    page.wait_for_url("**category=fees**")


@pytest.mark.alone
def test_a_new_complaint_shows_within_two_seconds(empty_desk: Desk, opened: Open) -> None:
    page = opened(empty_desk, "/dashboard")
    expect(page.get_by_text("No complaints yet")).to_be_visible()
    assert_accessible(page)
    empty_desk.hear(*story(random.Random(1), utcnow()))
    # the script looks every two seconds; what is over is this machine's
    expect(page.locator("[data-figure=total]")).to_have_text("1", timeout=4000)
    expect(page.locator(".charts")).to_be_visible(), "and the charts with it"
    page.locator("#table-channel").click()
    empty_desk.hear(*story(random.Random(2), utcnow()))
    expect(page.locator("[data-figure=total]")).to_have_text("2", timeout=4000)
    expect(page.locator("table:has(caption:text-is('By day')) td").first).to_have_text("2", timeout=9000)
    expect(page.get_by_role("table", name="By channel")).to_be_visible()
    expect(page.locator("#table-channel")).to_be_focused()


def test_figures_that_cannot_be_brought_up_to_date_say_so(empty_desk: Desk, opened: Open) -> None:
    page = opened(empty_desk, "/dashboard")
    expect(page.locator("#stale")).to_be_empty()
    page.route("**/v1/figures/total*", lambda route: route.abort())
    expect(page.locator("#stale")).to_contain_text("cannot be brought up to date")
    page.unroute("**/v1/figures/total*")
    expect(page.locator("#stale")).to_be_empty()
