"""Deadlines are exact to the millisecond, in every zone, at every turn of the calendar."""

import os
import zoneinfo
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.sla.domain.calendar import Calendar
from services.sla.domain.counting import (
    Limit,
    UncountableTime,
    WarnRule,
    count,
    end_of_day,
    in_time,
    warn_at,
)


@cache
def plain(zone: ZoneInfo) -> Calendar:
    """A place with weekends and no holidays; nobody works by the hour."""
    return Calendar("plain", "1", zone, frozenset((5, 6)), {}, {}, ((),) * 7, date(2200, 12, 31))


HK = plain(ZoneInfo("Asia/Hong_Kong"))
DAY = 86_400_000  # milliseconds
EIGHT_HOURS = 8 * 3_600_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moments(first_year: int, last_year: int) -> st.SearchStrategy[datetime]:
    """Aware moments from the second day of one year to the end of another."""
    seconds = [int(datetime(y, 1, d, tzinfo=UTC).timestamp()) for y, d in ((first_year, 2), (last_year + 1, 1))]
    micros = st.integers(seconds[0] * 10**6, seconds[1] * 10**6 - 1)
    return micros.map(lambda n: EPOCH + timedelta(microseconds=n))


# Hong Kong has kept UTC+8 all year round since 1980, so its days can be counted with whole numbers alone.
since_1980 = moments(1980, 2150)
LONG = bool(os.environ.get("LONG_SCALE_FORM"))
ZONES = sorted(zoneinfo.available_timezones())


def millis(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(milliseconds=1)


@given(received_at=since_1980, days=st.integers(1, 3660))
@example(received_at=datetime(2026, 2, 28, 15, 59, 59, 999000, tzinfo=UTC), days=7)
@example(received_at=datetime(2026, 2, 28, 16, 0, tzinfo=UTC), days=7)
@example(received_at=datetime(2028, 2, 28, 16, 0, tzinfo=UTC), days=1)
@example(received_at=datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC), days=60)
def test_calendar_days_agree_with_plain_arithmetic(received_at: datetime, days: int) -> None:
    day_of_receipt = (millis(received_at) + EIGHT_HOURS) // DAY

    following = count(Limit(days, "calendar_day", "next_day"), received_at, HK)
    same = count(Limit(days, "calendar_day", "same_day"), received_at, HK)

    assert millis(following.due_at) == (day_of_receipt + days + 1) * DAY - EIGHT_HOURS - 1
    assert millis(same.due_at) == (day_of_receipt + days) * DAY - EIGHT_HOURS - 1


@given(
    received_at=moments(1991, 2100),
    days=st.integers(1, 400),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
)
@example(received_at=datetime(2024, 11, 1, 12, tzinfo=UTC), days=1, zone=ZoneInfo("America/Havana"))
@example(received_at=datetime(2018, 11, 2, 12, tzinfo=UTC), days=1, zone=ZoneInfo("America/Sao_Paulo"))
@example(received_at=datetime(2018, 2, 16, 12, tzinfo=UTC), days=1, zone=ZoneInfo("America/Sao_Paulo"))
@example(received_at=datetime(2010, 11, 5, 12, tzinfo=UTC), days=1, zone=ZoneInfo("America/St_Johns"))
@example(received_at=datetime(1990, 9, 28, 12, tzinfo=UTC), days=1, zone=ZoneInfo("Africa/Tunis"))
@example(received_at=datetime(2011, 12, 29, 3, tzinfo=UTC), days=2, zone=ZoneInfo("Pacific/Apia"))
@example(received_at=datetime(2026, 3, 27, 12, tzinfo=UTC), days=1, zone=ZoneInfo("Asia/Beirut"))
@example(received_at=datetime(2026, 10, 24, 12, tzinfo=UTC), days=7, zone=ZoneInfo("Europe/London"))
def test_the_deadline_is_the_last_millisecond_of_the_local_day(
    received_at: datetime, days: int, zone: ZoneInfo
) -> None:
    found = count(Limit(days, "calendar_day", "next_day"), received_at, plain(zone))

    assert found.last_day == received_at.astimezone(zone).date() + timedelta(days=days)
    assert found.due_at.astimezone(zone).date() <= found.last_day
    assert (found.due_at + timedelta(milliseconds=1)).astimezone(zone).date() > found.last_day


def test_every_day_on_which_any_zone_changed_its_clocks_since_1990_ends_right() -> None:
    """All of them, found by looking at each day, since the strange ones are too few to be met by chance; of every
    fourth zone where the time is short."""
    checked = 0
    for name in ZONES[:: 1 if LONG else 4]:
        zone = ZoneInfo(name)
        noons = [datetime(1990, 1, 1, 12, tzinfo=zone) + timedelta(days=n) for n in range(0, 48 * 365, 4)]
        for earlier, later in pairwise(noons):
            if earlier.utcoffset() == later.utcoffset():
                continue
            for n in range(5):
                day = earlier.date() + timedelta(days=n)
                end = end_of_day(day, zone)
                following = (end + timedelta(milliseconds=1)).astimezone(zone)
                assert end.astimezone(zone).date() <= day < following.date(), (name, day)
                checked += 1
    assert checked > (10_000 if LONG else 2_500)


@pytest.mark.parametrize(
    ("received", "length", "due"),
    [
        ("2026-01-01T00:00:00+08:00", 7, "2026-01-08T23:59:59.999+08:00"),
        ("2026-01-01T23:59:59.999+08:00", 7, "2026-01-08T23:59:59.999+08:00"),
        ("2026-01-31T12:00:00+08:00", 30, "2026-03-02T23:59:59.999+08:00"),  # over a month of 28 days
        ("2028-01-31T12:00:00+08:00", 30, "2028-03-01T23:59:59.999+08:00"),  # over one of 29
        ("2028-02-29T12:00:00+08:00", 60, "2028-04-29T23:59:59.999+08:00"),
        ("2026-12-02T12:00:00+08:00", 30, "2027-01-01T23:59:59.999+08:00"),
        ("2026-02-28T16:30:00Z", 7, "2026-03-08T23:59:59.999+08:00"),  # 1 March in Hong Kong already
        ("2026-02-28T15:30:00Z", 7, "2026-03-07T23:59:59.999+08:00"),  # still 28 February
        ("2026-02-28T23:30:00-11:00", 7, "2026-03-08T23:59:59.999+08:00"),
    ],
)
def test_deadlines_worked_out_by_hand(received: str, length: int, due: str) -> None:
    found = count(Limit(length, "calendar_day", "next_day"), datetime.fromisoformat(received), HK)
    assert found.due_at == datetime.fromisoformat(due)
    assert found.due_at.tzinfo is UTC


def test_weeks_are_seven_days_and_hours_run_through_a_change_of_the_clocks() -> None:
    london = plain(ZoneInfo("Europe/London"))
    received = datetime(2026, 3, 28, 12, 0, tzinfo=london.zone)  # clocks go forward the night after

    weeks = count(Limit(8, "week", "next_day"), received, london)
    days = count(Limit(56, "calendar_day", "next_day"), received, london)
    hours = count(Limit(24, "hour", "moment"), received, london)

    assert weeks.due_at == days.due_at == datetime(2026, 5, 23, 22, 59, 59, 999000, tzinfo=UTC)
    assert hours.due_at == datetime(2026, 3, 29, 12, 0, tzinfo=UTC)
    assert hours.due_local.isoformat() == "2026-03-29T13:00:00+01:00"
    assert hours.first_day is None
    assert hours.last_day is None


def test_the_last_millisecond_is_in_time_and_the_next_is_not() -> None:
    due = datetime(2026, 1, 8, 15, 59, 59, 999000, tzinfo=UTC)
    assert in_time(due, due)
    assert in_time(due + timedelta(microseconds=999), due)
    assert not in_time(due + timedelta(milliseconds=1), due)


@given(
    received_at=since_1980,
    length=st.integers(1, 400),
    share=st.floats(0.01, 0.99),
    lead=st.integers(1, 10_000),
)
def test_a_warning_comes_between_receipt_and_deadline_and_the_earlier_rule_wins(
    received_at: datetime, length: int, share: float, lead: int
) -> None:
    due = count(Limit(length, "calendar_day", "next_day"), received_at, HK).due_at
    by_share = warn_at(WarnRule(share=share), received_at, due)
    by_lead = warn_at(WarnRule(lead=timedelta(hours=lead)), received_at, due)
    both = warn_at(WarnRule(share, timedelta(hours=lead)), received_at, due)

    assert by_share is not None
    assert by_lead is not None
    received = received_at - timedelta(milliseconds=1)
    assert received < by_share < due
    assert received < by_lead < due
    assert both == min(by_share, by_lead)
    assert both.microsecond % 1000 == 0


def test_a_share_is_of_the_time_allowed() -> None:
    received = datetime(2026, 1, 1, tzinfo=UTC)
    due = received + timedelta(days=8)
    assert warn_at(WarnRule(share=0.75), received, due) == received + timedelta(days=6)
    assert warn_at(None, received, due) is None


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (Limit(7, "calendar_day", "next_day"), "is not counted, so day 1 is 2026-03-02; calendar day 7 is 2026-03-08"),
        (Limit(7, "calendar_day", "same_day"), "2026-03-01, is day 1; calendar day 7 is 2026-03-07"),
        (Limit(2, "week", "next_day"), "2 weeks are 14 days. The day of receipt is not counted"),
        (Limit(24, "hour", "moment"), "24 hours run from that moment: in time until 2026-03-02T23:59:58.000+08:00"),
    ],
)
def test_every_count_explains_itself(limit: Limit, words: str) -> None:
    found = count(limit, datetime(2026, 3, 1, 15, 59, 58, tzinfo=UTC), HK)
    assert found.explanation.startswith("Received 2026-03-01 23:59:58 (Asia/Hong_Kong).")
    assert words in found.explanation
    assert found.due_local.isoformat(timespec="milliseconds") in found.explanation


@pytest.mark.parametrize(
    "moment",
    [
        datetime.min.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
        datetime(1969, 12, 31, tzinfo=UTC),
        datetime(2201, 1, 1, tzinfo=UTC),
    ],
)
def test_times_far_from_the_present_are_refused(moment: datetime) -> None:
    with pytest.raises(UncountableTime):
        count(Limit(7, "calendar_day", "next_day"), moment, HK)


def test_a_time_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        count(Limit(7, "calendar_day", "next_day"), datetime.fromisoformat("2026-03-01T12:00:00"), HK)
