"""Which complaints can be taken, and what tells one person from another."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.domain.complaint import CLOCK_SKEW, EARLIEST_YEAR, Complainant, Submission, check_times
from shared.errors import Invalid

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)


def _wrong(**times: datetime) -> dict[str, str]:
    """Pointer -> code of what is refused."""
    try:
        check_times(Submission("phone", "n", **times), now=NOW)  # type: ignore[arg-type]
    except Invalid as error:
        return {e.pointer: e.code for e in error.errors}
    return {}


def test_a_channels_clock_may_be_a_little_ahead_and_no_more() -> None:
    assert _wrong(occurred_at=NOW + CLOCK_SKEW) == {}
    assert _wrong(occurred_at=NOW + CLOCK_SKEW + timedelta(milliseconds=1)) == {"/occurred_at": "in_the_future"}


def test_both_times_are_looked_at_and_both_are_named() -> None:
    future, past = NOW + timedelta(days=1), datetime(EARLIEST_YEAR - 1, 12, 31, tzinfo=UTC)
    assert _wrong(occurred_at=past, received_at=future) == {
        "/occurred_at": "too_long_ago",
        "/received_at": "in_the_future",
    }
    assert _wrong() == {}


@given(
    moment=st.datetimes(timezones=st.timezones()),
    offset=st.integers(-23, 23).map(lambda h: timezone(timedelta(hours=h))),
)
def test_whether_a_moment_is_in_the_future_does_not_hang_on_its_offset(moment: datetime, offset: timezone) -> None:
    try:
        elsewhere = moment.astimezone(offset)
    except OverflowError:
        return
    if min(moment.year, elsewhere.year) < EARLIEST_YEAR:
        return
    assert _wrong(occurred_at=moment) == _wrong(occurred_at=elsewhere)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Complainant("A", customer_no="C-1"), Complainant("B", customer_no=" c-1 ")),
        (Complainant("A", phone="+852 9123-4567"), Complainant("B", phone="+85291234567")),
        (Complainant("A", email="A@B.example"), Complainant("B", email="a@b.EXAMPLE")),
        (Complainant("A", customer_no="7", phone="1"), Complainant("A", customer_no="7", phone="2")),
    ],
)
def test_the_same_person_is_known_again(one: Complainant, other: Complainant) -> None:
    assert one.identity() == other.identity() is not None


def test_a_name_alone_tells_nobody_apart_and_kinds_are_not_mixed() -> None:
    assert Complainant("Chan Example").identity() is None
    assert Complainant("A", customer_no="91234567").identity() != Complainant("A", phone="91234567").identity()
