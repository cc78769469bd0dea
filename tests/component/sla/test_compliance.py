"""Each compliance check finds what was planted and leaves its innocent twin alone."""

import csv
from datetime import timedelta
from typing import Any

import orjson
from sqlalchemy import select, update

from services.sla.store import CLOCK, ENTRY, STEP
from shared.clock import rfc3339
from tests.component.sla.conftest import RECEIVED, complaint_id

NOW = RECEIVED + timedelta(days=100)


def ago(days: float, hours: float = 0) -> Any:
    return NOW - timedelta(days=days, hours=hours)


MISSED = {"state": "missed", "due_at": ago(5), "missed_at": ago(5), "rung": 1}
UNTOLD = MISSED | {"rung": 0}
# check, what the final step is like, what its clock is like, rows of its ledger (kind, days ago, reason, detail); and
# whether that breaks the rule
Row = tuple[str, float, str, dict[str, Any]]
FINAL, INTERIM = ({"step": step, "until": "2026-07-01"} for step in ("final", "interim"))
PLANTED: list[tuple[str, dict[str, Any], dict[str, Any], list[Row], bool]] = [
    ("late_unextended", MISSED, {}, [], True),
    ("late_unextended", MISSED | {"state": "met_late", "met_at": ago(2)}, {}, [], True),
    ("late_unextended", MISSED | {"state": "met", "met_at": ago(6)}, {}, [], False),
    ("late_unextended", MISSED | {"extended_to": ago(9).date()}, {}, [], False),
    ("late_unextended", MISSED | {"historic": True}, {}, [], False),
    ("late_unextended", MISSED, {"kind": "service"}, [], False),
    ("late_unextended", MISSED | {"due_at": ago(45)}, {}, [], False),
    ("late_untold", UNTOLD, {"kind": "service"}, [], True),
    ("late_untold", MISSED, {"kind": "service"}, [], False),
    ("late_untold", UNTOLD | {"met_at": ago(5, -0.5)}, {"kind": "service"}, [], False),
    ("late_untold", UNTOLD, {"kind": "service", "pauses": [[ago(4, 23), None]]}, [], False),
    ("late_untold", UNTOLD, {"kind": "service", "ended_at": ago(5, -0.5)}, [], False),
    ("late_untold", UNTOLD | {"due_at": NOW, "missed_at": NOW}, {"kind": "service"}, [], False),
    ("extended_unreasoned", {}, {}, [("extended", 3, " ", FINAL)], True),
    ("extended_unreasoned", {}, {}, [("extended", 3, "Article 7", FINAL)], False),
    ("extended_unreasoned", {}, {}, [("extended", 45, " ", FINAL)], False),
    ("extended_again", {}, {}, [("extended", 50, "Art. 7", FINAL), ("extended", 3, "Art. 7", FINAL)], True),
    ("extended_again", {}, {}, [("extended", 50, "Art. 7", INTERIM), ("extended", 3, "Art. 7", FINAL)], False),
    ("paused_long", {}, {}, [("paused", 40, "waits", {})], True),
    ("paused_long", {}, {}, [("paused", 50, "waits", {}), ("resumed", 19, "answered", {})], True),
    ("paused_long", {}, {}, [("paused", 50, "waits", {}), ("resumed", 21, "answered", {})], False),
    ("paused_long", {}, {}, [("paused", 29, "waits", {})], False),
]
CODES = dict.fromkeys(code for code, *_ in PLANTED)


async def plant(sla: Any, make: Any) -> None:
    await sla.hear(*[make.received(n, day=90, reference=f"REF-{n:03d}") for n in range(len(PLANTED))])
    async with sla.db.transaction() as tx:
        clocks = {c: id for id, c in (await tx.execute(select(CLOCK.c.clock_id, CLOCK.c.complaint_id))).all()}
        for n, (_, step, clock, rows, _) in enumerate(PLANTED):
            id = clocks[complaint_id(n)]
            if step:
                await tx.execute(update(STEP).where(STEP.c.clock_id == id, STEP.c.name == "final").values(**step))
            if "pauses" in clock:
                clock = clock | {"pauses": orjson.dumps([[rfc3339(p[0]), None] for p in clock["pauses"]]).decode()}
            if clock:
                await tx.execute(update(CLOCK).where(CLOCK.c.clock_id == id).values(**clock))
            for seq, (kind, days, reason, detail) in enumerate(rows, start=2):
                known = {"clock_id": id, "seq": seq, "kind": kind, "at": ago(days), "recorded_at": ago(days)}
                words = {"actor": "ann", "reason": reason, "calendar": "c", "detail": orjson.dumps(detail).decode()}
                await tx.execute(ENTRY.insert().values(**known, **words))


async def test_each_check_finds_what_was_planted_and_nothing_else(sla: Any, web: Any, make: Any) -> None:
    sla.now[0] = NOW
    await plant(sla, make)
    overview = (await web.get("/audit/compliance", who="auditor", lang="en")).text
    for code in CODES:
        wanted = {f"REF-{n:03d}" for n, (check, *_, wrong) in enumerate(PLANTED) if check == code and wrong}
        answer = await web.get(f"/audit/compliance/{code}/csv", who="auditor")
        rows = list(csv.DictReader(answer.text.splitlines()))
        assert {row["reference"] for row in rows} == wanted, code
        assert len(rows) == len(wanted)
        assert f"/audit/compliance/{code}?from=" in overview
        page = (await web.get(f"/audit/compliance/{code}", who="auditor", lang="en")).text
        assert {ref for ref in wanted if ref in page} == wanted
        last = rows[-1]
        after = f"{last['at']}~~"  # behind all with this time: '~' sorts after whatever a key begins with
        rest = await web.get(f"/audit/compliance/{code}", who="auditor", after=after)
        assert last["reference"] in rest.text
        assert rest.status_code == 200
