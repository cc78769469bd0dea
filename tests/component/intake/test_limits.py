"""Rate limits over HTTP: told on every answer that counts, refused as a problem, and nothing is taken beyond them."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

Make = Callable[..., dict[str, Any]]
SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


@pytest.fixture
async def strict(start: Any, migrated: Callable[[str], str]) -> Any:
    """An intake that takes four writes of a caller and three requests of an address."""
    limits = {"rate_limit_callers": "4/hour", "rate_limit_addresses": "3/hour"}
    return await start(migrated("intake"), settings=limits)


def _refused(answer: httpx.Response, policy: str) -> None:
    assert answer.status_code == 429, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "too_many_requests"
    assert 0 < int(answer.headers["retry-after"]) <= 3600
    assert answer.headers["ratelimit-policy"] == policy
    assert ";r=0;" in answer.headers["ratelimit"]
    assert answer.headers["x-request-id"] in answer.json()["instance"]


@SQLITE
async def test_a_key_sends_so_much_and_no_more_and_other_keys_go_on(strict: Any, complaint: Make) -> None:
    for left in (3, 2, 1, 0):
        answer = await strict.post(complaint(), who="phone")
        assert answer.status_code == 201
        assert answer.headers["ratelimit-policy"] == '"caller";q=4;w=3600'
        assert answer.headers["ratelimit"].startswith(f'"caller";r={left};t=')
    _refused(await strict.post(complaint(), who="phone"), '"caller";q=4;w=3600')
    assert await strict.scalar("SELECT count(*) FROM complaint") == 4, "what is refused is not taken"
    assert (await strict.post(complaint(), who="any")).status_code == 201


@SQLITE
async def test_every_endpoint_that_writes_counts_and_a_bad_body_too(strict: Any, complaint: Make) -> None:
    body = {"call_id": "c-1", "narrative": "n", "complainant": {"anonymous": True}}
    headers = strict.headers("phone")
    assert (await strict.post(complaint(), who="phone")).headers["ratelimit"].startswith('"caller";r=3;')
    taken = await strict.http.post("/v1/channels/phone", json=body, headers=headers)
    assert taken.headers["ratelimit"].startswith('"caller";r=2;')
    bad = await strict.http.post("/v1/channels/phone", json={}, headers=headers)
    assert (bad.status_code, bad.headers["ratelimit"][:12]) == (422, '"caller";r=1')
    bad = await strict.post(raw=b"{", who="phone")
    assert (bad.status_code, bad.headers["ratelimit"][:12]) == (400, '"caller";r=0')
    _refused(await strict.http.post("/v1/channels/phone", json=body, headers=headers), '"caller";q=4;w=3600')


@SQLITE
async def test_reading_with_a_key_is_not_limited(strict: Any, complaint: Make) -> None:
    id = (await strict.post(complaint())).json()["id"]
    for _ in range(10):
        answer = await strict.get(f"/v1/complaints/{id}")
        assert answer.status_code == 200
        assert "ratelimit" not in answer.headers


@SQLITE
async def test_an_address_cannot_try_tokens_at_any_speed(strict: Any, complaint: Make) -> None:
    receipt = (await strict.post(complaint())).json()
    path = f"/v1/track/{receipt['reference']}"
    for _ in range(3):
        assert (await strict.get(path, who=None, **{"X-Tracking-Token": "guess"})).status_code == 404
    _refused(await strict.get(path, who=None, **{"X-Tracking-Token": "guess"}), '"address";q=3;w=3600')
    known = await strict.get(path, who="any", **{"X-Tracking-Token": receipt["tracking"]["token"]})
    assert known.status_code == 200, "a key that is known is no stranger"


@SQLITE
async def test_an_address_cannot_try_keys_at_any_speed(strict: Any, complaint: Make) -> None:
    strict.tokens["guess"] = "rdk_0123456789_" + "x" * 43
    for _ in range(3):
        assert (await strict.post(complaint(), who="guess")).status_code == 401
    _refused(await strict.post(complaint(), who="guess"), '"address";q=3;w=3600')
    _refused(await strict.get("/v1/complaints/1", who=None), '"address";q=3;w=3600')
    assert (await strict.post(complaint(), who="any")).status_code == 201, "who has a key is not held up by them"


@SQLITE
async def test_health_and_documentation_are_never_limited(strict: Any) -> None:
    for path in ("/health/live", "/health/ready", "/docs", "/openapi.json"):
        for _ in range(5):
            answer = await strict.get(path, who=None)
            assert answer.status_code in {200, 503}
            assert "ratelimit" not in answer.headers


@SQLITE
async def test_the_document_says_so(desk: Any) -> None:
    document = desk.app.openapi()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert ("429" in operation["responses"]) == path.startswith("/v1/")
    taken = document["paths"]["/v1/channels/phone"]["post"]["responses"]["201"]
    assert set(taken["headers"]) >= {"RateLimit", "RateLimit-Policy"}
