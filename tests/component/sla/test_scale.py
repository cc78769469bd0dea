"""At a bank's size: many open clocks, many due at once, engines that die, posts that nobody holds."""

import asyncio
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import select, text

from services.sla import store
from services.sla.domain.post import DUTY, Post
from services.sla.settings import SlaSettings
from services.sla.usecases import engine, posts
from shared import audit
from shared.db import Database
from tests.component.sla.population import DUE, DUE_AT_ONCE, LONG, SCALE, populate

LEVELS = {1: 0, 2: 1, 3: 3, 4: 7, 5: 14}  # days after the miss
ESCALATED = 10_000 if LONG else 900


@pytest.fixture
def db(migrated: Callable[[str], str]) -> Any:
    return Database("sla", migrated("sla"), store.tables)


async def told(db: Database) -> list[dict[str, Any]]:
    outbox = db.tables.outbox.c
    async with db.reading() as session:
        rows = (await session.scalars(select(outbox.payload).order_by(outbox.seq))).all()
    return [orjson.loads(row) for row in rows]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("backend", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
async def test_four_engines_of_which_two_are_killed_fire_each_step_exactly_once(db: Database) -> None:
    await populate(db, SCALE, DUE_AT_ONCE)
    command = (sys.executable, "-m", "tests.component.sla.sweeper", db.url)
    pipe = asyncio.subprocess.PIPE
    engines = [await asyncio.create_subprocess_exec(*command, stdout=pipe) for _ in range(4)]
    for victim in engines[:2]:
        assert victim.stdout is not None
        line = await asyncio.wait_for(victim.stdout.readline(), 60)
        assert int(line) > 0, "it was at work when it was killed"
        victim.kill()
    await asyncio.gather(*(e.communicate() for e in engines))
    assert [e.returncode for e in engines] == [-9, -9, 0, 0]

    counted = Counter((e["subject"], e["type"].removeprefix("com.redress.")) for e in await told(db))
    wanted = {f"c-{n}" for n in range(DUE_AT_ONCE)}
    for kind in ("deadline.missed.v1", "complaint.escalated.v1"):
        assert {subject for subject, k in counted if k == kind} == wanted
    assert set(counted.values()) == {1}
    async with db.reading() as session:
        left = await session.scalar(text("SELECT count(*) FROM step WHERE next_at <= :due"), {"due": DUE})
        missed = await session.scalar(text("SELECT count(*) FROM step WHERE state = 'missed'"))
    assert (left, missed) == (0, DUE_AT_ONCE)
    entries = [e async for e in audit.export(db)]
    assert audit.verify(entries, expected_head=await audit.head(db)).broken_at is None
    await db.close()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("backend", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
async def test_escalations_reach_a_person_at_every_level_once_also_without_officer_or_supervisor(db: Database) -> None:
    """A third of the cases have no officer, a third belong to a department whose head's post is vacant."""
    await populate(db, ESCALATED, ESCALATED)
    setup = SlaSettings().notice_setup()
    held = [
        Post("cards-head", "supervisor", "cards", holder="head:cards", email="head@bank.example"),
        Post("loans-head", "supervisor", "loans"),  # vacant
        Post("branch", "branch_manager", holder="manager:1", email="branch@bank.example"),
        Post("office", "complaint_office", holder="office:1", email="office@bank.example"),
        Post("audit", "internal_audit", holder=None, deputy="audit:deputy", deputy_email="audit@bank.example"),
        Post("top", "senior_management", holder="top:1", email="top@bank.example"),
    ]
    async with db.transaction() as tx:
        for post in held:
            await posts.put(tx, post, version=None, languages=("en",), actor="test", now=DUE)
        number = "CAST(substr(complaint_id, 3) AS int)"
        await tx.execute(text(f"UPDATE complaint SET assignee = 'head:cards' WHERE {number} % 3 = 0"))
        await tx.execute(text(f"UPDATE complaint SET department = 'loans' WHERE {number} % 3 = 1"))
    for days in LEVELS.values():
        await engine.fire_due(db, lambda days=days: DUE + timedelta(days=days), setup)  # type: ignore[misc]

    levels: defaultdict[str, list[tuple[int, str, str]]] = defaultdict(list)
    for event in await told(db):
        if event["type"] == "com.redress.complaint.escalated.v1":
            data = event["data"]
            levels[event["subject"]].append((data["level"], data["person"], data["via"]))
    assert len(levels) == ESCALATED
    above = [
        (2, "manager:1", "holder"),
        (3, "office:1", "holder"),
        (4, "audit:deputy", "deputy"),
        (5, "top:1", "holder"),
    ]
    for n in range(ESCALATED):
        first = {
            0: (1, "office:1", "fallback"),  # the head works on it: nobody escalates to themselves
            1: (1, "office:1", "fallback"),  # nobody heads the department
            2: (1, "head:cards", "holder"),
        }[n % 3]
        assert levels[f"c-{n}"] == [first, *above], n
    assert DUTY not in {person for found in levels.values() for _, person, _ in found}
    async with db.reading() as session:
        query = "SELECT complaint_id, level, count(*) FROM notice WHERE kind = 'escalation' GROUP BY 1, 2"
        notices = (await session.execute(text(query))).all()
    assert len(notices) == ESCALATED * len(LEVELS)
    assert {count for _, _, count in notices} == {1}
    await db.close()
