"""When a webhook is tried again, where it may lead, and what it may tell."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.domain.retry import FIRST, GIVE_UP_AFTER, LONGEST, next_attempt
from services.intake.domain.webhook import TOLD, facts_of
from shared.addresses import AddressRefused, check_address, is_public
from shared.events import EVENTS, ComplaintMessageAdded, ComplaintResolved

SINCE = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
CHANCE = st.floats(0, 1, exclude_max=True)


@given(st.lists(CHANCE, min_size=200, max_size=200))
def test_it_is_tried_for_a_whole_day_and_no_longer(chances: list[float]) -> None:
    now, tries = SINCE, [SINCE]
    for attempts, chance in enumerate(chances, 1):
        again = next_attempt(attempts, since=SINCE, now=now, chance=chance)
        if again is None:
            break
        assert again > now
        now = again
        tries.append(now)
    assert tries[-1] - SINCE >= GIVE_UP_AFTER, "the last attempt is made when the day is over"
    assert tries[-1] - SINCE <= GIVE_UP_AFTER + FIRST
    assert 10 <= len(tries) <= 30
    waits = [b - a for a, b in pairwise(tries)]
    assert waits[0] <= FIRST * 1.25
    assert max(waits) <= LONGEST * 1.25


@given(CHANCE, CHANCE)
def test_many_that_failed_together_do_not_come_back_together(one: float, other: float) -> None:
    first, second = (next_attempt(5, since=SINCE, now=SINCE, chance=c) for c in (one, other))
    assert first is not None
    assert second is not None
    assert (first < second) == (one < other) or abs(one - other) < 1e-9


@pytest.mark.parametrize(
    ("url", "private", "fits"),
    [
        ("https://bank.example/hook?x=1", False, True),
        ("https://bank.example:8443/", False, True),
        ("http://bank.example/", False, False),
        ("http://bank.example/", True, True),
        ("ftp://bank.example/", True, False),
        ("https://user:secret@bank.example/", False, False),
        ("https:///nowhere", False, False),
        ("https://bank.example:99999/", False, False),
        ("https://bank.example/#x", False, False),
        ("bank.example", False, False),
        ("https://[::1", False, False),
        ("https://93.184.216.34/", False, True),
        ("https://127.0.0.1/", False, False),
        ("https://127.0.0.1/", True, True),
        ("https://[::ffff:7f00:1]/", False, False),
        ("https://[fe80::1]/", False, False),
        ("https://2130706433/", False, False),
        ("https://0x7f.1/", False, False),
        ("https://0177.0.0.1/", False, False),
        ("https://127.1/", True, False),
        ("https://127\u30020\u30020\u30021/", False, False),
        ("https://bank.example\\@10.0.0.1/", False, False),
        ("https://bank.example:0/", False, False),
        ("https://bank.example/\r\nx", False, False),
        ("https://b\u00fccher.example/", False, False),
        ("https://xn--bcher-kva.example/", False, True),
    ],
)
def test_an_address_is_plain_https(url: str, private: bool, fits: bool) -> None:
    if fits:
        check_address(url, private=private)
    else:
        with pytest.raises(AddressRefused):
            check_address(url, private=private)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),  # cloud metadata
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("2002:7f00:1::", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::5db8:d822", True),
        ("64:ff9b:1::7f00:1", False),
        ("::127.0.0.1", False),
        ("::ffff:0:127.0.0.1", False),
        ("fec0::1", False),
        ("5f00::1", False),
        ("3fff::1", False),
        ("2001:0:0:0:0:0:80ff:fffe", False),  # Teredo, of 127.0.0.1
        ("192.0.0.8", False),
        ("192.88.99.1", False),
        ("255.255.255.255", False),
    ],
)
def test_only_addresses_of_the_open_internet_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_a_channel_is_told_codes_and_never_words() -> None:
    resolved = ComplaintResolved(complaint_id="c", outcome="upheld", root_cause="system_failure", resolved_at=SINCE)
    assert facts_of(resolved) == {"outcome": "upheld"}
    message = ComplaintMessageAdded(
        complaint_id="c", message_id="m", direction="out", author="staff", via="tracking", text="secret", added_at=SINCE
    )
    assert facts_of(message) == {"direction": "out", "via": "tracking"}
    assert {kind.type for kind in TOLD} <= set(EVENTS)
    assert timedelta(0) < FIRST < LONGEST < GIVE_UP_AFTER
