"""The capacity model's arithmetic. How far its constants are off, `python -m tests.bench capacity` says."""

from dataclasses import replace

import pytest

from deploy import capacity
from deploy.capacity import Load, plan
from deploy.registry import SERVICES
from deploy.site.navigation import ROOT
from deploy.topics import RETENTION_DAYS
from shared.db import Database
from shared.events import TOPICS

BANK = Load(2_000)


def test_what_is_kept_grows_with_complaints_and_years_and_what_passes_does_not() -> None:
    found, longer = plan(BANK), plan(replace(BANK, kept_years=BANK.kept_years * 2))
    assert longer.bytes["intake.complaint"] == pytest.approx(2 * found.bytes["intake.complaint"])
    assert longer.bytes["intake.outbox"] == found.bytes["intake.outbox"]
    assert plan(Load(4_000)).bytes["intake.outbox"] == pytest.approx(2 * found.bytes["intake.outbox"])
    assert found.rows["intake.complaint"] == pytest.approx(2_000 * 365.25 * 7, rel=0.02)


def test_kafka_holds_what_its_retention_says_once_a_copy() -> None:
    alone, three = plan(replace(BANK, replicas=1)), plan(BANK)
    each = sum(cost.bytes for cost in capacity.MESSAGES.values())
    assert alone.kafka_bytes == pytest.approx(each * 2_000 * (RETENTION_DAYS + 1))
    assert three.kafka_bytes == pytest.approx(3 * alone.kafka_bytes)


def test_every_service_has_two_workers_at_least_and_a_partition_for_each() -> None:
    small, large = plan(Load(10)), plan(Load(5_000_000))
    assert set(small.workers) == set(SERVICES)
    assert set(small.workers.values()) == {2}
    assert small.partitions == 6
    assert large.partitions >= 2 * max(large.workers.values()) > 12
    assert large.connections["intake"] > small.connections["intake"]


def test_files_are_counted_for_as_long_as_complaints_are_kept() -> None:
    assert plan(replace(BANK, files=300_000)).file_bytes == pytest.approx(300_000 * 2_000 * 365.25 * 7)


def test_the_constants_are_of_tables_topics_and_processes_that_there_are() -> None:
    assert set(capacity.MESSAGES) <= set(TOPICS.values())
    services = {table.partition(".")[0] for table in (*capacity.TABLES, capacity.TALLY)}
    assert services == set(SERVICES)
    processes = {*SERVICES, *(f"{service}-worker" for service in SERVICES), "front", "kafka", "postgres"}
    assert set(capacity.CPU) == processes


async def test_a_process_opens_no_more_connections_than_the_model_says() -> None:
    service = SERVICES["intake"]
    db = Database("intake", "postgresql+asyncpg://nowhere/none", service.tables)  # nothing connects to it
    assert db.engine.pool.size() == capacity.PROCESS_CONNECTIONS  # type: ignore[attr-defined]
    assert db.engine.pool._max_overflow == 0  # type: ignore[attr-defined]
    await db.close()


def test_the_page_has_what_the_model_counts_with() -> None:
    page = (ROOT / "docs" / "capacity.md").read_text(encoding="utf-8")
    assert capacity.table() in page, "put what `deploy.capacity.table` gives into docs/capacity.md"
    assert capacity.told(replace(BANK, files=300_000)) in page


def test_the_plan_is_told_to_people() -> None:
    told = capacity.told(BANK)
    assert told.startswith("2,000 complaints a day, kept for 7 years")
    assert all(service in told for service in SERVICES)
