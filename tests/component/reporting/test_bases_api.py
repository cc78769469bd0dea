"""The bank's numbers of customers, accounts and branches, and praise for its teams."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from services.reporting import store


async def test_a_base_is_kept_changed_looked_up_and_removed(bench: Any) -> None:
    url = "/v1/bases/customers/2025-01-01"
    async with await bench.client("manager") as client:
        new = await client.put(url, json={"count": 1000})
        assert (new.status_code, new.headers["etag"]) == (201, '"1"')
        same = await client.put(url, json={"count": 1000})
        assert (same.status_code, same.json()) == (200, new.json())
        changed = await client.put(url, json={"count": 1100}, headers={"if-match": '"1"'})
        assert (changed.status_code, changed.json()["version"]) == (200, 2)
        stale = await client.put(url, json={"count": 1}, headers={"if-match": '"1"'})
        assert (stale.status_code, stale.json()["code"]) == (412, "base_changed")
        assert (await client.put("/v1/bases/customers/2025-04-01", json={"count": 1200})).status_code == 201
        branch = "dimension=branch&code=central"
        assert (await client.put(f"/v1/bases/customers/2025-02-01?{branch}", json={"count": 80})).status_code == 201

        async def at(query: str) -> Any:
            answer = await client.get(f"/v1/bases/customers?{query}")
            return answer.json().get("count", answer.json().get("code"))

        assert await at("on=2024-12-31") == "base_not_found"
        assert await at("on=2025-03-31") == 1100
        assert await at("") == 1200
        assert await at(branch) == 80
        assert await at(f"{branch}&on=2025-01-01") == "base_not_found"

        pages, cursor = [], ""
        for _ in range(3):
            page = (await client.get(f"/v1/bases?limit=1{cursor}")).json()
            pages += [(item["code"], item["valid_from"]) for item in page["items"]]
            cursor = f"&cursor={page['next']}"
        assert pages == [(None, "2025-01-01"), (None, "2025-04-01"), ("central", "2025-02-01")]
        assert page["next"] is None

        assert (await client.delete("/v1/bases/customers/2025-04-01")).status_code == 204
        assert await at("") == 1100
        assert (await client.get("/v1/bases/customers/2025-04-01")).status_code == 404
    async with bench.db.reading() as session:
        trail = store.tables.audit
        rows = (await session.execute(select(trail.c.action, trail.c.subject).order_by(trail.c.seq))).all()
    assert ("base.created", "customers/branch=central/2025-02-01") in map(tuple, rows)
    assert ("base.deleted", "customers/2025-04-01") in map(tuple, rows)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_what_cannot_be_a_base_is_refused(bench: Any) -> None:
    async with await bench.client("admin") as client:
        for path in (
            "customers/0001-01-01",
            "customers/9999-12-31",
            "customers/2025-02-30",
            "tellers/2025-01-01",
            "customers/2025-01-01?dimension=branch",
            "customers/2025-01-01?dimension=assignee&code=x",
        ):
            assert (await client.put(f"/v1/bases/{path}", json={"count": 1})).status_code == 422, path
        for count in (-1, 10**40, 1.5, "many"):
            assert (await client.put("/v1/bases/customers/2025-01-01", json={"count": count})).status_code == 422
        assert (await client.get("/v1/bases?cursor=customers///2025-02-31")).status_code == 422
    async with await bench.client("supervisor") as client:
        assert (await client.put("/v1/bases/customers/2025-01-01", json={"count": 1})).status_code == 403
        assert (await client.get("/v1/bases")).status_code == 200


async def test_of_two_who_keep_a_base_at_once_none_is_lost(bench: Any) -> None:
    async with await bench.client("manager") as client:
        url = "/v1/bases/accounts/2025-01-01"
        answers = await asyncio.gather(*(client.put(url, json={"count": n}) for n in range(1, 6)))
        assert {answer.status_code for answer in answers} <= {200, 201, 412}
        kept = [answer.json()["count"] for answer in answers if answer.status_code < 300]
        assert (await client.get(url)).json()["count"] in kept


async def test_a_team_is_praised_and_nobody_is_counted(bench: Any) -> None:
    async with await bench.client("agent") as agent, await bench.client("supervisor") as supervisor:
        body = {"department": "cards", "occurred_on": "2025-06-27", "text": "Called back at once on 9123 4567"}
        given = await agent.post("/v1/commendations", json=body)
        assert given.status_code == 201, given.text
        found = given.json()
        assert found["text"] == "Called back at once on [phone]"
        assert set(found) == {"id", "department", "branch", "occurred_on", "text", "created_at"}, "and not who gave it"
        other = {**body, "department": None, "branch": "central"}
        assert (await agent.post("/v1/commendations", json=other)).status_code == 201
        assert (await agent.get("/v1/commendations?department=cards")).json()["items"] == [found]
        assert len((await agent.get("/v1/commendations?limit=1")).json()["items"]) == 1

        nobodys = await agent.post("/v1/commendations", json={**body, "department": None})
        assert [e["code"] for e in nobodys.json()["errors"]] == ["team_missing"]
        early = await agent.post("/v1/commendations", json={**body, "occurred_on": "2025-07-01"})
        assert [e["code"] for e in early.json()["errors"]] == ["in_the_future"]

        assert (await agent.delete(f"/v1/commendations/{found['id']}")).status_code == 403
        assert (await supervisor.delete(f"/v1/commendations/{found['id']}")).status_code == 204
        assert (await supervisor.delete(f"/v1/commendations/{found['id']}")).status_code == 404
    async with await bench.client("auditor") as auditor:
        assert (await auditor.post("/v1/commendations", json=body)).status_code == 403
