"""Every page for staff, of every service, on one desk with complaints: on a telephone, a tablet and a desk, in three
languages, light and dark; whole, without sideways scrolling, and clean for axe.

In CI each page is looked at in one of the combinations, which change from page to page; `LOOK=all` looks at all.
`LOOK_AT=folder` keeps a picture of each.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from deploy.registry import SERVICES
from shared.security.principal import Role
from shared.web.access import COOKIE
from tests.browser.test_dashboard import assert_accessible, assert_fits
from tests.chaos.sites import DeskSite
from tests.every_page import address, links, of_complaint, pages
from tests.signing_in import cookie_of

pytestmark = [pytest.mark.chromium, pytest.mark.timeout(900)]

LANGUAGES = ("zh-Hant", "en", "zh-Hans")
WIDTHS = (360, 1280, 768)
COMBINATIONS = [(language, width, dark) for dark in (False, True) for width in WIDTHS for language in LANGUAGES]
# Neighbours in this order share neither language nor width nor colours, so that few pages show much.
ORDER = [COMBINATIONS[(at * 7) % len(COMBINATIONS)] for at in range(len(COMBINATIONS))]


@dataclass(frozen=True, slots=True)
class Look:
    service: str
    path: str
    at: str
    role: Role


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskSite]:
    found = DeskSite(tmp_path_factory.mktemp("pages") / "home")
    found.start_and_wait()
    try:
        demo = [sys.executable, "-m", "deploy.cli", "demo", "--count", "40", "--home", str(found.home)]
        subprocess.run([*demo, "--url", found.url("")[:-1]], check=True, stdout=subprocess.DEVNULL)
        yield found
    finally:
        found.process.stop(seconds=20)


_ALIKE = ("/audit", "/parked", "/keys")  # drawn for all services from the same templates


_COOKIES: dict[tuple[int, Role], str] = {}


def signed_in(desk: DeskSite, role: Role) -> str:
    """The cookie of the development staff's `role`; one is enough for all pages."""
    key = (desk.port, role)
    if key not in _COOKIES:
        _COOKIES[key] = cookie_of(desk.url("intake"), desk.tokens[role])
    return _COOKIES[key]


def every(desk: DeskSite, service: str) -> Iterator[Look]:
    """The pages of `service`, those of one thing by a link of another."""
    own = SERVICES[service]
    settings = own.settings(home=desk.home)
    app = own.app(settings, own.database(settings))
    asked = {"authorization": f"Bearer {desk.tokens['supervisor']}"}
    cases = httpx.get(f"{desk.url('routing')}/v1/cases?limit=1", headers=asked, timeout=30).json()
    seen = of_complaint(cases["items"][0]["complaint_id"])
    for path, role in sorted(pages(app), key=lambda one: one[0].count("{")):
        if "/parts/" in path:
            continue  # seen within their pages
        if service != "intake" and path.startswith(_ALIKE) and os.environ.get("LOOK") != "all":
            continue
        at = address(path, seen)
        if at is None:
            continue
        headers = {"authorization": f"Bearer {desk.tokens[role]}", "accept": "text/html"}
        answer = httpx.get(f"{desk.url(service)}{at}", headers=headers, timeout=30)
        assert answer.status_code == 200, (at, answer.text)
        seen |= links(answer.text, f"/{service}")
        yield Look(service, path, at, role)


@pytest.mark.parametrize("service", SERVICES)
def test_every_page_is_accessible_and_fits(desk: DeskSite, chromium: Browser, service: str) -> None:
    wrong = []
    for number, look in enumerate(every(desk, service)):
        for language, width, dark in COMBINATIONS if os.environ.get("LOOK") == "all" else one(number):
            page = opened(chromium, desk, look, language, width, dark)
            try:
                assert_accessible(page)
                assert_fits(page)
            except AssertionError as error:
                wrong.append(f"{service}{look.at} {language} {width} {'dark' if dark else 'light'}: {error}")
            finally:
                keep(page, f"{service}{look.path}-{width}-{language}-{'dark' if dark else 'light'}")
                page.context.close()
    assert not wrong, "\n".join(wrong)


def one(number: int) -> list[tuple[str, int, bool]]:
    """One of the combinations, another for each page."""
    return [ORDER[number % len(ORDER)]]


def keep(page: Page, name: str) -> None:
    if folder := os.environ.get("LOOK_AT"):
        page.screenshot(path=Path(folder) / f"{re.sub(r'[^a-zA-Z0-9-]', '_', name)}.png", full_page=True)


def opened(chromium: Browser, desk: DeskSite, look: Look, language: str, width: int, dark: bool) -> Page:
    """The page, once its parts are there and nothing hides in it."""
    context = chromium.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", locale=language
    )
    context.add_cookies([{"name": COOKIE, "value": signed_in(desk, look.role), "url": desk.url("")}])
    page = context.new_page()
    parted = "&" if "?" in look.at else "?"
    page.goto(f"{desk.url(look.service)}{look.at}{parted}lang={language}")
    expect(page.locator("html")).to_have_attribute("lang", language)
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    for closed in page.locator("main details:not([open]) > summary").all():
        if closed.is_visible():
            closed.click()
    return page
