"""Reporting answers nothing that its OpenAPI document does not promise, and no 5xx, whatever is sent to any route."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.reporting import consumers, store
from services.reporting.app import create_app
from services.reporting.reports import making
from services.reporting.settings import ReportingSettings
from services.reporting.usecases import watching
from shared.bus import Message
from shared.db import Database
from shared.events import TOPICS
from shared.inbox import Consumer
from tests.component.reporting.lives import heard
from tests.contract.driving import Served, drive_all, mint_keys, serving

SECONDS = 60.0  # of calls, for all operations together
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


async def _filled(url: str, settings: ReportingSettings) -> str:
    """Some complaints with their lives, and a report; its id."""
    db = Database("reporting", url, store.tables)
    consumer = Consumer(db, consumers.handler(settings.zone), consumers.HANDLED, lambda: NOW)
    await consumer.process([Message(TOPICS[source], key, payload) for source, key, _, payload in heard(60)])
    await watching.watch(db, lambda: NOW, settings.zone)
    async with db.transaction() as tx:
        day = NOW.date()
        id = making.order(tx, day.replace(month=5), "en", by="test", now=NOW, today=day).id
    await making.make_next(db, lambda: NOW, settings)
    await db.close()
    return id


@pytest.fixture
def served(migrated: Callable[[str], str], tmp_path: Path) -> Iterator[Served]:
    url = migrated("reporting")
    settings = ReportingSettings(home=tmp_path, rate_limit_addresses="1000000/minute")
    tokens = mint_keys(url, store.tables, RIGHTS, NOW)
    report_id = asyncio.run(_filled(url, settings))
    app = create_app(settings, Database("reporting", url, store.tables), clock=lambda: NOW)
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
            "report_id": report_id,
            "period": "2025-Q1",
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


@pytest.mark.timeout(400)
def test_no_answer_is_a_5xx_or_undocumented(served: Served) -> None:
    every = drive_all(served, SECONDS)
    assert {200, 201, 204, 401, 403, 404, 422} <= set(every), "it came through the doors, and against them"
