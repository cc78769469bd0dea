"""What those who head departments see and do by pages: loads, the second person, rules, incidents, people."""

import re
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from services.routing import store
from services.routing.store import supervision
from tests.component.routing.heads_browser import page, send

SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
REJECTED = {"outcome": "rejected", "root_cause": "none_found", "no_redress_reason": "not_upheld"}
LARGE = {"outcome": "upheld", "root_cause": "product_design", "redress": {"value": "150000", "currency": "HKD"}}


async def _officer(routing: Any, id: str, **fields: Any) -> None:
    headers = routing.headers("admin")
    answer = await routing.http.put(f"/v1/officers/{id}", headers=headers, json={"department": "cards", **fields})
    assert answer.status_code == 200, answer.text


def _row(found: str, heading: str) -> list[str]:
    """The cells of the table's row that begins with this heading, without their marks."""
    row = next(
        r for r in re.findall(r"<tr>(.*?)</tr>", found, re.S) if re.sub("<[^>]+>", "", r).strip().startswith(heading)
    )
    return [
        re.sub(r"\s+", " ", re.sub("<[^>]+>", "", c)).strip()
        for c in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S)
    ]


async def test_a_supervisor_sees_the_load_and_settles_what_waits(routing: Any, make: Any, id_of: Any) -> None:
    await routing.hear(*(make.received(n) for n in range(1, 7)))
    await _officer(routing, "key:officer", most_open=10)
    await _officer(routing, "anna", most_open=5)
    await _officer(routing, "key:supervisor")
    for n, proposal in ((1, REJECTED), (2, LARGE), (3, REJECTED)):
        await routing.do("claim", n=n)
        assert (await routing.do("propose", proposal, n=n)).status_code == 200
    await routing.do("consult", {"department": "lending", "text": "Is it in your table?"}, n=4)
    await routing.do("transfer", {"department": "lending", "text": "A loan, not a card."}, n=5)

    found = (await page(routing, "/supervision")).text
    assert '<option value="cards" selected>' in found, "their own department, without asking"
    assert _row(found, "officer")[1:3] == ["3", "10"]
    assert _row(found, "officer")[4] == "Decision proposed 3"
    assert found.index("anna") < found.index('scope="row">officer'), "by name, not by load"
    assert _row(found, "Cards")[1:] == ["5", "2", "3"]
    assert "A loan, not a card." in found
    assert "All questions have been answered." in found, "lending was asked, not this department"
    assert "Is it in your table?" not in found
    whole = (await page(routing, "/supervision?department=all")).text
    assert _row(whole, "Lending")[1:3] == ["1", "1"]
    assert "All questions have been answered." not in whole
    assert "late fee" not in whole, "no narrative here"

    act = {"version": (await routing.case(1))["version"], "department": "cards"}
    assert f'action="/supervision/{id_of(2)}/approve"' not in found, "this much is a manager's to approve"
    assert (await send(routing, f"/supervision/{id_of(2)}/approve", **act)).status_code == 403
    nothing_said = await send(routing, f"/supervision/{id_of(1)}/return", **act)
    assert (nothing_said.status_code, f'id="p-{id_of(1)}-text-wrong"' in nothing_said.text) == (422, True)
    back = await send(routing, f"/supervision/{id_of(1)}/return", text="Look at the table again.", **act)
    assert (back.status_code, (await routing.case(1))["state"]) == (303, "in_progress")
    stale = await send(routing, f"/supervision/{id_of(3)}/approve", department="cards", version=1)
    assert (stale.status_code, (await routing.case(3))["state"]) == (409, "proposed")
    assert (await send(routing, f"/supervision/{id_of(3)}/approve", **act)).status_code == 303
    assert (await routing.case(3))["approved_by"] == "key:supervisor"
    assert (await send(routing, f"/supervision/{id_of(2)}/approve", me="manager", **act)).status_code == 303
    assert "Nothing waits for a second person." in (await page(routing, "/supervision")).text

    seen = await page(routing, "/supervision", me="auditor")
    assert (seen.status_code, "/approve" in seen.text) == (200, False)
    assert (await send(routing, f"/supervision/{id_of(3)}/return", me="auditor", text="No", **act)).status_code == 403
    for who in ("officer", "agent", "admin"):
        assert (await page(routing, "/supervision", me=who)).status_code == 403


async def test_the_queries_use_their_indexes(routing: Any, backend: str) -> None:
    """At 100,000 cases a page may not read the whole table."""
    queries = {
        "complaint_case_load": lambda tx: supervision.loads(tx),
        "complaint_case_turn": lambda tx: supervision.waiting(tx, "triage", None, after=None, limit=50),
        "case_entry_transfer": lambda tx: supervision.transfers(tx, routing.now[0], 25),
    }
    async with routing.db.transaction() as tx:
        execute, plans = tx.execute, []

        async def explained(query: Any) -> Any:
            sql = str(query.compile(tx.bind.sync_engine, compile_kwargs={"literal_binds": True}))
            how = "EXPLAIN QUERY PLAN " if backend == "sqlite" else "EXPLAIN "
            plans.append("\n".join(str(row) for row in await execute(text(how + sql.replace(":", "\\:")))))
            return await execute(query)

        tx.execute = explained
        tx.scalars = lambda query: _scalars(explained, query)
        if backend != "sqlite":
            await execute(text("SET LOCAL enable_seqscan = off"))
            await execute(text("SET LOCAL enable_bitmapscan = off"))
        for index, query in queries.items():
            await query(tx)
            assert index in plans[-1]
            assert "SCAN complaint_case\n" not in plans[-1] + "\n"


async def _scalars(execute: Any, query: Any) -> Any:
    return (await execute(query)).scalars()


@SQLITE
async def test_rules_are_read_and_tried(routing: Any) -> None:
    found = (await page(routing, "/rules")).text
    assert len(found) < 100_000
    assert _row(found, "R02") == ["R02", "Category: Information security", "Information security"]
    assert "phishing" in found
    assert "釣魚" not in found, "the words of the reader's language"
    assert "釣魚" in (await page(routing, "/rules", lang="zh-Hant")).text
    assert "HK$100,000.00" in found
    tried = await send(
        routing, "/rules/try", narrative="There is an unauthorised transaction; a scam.", channel="phone"
    )
    assert tried.status_code == 200
    assert "Rule is-unauthorised heard “unauthorised”" in tried.text
    assert "Line R02 of the routing table is the first that fits (Category: Information security)." in tried.text
    assert await routing.scalar("SELECT count(*) FROM complaint_case") == 0
    lost = await send(routing, "/rules/try", narrative="Xyzzy plugh.")
    assert "it would wait for a person in triage" in lost.text
    empty = await send(routing, "/rules/try", narrative=" ", amount="12")
    assert (empty.status_code, 'id="try-narrative-wrong"' in empty.text, 'value="12"' in empty.text) == (
        422,
        True,
        True,
    )
    seen = await page(routing, "/rules", me="auditor")
    assert (seen.status_code, "/rules/try" in seen.text) == (200, False)
    assert (await page(routing, "/rules", me="manager")).status_code == 403


@SQLITE
async def test_an_incident_from_its_declaration_to_its_end(routing: Any, make: Any, id_of: Any) -> None:
    await routing.hear(*(make.received(n) for n in range(1, 4)))
    refs = [make.received(n).reference for n in range(1, 4)]
    unknown = await send(routing, "/incidents", title="Outage", department="cards", complaints="261102-ZZZZ-00000")
    assert (unknown.status_code, "No case has this reference: 261102-ZZZZ-00000" in unknown.text) == (422, True)
    declared = await send(
        routing, "/incidents", title="Outage", department="cards", complaints=f"{refs[0]}\n{id_of(2)}"
    )
    assert declared.status_code == 303, declared.text
    here = declared.headers["location"].partition("?")[0]
    found = (await page(routing, here)).text
    assert "2 complaints" in found
    assert "Find out what has happened and how many customers it affects" in found, "in the reader's language"

    assert (await send(routing, f"{here}/complaints", complaints=refs[2])).status_code == 303
    assert (await send(routing, f"{here}/leave", complaint=id_of(2))).status_code == 303
    await routing.do("claim", n=1)
    both = await send(routing, f"{here}/steps", verb="claim")
    assert "Done for 1 complaint · refused for 1" in re.sub(r"<[^>]+>", "", both.text)
    assert f'href="/cases/{id_of(1)}">{refs[0]}</a>: The case&#39;s state does not permit this now.' in both.text
    lacking = await send(routing, f"{here}/steps", verb="transfer", text="Wrong desk")
    assert (lacking.status_code, 'id="step-department-wrong"' in lacking.text) == (422, True)

    async def act(path: str, **fields: Any) -> int:
        version = re.search(r'name="version" value="(\d+)"', (await page(routing, here)).text)
        assert version is not None
        return (await send(routing, f"{here}/{path}", version=version.group(1), **fields)).status_code

    assert await act("close", findings="Too early") == 409
    assert await act("plan", what="Call them", who="cards", by="2026-11-24T09:00") == 303
    assert await act("plan", drop="0") == 303
    for n in range(4):
        assert await act("plan", done=str(n)) == 303
    assert await act("close", findings="A cable; there are two now.") == 303
    closed = (await page(routing, here, me="auditor")).text
    assert "A cable; there are two now." in closed
    assert f"{here}/" not in closed, "no form for an auditor, nor once it is closed"
    api = (await routing.get(f"/v1{here}", who="auditor")).json()
    assert (api["state"], api["complaints"]) == ("closed", 2)
    assert [(s["what"], s["done_by"]) for s in api["plan"]][-1] == ("Call them", "key:supervisor")
    assert (await send(routing, "/incidents", me="officer", title="x", department="cards")).status_code == 403
    assert (await page(routing, "/incidents", me="admin")).status_code == 403


@SQLITE
async def test_people_are_kept_by_those_who_may(routing: Any) -> None:
    new = {"officer": "li.wei", "department": "cards", "most_open": "12", "languages": ["en", "zh-Hant"], "active": "1"}
    assert (await send(routing, "/people", me="admin", **new)).status_code == 303
    twice = await send(routing, "/people", me="admin", **new)
    assert (twice.status_code, "This officer is in the register already." in twice.text) == (422, True)
    wrong = await send(routing, "/people/li.wei", department="cards", most_open="0", active="1")
    assert (wrong.status_code, 'id="officer-most_open-wrong"' in wrong.text) == (422, True)
    day = routing.now[0].date()
    away = {"first": str(day), "last": str(day + timedelta(days=3))}
    assert (await send(routing, "/people/li.wei/absences", **away)).status_code == 303
    backwards = {"first": away["last"], "last": away["first"]}
    refused = await send(routing, "/people/li.wei/absences", **backwards)
    assert (refused.status_code, "The last day lies before the first." in refused.text) == (422, True)
    (kept,) = (await routing.get("/v1/officers", who="auditor")).json()
    assert (kept["languages"], kept["most_open"]) == (["en", "zh-Hant"], 12)
    assert [date.fromisoformat(a["first"]) for a in kept["absences"]] == [day]
    listed = (await page(routing, "/people?department=cards", me="manager")).text
    assert "23 Nov 2026 – 26 Nov 2026" in listed
    assert 'method="post" action="/people' not in listed
    back = f"/people/li.wei/absences/{kept['absences'][0]['id']}/end"
    for who in ("manager", "auditor", "officer"):
        assert (await send(routing, back, me=who)).status_code == 403
    assert (await send(routing, back)).status_code == 303
    assert "No absence is noted." in (await page(routing, "/people/li.wei")).text
    assert (await page(routing, "/people/nobody")).status_code == 404
    async with routing.db.reading() as tx:
        assert [one.id for one in await store.staff.officers(tx)] == ["li.wei"]
