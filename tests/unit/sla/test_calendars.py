"""The calendars agree with what was published, are the same everywhere, and take a bank's overrides or say why not."""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import chinese_calendar
import pytest

from services.sla.calendars import CalendarError, load
from services.sla.calendars.library import YEARS
from services.sla.calendars.loader import DATA
from services.sla.calendars.located import line_of
from services.sla.domain.calendar import Calendar, span
from services.sla.packs import FOLDER

CALENDARS = load()
EXAMPLE = DATA.parent / "overrides.example.toml"


def days(year: int) -> list[date]:
    first = date(year, 1, 1)
    return [first + timedelta(days=n) for n in range((date(year + 1, 1, 1) - first).days)]


def weekday_holidays(id: str, year: int) -> list[str]:
    """The days from Monday to Friday without work, as `MM-DD`."""
    found = (d for d in days(year) if d.weekday() < 5 and not CALENDARS[id].is_business_day(d))
    return [f"{d:%m-%d}" for d in found]


@pytest.mark.parametrize("year", range(2015, 2027))
def test_mainland_china_agrees_day_by_day_with_a_second_library(year: int) -> None:
    china = CALENDARS["cn"]
    differing = [d for d in days(year) if china.is_business_day(d) != chinese_calendar.is_workday(d)]
    assert differing == []


def test_mainland_china_2026_has_the_make_up_workdays_of_the_notice_and_ends_there() -> None:
    china = CALENDARS["cn"]
    made_up = [f"{d:%m-%d}" for d in days(2026) if d.weekday() > 4 and china.is_business_day(d)]
    assert made_up == ["01-04", "02-14", "02-28", "05-09", "09-20", "10-10"]
    assert sum(map(china.is_business_day, days(2026))) == 248
    assert china.confirmed_to == date(2026, 12, 31)
    assert china.why(date(2026, 2, 14)) == "make-up workday for the day off on 2026-02-20"
    assert china.why(date(2026, 2, 20)) == "day off, made up for on 2026-02-14"
    assert china.why(date(2026, 3, 7)) == "weekend"
    assert china.why(date(2026, 3, 9)) == ""
    # a Saturday has no hours of its own: it is worked like a Monday
    assert china.spans(date(2026, 2, 14)) == china.hours[0] != ()


@pytest.mark.parametrize(
    ("id", "year", "expected"),
    [
        # general holidays as gazetted that do not fall on a weekend; this and what follows is typed by heart
        (
            "hk",
            2026,
            "01-01 02-17 02-18 02-19 04-03 04-06 04-07 05-01 05-25 06-19 07-01 10-01 10-19 12-25",
        ),
        ("hk", 2025, "01-01 01-29 01-30 01-31 04-04 04-18 04-21 05-01 05-05 07-01 10-01 10-07 10-29 12-25 12-26"),
        # bank holidays as on gov.uk
        ("uk-eng", 2026, "01-01 04-03 04-06 05-04 05-25 08-31 12-25 12-28"),
        ("uk-eng", 2027, "01-01 03-26 03-29 05-03 05-31 08-30 12-27 12-28"),
        ("uk-eng", 2022, "01-03 04-15 04-18 05-02 06-02 06-03 08-29 09-19 12-26 12-27"),
        ("uk-sct", 2025, "01-01 01-02 04-18 05-05 05-26 08-04 12-01 12-25 12-26"),
        ("uk-nir", 2026, "01-01 03-17 04-03 04-06 05-04 05-25 07-13 08-31 12-25 12-28"),
        # TARGET closing days: 1 January, Good Friday, Easter Monday, 1 May, 25 and 26 December
        ("eu", 2026, "01-01 04-03 04-06 05-01 12-25"),
        ("eu", 2025, "01-01 04-18 04-21 05-01 12-25 12-26"),
        # federal holidays of the Office of Personnel Management
        ("us-fed", 2026, "01-01 01-19 02-16 05-25 06-19 07-03 09-07 10-12 11-11 11-26 12-25"),
        # Ministry of Manpower
        ("sg", 2026, "01-01 02-17 02-18 04-03 05-01 05-27 06-01 08-10 11-09 12-25"),
        # New South Wales, with the bank holiday on the first Monday of August
        ("au", 2026, "01-01 01-26 04-03 04-06 04-27 06-08 08-03 10-05 12-25 12-28"),
        ("tw", 2026, "01-01 02-16 02-17 02-18 02-19 02-20 02-27 04-03 04-06 05-01 06-19 09-25 09-28 10-09 10-26 12-25"),
    ],
)
def test_holidays_on_weekdays_are_those_that_were_published(id: str, year: int, expected: str) -> None:
    assert weekday_holidays(id, year) == expected.split()


@pytest.mark.parametrize("easter", ["2015-04-05", "2016-03-27", "2019-04-21", "2024-03-31", "2025-04-20", "2026-04-05"])
@pytest.mark.parametrize("id", ["hk", "uk-eng", "uk-wls", "uk-nir", "eu", "au"])
def test_nobody_works_on_good_friday_and_easter_monday(id: str, easter: str) -> None:
    sunday = date.fromisoformat(easter)
    assert not CALENDARS[id].is_business_day(sunday - timedelta(days=2))
    assert not CALENDARS[id].is_business_day(sunday + timedelta(days=1))
    assert CALENDARS[id].is_business_day(sunday - timedelta(days=3))


def test_india_works_on_the_first_third_and_fifth_saturday_only() -> None:
    saturdays = [date(2026, 5, day) for day in (2, 9, 16, 23, 30)]
    assert [CALENDARS["in"].is_business_day(d) for d in saturdays] == [True, False, True, False, True]
    assert CALENDARS["in"].why(date(2026, 5, 9)) == "second or fourth Saturday"
    assert CALENDARS["in"].is_business_day(date(2015, 8, 22))  # before the rule


@pytest.mark.parametrize("id", CALENDARS)
def test_every_calendar_is_sound_and_survives_json(id: str) -> None:
    calendar = CALENDARS[id]
    kept = json.loads(json.dumps(calendar.as_dict()))
    assert Calendar.of(kept) == calendar
    assert Calendar.of(kept).stamped() == calendar
    assert calendar.id == id
    assert min(calendar.closed).year <= 2015
    assert max(calendar.closed).year == YEARS[-1] == 2040
    assert all(d.weekday() not in calendar.weekend for d in calendar.closed)
    assert all(d.weekday() in calendar.weekend for d in calendar.opened)
    assert calendar.working(date(2026, 3, 10))


def test_versions_do_not_hang_on_the_language_of_the_machine() -> None:
    code = "from services.sla.calendars import load; print(*(c.version for c in load().values()))"
    env = {**os.environ, "LANGUAGE": "zh_CN", "LANG": "zh_CN.UTF-8", "TZ": "Asia/Tokyo"}
    told = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True, cwd=FOLDER.parents[2]
    )
    assert told.stdout.split() == [c.version for c in CALENDARS.values()]


@pytest.fixture
def overrides(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "overrides.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_the_example_of_overrides_loads_and_lets_the_bank_follow_the_federal_reserve() -> None:
    found = load(EXAMPLE)
    assert not CALENDARS["us-fed"].is_business_day(date(2026, 7, 3))
    assert found["us-fed"].is_business_day(date(2026, 7, 3))
    assert found["us-fed"].why(date(2026, 7, 3)) == "Federal Reserve Banks are open"
    assert found["hk"].why(date(2026, 9, 8)) == "Tropical cyclone signal no. 10"
    assert found["hk"].spans(date(2026, 9, 11))[-1] == span("14:00-17:00")
    assert found["hk"].spans(date(2026, 9, 10))[-1] == span("14:00-17:30")
    assert found["hk"].spans(date(2026, 9, 12)) == ()
    assert found["hk"].version != CALENDARS["hk"].version
    assert found["uk-eng"] == CALENDARS["uk-eng"]


def test_overrides_open_close_and_move_the_confirmed_end(overrides: Callable[[str], Path]) -> None:
    text = """
[cn]
confirmed_to = 2027-12-31
close = { 2027-02-11 = "notice", 2026-02-14 = "the bank does not make up" }
open = { 2027-02-20 = "make-up workday" }
hours_on = { saturday = ["10:00-24:00"] }
"""
    china = load(overrides(text))["cn"]
    assert china.confirmed_to == date(2027, 12, 31)
    assert not china.is_business_day(date(2027, 2, 11))
    assert not china.is_business_day(date(2026, 2, 14))
    assert china.is_business_day(date(2027, 2, 20))
    assert china.why(date(2027, 2, 20)) == "make-up workday"
    assert [(until - since).total_seconds() / 3600 for since, until in china.working(date(2027, 2, 20))] == [14]
    assert Calendar.of(china.as_dict()) == china


@pytest.mark.parametrize(
    ("text", "line", "rule", "reason"),
    [
        ("[hk]\n\n[mars]\nhours = ['09:00-17:00']", 3, "mars", "there is no such calendar; there are: au, cn, eu"),
        ("[hk.close]\n2026-09-08 = 'storm'\n2026-9-9 = 'storm'", 3, "hk.close.2026-9-9", "write 2026-07-03"),
        ("[hk.close]\n2026-09-08 = ''", 2, "hk.close.2026-09-08", "at least 1 character"),
        ("[hk.close]\n2026-09-12 = 'storm'", 2, "hk.close.2026-09-12", "is a Saturday, without work already"),
        ("[hk.open]\n2041-01-01 = 'x'", 2, "hk.open.2041-01-01", "outside of the years 2010 to 2040"),
        ("[hk]\nclosed = { 2026-09-08 = 'storm' }", 2, "hk.closed", "not permitted"),
        ("[hk]\nconfirmed_to = '2027-12-31'", 2, "hk.confirmed_to", "valid date"),
        ("[hk]\nhours = [\n  '09:00-13:00',\n  '12:00-18:00',\n]", 2, "hk.hours", "in order and do not overlap"),
        ("[hk]\nhours = ['9-18']", 2, "hk.hours", ""),
        ("[hk]\nhours = ['18:00-09:00']", 2, "hk.hours", "is no span of time"),
        ("[hk]\nhours = []", 2, "hk.hours", "at least 1 item"),
        ("[hk.hours_on]\nfunday = ['09:00-13:00']", 2, "hk.hours_on.funday", "'monday', 'tuesday'"),
        (
            "[in]\nhours_on = { monday = [], tuesday = [], wednesday = [], thursday = [], friday = [], saturday = [] }",
            2,
            "in.hours_on",
            "no day of the week has working hours left",
        ),
        ("[hk]\nopen = { 2026-04-03 = 'a' }\nclose = { 2026-04-03 = 'b' }", 1, "hk", "cannot be both open and closed"),
        ("[hk]\nhours = [", 2, "", "is no TOML"),
        ("[hk]\nhours = = 3\n\n", 2, "", "is no TOML"),
    ],
)
def test_unsound_overrides_are_refused_with_line_key_and_reason(
    overrides: Callable[[str], Path], text: str, line: int, rule: str, reason: str
) -> None:
    with pytest.raises(CalendarError) as raised:
        load(overrides(text))
    (problem,) = raised.value.problems
    assert (problem.file, problem.line, problem.rule) == ("overrides.toml", line, rule)
    assert reason in problem.reason
    assert str(raised.value).startswith(f"overrides.toml:{line}: {rule}")


def test_every_problem_is_told_at_once_and_a_missing_file_by_name(
    overrides: Callable[[str], Path], tmp_path: Path
) -> None:
    with pytest.raises(CalendarError) as raised:
        load(overrides("[hk]\nhours = 3\n[cn.close]\n2026-02-30 = 'x'\n[cn]\nwrong = 1"))
    assert [p.line for p in raised.value.problems] == [2, 4, 6]
    with pytest.raises(CalendarError, match=r"none\.toml: cannot be read"):
        load(tmp_path / "none.toml")


TOML = '''
title = "a # [no] { table }"   # 2
[one]                          # 3
text = """
[not.a.table]
key = 1
"""
after = 1                      # 8
dotted."quoted key".x = 2      # 9
list = [                       # 10
  { level = 1 },               # 11
  # a comment
  { level = 2 }, { level = 3 },# 13
]
[[many]]                       # 15
a = 1                          # 16
[many.inner]                   # 17
b = 1                          # 18
[[many]]                       # 19
a = { b = { c = 1 } }          # 20
[[many.deep]]                  # 21
z = 1                          # 22
'''


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("title",), 2),
        (("one",), 3),
        (("one", "after"), 8),
        (("one", "missing"), 3),
        (("one", "dotted", "quoted key", "x"), 9),
        (("one", "list"), 10),
        (("one", "list", 0, "level"), 11),
        (("one", "list", 1, "level"), 13),
        (("many", 0, "a"), 16),
        (("many", 0, "inner", "b"), 18),
        (("many", 1, "a", "b", "c"), 20),
        (("many", 1, "missing"), 19),
        (("many", 1, "deep", 0, "z"), 22),
        (("nowhere",), 0),
        (("not", "a"), 0),
    ],
)
def test_the_line_of_a_key_is_found(key: tuple[str | int, ...], line: int) -> None:
    assert line_of(TOML, key) == line


@pytest.mark.parametrize("path", [*sorted(FOLDER.glob("*.toml")), DATA, EXAMPLE], ids=lambda p: p.name)
def test_the_line_of_every_key_of_the_shipped_files_shows_that_key(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()

    def check(data: object, key: tuple[str | int, ...]) -> None:
        if isinstance(data, dict):
            for name, value in data.items():
                line = line_of(text, (*key, name))
                assert str(name) in lines[line - 1], (key, name, line)
                check(value, (*key, name))
        elif isinstance(data, list):
            for n, value in enumerate(data):
                check(value, (*key, n))

    check(tomllib.loads(text), ())
