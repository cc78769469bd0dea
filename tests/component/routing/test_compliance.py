"""Each compliance check finds what was planted and leaves its innocent twin alone."""

import csv
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from services.routing import store
from services.routing.store.case import table
from tests.component.routing.conftest import NOW, RECEIVED, complaint_id

DAY = timedelta(days=1)
PROPER = {
    "version": 9,
    "channel": "phone",
    "received_at": RECEIVED,
    "state": "closed",
    "department": "cards",
    "routing_reason": "rule",
    "category": "fees",
    "severity": "normal",
    "confidence": 1.0,
    "rules": "[]",
    "narrative": "Words that belong to nobody's list",
    "explanation": "{}",
    "imported": False,
    "escalation_level": 0,
    "decided_by": "rules",
    "vulnerable": False,
    "reopened": 0,
    "about": "[]",
    "assignee": "ann",
    "final_response_at": NOW - 2 * DAY,
    "delivered_at": NOW - 2 * DAY,
    "delivered_via": "email",
    "rights_told": True,
    "outcome": "upheld",
    "root_cause": "staff_service",
    "no_redress_reason": "no_loss",
    "proposed_by": "ann",
    "closed_at": NOW - DAY,
}
PAID = {"no_redress_reason": None, "redress_currency": "HKD"}
OLD = {"closed_at": NOW - 40 * DAY}
# check, what is wrong with the case, and the twin with which all is well
PLANTED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("unanswered", {"final_response_at": None}, OLD | {"final_response_at": None}),
    ("unanswered", {"delivered_at": None}, {"delivered_via": "letter"}),
    ("unanswered", {"rights_told": False}, {"state": "resolved", "closed_at": None, "rights_told": False}),
    ("undecided", {"root_cause": None}, {"root_cause": "none_found"}),
    ("undecided", {"outcome": None}, {"outcome": "goodwill"}),
    ("self_approved", {"approved_by": "ann"}, {"approved_by": "ben"}),
    ("beyond_powers", PAID | {"redress_value": 5000.01}, PAID | {"redress_value": 5000}),
    ("beyond_powers", PAID | {"redress_value": 1, "redress_currency": "JPY"}, {"redress_currency": "JPY"}),
    ("beyond_powers", {"outcome": "rejected"}, {"outcome": "rejected", "approved_by": "ben"}),
    ("beyond_powers", {"severity": "critical"}, {"severity": "critical", "approved_by": "ben"}),
    ("own_interest", {"about": '["ann"]'}, {"about": '["dan"]'}),
    ("own_interest", {"about": '["ben"]', "approved_by": "ben"}, {"about": '["ben"]', "approved_by": "cat"}),
]
CODES = ("unanswered", "undecided", "self_approved", "beyond_powers", "own_interest")


async def plant(db: Any) -> None:
    rows = []
    for n, (_, wrong, right) in enumerate(PLANTED):
        for id, change in ((n, wrong), (n + 100, right)):
            own = {"complaint_id": complaint_id(id), "reference": f"REF-{id:03d}", "sort_key": str(id), "due_key": "~"}
            rows.append({**dict.fromkeys(c.name for c in table.c), **PROPER, **own, **change})
    async with db.transaction() as tx:
        await store.insert(tx, rows)


async def test_each_check_finds_what_was_planted_and_nothing_else(routing: Any) -> None:
    await plant(routing.db)
    overview = (await routing.get("/audit/compliance", who="auditor", lang="en")).text
    for code in CODES:
        wanted = {f"REF-{n:03d}" for n, (check, _, _) in enumerate(PLANTED) if check == code}
        answer = await routing.get(f"/audit/compliance/{code}/csv", who="auditor")
        found = [row["reference"] for row in csv.DictReader(answer.text.splitlines())]
        assert sorted(found) == sorted(wanted), code
        assert f'/audit/compliance/{code}?from=2026-10-25&amp;to=2026-11-23"' in overview
        page = (await routing.get(f"/audit/compliance/{code}", who="admin", lang="en")).text
        assert {ref for ref in wanted if ref in page} == wanted
        assert "nobody's list" not in page
    earlier = {"from": "2026-10-01", "to": "2026-10-20"}
    page = (await routing.get("/audit/compliance/unanswered", who="auditor", **earlier)).text
    assert "REF-100" in page
    assert "REF-000" not in page


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_lists_go_on_where_the_page_ended_and_use_their_index(routing: Any) -> None:
    many = [
        {**dict.fromkeys(c.name for c in table.c), **PROPER, "outcome": "rejected", "proposed_by": "ann"}
        | {"complaint_id": complaint_id(n), "reference": f"NR-{n:03d}", "sort_key": str(n), "due_key": "~"}
        | {"closed_at": NOW - DAY * (n // 7)}
        for n in range(120)
    ]
    async with routing.db.transaction() as tx:
        await store.insert(tx, many)
    seen: list[str] = []
    path: str | None = "/audit/compliance/beyond_powers?lang=en"
    while path:
        page = (await routing.http.get(path, headers=routing.headers("auditor"))).text
        seen += [part[:3] for part in page.split("<td>NR-")[1:]]
        path = page.partition('rel="next"')[0].rpartition('href="')[2].rstrip('" ').replace("&amp;", "&")
        path = path if 'rel="next"' in page else None
    assert len(seen) == 120
    assert len(set(seen)) == 120
    assert (await routing.get("/audit/compliance/beyond_powers", who="auditor", after="x")).status_code == 422
    assert (await routing.get("/audit/compliance/nothing", who="auditor")).status_code == 404
    assert (await routing.get("/audit/compliance", who="auditor", **{"from": "2025-01-01"})).status_code == 422
    assert (await routing.get("/audit/compliance", who="officer")).status_code == 403
    for name, where in (("complaint_case_amiss", store.case.AMISS), ("complaint_case_alone", store.case.ALONE)):
        plan = f"EXPLAIN QUERY PLAN SELECT * FROM complaint_case WHERE {where} AND closed_at > '2026'"
        async with routing.db.reading() as session:
            said = " ".join(str(row[3]) for row in await session.execute(text(plan)))
        assert name in said
