"""Whoever must act is reached: never nobody, never somebody who is away, never the one to be escalated from."""

import time as clock
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sla.domain.post import (
    DUTY,
    FALLBACK,
    ROLES,
    Absence,
    Directory,
    Post,
    Quiet,
    Reached,
    resolve,
    resolve_officer,
)

HONG_KONG, LONDON = ZoneInfo("Asia/Hong_Kong"), ZoneInfo("Europe/London")
NOW = datetime(2026, 3, 3, 4, 0, tzinfo=UTC)
TODAY = NOW.astimezone(HONG_KONG).date()
PEOPLE = st.sampled_from(["a", "b", "c", "d", None])
PLACES = st.sampled_from(["x", "y", None])
AWAY = Absence(TODAY - timedelta(days=1), TODAY)


@st.composite
def posts(draw: st.DrawFn) -> list[Post]:
    found = []
    for n in range(draw(st.integers(0, 12))):
        first = TODAY + timedelta(days=draw(st.integers(-3, 3)))
        absences = tuple(
            Absence(first, first + timedelta(days=draw(st.integers(0, 3))), whose)
            for whose in draw(st.lists(st.sampled_from(["holder", "deputy"]), max_size=2))
        )
        zone = draw(st.sampled_from([None, LONDON, ZoneInfo("Pacific/Kiritimati")]))
        place = {"department": draw(PLACES), "branch": draw(PLACES)}
        people = {"holder": draw(PEOPLE), "deputy": draw(PEOPLE)}
        role = draw(st.sampled_from(ROLES))
        found.append(Post(f"p{n}", role, **place, **people, zone=zone, absences=absences))
    return found


def away(posts: list[Post], person: str, now: datetime) -> bool:
    """By hand, from the posts themselves."""
    return any(
        (post.holder if a.whose == "holder" else post.deputy) == person
        and a.first <= now.astimezone(post.zone or HONG_KONG).date() <= a.last
        for post in posts
        for a in post.absences
    )


@settings(max_examples=400)
@given(posts(), st.sampled_from(ROLES), PLACES, PLACES, PEOPLE, st.integers(0, 48))
def test_somebody_is_always_reached_who_is_there_and_is_not_escalated_from(
    them: list[Post], role: str, department: str | None, branch: str | None, assignee: str | None, hours: int
) -> None:
    now = NOW + timedelta(hours=hours)
    found = resolve(Directory(them, zone=HONG_KONG), role, department, branch, now, assignee=assignee)
    assert found.person
    if found.post_id == DUTY:
        assert (found.via, found.role) == ("fallback", DUTY)
        tried = {role, *FALLBACK}
        assert not any(
            person and not away(them, person, now) and (role == "officer" or person != assignee)
            for post in them
            if post.role in tried and post.department in (None, department) and post.branch in (None, branch)
            for person in (post.holder, post.deputy)
        ), "the last resort is only for when nobody else is there"
        return
    (post,) = (p for p in them if p.id == found.post_id)
    assert found.person in (post.holder, post.deputy)
    assert not away(them, found.person, now)
    assert role == "officer" or found.person != assignee
    assert (post.role == role) == (found.via != "fallback")
    assert found.via != "deputy" or found.person == post.deputy
    assert post.department in (None, department)
    assert post.branch in (None, branch)


@settings(max_examples=200)
@given(posts(), PEOPLE, PLACES, PLACES)
def test_whoever_works_on_it_or_stands_in_is_told(
    them: list[Post], assignee: str | None, department: str | None, branch: str | None
) -> None:
    found = resolve_officer(Directory(them, zone=HONG_KONG), assignee, department, branch, NOW)
    assert found.post_id == DUTY or not away(them, found.person, NOW)
    if assignee is not None and not away(them, assignee, NOW) and any(p.holder == assignee for p in them):
        assert found.person == assignee


def test_the_most_specific_post_goes_first_and_its_deputy_before_the_next() -> None:
    bank, branch = Post("4", "supervisor", holder="bank"), Post("3", "supervisor", branch="b", holder="branch")
    department = Post("2", "supervisor", department="d", holder="department")
    both = Post("1", "supervisor", department="d", branch="b", holder="both", deputy="deputy")
    order = [(both, "both"), (replace(both, holder=None), "deputy"), (replace(both, absences=(AWAY,)), "deputy")]
    order += [(replace(both, holder=None, deputy=None), "department")]
    for first, person in order:
        directory = Directory([bank, branch, department, first], zone=HONG_KONG)
        assert resolve(directory, "supervisor", "d", "b", NOW).person == person
    assert resolve(Directory([bank, branch], zone=HONG_KONG), "supervisor", "d", "b", NOW).person == "branch"
    assert resolve(Directory([bank, branch], zone=HONG_KONG), "supervisor", "d", None, NOW).person == "bank"


def test_who_is_away_by_one_post_is_not_reached_by_another() -> None:
    head = Post("head", "supervisor", "d", holder="a", absences=(AWAY,))
    other = Post("office", "complaint_office", holder="a", deputy="b")
    found = resolve(Directory([head, other], zone=HONG_KONG), "supervisor", "d", None, NOW)
    assert found == Reached("b", "office", "fallback", "complaint_office")


def test_an_absence_is_counted_in_the_days_of_the_post() -> None:
    post = Post("p", "supervisor", holder="a", deputy="b", absences=(Absence(date(2026, 3, 4), date(2026, 3, 4)),))
    for zone, hour, person in ((HONG_KONG, 16, "b"), (HONG_KONG, 15, "a"), (LONDON, 16, "a")):
        now = datetime(2026, 3, 3, hour, 0, tzinfo=UTC)
        directory = Directory([replace(post, zone=zone)], zone=HONG_KONG)
        assert resolve(directory, "supervisor", None, None, now).person == person


def test_ten_thousand_escalations_are_resolved_in_a_moment() -> None:
    them = [Post(f"{role}-{n}", role, f"d{n}", holder=f"h{n}", deputy=f"s{n}") for role in ROLES for n in range(200)]
    directory = Directory([*them, Post("o", "complaint_office", holder="o")], zone=HONG_KONG)
    began = clock.perf_counter()
    found = [resolve(directory, "supervisor", f"d{n % 300}", "b", NOW, assignee=f"h{n % 300}") for n in range(10_000)]
    assert clock.perf_counter() - began < 2
    assert {f.via for f in found} == {"deputy", "fallback"}


NIGHT = Quiet(time(20), time(8), weekends=True)


@pytest.mark.parametrize(
    ("local", "until"),
    [
        ("2026-03-03T12:00", None),  # a Tuesday
        ("2026-03-03T19:59", None),
        ("2026-03-03T20:00", "2026-03-04T08:00"),
        ("2026-03-04T07:59", "2026-03-04T08:00"),
        ("2026-03-04T08:00", None),
        ("2026-03-06T21:00", "2026-03-09T08:00"),  # Friday night, with the weekend and the night after it
        ("2026-03-07T12:00", "2026-03-09T08:00"),
        ("2026-03-08T23:30", "2026-03-09T08:00"),
    ],
)
def test_quiet_hours_end(local: str, until: str | None) -> None:
    at = datetime.fromisoformat(local).replace(tzinfo=HONG_KONG)
    assert NIGHT.covers(at, HONG_KONG) is (until is not None)
    expected = datetime.fromisoformat(until).replace(tzinfo=HONG_KONG) if until else at
    assert NIGHT.end_after(at, HONG_KONG) == expected


TIMES = st.times().map(lambda t: t.replace(second=0, microsecond=0))


@settings(max_examples=400)
@given(
    st.builds(Quiet, TIMES, TIMES, st.booleans()),
    st.integers(0, 2 * 365 * 24 * 60).map(lambda minutes: NOW + timedelta(minutes=minutes)),
    st.sampled_from([HONG_KONG, LONDON, ZoneInfo("America/St_Johns"), ZoneInfo("Africa/Cairo")]),
)
def test_quiet_hours_always_end_within_days_also_where_clocks_change(
    quiet: Quiet, at: datetime, zone: ZoneInfo
) -> None:
    end = quiet.end_after(at, zone)
    assert at <= end <= at + timedelta(days=4)
    assert not quiet.covers(end, zone)
    if end != at:
        assert quiet.covers(at, zone)
        assert quiet.covers(end - timedelta(minutes=1), zone)


def test_quiet_hours_whose_end_the_clocks_leap_over_end_with_the_leap() -> None:
    leap = datetime(2026, 3, 29, 1, tzinfo=UTC)  # London's clocks go from 01:00 to 02:00
    quiet = Quiet(time(22), time(1, 30))
    assert quiet.end_after(leap - timedelta(hours=2), LONDON) == leap
