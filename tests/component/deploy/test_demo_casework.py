"""The demonstration against the real desk: every step that it plans is one that routing takes."""

import io
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from deploy.demo.run import run
from deploy.desk import Desk, assemble


@pytest.fixture
def assembled(tmp_path: Path) -> Desk:
    return assemble(tmp_path, "http://desk")


@pytest.fixture
async def desk(assembled: Desk) -> AsyncIterator[Desk]:
    async with assembled.app.router.lifespan_context(assembled.app):
        yield assembled


async def test_the_real_desk_takes_every_complaint_and_every_step_once(desk: Desk) -> None:
    transport = httpx.ASGITransport(desk.app)
    reports = []
    for _ in range(2):
        console = Console(file=io.StringIO(), width=200)
        reports.append(
            await run(
                "http://desk/intake",
                desk.keys["import"],
                count=60,
                console=console,
                transport=transport,
                staff_key=desk.keys["officer"],
                approver_keys=[desk.keys["supervisor"], desk.keys["manager"]],
            )
        )
    first, again = reports
    assert first.casework
    assert again.casework
    assert (first.exit_code, first.taken, first.trouble, first.casework.trouble) == (0, 60, None, None)
    assert first.casework.refused == Counter()
    assert first.casework.closed > 40
    headers = {"Authorization": f"Bearer {desk.keys['supervisor']}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://desk", headers=headers) as client:
        page = (await client.get("/routing/v1/cases", params={"limit": 200})).json()
    states = Counter(case["state"] for case in page["items"])
    assert states.total() == 60
    assert states["closed"] == first.casework.closed == again.casework.closed
    closed = [case for case in page["items"] if case["state"] == "closed"]
    assert all(case["received_at"] < case["final_response_at"] <= case["closed_at"] for case in closed)
    assert {case["root_cause"] for case in closed} > {"none_found"}
    assert (again.already_there, again.casework.steps) == (60, 0)
