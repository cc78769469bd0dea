"""The demonstration's cases: plausible lives, the same again for the same complaints, and worked once."""

import asyncio
import io
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from statistics import median
from typing import Any, get_args

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from deploy.demo import DemoComplaint, generate
from deploy.demo.casework import Move, plan
from deploy.demo.run import DemoReport, run
from deploy.demo.timing import BANK_ZONE
from deploy.demo.wording import KINDS, load
from deploy.importers.posting import Patience
from services.routing import classifier
from shared.events import Outcome

UNTIL = datetime(2026, 3, 5, 10, tzinfo=UTC)
DAY = timedelta(days=1)
VERBS = ["claim", "acknowledge", "respond", "resolve", "close"]
QUICK = Patience(first=0.001, longest=0.005, total=2.0)

Life = tuple[DemoComplaint, tuple[Move, ...]]


@pytest.fixture(scope="module")
def lives() -> list[Life]:
    return [(one, plan(one, until=UNTIL)) for one in generate(1_500, seed=1, until=UNTIL)]


def _done(moves: tuple[Move, ...], verb: str) -> Move | None:
    return next((m for m in moves if m.verb == verb and m.facts.get("final", True)), None)


def _days(life: Life, verb: str) -> float | None:
    move = _done(life[1], verb)
    return (move.at - life[0].received_at) / DAY if move else None


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(), days=st.integers(0, 400))
def test_steps_follow_one_another_and_none_lies_in_the_future(seed: int, days: int) -> None:
    until = UNTIL + days * DAY
    for one in generate(40, seed=seed, until=until, months=3):
        moves = plan(one, until=until)
        times = [one.received_at, *(move.at for move in moves), until]
        assert all(earlier < later for earlier, later in pairwise(times))
        assert moves == plan(one, until=until)
        verbs = [move.verb for move in moves if move.facts.get("final", True)]
        assert verbs == VERBS[: len(verbs)]


def test_more_time_only_adds_steps(lives: list[Life]) -> None:
    for one, moves in lives[-200:]:
        later = plan(one, until=UNTIL + 20 * DAY)
        assert later[: len(moves)] == moves


def test_most_old_ones_are_closed_and_about_a_tenth_is_open(lives: list[Life]) -> None:
    closed = {True: 0, False: 0}
    for one, moves in lives:
        closed[UNTIL - one.received_at > 30 * DAY] += _done(moves, "close") is not None
    old = sum(UNTIL - one.received_at > 30 * DAY for one, _ in lives)
    assert 0.90 < closed[True] / old < 0.99
    assert closed[False] / (len(lives) - old) < 0.6
    assert 0.05 < 1 - sum(closed.values()) / len(lives) < 0.16
    under_way = Counter(moves[-1].verb for _, moves in lives if moves and not _done(moves, "close"))
    assert {"claim", "acknowledge", "resolve"} <= set(under_way)


def test_acknowledged_within_a_week_and_answered_mostly_within_a_month(lives: list[Life]) -> None:
    acknowledged = [days for life in lives if (days := _days(life, "acknowledge")) is not None]
    assert min(acknowledged) >= 1
    assert max(acknowledged) <= 7
    answered = [days for life in lives if (days := _days(life, "respond")) is not None]
    assert min(answered) >= 5
    assert 45 < max(answered) < 57
    assert 10 < median(answered) < 22
    late = [days for days in answered if days > 30]
    assert 0.05 < len(late) / len(answered) < 0.2
    held = [moves for _, moves in lives if any(m.facts.get("final") is False for m in moves)]
    assert 0 < len(held) < len(late) * 1.3


def test_people_work_in_office_hours(lives: list[Life]) -> None:
    times = [move.at.astimezone(BANK_ZONE) for _, moves in lives for move in moves]
    assert all(at.weekday() < 5 for at in times)
    assert all(9 <= at.hour < 20 for at in times)


def test_decisions_fit_what_was_complained_about(lives: list[Life]) -> None:
    causes: dict[str, Counter[str]] = {kind: Counter() for kind in (*KINDS, "surge")}
    paid = 0
    for one, moves in lives:
        if (move := _done(moves, "resolve")) is None:
            continue
        facts = move.facts
        assert ("redress" in facts) != ("no_redress_reason" in facts)
        if facts["outcome"] in ("rejected", "withdrawn"):
            assert facts["root_cause"] == "none_found"
            assert "redress" not in facts
            continue
        causes["surge" if one.in_surge else one.kind][facts["root_cause"]] += 1
        if "redress" in facts:
            paid += 1
            value = Decimal(facts["redress"]["value"])
            assert value > 0
            if facts["redress"]["currency"] != "HKD":
                assert one.amount
                assert value <= max(one.amount[0], Decimal(1))
    top = {kind: found.most_common(1)[0][0] for kind, found in causes.items()}
    assert top["service_quality"] == "staff_service"
    assert top["product"] == "product_design"
    assert top["channel"] == top["surge"] == "system_failure"
    assert set(causes["surge"]) == {"system_failure"}
    assert 0.1 < paid / len(lives) < 0.5


def test_codes_are_those_of_the_registers() -> None:
    shares = load("casework")
    rulebook = classifier.load()
    kinds = {*KINDS, "surge"}
    assert set(shares["outcomes"]) == set(shares["root_causes"]) == set(shares["pace"]) == kinds
    outcomes = {outcome for one in shares["outcomes"].values() for outcome in one}
    assert outcomes <= set(get_args(Outcome))
    assert outcomes == set(shares["unpaid"])
    assert {cause for one in shares["root_causes"].values() for cause in one} <= set(rulebook.root_causes)
    assert "none_found" in rulebook.root_causes
    assert {reason for one in shares["unpaid"].values() for reason in one} <= set(rulebook.no_redress_reasons)


# Working them

TOLD_BY = {"claim": "assigned_at", "acknowledge": "acknowledged_at", "resolve": "resolved_at", "close": "closed_at"}


class FakeDesk(httpx.AsyncBaseTransport):
    """Takes complaints, opens their cases after `delay` looks, and takes each step once, in order, with its version."""

    def __init__(self, *, delay: int = 0) -> None:
        self.complaints: dict[str, dict[str, Any]] = {}
        self.cases: dict[str, dict[str, Any]] = {}
        self.steps: Counter[tuple[str, str]] = Counter()
        self.looks: Counter[str] = Counter()
        self.delay = delay
        self.most_at_once = 0
        self._at_once = 0
        self.approvers: tuple[str, ...] = ()
        self.who = ""
        self.before: Callable[[str, str], httpx.Response | None] = lambda id, verb: None
        self.after: Callable[[str, str], None] = lambda id, verb: None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path.endswith("/health/live"):
            return httpx.Response(200)
        body = json.loads(request.content) if request.content else {}
        if path == "/intake/v1/complaints":
            assert request.headers["Authorization"] == "Bearer import-key"
            key = request.headers["Idempotency-Key"]
            replayed = key in self.complaints
            self.complaints.setdefault(key, body)
            return httpx.Response(201, json={"id": key}, headers={"Idempotency-Replayed": "true"} if replayed else {})
        assert path.startswith("/routing/v1/cases/")
        assert request.headers["Authorization"] in ("Bearer staff-key", *(f"Bearer {k}" for k in self.approvers))
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await asyncio.sleep(0)
            self.who = request.headers["Authorization"].removeprefix("Bearer ")
            id, _, verb = path.removeprefix("/routing/v1/cases/").partition("/")
            return self._take(id, verb, body, request.headers.get("If-Match", "")) if verb else self._show(id)
        finally:
            self._at_once -= 1

    def _show(self, id: str) -> httpx.Response:
        if (refusal := self.before(id, "")) is not None:
            return refusal
        self.looks[id] += 1
        if id not in self.complaints or self.looks[id] <= self.delay:
            return httpx.Response(404, json={"code": "not_found"})
        return httpx.Response(200, json=self.cases.setdefault(id, {"version": 1, "closed_at": None}))

    def _take(self, id: str, verb: str, body: dict[str, Any], if_match: str) -> httpx.Response:
        if (refusal := self.before(id, verb)) is not None:
            return refusal
        case = self.cases[id]
        if if_match != f'"{case["version"]}"':
            return httpx.Response(412, json={"code": "precondition_failed"})
        name = TOLD_BY.get(verb) or ("final_response_at" if body["final"] else "holding_response_at")
        if case.get(name) or case.get("closed_at"):
            return httpx.Response(409, json={"code": "verb_not_allowed"})
        self.steps[id, name] += 1
        case |= {name: body["at"], "version": case["version"] + 1}
        self.after(id, verb)
        return httpx.Response(200, json=case)


async def _run(desk: FakeDesk, **options: Any) -> tuple[DemoReport, str]:
    said = io.StringIO()
    chosen: dict[str, Any] = {"count": 80, "until": UNTIL, "patience": QUICK, "staff_key": "staff-key"} | options
    report = await run(
        "http://desk/intake", "import-key", console=Console(file=said, width=200), transport=desk, **chosen
    )
    return report, said.getvalue()


async def test_cases_are_worked_once_however_often_it_runs() -> None:
    desk = FakeDesk(delay=2)
    first, said = await _run(desk)
    assert first.exit_code == 0
    work = first.casework
    assert work
    assert work.closed == sum(bool(case.get("closed_at")) for case in desk.cases.values()) > 50
    assert work.closed + work.under_way + work.untouched == 80
    assert work.steps == desk.steps.total() > 250
    assert f"{work.closed} closed, {work.under_way} under way" in said
    again, _ = await _run(desk)
    assert again.casework
    assert (again.casework.closed, again.casework.steps) == (work.closed, 0)
    assert again.already_there == 80
    assert max(desk.steps.values()) == 1


async def test_what_needs_a_second_person_is_proposed_and_approved_by_the_first_who_may() -> None:
    desk = FakeDesk()
    desk.approvers = ("head-key", "manager-key")
    proposed: set[str] = set()
    approved: set[str] = set()

    def before(id: str, verb: str) -> httpx.Response | None:
        if verb == "resolve" and id not in approved:
            return httpx.Response(409, json={"code": "approval_needed"})
        if verb == "propose":
            assert desk.who == "staff-key"
            proposed.add(id)
            return httpx.Response(200, json={})
        if verb == "approve":
            if desk.who == "head-key":
                return httpx.Response(403, json={"code": "not_entitled"})
            approved.add(id)
            return httpx.Response(200, json={})
        return None

    desk.before = before
    report, _ = await _run(desk, approver_keys=desk.approvers)
    assert report.exit_code == 0
    assert report.casework
    assert report.casework.closed > 50
    assert proposed == approved == {id for id, case in desk.cases.items() if case.get("resolved_at")}


async def test_without_a_staff_key_nobody_touches_the_cases() -> None:
    desk = FakeDesk()
    report, said = await _run(desk, staff_key=None)
    assert report.casework is None
    assert report.exit_code == 0
    assert not desk.looks
    assert "cases," not in said


async def test_no_more_at_once_than_asked() -> None:
    desk = FakeDesk()
    await _run(desk, concurrency=3)
    assert desk.most_at_once == 3


async def test_a_lost_answer_and_a_change_by_others_repeat_no_step() -> None:
    desk = FakeDesk()
    trouble: Counter[str] = Counter()

    def lose(id: str, verb: str) -> None:
        case = desk.cases[id]
        trouble[verb] += 1
        if trouble[verb] % 3 == 0:
            raise httpx.ReadTimeout("lost")  # taken, but the answer is lost on the way
        if trouble[verb] % 3 == 1:
            asyncio.get_running_loop().call_soon(lambda: case.update(version=case["version"] + 1))  # an escalation

    desk.after = lose
    report, _ = await _run(desk)
    assert report.exit_code == 0
    assert report.casework
    assert report.casework.closed > 50
    assert max(desk.steps.values()) == 1


async def test_what_others_have_done_is_left_as_it_is() -> None:
    desk = FakeDesk()

    def taken_over(id: str, verb: str) -> httpx.Response | None:
        if int(id[-1], 16) % 4 == 0 and verb == "respond":
            return httpx.Response(422, json={"code": "impossible_time"})
        if int(id[-1], 16) % 4 == 1 and verb == "claim":
            return httpx.Response(403, json={"code": "not_assignee"})
        return None

    desk.before = taken_over
    report, said = await _run(desk)
    assert report.casework
    assert set(report.casework.refused) == {"impossible_time", "not_assignee"}
    assert report.casework.trouble is None
    assert report.exit_code == 1
    assert "impossible_time" in said
    refused = {id for id in desk.cases if int(id[-1], 16) % 4 == 0}
    assert not any(desk.cases[id].get("closed_at") for id in refused)


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        (httpx.Response(401, json={"code": "unauthenticated"}), "does not accept this key"),
        (httpx.Response(403, json={"code": "forbidden"}), "officer or supervisor"),
        (httpx.Response(503), "has taken nothing"),
        (httpx.Response(404), "is its worker running?"),
    ],
)
async def test_routing_that_will_not_is_told_plainly_and_the_complaints_stay(
    refusal: httpx.Response, told: str
) -> None:
    desk = FakeDesk()
    desk.before = lambda id, verb: httpx.Response(refusal.status_code, content=refusal.content)
    report, said = await _run(desk)
    assert report.exit_code == 1
    assert report.taken == len(desk.complaints) == 80
    assert report.trouble is None
    assert told in said
    assert "The complaints are there, but the cases could not be worked" in said
    assert "dashboard" in said
    assert not desk.steps


@pytest.mark.parametrize(
    ("answer", "told"),
    [(404, "There is no case desk at this address"), (None, "Nobody answers at http://elsewhere/routing")],
)
async def test_a_wrong_address_of_routing_is_told_at_once(answer: int | None, told: str) -> None:
    class Elsewhere(FakeDesk):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.host == "elsewhere":
                if answer is None:
                    raise httpx.ConnectError("refused", request=request)
                return httpx.Response(answer)
            return await super().handle_async_request(request)

    desk = Elsewhere()
    report, said = await _run(desk, routing_url="http://elsewhere/routing")
    assert report.exit_code == 1
    assert report.taken == 80
    assert told in said


async def test_where_routing_is_must_be_known() -> None:
    desk = FakeDesk()
    said = io.StringIO()

    def take(request: httpx.Request) -> httpx.Response:
        return httpx.Response(201, json={"id": "x"})

    report = await run(
        "http://intake:8001", "import-key", count=5, console=Console(file=said, width=200), staff_key="staff-key",
        transport=httpx.MockTransport(take),
    )  # fmt: skip
    assert report.exit_code == 1
    assert "Where routing is can't be told" in said.getvalue()
    assert not desk.steps
