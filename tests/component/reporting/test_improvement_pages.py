"""Pages of goals and measures: seen by those who read figures, filled in by those who plan."""

import re
from typing import Any

import pytest
from sqlalchemy import select

from services.reporting import store
from shared.web.access import FORM_TOKEN_HEADER
from tests.component.reporting.test_measures_api import RUNNING, weeks_of_complaints
from tests.signing_in import OwnForm, enter

HTML = {"accept": "text/html"}
SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
LANGUAGES = pytest.mark.parametrize("language", ["zh-Hant", "zh-Hans", "en"])
GOAL = {
    "title": "Half as many",
    "figure": "received",
    "about": "branch=central",
    "period": "month",
    "baseline": "60",
    "target": "30",
    "starts_on": "2025-01-01",
    "due_on": "2025-12-31",
    "owner_department": "branch_operations",
    "owner_role": "",
    "note": "",
}
PLAN = {
    "title": "A second counter",
    "figure": "received",
    "about": "branch=central",
    "owner_department": "branch_operations",
    "starts_on": "2025-06-01",
    "ends_on": "2025-12-31",
    "budget": "40000",
    "currency": "hkd",
    "note": "",
}


async def signed_in(bench: Any, *roles: str) -> Any:
    """A browser: it has the cookie, and no header."""
    client = await bench.client(*roles)
    token = client.headers.pop("authorization").removeprefix("Bearer ")
    client.headers.update({**HTML, "sec-fetch-site": "same-origin"})
    await enter(bench.app, client, token)
    client.auth = OwnForm(client.headers.pop(FORM_TOKEN_HEADER))
    return client


async def test_a_goal_is_set_by_the_form_and_shown_with_its_standing(bench: Any) -> None:
    await weeks_of_complaints(bench, before=15, after=7, elsewhere=3)
    async with await signed_in(bench, "supervisor") as client:
        sent = await client.post("/improvement/goals", data=GOAL)
        assert (sent.status_code, sent.headers["location"]) == (303, "/improvement?kept=1#goals")
        page = (await client.get("/improvement?kept=1&lang=en")).text
        assert "Half as many" in page
        assert "This has been kept." in page
        assert "Branch: central" in page
        share = {**GOAL, "figure": "upheld_share", "about": "", "baseline": "50", "target": "20"}
        assert (await client.post("/improvement/goals", data=share)).status_code == 303
        goals = (await client.get("/v1/goals")).json()["items"]
    assert [(one["baseline"], one["target"], one["direction"]) for one in goals] == [
        (0.5, 0.2, "down"),
        (60, 30, "down"),
    ]
    standing = re.search(r'class="standing (\w+)"><span class="sign" aria-hidden="true">(.)</span>([^<]+)<', page)
    assert standing is not None, "in words, with a mark beside"
    assert standing.group(3) in ("Reached", "On track")


@SQLITE
@LANGUAGES
async def test_what_is_wrong_is_told_at_its_field_and_what_was_filled_in_stays(bench: Any, language: str) -> None:
    async with await signed_in(bench, "manager") as client:
        for change, name in (
            ({"target": "60"}, "target"),
            ({"due_on": "2024-01-01"}, "due_on"),
            ({"baseline": "many"}, "baseline"),
            ({"baseline": "1e400"}, "baseline"),
            ({"title": " "}, "title"),
            ({"owner_department": ""}, "owner_department"),
            ({"figure": "satisfaction_overall"}, "baseline"),
            ({"due_on": "20251231"}, "due_on"),
        ):
            answer = await client.post(f"/improvement/goals?lang={language}", data=GOAL | change)
            assert answer.status_code == 422, change
            assert 'role="alert"' in answer.text
            assert f'href="#goal-{name}"' in answer.text, change
            assert f'id="goal-{name}-wrong"' in answer.text, change
            assert (GOAL | change)["note"] in answer.text
            assert 'value="2025-01-01"' in answer.text
        bad = await client.post(f"/improvement/measures?lang={language}", data=PLAN | {"ends_on": "2025-01-01"})
        assert 'id="measure-ends_on-wrong"' in bad.text
        bad = await client.post(f"/improvement/measures?lang={language}", data=PLAN | {"currency": "XXY"})
        assert 'id="measure-budget-wrong"' in bad.text
        assert (await client.get("/v1/goals")).json()["items"] == []
        assert (await client.get("/v1/measures")).json()["items"] == []


async def test_a_measure_is_planned_started_and_carried_out_by_forms(bench: Any) -> None:
    async with await signed_in(bench, "supervisor") as client:
        sent = await client.post("/improvement/measures", data=PLAN)
        assert sent.status_code == 303
        here = sent.headers["location"].partition("?")[0]
        task = {"title": "Find a room", "due_on": "2025-06-10", "owner_department": "branch_operations"}
        assert (await client.post(f"{here}/tasks", data=task)).status_code == 303
        page = (await client.get(f"{here}?lang=en")).text
        assert "HK$40,000.00" in page
        assert "Medium term" in page, "how long it runs says so"
        assert "The measure has not started." in page
        assert "Overdue" in page
        done = re.search(r'action="([^"]+/done)"', page)
        assert done is not None
        assert (await client.post(done.group(1))).status_code == 403, "not a form's content type"
        assert (await client.post(done.group(1), data={"x": ""})).status_code == 303
        started = {"status": "running", "day": "2025-06-02"}
        assert (await client.post(f"{here}/status", data={**started, "day": "2025-07-02"})).status_code == 422
        assert (await client.post(f"{here}/status", data={**started, "status": "done"})).status_code == 422
        assert (await client.post(f"{here}/status", data=started)).status_code == 303
        evidence = {"note": "Opened; call 9123 4567", "link": "https://intranet.bank.example/a"}
        assert (await client.post(f"{here}/evidence", data=evidence)).status_code == 303
        unsafe = await client.post(f"{here}/evidence", data={"note": "x", "link": "javascript:alert(1)"})
        assert unsafe.status_code == 422
        assert 'id="evidence-link-wrong"' in unsafe.text
        page = (await client.get(f"{here}?lang=en")).text
        assert "1 of 1 tasks done" in page
        assert "Opened; call [phone]" in page
        listed = (await client.get("/improvement?lang=en")).text
        assert 'value="1" aria-label="Tasks done: A second counter"' in listed


@SQLITE
@LANGUAGES
async def test_the_effect_stands_in_a_sentence_a_chart_and_a_table(bench: Any, language: str) -> None:
    await weeks_of_complaints(bench, before=30, after=14, elsewhere=22)
    async with await bench.client("manager") as client:
        id = (await client.post("/v1/measures", json=RUNNING)).json()["id"]
    async with await signed_in(bench, "officer") as client:
        page = (await client.get(f"/improvement/measures/{id}?lang={language}")).text
        told = (await client.get(f"/v1/measures/{id}/effect?lang={language}")).json()
        assert told["sentence"] in page
        assert all(caveat in page for caveat in told["caveats"])
        assert page.count("<tr>") == 1 + len(told["weeks"]), "the table has each week"
        assert "<form class" not in page.partition("<main")[2], "officers read and do not plan"
        drawn = await client.get(f"/improvement/measures/{id}/effect.svg?lang={language}")
        assert drawn.text.startswith("<svg")
        narrow = await client.get(f"/improvement/measures/{id}/effect.svg?narrow=1")
        assert narrow.text != drawn.text
        assert (await client.get(f"/improvement/measures/{id[:-1]}x")).status_code == 422
        assert (await client.get("/improvement/measures/00000000-0000-0000-0000-000000000000")).status_code == 404


@SQLITE
async def test_nobody_plans_who_may_not_nor_from_elsewhere(bench: Any) -> None:
    async with await signed_in(bench, "officer") as client:
        assert (await client.get("/improvement")).status_code == 200
        assert (await client.post("/improvement/goals", data=GOAL)).status_code == 403
    async with await signed_in(bench, "agent") as client:
        assert (await client.get("/improvement")).status_code == 403
    async with await bench.client() as client:
        assert (await client.get("/improvement", headers=HTML)).status_code == 401
        assert (await client.post("/improvement/goals", data=GOAL)).status_code == 401
    async with await signed_in(bench, "manager") as client:
        for site in ("cross-site", "same-site", "none"):
            other = await client.post("/improvement/goals", data=GOAL, headers={"sec-fetch-site": site})
            assert other.status_code == 403, "the cookie does not count there"
        assert (await client.post("/improvement/goals", json=GOAL)).status_code == 403
        without = await client.post("/improvement/goals", data=GOAL, headers={"x-form-token": "0" * 64})
        assert without.status_code == 403, "nor without the token of our forms"
        api = await client.post("/v1/goals", data=GOAL)
        assert api.status_code == 401, "nor ever for the API"
        ordered = await client.post("/reports", data={"month": "2025-05", "language": "en"})
        assert ordered.status_code == 303
    async with bench.db.reading() as session:
        actions = (await session.scalars(select(store.tables.audit.c.action))).all()
    assert not [action for action in actions if action.startswith("goal.")]
