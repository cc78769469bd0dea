"""The pages of goals, measures, surveys and coaching in a real browser: three languages, telephone and desk."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from shared.clock import utcnow
from shared.events import (
    ComplaintClassified,
    ComplaintClosed,
    ComplaintReceived,
    ComplaintResolved,
    ComplaintRouted,
    Event,
)
from shared.ids import uuid7
from tests.browser import test_dashboard
from tests.browser.test_dashboard import WIDTHS, Desk, Open, assert_accessible, assert_fits, serve

pytestmark = pytest.mark.chromium
opened = test_dashboard.opened

NAMES = {"zh-Hant": "繁體中文", "zh-Hans": "简体中文", "en": "English"}
CAUSES: tuple[Any, ...] = ("staff_service", "internal_management", "system_failure", "product_design", "none_found")
CATEGORIES = ("service_quality", "fees", "channel", "product")
BRANCHES = ("central", "north_point", "tsuen_wan")
WORDS = (
    "I waited forty minutes at the counter and nobody told me that a form was missing.",
    "櫃台等候超過半小時，職員沒有解釋收費，結果多付了手續費。",
    "The fee was not on the price list that I was given when the account was opened.",
)
TITLE = "Fewer complaints about waiting at the Central branch"
MEASURE = "A second counter at noon"


def day(offset: int) -> str:
    return (utcnow() + timedelta(days=offset)).date().isoformat()


def life(chance: random.Random, at: datetime, branch: str) -> list[Event]:
    id = uuid7()
    found: list[Event] = [
        ComplaintReceived(
            complaint_id=id,
            reference="r",
            channel="branch",
            branch=branch,
            narrative=chance.choice(WORDS),
            received_at=at,
        ),
        ComplaintClassified(
            complaint_id=id, category=chance.choice(CATEGORIES), severity="normal", confidence=1, classified_at=at
        ),
        ComplaintRouted(complaint_id=id, department="branch_operations", reason="…", routed_at=at),
    ]
    decided = at + timedelta(days=chance.uniform(1, 20))
    if decided < utcnow():
        cause = chance.choices(CAUSES, (5, 3, 2, 1, 1))[0]
        found += [
            ComplaintResolved(complaint_id=id, outcome="upheld", root_cause=cause, resolved_at=decided),
            ComplaintClosed(complaint_id=id, closed_at=decided),
        ]
    return found


@dataclass
class Place:
    """The desk, and where on it the things are that were made beforehand."""

    desk: Desk
    ids: dict[str, str] = field(default_factory=dict)


def made(desk: Desk) -> Place:
    """Fills the desk: complaints of a year that get fewer, goals, measures, surveys, praise."""
    chance, found = random.Random(4), Place(desk)
    events: list[Event] = []
    for week in range(52):
        for branch in BRANCHES:
            for _ in range(chance.randint(5, 9) if branch == "central" and week < 14 else chance.randint(9, 15)):
                at = utcnow() - timedelta(weeks=week, minutes=chance.randrange(1, 7 * 1440))
                events += life(chance, at, branch)
    desk.hear(*events)
    with httpx.Client(base_url=f"{desk.url}/reporting", headers={"authorization": f"Bearer {desk.key}"}) as client:

        def post(path: str, **body: Any) -> dict[str, Any]:
            answer = client.post(f"/v1/{path}", json=body)
            assert answer.status_code == 201, answer.text
            return dict(answer.json())

        about = {"figure": "received", "dimension": "branch", "code": "central"}
        owner = {"owner_department": "branch_operations", "owner_role": "supervisor"}
        over: dict[str, Any] = {"starts_on": day(-200), "due_on": day(160), **owner}
        post("goals", title=TITLE, direction="down", baseline=58, target=40, **about, **over)
        upheld = {"figure": "upheld_share", "direction": "down", "baseline": 0.5, "target": 0.3}
        post("goals", title="Fewer complaints that prove to be right", **upheld, **over, note="See the plan of 2026.")
        later = {**over, "starts_on": day(-1), "due_on": day(300)}
        post(
            "goals",
            title="Closed within a week",
            **later,
            figure="median_days_to_close",
            direction="down",
            baseline=12,
            target=7,
        )
        plan: dict[str, Any] = {
            **about,
            "comparable": ["north_point", "tsuen_wan"],
            "owner_department": "branch_operations",
        }
        ran = {"status": "running", "started_on": day(-98), "starts_on": day(-98), "ends_on": day(-20)}
        money = {"amount": "400000", "currency": "HKD"}
        one = post("measures", title=MEASURE, horizon="short", **plan, **ran, budget=money)["id"]
        found.ids["measure"] = one
        for title, due, done in (
            ("Hire", -90, -92),
            ("Furnish the counter", -80, -70),
            ("Ask the customers", -5, None),
        ):
            days = {"due_on": day(due), **({"done_on": day(done)} if done else {})}
            post(f"measures/{one}/tasks", title=title, **days, **owner)
        post(f"measures/{one}/evidence", note="The counter is open.", link="https://intranet.bank.example/counter")
        planned = {"horizon": "medium", "starts_on": day(10), "ends_on": day(200)}
        post("measures", title="Explain fees before they arise", figure="received", owner_department="cards", **planned)
        questions = [{"aspect": a, "text": dict.fromkeys(NAMES, f"{a}?")} for a in ("overall", "staff", "product")]
        questions.append({"aspect": None, "text": dict.fromkeys(NAMES, "What should we do better? 有甚麼應改善？")})  # type: ignore[dict-item]
        asked = {"languages": list(NAMES), "questions": questions}
        week = {"opens_on": day(-7), "closes_on": day(30)}
        for kind, dates in (("customer_periodic", week), ("staff", week)):
            id = post("surveys", kind=kind, title=f"Survey of {kind}", invited=200, **asked, **dates)["id"]
            found.ids[kind] = id
            found.ids[f"{kind}-token"] = client.get(f"/v1/surveys/{id}/link").json()["token"]
        token = found.ids["customer_periodic-token"]
        for n in range(48):
            post(
                f"survey-forms/{token}/responses",
                ratings={a: min(5, max(1, round(chance.gauss(3.6, 1)))) for a in ("overall", "staff", "product")},
                words="The queue at the counter is too long" if n % 3 == 0 else "Fees are hard to understand",
                branch="tsuen_wan" if n < 2 else BRANCHES[n % 2],
            )
        praise = "Explained the fee to an elderly customer step by step, and wrote it down in large letters."
        post("commendations", department="branch_operations", branch="central", occurred_on=day(-3), text=praise)
    return found


@pytest.fixture(scope="module")
def place(templates: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    for desk in serve(templates.sqlite("reporting", tmp_path_factory.mktemp("pages") / "full.db")):
        yield made(desk)


def addresses(place: Place) -> dict[str, str]:
    return {
        "improvement": "/improvement",
        "measure": f"/improvement/measures/{place.ids['measure']}",
        "surveys": "/surveys",
        "results": f"/surveys/{place.ids['customer_periodic']}/results?by=branch",
        "coaching": "/coaching?department=branch_operations&months=6",
        "customers": f"/surveys/{place.ids['customer_periodic-token']}",
        "staff": f"/surveys/{place.ids['staff-token']}",
    }


PAGES = ("improvement", "measure", "surveys", "results", "coaching", "customers", "staff")


@pytest.mark.parametrize(
    ("lang", "width"), [("en", WIDTHS[0]), ("en", WIDTHS[1]), ("zh-Hant", WIDTHS[0]), ("zh-Hans", WIDTHS[1])]
)
@pytest.mark.parametrize("name", PAGES)
def test_it_is_accessible_and_fits(place: Place, opened: Open, name: str, lang: str, width: int) -> None:
    page = opened(place.desk, addresses(place)[name], lang=lang, width=width, key=name not in ("customers", "staff"))
    expect(page.locator("html")).to_have_attribute("lang", lang)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    for summary in page.locator("summary").all():
        summary.click()
    assert_accessible(page)
    assert_fits(page)


def test_the_dark_scheme_is_accessible(place: Place, opened: Open) -> None:
    for name in ("improvement", "surveys", "staff"):
        page = opened(place.desk, addresses(place)[name], dark=True)
        for summary in page.locator("summary").all():
            summary.click()
        assert_accessible(page)


def press_to(page: Page, locator: Any) -> None:
    """Go to it by Tab alone."""
    for _ in range(80):
        if locator.evaluate("e => e === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError("cannot be reached by Tab")


def test_a_goal_is_set_by_keyboard_and_what_is_wrong_is_told(place: Place, opened: Open) -> None:
    page = opened(place.desk, "/improvement")
    summary = page.locator("summary", has_text="Set a goal")
    press_to(page, summary)
    page.keyboard.press("Enter")
    press_to(page, page.locator("#goal-title"))
    page.keyboard.type("Fewer reopened")
    page.locator("#goal-figure").select_option("reopened")
    press_to(page, page.locator("#goal-baseline"))
    page.keyboard.type("10")
    page.keyboard.press("Tab")
    page.keyboard.type("10")
    page.locator("#goal-due_on").fill(day(200))
    page.locator("#goal-owner_department").select_option("cards")
    page.locator("#goal-due_on").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("The target is the same as the baseline.")
    expect(page.locator("#goal-title")).to_have_value("Fewer reopened")
    expect(page.locator("#goal-target")).to_have_attribute("aria-invalid", "true")
    assert_accessible(page)
    page.get_by_role("alert").get_by_role("link").press("Enter")
    expect(page.locator("#goal-target")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("5")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("This has been kept.")
    expect(page.get_by_role("heading", name="Fewer reopened")).to_be_visible()


def test_a_measure_is_carried_out_by_keyboard(place: Place, opened: Open) -> None:
    page = opened(place.desk, addresses(place)["measure"])
    expect(page.locator(".picture")).to_be_visible()
    assert page.locator(".picture").evaluate("e => e.complete || new Promise(r => e.onload = () => r(true))")
    expect(page.locator("#effect ~ .notice")).to_contain_text("fewer than would have been expected")
    button = page.get_by_role("button", name="Ask the customers")
    press_to(page, button)
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_be_visible()
    expect(page.get_by_text("3 of 3 tasks done")).to_be_visible()
    press_to(page, page.locator("summary", has_text="Add evidence"))
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("Waiting is down to ten minutes")
    press_to(page, page.get_by_role("button", name="Add the evidence"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("Waiting is down to ten minutes")).to_be_visible()


def test_staff_answer_without_script_or_sign_in(place: Place, opened: Open) -> None:
    page = opened(place.desk, addresses(place)["staff"] + "?lang=zh-Hant", lang="zh-Hant", width=360, key=False)
    expect(page.get_by_text("您的答覆是不記名的。")).to_be_visible()
    assert page.locator("script").count() == 0
    press_to(page, page.locator("input[name=rating-overall][value='1']"))
    page.keyboard.press("ArrowRight")
    press_to(page, page.locator("input[name=rating-staff][value='1']"))
    page.keyboard.press("Space")
    press_to(page, page.get_by_role("button"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("謝謝")
    assert_accessible(page)
    assert_fits(page)


def test_a_manager_opens_a_survey_and_copies_its_link(place: Place, opened: Open) -> None:
    page = opened(place.desk, "/surveys")
    page.locator("summary", has_text="Open a survey").press("Enter")
    page.locator("#survey-title").fill("Customers, after closure")
    page.locator("#survey-closes_on").fill(day(60))
    page.get_by_role("button", name="Open the survey").press("Enter")
    expect(page.get_by_role("heading", name="Customers, after closure")).to_be_visible()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Customers, after closure").press("Enter")
    expect(page.locator("#copied")).to_have_text("Copied")
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(f"{place.desk.url}/reporting/surveys/")
    page.goto(link)
    expect(page.get_by_role("heading", level=1)).to_have_text("Customers, after closure")


def test_the_tab_bar_begins_at_the_present_page_on_a_telephone(place: Place, opened: Open) -> None:
    page = opened(place.desk, "/coaching", width=360)
    box = page.locator(".tabs [aria-current]").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360
