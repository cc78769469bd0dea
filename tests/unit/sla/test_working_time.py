"""Business days, working hours and pauses: counted exactly, explained day by day, and never later than permitted."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sla.domain.calendar import Calendar, span
from services.sla.domain.counting import Limit, Pause, UncountableTime, Unit, count, end_of_day, start_of_day, walk

OFFICE = (span("09:00-12:30"), span("13:30-17:00"), span("18:00-19:15"))
NIGHT = (span("00:00-02:30"), span("22:00-24:00"))
CLOSED = {date(2026, 4, 3): "Good Friday", date(2026, 4, 6): "Easter Monday", date(2026, 5, 4): "May Day"}
OPENED = {date(2026, 4, 11): "make-up workday"}
MINUTE = timedelta(minutes=1)
TICK = timedelta(milliseconds=1)


def place(zone: str = "Europe/London", hours: tuple[object, ...] = OFFICE, confirmed: str = "2030-12-31") -> Calendar:
    days = (hours,) * 5 + ((), ())
    closed, until = CLOSED, date.fromisoformat(confirmed)
    return Calendar("place", "", ZoneInfo(zone), frozenset((5, 6)), closed, OPENED, days, until).stamped()  # type: ignore[arg-type]


LONDON = place()
PLACES = [LONDON, place("Asia/Hong_Kong"), place("America/New_York", NIGHT), place("Australia/Lord_Howe", NIGHT)]
places = st.sampled_from(PLACES)
starts = st.integers(0, 500 * 86_400_000).map(lambda n: datetime(2026, 1, 10, tzinfo=UTC) + n * TICK)
by_day = st.builds(
    Limit,
    st.integers(1, 60),
    st.sampled_from(["calendar_day", "business_day", "week"]),
    st.sampled_from(["same_day", "next_day"]),
)
by_hour = st.builds(Limit, st.integers(1, 90), st.sampled_from(["hour", "working_hour"]), st.just("moment"))
limits = by_day | by_hour


@st.composite
def pausing(draw: st.DrawFn) -> tuple[datetime, list[Pause]]:
    """A start and pauses about it, ended and not, in any order, some of them overlapping."""
    start = draw(starts)
    pauses = []
    for _ in range(draw(st.integers(0, 5))):
        since = start + timedelta(minutes=draw(st.integers(-2000, 60_000)))
        length = draw(st.none() | st.integers(1, 20_000))
        pauses.append(Pause(since, None if length is None else since + length * MINUTE))
    return start, pauses


def by_minutes(limit: Limit, start: datetime, calendar: Calendar, pauses: Sequence[Pause]) -> datetime:
    """The same by looking at every minute, for starts and pauses on whole minutes."""
    left, now = limit.length * 60, start
    while True:
        here = now.astimezone(calendar.zone)
        day = here.date()
        work = not (day.weekday() > 4 or day in CLOSED) or day in OPENED
        hours = calendar.hours[0] if work else ()
        at_work = limit.unit == "hour" or any(s.since <= here.time() < s.until for s in hours)
        if at_work and not any(p.until and p.since <= now < p.until for p in pauses):
            left -= 1
        now += MINUTE
        if left == 0:
            return now


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@given(case=pausing(), limit=by_hour, calendar=places)
def test_hours_agree_with_a_count_of_every_minute(
    case: tuple[datetime, list[Pause]], limit: Limit, calendar: Calendar
) -> None:
    start, pauses = case
    start = start.replace(second=0, microsecond=0)
    pauses = [
        Pause(p.since.replace(second=0, microsecond=0), p.until and p.until.replace(second=0, microsecond=0))
        for p in pauses
    ]
    short = Limit(min(limit.length, 12), limit.unit, "moment")
    assert count(short, start, calendar, pauses).due_at == by_minutes(short, start, calendar, pauses)


def worked(calendar: Calendar, since: datetime, until: datetime, pauses: Sequence[Pause]) -> timedelta:
    """Working time between two moments that lies in no ended pause, added up piece by piece."""
    cuts = {since, until, *(p.since for p in pauses if p.until), *(p.until for p in pauses if p.until)}
    total = timedelta()
    day = since.astimezone(calendar.zone).date() - timedelta(days=1)
    while day <= until.astimezone(calendar.zone).date():
        for begin, end in calendar.working(day):
            edges = sorted({begin, end, *(c for c in cuts if begin < c < end)})
            for a, b in pairwise(edges):
                paused = any(p.until and p.since <= a and b <= p.until for p in pauses)
                if since <= a and b <= until and not paused:
                    total += b - a
        day += timedelta(days=1)
    return total


@given(case=pausing(), hours=st.integers(1, 90), calendar=places)
def test_working_time_up_to_the_deadline_less_pauses_is_the_limit_exactly(
    case: tuple[datetime, list[Pause]], hours: int, calendar: Calendar
) -> None:
    start, pauses = case
    found = count(Limit(hours, "working_hour", "moment"), start, calendar, pauses)
    assert worked(calendar, start, found.due_at, pauses) == timedelta(hours=hours)


@given(start=starts, hours=st.integers(2, 90), share=st.floats(0.01, 0.99), minutes=st.integers(1, 20_000))
def test_pausing_and_resuming_in_working_hours_adds_up(start: datetime, hours: int, share: float, minutes: int) -> None:
    """What was left at the pause is what the limit takes from the resumption on."""
    limit = Limit(hours, "working_hour", "moment")
    plain = count(limit, start, LONDON)
    since = (start + (plain.due_at - start) * share).replace(microsecond=0)
    pause = Pause(max(since, start), max(since, start) + minutes * MINUTE)
    assert pause.until is not None

    paused = count(limit, start, LONDON, [pause])

    left = worked(LONDON, pause.since, plain.due_at, ())
    assert worked(LONDON, pause.until, paused.due_at, ()) == left
    assert paused.due_at >= plain.due_at


@given(case=pausing(), limit=limits, calendar=places)
def test_pauses_never_make_a_deadline_earlier_and_one_that_lasts_changes_nothing(
    case: tuple[datetime, list[Pause]], limit: Limit, calendar: Calendar
) -> None:
    start, pauses = case
    plain, paused = count(limit, start, calendar), count(limit, start, calendar, pauses)
    lasting = [Pause(p.since, None) for p in pauses]
    assert paused.due_at >= plain.due_at
    assert count(limit, start, calendar, lasting) == plain
    assert count(limit, start, calendar, [*reversed(pauses), *lasting, *pauses]) == paused


@given(case=pausing(), limit=by_day, calendar=places)
def test_only_days_that_are_paused_from_end_to_end_are_left_out(
    case: tuple[datetime, list[Pause]], limit: Limit, calendar: Calendar
) -> None:
    start, pauses = case
    found = count(limit, start, calendar, pauses)
    days = limit.length * 7 if limit.unit == "week" else limit.length
    assert found.last_day is not None
    assert found.first_day is not None

    walked = walk(found, calendar, pauses)

    numbers = [d.number for d in walked if d.number is not None]
    assert numbers == list(range(1, days + 1))
    assert walked[-1].number == days
    assert walked[-1].day == found.last_day
    assert next(d.day for d in walked if d.number == 1) == found.first_day
    assert sum(d.why == "paused" for d in walked) == found.paused_days
    for day in walked:
        begin, end = start_of_day(day.day, calendar.zone), end_of_day(day.day, calendar.zone) + TICK
        free = minutes_free(begin, end, start, pauses)
        if day.why == "paused":
            assert not free
        elif day.number is not None:
            assert free
            assert limit.unit != "business_day" or calendar.is_business_day(day.day)


def minutes_free(begin: datetime, end: datetime, start: datetime, pauses: Sequence[Pause]) -> bool:
    """Whether some part of the day from the start on lies in no ended pause."""
    at = begin
    for p in sorted((p for p in pauses if p.until), key=lambda p: p.since):
        assert p.until is not None
        if max(p.since, start) <= at < p.until:
            at = p.until
    return at < end


@given(case=pausing(), limit=limits, calendar=places, later=st.integers(0, 10**9))
def test_who_starts_later_is_never_due_earlier(
    case: tuple[datetime, list[Pause]], limit: Limit, calendar: Calendar, later: int
) -> None:
    start, pauses = case
    first, second = count(limit, start, calendar, pauses), count(limit, start + later * TICK, calendar, pauses)
    assert first.due_at <= second.due_at


@given(start=starts, days=st.integers(1, 60), calendar=places, same=st.booleans())
def test_business_days_agree_with_a_plain_list(start: datetime, days: int, calendar: Calendar, same: bool) -> None:
    today = start.astimezone(calendar.zone).date()
    coming = [today + timedelta(days=n) for n in range(0 if same else 1, 200)]
    business = [d for d in coming if (d.weekday() < 5 and d not in CLOSED) or d in OPENED]
    found = count(Limit(days, "business_day", "same_day" if same else "next_day"), start, calendar)
    assert found.last_day == business[days - 1]
    assert found.first_day == business[0]


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        ("2026-06-01T08:59:00+01:00", 1, "2026-06-01T10:00:00+01:00"),  # waits for nine o'clock
        ("2026-06-01T12:00:00+01:00", 1, "2026-06-01T14:00:00+01:00"),  # half an hour on each side of lunch
        ("2026-06-01T12:29:59.999+01:00", 1, "2026-06-01T14:29:59.999+01:00"),
        ("2026-06-01T11:30:00+01:00", 1, "2026-06-01T12:30:00+01:00"),  # just before lunch: not after it
        ("2026-06-01T19:15:00+01:00", 1, "2026-06-02T10:00:00+01:00"),  # closing time is no working time
        ("2026-06-05T18:15:00+01:00", 2, "2026-06-08T10:00:00+01:00"),  # over a weekend
        ("2026-04-02T18:15:00+01:00", 2, "2026-04-07T10:00:00+01:00"),  # over Easter
        ("2026-04-10T18:15:00+01:00", 2, "2026-04-11T10:00:00+01:00"),  # a Saturday that is worked, with Monday's hours
        ("2026-03-27T18:15:00+00:00", 2, "2026-03-30T10:00:00+01:00"),  # clocks go forward over the weekend
    ],
)
def test_working_hours_worked_out_by_hand(start: str, hours: int, due: str) -> None:
    assert count(Limit(hours, "working_hour", "moment"), at(start), LONDON).due_at == at(due)


def test_working_time_by_night_is_as_long_as_the_clocks_make_it() -> None:
    night = Calendar("n", "", ZoneInfo("Europe/London"), frozenset(), {}, {}, ((span("00:30-02:30"),),) * 7, date.max)

    def length(day: str) -> timedelta:
        return sum((until - since for since, until in night.working(date.fromisoformat(day))), timedelta())

    assert length("2026-03-28") == timedelta(hours=2)
    assert length("2026-03-29") == timedelta(hours=1)  # 01:00 to 02:00 is skipped
    assert length("2026-10-25") == timedelta(hours=3)  # and comes twice


def test_bounds_in_a_skipped_hour_are_the_change_itself() -> None:
    zone = ZoneInfo("Europe/London")
    night = Calendar("n", "", zone, frozenset(), {}, {}, ((span("00:00-01:30"), span("01:30-04:00")),) * 7, date.max)
    change = datetime(2026, 3, 29, 1, tzinfo=UTC)
    before, after = night.working(date(2026, 3, 29))
    assert before == (change - timedelta(hours=1), change)
    assert after == (change, datetime(2026, 3, 29, 3, tzinfo=UTC))


@pytest.mark.parametrize(
    ("pause", "due"),
    [
        (("2026-06-03T00:00+01:00", "2026-06-04T00:00+01:00"), "2026-06-05"),  # the whole of one day
        (("2026-06-03T00:00:00.001+01:00", "2026-06-04T00:00+01:00"), "2026-06-04"),  # a millisecond less
        (("2026-06-03T00:00+01:00", "2026-06-03T23:59:59.999+01:00"), "2026-06-04"),
        (("2026-06-02T09:00+01:00", "2026-06-04T17:00+01:00"), "2026-06-05"),  # one whole day and two halves
        (("2026-06-04T12:00+01:00", "2026-06-20T12:00+01:00"), "2026-06-04"),  # begins on the last day: too late
        (("2026-06-04T00:00+01:00", "2026-06-06T00:00+01:00"), "2026-06-06"),
        (("2026-05-20T00:00+01:00", "2026-06-02T00:00+01:00"), "2026-06-04"),  # before the start
    ],
)
def test_pauses_worked_out_by_hand(pause: tuple[str, str], due: str) -> None:
    """Three calendar days from 1 June 2026, 12:00, in London: without a pause, up to the 4th."""
    found = count(Limit(3, "calendar_day", "next_day"), at("2026-06-01T12:00+01:00"), LONDON, [Pause(*map(at, pause))])
    assert found.last_day == date.fromisoformat(due)


def test_two_pauses_that_touch_leave_out_the_day_that_they_share() -> None:
    noon = at("2026-06-03T12:00+01:00")
    pauses = [Pause(noon, at("2026-06-04T00:00+01:00")), Pause(at("2026-06-03T00:00+01:00"), noon)]
    found = count(Limit(3, "business_day", "next_day"), at("2026-06-01T12:00+01:00"), LONDON, pauses)
    assert found.last_day == date(2026, 6, 5)
    assert found.paused_days == 1
    assert "business day 3 is 2026-06-05, 1 paused left out: in time until" in found.explanation


@pytest.mark.parametrize(
    ("limit", "provisional"),
    [
        (Limit(3, "business_day", "next_day"), False),
        (Limit(4, "business_day", "next_day"), True),
        (Limit(60, "calendar_day", "next_day"), False),
        (Limit(500, "hour", "moment"), False),
        (Limit(28, "working_hour", "moment"), False),
        (Limit(40, "working_hour", "moment"), True),
    ],
)
def test_a_count_beyond_the_published_holidays_is_provisional(limit: Limit, provisional: bool) -> None:
    calendar = place(confirmed="2026-06-04")  # the start is a Monday
    found = count(limit, at("2026-06-01T08:00+01:00"), calendar)
    assert found.provisional is provisional
    assert ("Provisional" in found.explanation) is provisional


def test_the_walk_says_of_every_day_what_it_counts_for() -> None:
    pauses = [Pause(at("2026-04-08T00:00+01:00"), at("2026-04-09T00:00+01:00"))]
    limit = Limit(4, "business_day", "next_day")
    found = count(limit, at("2026-04-02T23:59:59.999+01:00"), LONDON, pauses)
    assert [(d.day.day, d.number, d.why) for d in walk(found, LONDON, pauses)] == [
        (2, None, "day of receipt"),
        (3, None, "Good Friday"),
        (4, None, "weekend"),
        (5, None, "weekend"),
        (6, None, "Easter Monday"),
        (7, 1, ""),
        (8, None, "paused"),
        (9, 2, ""),
        (10, 3, ""),
        (11, 4, "make-up workday"),
    ]


def test_the_walk_of_working_hours_says_which_hours_of_a_day_count() -> None:
    pauses = [Pause(at("2026-06-02T00:00+01:00"), at("2026-06-03T10:00+01:00"))]
    found = count(Limit(4, "working_hour", "moment"), at("2026-06-01T16:00+01:00"), LONDON, pauses)
    assert [(d.day.day, d.number, d.why) for d in walk(found, LONDON, pauses)] == [
        (1, 1, "2 h 15 min: 16:00-17:00, 18:00-19:15"),
        (2, None, "paused"),
        (3, 2, "1 h 45 min: 10:00-11:45"),
    ]
    late = count(Limit(1, "working_hour", "moment"), at("2026-06-05T20:00+01:00"), LONDON)
    whys = [d.why for d in walk(late, LONDON)]
    assert whys == ["outside working hours", "weekend", "weekend", "1 h 00 min: 09:00-10:00"]
    assert walk(count(Limit(1, "hour", "moment"), at("2026-06-05T20:00+01:00"), LONDON), LONDON) == ()


@pytest.mark.parametrize(
    ("unit", "words"),
    [
        (
            "business_day",
            "The day of receipt is no business day that counts, so day 1 is 2026-06-08; business day 1 is",
        ),
        ("calendar_day", "The day of receipt, 2026-06-06, is day 1; calendar day 1 is 2026-06-06"),
    ],
)
def test_day_one_of_a_receipt_on_a_weekend_is_explained(unit: Unit, words: str) -> None:
    found = count(Limit(1, unit, "same_day"), at("2026-06-06T12:00+01:00"), LONDON)
    assert words in found.explanation


def test_another_start_than_receipt_is_named() -> None:
    found = count(Limit(15, "calendar_day", "next_day"), at("2026-06-06T12:00+01:00"), LONDON)
    explained = found.explained("Sent to the portal", "The day of sending")
    assert explained.startswith("Sent to the portal 2026-06-06 12:00:00 (Europe/London). The day of sending is not")


def test_a_calendar_without_working_hours_is_refused_and_not_counted_for_ever() -> None:
    idle = place(hours=())
    with pytest.raises(UncountableTime):
        count(Limit(1, "working_hour", "moment"), at("2026-06-06T12:00+01:00"), idle)


@given(calendar=places)
def test_a_calendar_is_the_same_after_json(calendar: Calendar) -> None:
    kept = json.loads(json.dumps(calendar.as_dict()))
    assert Calendar.of(kept) == calendar
    assert Calendar.of(kept).stamped().version == calendar.version
    assert place(confirmed="2030-12-30").version != LONDON.version
    assert NIGHT[1].until == time.max


@given(case=pausing(), limit=limits, calendar=places, after=st.integers(0, 10**7))
def test_a_pause_that_begins_once_the_time_is_over_changes_nothing(
    case: tuple[datetime, list[Pause]], limit: Limit, calendar: Calendar, after: int
) -> None:
    start, pauses = case
    found = count(limit, start, calendar, pauses)
    over = found.due_at + TICK * after
    late = Pause(over, over + timedelta(days=400))
    assert count(limit, start, calendar, [late, *pauses]) == found
