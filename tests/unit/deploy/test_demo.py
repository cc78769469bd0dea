"""Demonstration complaints: nobody real, nothing alike, the same again for the same seed."""

import io
import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from deploy.demo import DemoComplaint, generate, surge_day
from deploy.demo.channels import SHARES
from deploy.demo.run import run
from deploy.demo.timing import BANK_ZONE
from deploy.demo.wording import KINDS, LANGUAGES, bank, wording
from deploy.importers.posting import Patience

UNTIL = datetime(2026, 3, 5, 10, tzinfo=UTC)
SLOTS = {"product", "branch", "amount", "date", "time", "wait", "days", "count", "staff", "merchant", "place", "device"}
EMAIL = re.compile(r"[\w.+-]+@[\w.-]+")
HAN = re.compile(r"[\u4e00-\u9fff]")
LATIN = re.compile(r"[A-Za-z]{2,}")


@pytest.fixture(scope="module")
def five_hundred() -> list[DemoComplaint]:
    return list(generate(500, seed=1, until=UNTIL))


def test_the_same_seed_gives_the_same_complaints() -> None:
    first, second = ([one.body() for one in generate(80, seed=7, until=UNTIL)] for _ in range(2))
    assert first == second
    assert first != [one.body() for one in generate(80, seed=8, until=UNTIL)]


@settings(max_examples=25, deadline=None)
@given(n=st.integers(30, 120), seed=st.integers(0, 10_000))
def test_every_channel_language_and_type_occurs(n: int, seed: int) -> None:
    made = list(generate(n, seed=seed, until=UNTIL))
    assert len(made) == n
    assert {one.channel for one in made} == set(SHARES)
    assert {one.language for one in made} == set(LANGUAGES)
    assert {one.kind for one in made} == set(KINDS)


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(0, 60),
    seed=st.integers(),
    months=st.integers(1, 40),
    until=st.datetimes(datetime(2015, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_times_lie_in_the_range_and_in_order(n: int, seed: int, months: int, until: datetime) -> None:
    made = list(generate(n, seed=seed, until=until, months=months))
    received = [one.received_at for one in made]
    assert received == sorted(received)
    assert all(until - timedelta(days=31 * months) <= at < until for at in received)
    assert all(one.occurred_at <= one.received_at for one in made if one.occurred_at)


def test_every_complaint_differs(five_hundred: list[DemoComplaint]) -> None:
    assert len({one.narrative for one in five_hundred}) == 500
    assert len({one.key for one in five_hundred}) == 500
    references = [one.channel_ref for one in five_hundred if one.channel_ref]
    assert len(set(references)) == len(references) > 350
    # No single phrase carries the whole demonstration: not one clause is in more than a twentieth of the texts.
    clauses = Counter(
        c for one in five_hundred for c in set(re.split(r"[.。！？!?：:]\s*", one.narrative)) if len(c) > 15
    )
    assert clauses.most_common(1)[0][1] <= 25


def test_the_key_is_bound_to_the_body(five_hundred: list[DemoComplaint]) -> None:
    """Another hour or another number is other complaints under other keys, so a repeat never conflicts."""
    later = list(generate(500, seed=1, until=UNTIL + timedelta(hours=1)))
    assert {one.key for one in later}.isdisjoint({one.key for one in five_hundred})
    assert {one.channel_ref for one in later} & {one.channel_ref for one in five_hundred} <= {None}


def test_nobody_in_it_can_be_reached(five_hundred: list[DemoComplaint]) -> None:
    for one in five_hundred:
        text = json.dumps(one.body(), ensure_ascii=False)
        for address in EMAIL.findall(text):
            assert address.endswith(("@example.com", "@example.org", ".example"))
        phone = one.body()["complainant"].get("phone")
        assert phone is None or re.fullmatch(r"\+447700900\d{3}|\+1\d{3}55501\d{2}", phone)


def test_bodies_have_the_shape_of_the_api(five_hundred: list[DemoComplaint]) -> None:
    for one in five_hundred:
        body = one.body()
        assert 5 < len(body["narrative"]) < 2_000
        assert "{" not in body["narrative"]
        assert body.get("language") in {None, *LANGUAGES}
        assert body["complainant"] == {"anonymous": True} or body["complainant"]["name"]
        assert datetime.fromisoformat(body["received_at"]).tzinfo
        assert body["detail"]
        assert all(isinstance(value, str) for value in body["detail"].values())
        if "amount" in body:
            assert Decimal(body["amount"]["value"]) > 0
            assert body["amount"]["currency"] in {"HKD", "CNY", "USD"}
        assert body.get("branch") in {None, *(branch.code for branch in bank().branches)}
        assert body["product"] in bank().product_shares
        assert json.loads(json.dumps(body)) == body


def test_the_facts_agree_with_the_text(five_hundred: list[DemoComplaint]) -> None:
    for one in five_hundred:
        told = [branch.code for branch in bank().branches if branch.names[one.language] in one.narrative]
        assert not told or one.branch in told
        if one.amount:
            value = one.amount[0]
            whole = value == value.to_integral_value()
            assert (f"{value:,.0f}" if whole else f"{value:,.2f}") in one.narrative


def test_about_a_tenth_is_anonymous_and_some_come_again(five_hundred: list[DemoComplaint]) -> None:
    known = Counter(one.complainant for one in five_hundred if one.complainant)
    assert 25 <= 500 - known.total() <= 80
    assert 15 <= sum(times > 1 for times in known.values()) <= 90


def test_texts_are_in_their_language_some_with_mixed_script(five_hundred: list[DemoComplaint]) -> None:
    chinese = [one.narrative for one in five_hundred if one.language != "en"]
    assert all(HAN.search(text) for text in chinese)
    assert sum(bool(LATIN.search(text)) for text in chinese) > 20
    assert all(LATIN.search(one.narrative) for one in five_hundred if one.language == "en")


def test_one_day_stands_out_and_offices_rest_on_sunday(five_hundred: list[DemoComplaint]) -> None:
    days = Counter(one.received_at.astimezone(BANK_ZONE).date() for one in five_hundred)
    (top, most), (_, second) = days.most_common(2)
    assert top == surge_day(UNTIL, seed=1)
    assert most > 2 * second
    at_counter = [one.received_at for one in five_hundred if one.channel == "branch"]
    assert all(at.weekday() < 6 and 9 <= at.hour < 18 for at in at_counter)


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_are_patterns_enough_with_known_slots(language: str) -> None:
    words = wording(language)
    for kind in KINDS:
        texts = {pattern.text for pattern in words.patterns[kind]}
        assert len(texts) >= 15
        assert sum(effect.product is None for effect in words.effects[kind]) >= 3
        assert words.outcomes[kind]
        assert all(pattern.slots <= SLOTS for pattern in words.patterns[kind])
        # A pattern of a product is reached through that product only, which has to exist.
        assert {pattern.product for pattern in words.patterns[kind]} <= {None, *bank().product_shares}
    assert set(words.products) == set(bank().product_shares)
    assert {channel for channel in words.openers if channel != "any"} <= set(SHARES)


def test_a_naive_end_or_no_months_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        next(generate(1, seed=1, until=datetime(2026, 1, 1)))  # noqa: DTZ001
    with pytest.raises(ValueError, match="months"):
        next(generate(1, seed=1, until=UNTIL, months=0))


# Sending them


class Desk(httpx.AsyncBaseTransport):
    """Takes complaints once per key; `busy` requests are put off first."""

    def __init__(self, *, busy: int = 0, answer: int = 201) -> None:
        self.bodies: dict[str, dict[str, object]] = {}
        self.busy = busy
        self.answer = answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200)
        assert request.url.path == "/intake/v1/complaints"
        if self.busy:
            self.busy -= 1
            return httpx.Response(503, headers={"Retry-After": "0"})
        if self.answer != 201:
            return httpx.Response(self.answer, json={"code": "refused", "detail": "No."})
        key = request.headers["Idempotency-Key"]
        replayed = key in self.bodies
        self.bodies.setdefault(key, json.loads(request.content))
        tracking = {"url": f"/intake/track/R-{len(self.bodies)}", "token": "let-me-see"}
        return httpx.Response(
            201,
            json={"id": key, "reference": "R", "tracking": tracking},
            headers={"Idempotency-Replayed": "true"} if replayed else {},
        )


def _console() -> tuple[Console, io.StringIO]:
    said = io.StringIO()
    return Console(file=said, width=120), said


async def test_run_sends_each_once_and_says_where_to_look() -> None:
    desk = Desk(busy=5)
    console, said = _console()
    patience = Patience(first=0.001, longest=0.01)
    for _ in range(2):
        report = await run(
            "http://desk/intake", "k", count=120, console=console, until=UNTIL, patience=patience, transport=desk
        )
    assert len(desk.bodies) == report.taken == report.already_there == 120
    assert report.exit_code == 0
    assert report.by_channel == Counter(str(body["channel"]) for body in desk.bodies.values())
    text = said.getvalue()
    assert "http://desk/reporting/dashboard" in text
    assert "http://desk/intake/track/R-" in text
    assert "let-me-see" in text
    assert "regulator" in text


async def test_a_desk_that_cannot_be_reached_is_told_plainly() -> None:
    def nobody(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    console, said = _console()
    report = await run(
        "http://desk/intake",
        "k",
        count=10,
        console=console,
        patience=Patience(first=0.001),
        transport=httpx.MockTransport(nobody),
    )
    assert report.exit_code == 1
    assert report.taken == 0
    assert "Nobody answers at http://desk/intake" in said.getvalue()
    assert "make up" in said.getvalue()


async def test_a_wrong_key_stops_at_once_and_refusals_are_counted() -> None:
    console, said = _console()
    report = await run("http://desk/intake", "k", count=50, console=console, transport=Desk(answer=401))
    assert report.exit_code == 1
    assert "does not accept this key" in said.getvalue()
    report = await run("http://desk/intake", "k", count=50, console=console, transport=Desk(answer=422))
    assert report.exit_code == 1
    assert report.refused == {"refused": 50}
