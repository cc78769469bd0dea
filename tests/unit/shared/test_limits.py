"""How much a caller may send, and who a caller is that is known by an address alone."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from services.intake.settings import IntakeSettings
from shared.errors import TooManyRequests
from shared.web.edge import MORE_HEADERS
from shared.web.limits import Addresses, Quota

START = datetime(2026, 11, 23, 10, tzinfo=UTC)


def _request(peer: str | None = "203.0.113.7", *forwarded: str) -> Request:
    headers = [(b"x-forwarded-for", line.encode()) for line in forwarded]
    return Request({"type": "http", "method": "POST", "headers": headers, "client": (peer, 1) if peer else None})


def _told(request: Request) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in request.scope[MORE_HEADERS]}


def _passes(quota: Quota, caller: str = "a") -> bool:
    try:
        quota.spend(caller, _request())
    except TooManyRequests:
        return False
    return True


def test_what_is_left_is_told_and_nothing_left_is_refused() -> None:
    quota = Quota("caller", "3/minute")
    with time_machine.travel(START, tick=False) as clock:
        for left in (2, 1, 0):
            request = _request()
            quota.spend("a", request)
            assert _told(request) == {"ratelimit-policy": '"caller";q=3;w=60', "ratelimit": f'"caller";r={left};t=60'}
        clock.shift(timedelta(seconds=20))
        request = _request()
        with pytest.raises(TooManyRequests) as caught:
            quota.spend("a", request)
        assert caught.value.retry_after == 40
        assert _told(request)["ratelimit"] == '"caller";r=0;t=40'
        assert TooManyRequests.retry_after == 1, "one caller's wait is nobody else's"
        assert _passes(quota, "b"), "another caller has a quota of their own"
        clock.shift(timedelta(seconds=40))
        assert not _passes(quota), "the very moment still belongs to the window"
        clock.shift(timedelta(seconds=1))
        assert _passes(quota)


def test_a_clock_that_was_wrong_and_is_set_back_keeps_nobody_out() -> None:
    quota = Quota("caller", "3/minute")
    with time_machine.travel(START, tick=False) as clock:
        clock.shift(timedelta(days=3))
        assert [_passes(quota) for _ in range(4)] == [True, True, True, False]
        clock.move_to(START)
        assert [_passes(quota) for _ in range(4)] == [True, True, True, False]


@settings(max_examples=60)
@given(
    limit=st.integers(1, 350),
    waits=st.lists(st.tuples(st.integers(0, 40), st.integers(1, 120)), min_size=1, max_size=8),
)
def test_no_window_holds_more_than_the_quota(limit: int, waits: list[tuple[int, int]]) -> None:
    """And none is refused that would have fitted; both to a block, which is one request up to a quota of 199."""
    quota = Quota("caller", f"{limit}/minute")
    block = max(1, limit // 100)
    passed: list[float] = []
    with time_machine.travel(START, tick=False) as clock:
        at = 0.0
        for wait, burst in waits:
            at += wait + 0.5
            clock.move_to(START + timedelta(seconds=at))
            for _ in range(burst):
                # what lies just a minute back is on the edge of the window: within for one thing, without for the other
                within = sum(1 for t in passed if t > at - 60)
                on_edge = sum(1 for t in passed if t == at - 60)
                if _passes(quota):
                    passed.append(at)
                    assert within < limit + block
                else:
                    assert within + on_edge > limit - block


def test_as_many_as_the_quota_says_pass_at_once_and_no_more() -> None:
    quota = Quota("caller", "12345/hour")
    assert sum(_passes(quota) for _ in range(13_000)) == 12_345


# --- addresses ---


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),  # no proxy of ours: what it says is its own invention
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.2.3.4, 198.51.100.1"], "198.51.100.1"),  # whoever sends 1.2.3.4 along gains nothing
        ("10.0.0.1", ["1.2.3.4", "198.51.100.1, 10.0.0.9"], "198.51.100.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["unknown"], "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.2"], "10.0.0.2"),
        ("2001:db8:1:2:3:4:5:6", [], "2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", [], "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", [], "203.0.113.7"),
        (None, [], ""),
        ("testclient", [], "testclient"),
    ],
)
def test_an_address_is_the_last_that_is_no_proxy_of_ours(peer: str | None, forwarded: list[str], found: str) -> None:
    addresses = Addresses(Quota("address", "1/minute"), ["10.0.0.0/8"])
    assert addresses.of(_request(peer, *forwarded)) == found


@pytest.mark.parametrize(
    "wrong", [{"rate_limit_callers": "many"}, {"rate_limit_addresses": "5/fortnight"}, {"trusted_proxies": ("here",)}]
)
def test_a_limit_that_is_none_stops_the_start(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        IntakeSettings(**wrong)  # type: ignore[arg-type]
