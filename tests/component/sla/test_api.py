"""The API answers with the deadline, the rule behind it and the count that leads to it, to those who may know."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import update

from services.sla import store
from services.sla.api import ROUTERS
from services.sla.app import create_app
from services.sla.packs import PackError
from services.sla.settings import SlaSettings
from shared.db import Database

READERS = ("officer", "supervisor", "manager", "auditor", "admin")
CLOCK = "/v1/clocks/01900000-0000-7000-8000-000000000001"
ROUTES = [
    ("GET", CLOCK),
    ("GET", f"{CLOCK}/ledger"),
    ("GET", "/v1/clocks"),
    ("GET", "/v1/at-risk"),
    ("GET", "/v1/escalations"),
    ("POST", "/v1/simulate"),
    ("GET", "/v1/packs"),
    ("GET", "/v1/calendars"),
    ("GET", "/v1/posts"),
    ("GET", "/v1/posts/reached?role=supervisor"),
    ("GET", "/v1/notices"),
    ("GET", "/v1/departments/cards/deadlines.ics"),
]
"""What all who may read may read."""
BODY = {"received_at": "2026-03-01T10:00:00+08:00"}


async def call(web: Any, method: str, path: str, who: str | None) -> Any:
    return await web.http.request(method, path, headers=web._headers(who), json=BODY if method == "POST" else None)


def test_every_route_is_tried() -> None:
    tried = {(m, p.replace(CLOCK, "/v1/clocks/{complaint_id}").replace("/cards/", "/{department}/")) for m, p in ROUTES}
    tried = {(m, p.partition("?")[0]) for m, p in tried} | {(m, p) for m, p, *_ in WRITES}
    there = {(m, r.path) for router in ROUTERS for r in router.routes for m in r.methods}  # type: ignore[attr-defined]
    elsewhere = ("/v1/posts/{", "/v1/notices/{", "/v1/subscriptions")  # in test_notices_api
    assert tried == {(m, path) for m, path in there if not path.startswith(elsewhere)}


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_without_a_key_of_the_right_role_nothing_is_told(
    web: Any, sla: Any, make: Any, method: str, path: str
) -> None:
    await sla.hear(make.received())
    nobody = await call(web, method, path, None)
    assert (nobody.status_code, nobody.json()["code"]) == (401, "unauthenticated")
    for who in ("agent", "system"):
        refused = await call(web, method, path, who)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        assert refused.headers["content-type"] == "application/problem+json"
    for who in READERS:
        assert (await call(web, method, path, who)).status_code == 200


async def test_a_clock_shows_rule_count_and_state_of_every_step(web: Any, sla: Any, make: Any) -> None:
    await sla.hear(make.received(jurisdiction="hk"), make.routed())
    await sla.engine(day=8)
    await sla.hear(make.acknowledged(day=8.1))
    await sla.engine(day=32)

    found = (await web.get(CLOCK)).json()

    assert found["pack"] == "hk-hkma"
    assert found["pack_version"] == "2023-01-06"
    assert "covers jurisdiction hk" in found["pack_reason"]
    assert (found["received_at"], found["department"]) == ("2026-03-01T02:00:00.000Z", "cards")
    assert found["opened_at"] == "2026-03-01T02:00:00.000Z"
    acknowledge, interim, final = found["steps"]
    assert [s["state"] for s in found["steps"]] == ["met_late", "missed", "running"]
    assert acknowledge["due_at"] == "2026-03-08T15:59:59.999Z"
    assert acknowledge["due_local"] == "2026-03-08T23:59:59.999+08:00"
    assert acknowledge["rule"] == {
        "limit": 7,
        "unit": "calendar_day",
        "count_from": "next_day",
        "source": "HKMA Supervisory Policy Manual IC-4, Complaints Handling and Redress",
        "article": "IC-4, acknowledgement of complaints",
        "confirmed": False,
        "effective_from": "2023-01-06",
    }
    assert acknowledge["count"] == {
        "received": "2026-03-01T10:00:00.000+08:00",
        "first_day": "2026-03-02",
        "last_day": "2026-03-08",
        "time_zone": "Asia/Hong_Kong",
        "explanation": "Received 2026-03-01 10:00:00 (Asia/Hong_Kong). The day of receipt is not counted, so day 1 is "
        "2026-03-02; calendar day 7 is 2026-03-08: in time until the end of that day, 2026-03-08T23:59:59.999+08:00.",
    }
    assert interim["escalation"] == {
        "level": 1,
        "role": "supervisor",
        "escalated_at": "2026-04-02T02:00:00.000Z",
        "told_at": "2026-04-02T02:00:00.000Z",
        "repeats": 0,
        "answered_at": None,
        "answered_by": None,
    }
    assert interim["missed_at"] == "2026-04-02T02:00:00.000Z"
    assert final["warned_at"] is None
    assert final["warn_at"] > interim["due_at"]


async def test_a_complaint_of_which_only_casework_is_known_has_no_clock(web: Any, sla: Any, make: Any) -> None:
    await sla.hear(make.acknowledged())
    for id in ("01900000-0000-7000-8000-000000000001", "nobody"):
        answer = await web.get(f"/v1/clocks/{id}")
        assert (answer.status_code, answer.json()["code"]) == (404, "clock_not_found")
    assert (await web.get("/v1/clocks")).json() == {"items": [], "next": None}


async def test_a_clock_stays_explained_by_the_rule_under_which_it_began(web: Any, sla: Any, make: Any) -> None:
    """What the pack's file says later does not matter: the clock keeps a copy."""
    await sla.hear(make.received())
    async with sla.db.transaction() as tx:
        await tx.execute(update(store.STEP).where(store.STEP.c.name == "final").values(length=45, article="older"))
    final = (await web.get(CLOCK)).json()["steps"][2]
    assert (final["rule"]["limit"], final["rule"]["article"]) == (45, "older")
    assert final["count"]["last_day"] == "2026-04-15"


async def test_clocks_are_listed_by_state_and_step_page_by_page(web: Any, sla: Any, make: Any) -> None:
    await sla.hear(*(make.received(n) for n in range(7)))
    await sla.hear(*(make.acknowledged(n, day=1) for n in (1, 3, 5)))
    await sla.engine(day=6)

    async def numbers(**query: Any) -> list[int]:
        found: list[int] = []
        cursor: dict[str, str] = {}
        while True:
            page = (await web.get("/v1/clocks", limit=2, **query, **cursor)).json()
            assert len(page["items"]) <= 2
            found += [int(i["complaint_id"][-12:]) for i in page["items"]]
            if page["next"] is None:
                return found
            cursor = {"cursor": page["next"]}

    assert await numbers() == [6, 5, 4, 3, 2, 1, 0]
    assert await numbers(state="met", step="acknowledge") == [5, 3, 1]
    assert await numbers(state="warned") == [6, 4, 2, 0]
    assert await numbers(state="met", step="final") == []
    assert await numbers(step="interim") == [6, 5, 4, 3, 2, 1, 0]


async def test_open_steps_are_listed_by_the_time_left_page_by_page(web: Any, sla: Any, make: Any) -> None:
    await sla.hear(*(make.received(n, day=n) for n in range(4)), *(make.routed(n) for n in (0, 1)))
    await sla.hear(make.routed(2, department="loans"), make.received(9, day=-90, imported=True))
    await sla.hear(make.responded(3, day=4))
    await sla.engine(day=8)
    sla.now[0] = sla.now[0].replace(minute=2)
    await sla.engine()

    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await web.get("/v1/at-risk", limit=4, **cursor)).json()
        found += page["items"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}

    assert [(int(i["complaint_id"][-12:]), i["step"]) for i in found] == [
        (0, "acknowledge"),
        (1, "acknowledge"),
        (2, "acknowledge"),
        (0, "interim"),
        (1, "interim"),
        (2, "interim"),
        (0, "final"),
        (1, "final"),
        (2, "final"),
    ]
    late, near = found[:2]
    assert (late["state"], near["state"]) == ("missed", "warned")
    assert late["seconds_left"] == -(10 * 3600 + 2 * 60) - 0.001
    assert near["seconds_left"] == 14 * 3600 - 2 * 60 - 0.001
    loans = (await web.get("/v1/at-risk", department="loans")).json()["items"]
    assert {i["complaint_id"][-1] for i in loans} == {"2"}
    assert len(loans) == 3
    assert (await web.get("/v1/at-risk", department="nobody")).json() == {"items": [], "next": None}


async def test_a_simulation_tells_what_a_clock_would_be(web: Any, sla: Any, make: Any) -> None:
    body = {"received_at": "2026-03-01T02:00:00Z", "jurisdiction": "hk"}
    simulated = (await web.post("/v1/simulate", body)).json()
    assert await sla.scalar("SELECT count(*) FROM clock") == 0

    await sla.hear(make.received(jurisdiction="hk"))
    clock = (await web.get(CLOCK)).json()

    assert {k: simulated[k] for k in ("pack", "pack_version", "pack_reason")} == {
        k: clock[k] for k in ("pack", "pack_version", "pack_reason")
    }
    shared = ("step", "due_at", "due_local", "rule", "count", "warn_at")
    assert [{k: d[k] for k in shared} for d in simulated["deadlines"]] == [
        {k: s[k] for k in shared} for s in clock["steps"]
    ]
    assert all(d["note"] for d in simulated["deadlines"])


async def test_a_simulation_without_a_known_jurisdiction_says_which_pack_it_took(web: Any) -> None:
    found = (await web.post("/v1/simulate", {**BODY, "jurisdiction": "zz"})).json()
    assert found["pack"] == "hk-hkma"
    assert "No pack covers jurisdiction zz, so the bank's default pack hk-hkma applies." in found["pack_reason"]


async def test_the_packs_are_shown_with_what_is_not_confirmed(web: Any) -> None:
    packs = {p["id"]: p for p in (await web.get("/v1/packs")).json()["items"]}
    pack = packs["hk-hkma"]
    assert packs["tw-fcpa"]["confirmed"]
    assert (pack["id"], pack["default"], pack["confirmed"]) == ("hk-hkma", True, False)
    assert pack["titles"]["zh-Hant"] == "香港（金管局）"
    assert [(r["step"], r["limit"], r["warn_share"], r["escalate_role"]) for r in pack["rules"]] == [
        ("acknowledge", 7, 0.75, "supervisor"),
        ("interim", 30, 0.75, "supervisor"),
        ("final", 60, 0.75, "supervisor"),
    ]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/received_at"),
        ({"received_at": "2026-03-01T10:00:00"}, "/received_at"),
        ({"received_at": "yesterday"}, "/received_at"),
        ({"received_at": 1772323200}, "/received_at"),
        ({"received_at": "1772323200"}, "/received_at"),
        ({"received_at": "0001-01-01T00:00:00+14:00"}, "/received_at"),
        ({"received_at": "9999-12-31T23:59:59-12:00"}, "/received_at"),
        ({**BODY, "jurisdiction": "Hong Kong"}, "/jurisdiction"),
        ({**BODY, "jurisdiction": "hk\u0000"}, "/jurisdiction"),
    ],
)
async def test_what_cannot_be_simulated_is_refused_with_the_field(web: Any, body: Any, pointer: str) -> None:
    answer = await web.post("/v1/simulate", body)
    assert answer.status_code == 422
    assert [e["pointer"] for e in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v1/clocks", {"limit": 0}),
        ("/v1/clocks", {"limit": 201}),
        ("/v1/clocks", {"state": "late"}),
        ("/v1/clocks", {"step": "settle"}),
        ("/v1/clocks", {"cursor": "a b"}),
        ("/v1/at-risk", {"cursor": "nonsense"}),
        ("/v1/at-risk", {"cursor": "2026-03-01T00:00:00Z"}),
        ("/v1/at-risk", {"cursor": "1772323200000_a b_final"}),
        ("/v1/at-risk", {"cursor": "177232320000000_a_final"}),
        ("/v1/at-risk", {"department": "' or 1=1"}),
    ],
)
async def test_what_cannot_be_asked_is_refused_with_the_parameter(web: Any, path: str, query: dict[str, Any]) -> None:
    answer = await web.get(path, **query)
    assert answer.status_code == 422
    assert [e["pointer"] for e in answer.json()["errors"]] == list(query)


@pytest.mark.parametrize("cursor", ["0_0_final", "99999999999999_-_acknowledge", "1_a-b_interim"])
async def test_every_cursor_of_the_right_form_has_a_page(web: Any, cursor: str) -> None:
    assert (await web.get("/v1/at-risk", cursor=cursor)).json() == {"items": [], "next": None}


def test_a_default_pack_that_does_not_exist_stops_the_start(tmp_path: Any, migrated: Callable[[str], str]) -> None:
    db = Database("sla", migrated("sla"), store.tables)
    with pytest.raises(PackError, match="REDRESS_DEFAULT_PACK"):
        create_app(SlaSettings(home=tmp_path, default_pack="bank-service"), db)


ONE = "/v1/clocks/{complaint_id}/{clock_id}"
LEADERS = ("supervisor", "manager")
WORKERS = ("officer", *LEADERS)
WRITES: list[tuple[str, str, tuple[str, ...], Any]] = [
    ("POST", f"{ONE}/pause", LEADERS, {"reason": "external_appraisal"}),
    ("POST", f"{ONE}/resume", LEADERS, {}),
    ("POST", f"{ONE}/extend", WORKERS, {"step": "final", "until": "2026-05-01", "reason": "x"}),
    ("POST", f"{ONE}/restart", LEADERS, {"reason": "x"}),
    ("POST", f"{ONE}/record", WORKERS, {"step": "final"}),
    ("POST", f"{ONE}/acknowledge-escalation", LEADERS, {"step": "final"}),
    ("POST", f"{ONE}/hand-back-escalation", LEADERS, {"step": "final", "reason": "x"}),
    ("POST", "/v1/feeds", ("supervisor", "manager", "admin"), {"department": "cards"}),
    ("DELETE", "/v1/feeds/{feed_id}", ("supervisor", "manager", "admin"), None),
    ("GET", "/v1/feeds/{secret}.ics", (), None),
]


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("method", "path", "may", "body"), [w for w in WRITES if w[2]], ids=lambda v: str(v)[:40])
async def test_a_role_does_what_its_work_needs_and_nothing_else(
    web: Any, method: str, path: str, may: tuple[str, ...], body: Any
) -> None:
    url = path.format(complaint_id="nobody", clock_id="none", feed_id="f", secret="s")
    for who in (None, "agent", "system", *READERS):
        answer = await web.http.request(method, url, headers=web._headers(who), json=body)
        if who is None:
            assert answer.status_code == 401
        elif who in may:
            assert answer.status_code in (200, 201, 204, 404), answer.text
        else:
            assert answer.status_code == 403, who
