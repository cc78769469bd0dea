"""The desk's deadlines are those that were worked out by hand: see the head of `worked_examples.csv` for how."""

import csv
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.sla.domain.counting import count, walk
from services.sla.domain.policy import Pack
from services.sla.packs import load

POLICIES = load("hk-hkma")
TABLE = Path(__file__).with_name("worked_examples.csv")
with TABLE.open(encoding="utf-8", newline="") as lines:
    ROWS = list(csv.DictReader(line for line in lines if not line.startswith("#")))


def pack_of(id: str, received: datetime) -> Pack:
    """The version in force at that time, else the first."""
    versions = [p for p in POLICIES.packs if p.id == id]
    day = received.astimezone(POLICIES.calendar(versions[0]).zone).date()
    return next((p for p in versions if p.in_force(day)), versions[0])


@pytest.mark.parametrize("row", ROWS, ids=lambda r: f"{r['pack']} {r['step']} {r['stage']} {r['received']}")
def test_the_deadline_is_the_one_worked_out_by_hand(row: dict[str, str]) -> None:
    received, due = datetime.fromisoformat(row["received"]), datetime.fromisoformat(row["due"])
    pack = pack_of(row["pack"], received)
    (rule,) = [r for r in pack.rules if r.step == row["step"]]
    stages = [rule.limit, *(e.to for e in pack.extensions if e.step == row["step"])]
    calendar = POLICIES.calendars[row["calendar"] or pack.calendar]

    found = count(stages[int(row["stage"])], received, calendar)

    assert found.due_local.isoformat(timespec="milliseconds") == row["due"], row["why"]
    assert found.due_at == due.astimezone(UTC)
    assert row["due"] in found.explanation
    walked = walk(found, calendar)
    assert walked[0].day == found.start.date()
    assert walked[-1].day == found.due_local.date()


def test_the_table_is_large_and_covers_every_pack() -> None:
    assert len(ROWS) >= 150
    assert len({tuple(r.items())[:5] for r in ROWS}) == len(ROWS)
    by_pack = Counter(r["pack"] for r in ROWS)
    assert set(by_pack) == {p.id for p in POLICIES.packs}
    assert min(by_pack.values()) >= 2
    extended = {(p.id, e.step) for p in POLICIES.packs for e in p.extensions}
    assert {(r["pack"], r["step"]) for r in ROWS if r["stage"] != "0"} == extended
    assert all(r["why"] for r in ROWS)
