"""The dry run of another routing table."""

from typing import Any


async def test_a_dry_run_tells_what_would_move_and_moves_nothing(routing: Any, make: Any) -> None:
    await routing.hear(make.received(1), make.received(2), make.received(3, product="mortgage"))
    table = (await routing.get("/v1/routing-table", who="supervisor")).json()
    same = (await routing.post("/v1/routing-table/dry-run", table, who="supervisor")).json()
    assert same == {"cases": 3, "moved": 0, "moves": [], "examples": []}
    first = {"id": "R01", "department": "wealth", "product": ["credit_card"], "branch": ["north_weir"]}
    other = {"fallback": table["fallback"], "route": [first, *table["route"][1:]]}
    found = (await routing.post("/v1/routing-table/dry-run", other, who="supervisor")).json()
    assert (found["cases"], found["moved"]) == (3, 2)
    assert found["moves"] == [{"now": "cards", "then": "wealth", "cases": 2}]
    assert found["examples"][0]["reason"] == "rule R01: category=fees, product=credit_card, branch=north_weir"
    assert (await routing.case(1))["department"] == "cards"


async def test_a_table_that_names_what_nobody_knows_is_refused(routing: Any) -> None:
    bad = {"fallback": "complaint_office", "route": [{"id": "R01", "department": "moon", "category": ["fees"]}]}
    answer = await routing.post("/v1/routing-table/dry-run", bad, who="admin")
    assert answer.status_code == 422
    assert "moon" in answer.json()["errors"][0]["detail"]
    endless = {"fallback": "complaint_office", "route": [{"id": "R01", "department": "cards"}]}
    assert (await routing.post("/v1/routing-table/dry-run", endless, who="admin")).status_code == 422
