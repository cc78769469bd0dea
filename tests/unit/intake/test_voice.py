"""What a complainant may do, and which rights they have, in every state that can be."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.domain import voice
from services.intake.domain.voice import STAGES, Right, Standing
from services.intake.usecases import rights

HONG_KONG = ZoneInfo("Asia/Hong_Kong")
START = datetime(2026, 1, 15, 2, 0, tzinfo=UTC)
STATUSES = ("received", "routed", "in_progress", "responded", "resolved", "closed")
OUTCOMES = ("upheld", "partly_upheld", "rejected", "goodwill", "withdrawn")
times = st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
maybe = st.none() | times
standings = st.builds(
    Standing,
    status=st.sampled_from(STATUSES),
    received_at=times,
    outcome=st.none() | st.sampled_from(OUTCOMES),
    answered_at=maybe,
    resolved_at=maybe,
    withdrawn_at=maybe,
    disputed=st.lists(maybe, max_size=2).map(tuple),
)
jurisdictions = st.none() | st.sampled_from(["hk", "uk", "uk-eng", "cn", "tw", "sg", "au", "in", "us", "eu", "xx"])


@given(standings)
def test_what_may_be_done_is_what_the_rules_let_pass(standing: Standing) -> None:
    allowed = voice.may(standing)
    assert allowed[0] == "write"
    assert ("rate" in allowed) == (standing.status in ("resolved", "closed"))
    assert not {"withdraw", "dispute"} <= set(allowed), "what is decided is disputed, what is not is withdrawn"
    if standing.withdrawn_at:
        assert not {"withdraw", "dispute"} & set(allowed)
    if "withdraw" in allowed:
        assert standing.outcome is None
        assert standing.status not in ("resolved", "closed")
    if "dispute" in allowed:
        assert standing.outcome not in (None, "withdrawn")


@given(standings)
def test_every_state_has_a_place_in_the_line(standing: Standing) -> None:
    assert voice.stage(standing) in STAGES


def test_a_complaint_is_withdrawn_until_it_is_decided() -> None:
    for status in ("received", "routed", "in_progress", "responded"):
        voice.check_withdrawal(Standing(status, START))
    for standing in (
        Standing("resolved", START, outcome="upheld"),
        Standing("closed", START),
        Standing("in_progress", START, outcome="rejected"),
        Standing("received", START, withdrawn_at=START),
    ):
        with pytest.raises(voice.NotWithdrawable):
            voice.check_withdrawal(standing)


def test_an_outcome_is_disputed_once_and_the_next_one_anew() -> None:
    decided = Standing("closed", START, "rejected", resolved_at=START)
    voice.check_dispute(decided)
    with pytest.raises(voice.AlreadyDisputed):
        voice.check_dispute(replace(decided, disputed=(START,)))
    again = START + timedelta(days=9)
    voice.check_dispute(replace(decided, resolved_at=again, disputed=(START,)))
    with pytest.raises(voice.AlreadyDisputed):
        voice.check_dispute(replace(decided, resolved_at=again, disputed=(START, again)))
    with pytest.raises(voice.NotDisputable):
        voice.check_dispute(Standing("responded", START, answered_at=START))


@given(times, times)
def test_a_deadline_that_has_passed_is_missed_before_anybody_says_so(due_at: datetime, now: datetime) -> None:
    assert voice.deadline_state("running", due_at, now=now) == ("missed" if now > due_at else "running")
    for settled in ("met", "late", "missed"):
        assert voice.deadline_state(settled, due_at, now=now) == settled


# --- rights ---


def _codes(standing: Standing, jurisdiction: str | None, now: datetime) -> list[str]:
    of = voice.of_jurisdiction(rights.known(), jurisdiction, "hk")
    return [one.right.code for one in voice.applying(of, standing, now=now, zone=HONG_KONG)]


@given(standings, jurisdictions, times)
def test_the_banks_own_review_comes_first_and_only_when_it_can_be_asked_for(
    standing: Standing, jurisdiction: str | None, now: datetime
) -> None:
    of = voice.of_jurisdiction(rights.known(), jurisdiction, "hk")
    found = voice.applying(of, standing, now=now, zone=HONG_KONG)
    internal = [n for n, one in enumerate(found) if one.right.internal]
    assert internal == ([0] if "dispute" in voice.may(standing) else [])
    if standing.withdrawn_at:
        assert not found
    for one in found:
        assert one.over == (one.until is not None and one.until < now.astimezone(HONG_KONG).date())
        assert one.until is None or one.right.confirmed, "nobody is told a day that nobody has confirmed"


def test_hong_kong_the_review_then_hkma_and_fdrc() -> None:
    decided = Standing("closed", START, "rejected", answered_at=START, resolved_at=START)
    assert _codes(decided, "hk", START) == ["internal_review", "hkma", "fdrc"]
    assert _codes(decided, None, START) == ["internal_review", "hkma", "fdrc"], "the bank's own jurisdiction"
    waiting = Standing("in_progress", START)
    assert _codes(waiting, "hk", START + timedelta(days=60)) == []
    assert _codes(waiting, "hk", START + timedelta(days=61)) == ["hkma", "fdrc"], "60 days without a final reply"


def test_the_ombudsman_may_be_asked_for_six_months_from_the_final_response() -> None:
    answered = datetime(2026, 8, 30, 20, 0, tzinfo=UTC)  # the 31st in Hong Kong
    decided = Standing("closed", START, "rejected", answered_at=answered, resolved_at=answered + timedelta(days=3))
    of = voice.of_jurisdiction(rights.known(), "uk-eng", "hk")

    def fos(now: datetime) -> voice.Applying:
        return next(o for o in voice.applying(of, decided, now=now, zone=HONG_KONG) if o.right.code == "fos")

    last = datetime(2027, 2, 28, 15, 59, tzinfo=UTC)
    assert (fos(last).until, fos(last).over) == (date(2027, 2, 28), False)
    assert fos(last + timedelta(minutes=2)).over
    assert _codes(Standing("in_progress", START), "uk", START + timedelta(weeks=8)) == []
    assert _codes(Standing("in_progress", START), "uk", START + timedelta(weeks=8, days=1)) == ["fos"]


def test_taiwan_sixty_days() -> None:
    decided = Standing("closed", START, "rejected", answered_at=START)
    (one,) = (
        o for o in voice.applying(rights.known()["tw"], decided, now=START, zone=HONG_KONG) if o.right.code == "foi"
    )
    assert one.until == date(2026, 3, 16)


@given(st.dates(date(2020, 1, 1), date(2040, 1, 1)), st.integers(1, 36))
def test_months_end_where_the_month_ends(day: date, months: int) -> None:
    found = voice.add_months(day, months)
    assert (found.year * 12 + found.month) - (day.year * 12 + day.month) == months
    assert found.day == day.day or (found.day < day.day and (found + timedelta(days=1)).day == 1)


def test_the_nearest_jurisdiction_counts() -> None:
    one, two = (_right(code) for code in ("one", "two"))
    known = {"*": (one,), "uk": (two,)}
    assert voice.of_jurisdiction(known, "uk-eng-ldn", "hk") == (two,)
    assert voice.of_jurisdiction(known, "fr", "uk") == (two,)
    assert voice.of_jurisdiction(known, "fr", "hk") == (one,)
    assert voice.of_jurisdiction(known, "ukx", "hk") == (one,)


def _right(code: str) -> Right:
    changes: dict[str, Any] = {"silence_days": None, "months": None, "days": None, "url": None}
    return Right(
        code=code, internal=True, opens="decision", body={}, explanation={}, source="", confirmed=True, **changes
    )


ONE = """
[[rights]]
code = "review"
jurisdictions = ["*"]
internal = true
opens = "decision"
source = "somewhere"
confirmed = true
body = { en = "b", zh-Hant = "b", zh-Hans = "b" }
explanation = { en = "e", zh-Hant = "e", zh-Hans = "e" }
"""


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('jurisdictions = ["*"]', 'jurisdictions = ["hk"]', "not named"),
        ("internal = true", "internal = false", "exactly one"),
        ('opens = "decision"', 'opens = "never"', "opens"),
        ('opens = "decision"', 'opens = "decision_or_silence"', "silence_days"),
        ('opens = "decision"', 'opens = "decision"\nmonths = 6\ndays = 60', "not both"),
        ('en = "b", ', "", "each language"),
        ("confirmed = true", "confirmed = true\nmonth = 6", "unknown month"),
    ],
)
def test_rights_that_are_not_sound_are_refused(old: str, new: str, reason: str) -> None:
    assert list(rights.parse(ONE)) == ["*"]
    with pytest.raises(ValueError, match=reason):
        rights.parse(ONE.replace(old, new))


def test_a_right_is_named_once_in_a_jurisdiction() -> None:
    with pytest.raises(ValueError, match="twice"):
        rights.parse(ONE + ONE)


def test_every_right_says_where_it_stands_and_who_looks_at_it() -> None:
    for of in rights.known().values():
        for right in of:
            assert right.source
            assert all(right.body.values())
            assert all(right.explanation.values())
            assert right.url is None or re.fullmatch(r"https://\S+", right.url)
            assert right.internal or right.url or right.code == "consumer_adr"
