"""The routes of goals, measures, surveys, bases and commendations answer nothing that their OpenAPI document does not
promise, and no 5xx, whatever is sent to them."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.reporting import app as reporting
from services.reporting import store
from services.reporting.api import bases, commendations, goals, measures, surveys
from services.reporting.settings import ReportingSettings
from shared.db import Database
from shared.web import pages
from shared.web.app import create_app
from tests.contract.driving import Served, drive_all, mint_keys, serving

SECONDS = 40.0  # of calls, for all operations together
NOW = datetime(2025, 6, 30, 4, tzinfo=UTC)
RIGHTS = {"all": {"roles": "agent officer supervisor manager auditor admin"}, "officer": {"roles": "officer"}}
CALLERS = ["all", "all", "all", "officer", None]
FILTER = {"figure": "received", "dimension": "branch", "code": "central"}
GOAL = {
    **FILTER,
    "title": "Fewer",
    "direction": "down",
    "baseline": 10,
    "target": 4,
    "starts_on": "2025-04-01",
    "due_on": "2025-12-31",
    "owner_department": "cards",
}
MEASURE = {
    **FILTER,
    "title": "A second counter",
    "horizon": "short",
    "owner_department": "cards",
    "starts_on": "2025-04-01",
    "ends_on": "2025-05-31",
    "status": "running",
    "started_on": "2025-04-01",
}
SURVEY = {
    "kind": "customer_periodic",
    "title": "June",
    "languages": ["en"],
    "questions": [{"aspect": "overall", "text": {"en": "?"}}, {"text": {"en": "?"}}],
    "opens_on": "2025-06-01",
    "closes_on": "2025-06-30",
}
PRAISE = {"department": "cards", "occurred_on": "2025-06-01", "text": "Well done"}

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


@pytest.fixture
def served(migrated: Callable[[str], str], tmp_path: Path) -> Iterator[Served]:
    url = migrated("reporting")
    tokens = mint_keys(url, store.tables, RIGHTS, NOW)
    parts = [goals.router, measures.router, surveys.router, surveys.forms, bases.router, commendations.router]
    app = create_app(
        "reporting",
        "Goals and surveys",
        settings=ReportingSettings(home=tmp_path),
        db=Database("reporting", url, store.tables),
        clock=lambda: NOW,
        routers=parts,
    )
    pages.install(app, Path(str(reporting.__file__)).parent)
    with serving(app, tokens, CALLERS) as served:
        headers = served.headers("all")

        def made(path: str, body: dict[str, Any]) -> Any:
            answer = httpx.post(f"{served.url}/v1/{path}", json=body, headers=headers)
            assert answer.is_success, answer.text
            return answer.json()

        measure = made("measures", MEASURE)
        task = {"title": "A room", "due_on": "2025-05-01", "owner_role": "manager"}
        task_id = made(f"measures/{measure['id']}/tasks", task)["tasks"][0]["id"]
        survey = made("surveys", SURVEY)
        token = httpx.get(f"{served.url}/v1/surveys/{survey['id']}/link", headers=headers).json()["token"]
        base = f"{served.url}/v1/bases/customers/2025-01-01"
        assert httpx.put(base, json={"count": 1000}, headers=headers).is_success
        served.known = {
            "goal_id": made("goals", GOAL)["id"],
            "measure_id": measure["id"],
            "task_id": task_id,
            "survey_id": survey["id"],
            "token": token,
            "kind": "customers",
            "valid_from": "2025-01-01",
            "commendation_id": made("commendations", PRAISE)["id"],
        }
        yield served


@pytest.mark.timeout(300)
def test_no_answer_is_a_5xx_or_undocumented(served: Served) -> None:
    every = drive_all(served, SECONDS)
    assert {200, 201, 204, 401, 403, 404, 422} <= set(every), "it came through the doors, and against them"
