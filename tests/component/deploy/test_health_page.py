"""With Kafka or PostgreSQL down the health page says what is down, since when, what is kept waiting and what to do, and
when it is back that it is over.

The reports are those that a cluster gave while its broker and its server were stopped.
"""

import copy
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from deploy.health import page, samples
from deploy.health.kinds import KINDS
from deploy.health.survey import Source
from deploy.health.watch import Watch
from shared.settings import Settings

CAPTURED: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "captured_reports.json").read_text())
BEGIN = datetime(2026, 11, 28, 2, 0, tzinfo=UTC)  # 10:00 in Hong Kong


class Front:
    """The desk's pages over services that answer as `reports` say; None: not at all."""

    def __init__(self) -> None:
        self.now = BEGIN
        self.reports: dict[str, dict[str, Any] | None] = copy.deepcopy(CAPTURED["well"])  # type: ignore[assignment]
        self.app: FastAPI = page.create_app(Settings(), {name: self._source(name) for name in self.reports})
        self.forget()

    def forget(self) -> None:
        """As when the desk begins anew."""
        self.watch = Watch(self.app.state.sources, lambda: self.now, monotonic=lambda: self.now.timestamp())
        self.app.state.watch, self.app.state.clock = self.watch, lambda: self.now

    def _source(self, name: str) -> Source:
        def answer(request: httpx.Request) -> httpx.Response:
            report = self.reports[name]
            if report is None:
                raise httpx.ConnectError("nobody", request=request)
            return httpx.Response(503 if report["status"] == "not_ready" else 200, json=report)

        return Source(f"/{name}", httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://service"))

    async def later(self, seconds: float, state: str | None = None) -> None:
        """The background look, so much later; first all services report as they did in `state`."""
        self.now += timedelta(seconds=seconds)
        if state is not None:
            self.reports = copy.deepcopy(CAPTURED[state])  # type: ignore[assignment]
        await self.watch.look()

    async def get(self, path: str, **headers: str) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://desk") as http:
            return await http.get(path, headers=headers)

    async def text(self, path: str = "/health?lang=en") -> str:
        """A page as it reads."""
        answer = await self.get(path)
        assert answer.status_code == 200
        assert "style=" not in answer.text
        assert len(answer.content) < 100_000
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text))


@pytest.fixture
def front() -> Front:
    return Front()


@pytest.mark.parametrize(
    ("state", "code", "title", "of", "waits", "todo"),
    [
        (
            "kafka",
            "kafka_away",
            "Kafka does not answer",
            "Kafka",
            "Complaints are still taken.",
            "Bring the brokers back",
        ),
        (
            "postgres",
            "database_away",
            "A database does not answer",
            "PostgreSQL",
            "New complaints are refused with 503 and sent again by the channels",
            "Bring the database back",
        ),
    ],
)
async def test_it_says_what_is_down_since_when_what_waits_and_what_to_do_until_it_is_over(
    front: Front, state: str, code: str, title: str, of: str, waits: str, todo: str
) -> None:
    await front.later(0)
    before = await front.text()
    assert "All services are ready. Alarms None." in before
    assert f"{of} Answers" in before

    await front.later(5, state)
    await front.later(300)
    down = await front.text()
    assert f"{title} Act now Since 28 Nov 2026 10:00 (5 min)." in down
    assert waits in down
    assert f"What to do {todo}" in down
    assert f"{of} Does not answer Since 28 Nov 2026 10:00 (5 min). Away for: Intake Routing Deadlines Reporting" in down
    assert f"Runbook: {KINDS[code].page}" in down
    told = (await front.get("/health/alarms")).json()["alarms"]
    assert [a["service"] for a in told if a["code"] == code] == ["intake", "routing", "sla", "reporting"]
    assert {a["since"] for a in told if a["code"] == code} == {"2026-11-28T02:00:05.000Z"}
    assert (await front.get(f"/runbooks/{KINDS[code].page}")).status_code == 200

    await front.later(10, "well")
    after = await front.text()
    assert "All services are ready. Alarms None." in after
    assert f"{of} Answers" in after
    assert f"Lately over {title} Intake Routing Deadlines Reporting 28 Nov 2026 10:00 to 10:05 (5 min)" in after


async def test_a_desk_that_begins_anew_claims_no_more_than_it_knows(front: Front) -> None:
    await front.later(0)
    await front.later(5, "postgres")
    await front.later(600)
    front.forget()
    await front.later(5)
    await front.later(60)
    assert "A database does not answer Act now Since at least 28 Nov 2026 10:10 (60 s)." in await front.text()
    assert "至少自 2026年11月28日 10:10 起（60 秒）" in await front.text("/health?lang=zh-Hant")


async def test_a_service_that_is_gone_makes_nobody_forget_what_else_was_wrong_with_it(front: Front) -> None:
    sla = front.reports["sla"]
    assert sla is not None
    sla["causes"] = [{"code": "parked", "count": 2}]
    sla["status"] = "degraded"
    await front.later(0)
    await front.later(60)
    front.reports["sla"] = None
    await front.later(60)
    text = await front.text()
    assert "A service does not answer Act now Since 28 Nov 2026 10:02 (0 s)." in text
    assert "Deadlines are not watched meanwhile" in text
    assert "Lately over" not in text, "nobody can say that nothing is parked any more"
    front.reports["sla"] = sla
    await front.later(60)
    assert "Events are parked Look at it Since at least 28 Nov 2026 10:00 (3 min)." in await front.text()


async def test_disk_certificates_keys_lag_and_rates_are_shown_and_alarmed(front: Front) -> None:
    routing = front.reports["routing"]
    assert routing is not None
    routing["machine"] = {
        "disk": {"free_bytes": 4 * 10**9, "total_bytes": 100 * 10**9},
        "certificates": {"mail": {"ends_at": "x", "remaining_seconds": 3 * 86_400}, "ingress": {"error": "OSError"}},
    }
    worker = next(iter(routing["checks"]["workers"].values()))
    worker["partitions"] = {"redress.intake.v1": {"0": 0, "5": 2500}}
    routing["checks"]["keys"] = {
        "api": {"oldest_seconds": 500 * 86_400, "next_end_seconds": 3600 * 5},
        "encryption": {"age_seconds": 401 * 86_400},
    }
    series = front.watch.series["routing"]
    for n in range(3):
        line = '{method="GET",route="/v1/cases",service="%s",status="%s"} %d'
        text = "\n".join(
            [
                samples.REQUESTS + line % ("routing", 200, n * 90),
                samples.REQUESTS + line % ("routing", 503, n * 10),
                samples.REQUESTS + line % ("intake", 200, n * 9999),
                samples.REQUESTS + line.replace("/v1/cases", "/health/ready") % ("routing", 503, n * 9999),
                *(
                    f'{samples.SECONDS}{{le="{le}",method="GET",route="/v1/cases",service="routing"}} {count * n}'
                    for le, count in (("0.1", 60), ("2.5", 90), ("5.0", 100), ("+Inf", 100))
                ),
            ]
        )
        series.add(samples.read(text, "routing", 30.0 * n))
    await front.later(0)
    text = await front.text()
    for words in (
        "Requests in the last minute 200 Of these failed 10.0%",
        "Time to answer: half within 83.3 ms Time to answer: 95% within 3.8 s",
        "redress.intake.v1 5 2,500",
        "Disk free 4% of 100 GB",
        "Certificate mail 3 days left Certificate ingress cannot be read",
        "Age of the encryption key 401 days Age of the oldest API key 500 days",
    ):
        assert words in text
    raised = {alarm["code"] for alarm in (await front.get("/health/alarms")).json()["alarms"]}
    assert raised == {
        "consumer_lagging",
        "error_rate",
        "slow_answers",
        "disk_nearly_full",
        "certificate_ends",
        "certificate_unreadable",
        "encryption_key_old",
        "api_key_old",
        "api_key_ends",
    }


async def test_it_is_open_to_all_and_says_nothing_that_is_secret(front: Front) -> None:
    await front.later(0, "postgres")
    for path in ("/", "/health", "/health/part", "/health/alarms", "/metrics", "/runbooks", "/runbooks/kafka-away"):
        answer = await front.get(path)
        assert answer.status_code == 200, path
        assert not re.search(r"rdk_|postgresql(\+asyncpg)?://|password=", answer.text), path
    for path in ("/runbooks/nothing", "/runbooks/..%2F..%2FREADME", "/runbooks/README"):
        assert (await front.get(path, accept="text/html")).status_code == 404
