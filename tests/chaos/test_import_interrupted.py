"""An import that is interrupted and run again brings each complaint once."""

import csv
import random
import signal
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest

from deploy.infra.processes import Child
from shared.db import Database
from tests.chaos import truth
from tests.chaos.sites import DeskSite
from tests.chaos.waiting import until

_ROWS = 600
_HEADINGS = (
    "Date received",
    "Product",
    "Issue",
    "Sub-issue",
    "Consumer complaint narrative",
    "Company",
    "State",
    "Submitted via",
    "Complaint ID",
)
_SAID = (
    ("Credit card", "Fees or interest", "I was charged a late fee although I paid on time."),
    ("Checking or savings account", "Managing an account", "Nobody could tell me why my account was frozen."),
    ("Mortgage", "Trouble during payment process", ""),
)


@pytest.mark.timeout(300)
async def test_an_interrupted_import_is_resumed_and_brings_each_complaint_once(
    desk: DeskSite, desk_databases: dict[str, Database], rng: random.Random, tmp_path: Path
) -> None:
    file = tmp_path / "complaints.csv"
    _write(file, rng)
    first = _import(desk, file, "first")
    first.start()
    try:

        async def under_way() -> bool:
            return await truth.number(desk_databases["intake"], "SELECT count(*) FROM complaint") >= 100

        await until(under_way, within=60, every=0.005, what="the first rows")
        first.stop(signal.SIGINT, seconds=30)
    finally:
        first.kill()
    brought = await truth.number(desk_databases["intake"], "SELECT count(*) FROM complaint")
    assert 100 <= brought < _ROWS, "it was interrupted half-way"
    assert first.exit_code == 130, first.last_words()

    second = _import(desk, file, "second")
    second.start()
    await until(lambda: not second.running, within=120, what="the rest")
    assert second.exit_code == 0, second.last_words()
    found, _ = await truth.settled(desk_databases, within=60)
    print(f"interrupted after {brought} of {_ROWS}; then: {second.last_words(3)}")
    assert found.differences == []
    assert (await truth.count(desk_databases)).differing(_ROWS) == {}
    natural_keys = "SELECT count(DISTINCT channel_ref_key) FROM complaint WHERE imported"
    assert await truth.number(desk_databases["intake"], natural_keys) == _ROWS

    third = _import(desk, file, "third")
    third.start()
    await until(lambda: not third.running, within=120, what="a third run")
    assert third.exit_code == 0, third.last_words()
    assert (await truth.count(desk_databases)).differing(_ROWS) == {}


def _import(desk: DeskSite, file: Path, name: str) -> Child:
    command = [sys.executable, "-m", "deploy.cli", "import", "cfpb", str(file)]
    where = ["--port", str(desk.port), "--home", str(desk.home), "--concurrency", "4"]
    return Child(f"import-{name}", [*command, *where], log=file.with_name(f"{name}.log"))


def _write(file: Path, rng: random.Random) -> None:
    """A file of the shape that the bureau publishes, with invented rows; a third have no narrative."""
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(_HEADINGS)
        for number in range(_ROWS):
            product, issue, said = rng.choice(_SAID)
            received = date(2024, 1, 1) + timedelta(days=rng.randrange(400))
            narrative = f"{said} Occurrence {number} in XXXX." if said else ""
            company = rng.choice(("EXAMPLE BANK", "SAMPLE CREDIT UNION"))
            row = (received.isoformat(), product, issue, "", narrative, company, "CA", "Web", 9_000_000 + number)
            writer.writerow(row)
