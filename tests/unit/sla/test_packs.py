"""Packs are data: what is sound loads, what is not is refused with file, rule and reason; each complaint gets one."""

import tomllib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sla.packs import FOLDER, PackError, load

SHIPPED = sorted(FOLDER.glob("*.toml"))
GOOD = (FOLDER / "hk-hkma.toml").read_text(encoding="utf-8")
RECEIVED = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """A folder with the shipped pack, changed: `folder(("old", "new"), ...)`; each change must change something."""

    def make(*changes: tuple[str, str], name: str = "hk-hkma.toml") -> Path:
        text = GOOD
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path

    return make


def test_hong_kong_asks_for_7_30_and_60_calendar_days() -> None:
    pack, _ = load("hk-hkma").choose("hk", RECEIVED)

    assert [(r.step, r.limit.length, r.limit.unit) for r in pack.rules] == [
        ("acknowledge", 7, "calendar_day"),
        ("interim", 30, "calendar_day"),
        ("final", 60, "calendar_day"),
    ]
    assert pack.zone.key == "Asia/Hong_Kong"
    for rule in pack.rules:
        assert rule.authority.source
        assert rule.authority.article
        assert rule.authority.effective_from == date(2023, 1, 6)
        assert rule.escalation is not None
        assert (rule.escalation.level, rule.escalation.role) == (1, "supervisor")
        assert not rule.authority.confirmed  # the numbers come from secondary sources, and the pack must say so


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.name)
def test_every_shipped_pack_may_be_the_default(path: Path) -> None:
    id = tomllib.loads(path.read_text(encoding="utf-8"))["id"]
    assert load(id).default == id


@pytest.mark.parametrize(
    ("change", "rule", "reason"),
    [
        (("limit = 30", "limit = 0"), "steps.interim.limit", "greater than 0"),
        (("limit = 30", 'limit = "30"'), "steps.interim.limit", "valid integer"),
        (("limit = 30", "limit = 6"), "", "interim would be due before acknowledge"),
        (('unit = "calendar_day"', 'unit = "fortnight"'), "steps.acknowledge.unit", "'hour', 'calendar_day' or 'week'"),
        (('count_from = "next_day"\n', ""), "steps.acknowledge", "count_from must say"),
        (('unit = "calendar_day"', 'unit = "hour"'), "steps.acknowledge", "leave count_from out"),
        (("confirmed = false\n", ""), "steps.acknowledge.confirmed", "required"),
        (('article = "IC-4, final response"', 'article = ""'), "steps.final.article", "at least 1 character"),
        (("share = 0.75", "share = 1.0"), "steps.acknowledge.warn.share", "less than 1"),
        (("{ share = 0.75 }", "{ }"), "steps.acknowledge.warn", "a share of the time"),
        (("{ share = 0.75 }", "{ lead_hours = 168 }"), "steps.acknowledge", "as long as the limit"),
        (('role = "supervisor"', 'role = "head"'), "steps.acknowledge.escalate.role", "'supervisor' or 'manager'"),
        (("level = 1", "level = 2"), "steps.acknowledge.escalate.level", "Input should be 1"),
        (('name = "interim"', 'name = "acknowledge"'), "", "more than one step is named acknowledge"),
        (('name = "interim"', 'name = "holding"'), "steps.holding.name", "'interim'"),
        (('name = "interim"\n', ""), "steps.number 2.name", "required"),
        (('time_zone = "Asia/Hong_Kong"', 'time_zone = "Hong Kong"'), "time_zone", "no IANA time zone"),
        (('time_zone = "Asia/Hong_Kong"', 'time_zone = "../etc"'), "time_zone", "no IANA time zone"),
        (('start_event = "received"', 'start_event = "sent"'), "start_event", "'received'"),
        (("effective_from = 2023-01-06", 'effective_from = "2023-01-06"'), "effective_from", "valid date"),
        (("effective_from = 2023-01-06", "effective_from = 2022-01-06"), "", "acknowledge takes effect after"),
        (
            ("effective_from = 2023-01-06", "effective_from = 2023-01-06\neffective_to = 2023-01-05"),
            "",
            "effective_to lies before",
        ),
        (('jurisdictions = ["hk"]', "jurisdictions = []"), "jurisdictions", "at least 1 item"),
        (('jurisdictions = ["hk"]', 'jurisdictions = ["HK"]'), "jurisdictions.0", "match pattern"),
        ((', zh-Hans = "香港（金管局）"', ""), "", "title lacks zh-Hans"),
        (('version = "2023-01-06"', 'version = "2023-01-06"\npause = true'), "pause", "not permitted"),
        (("limit = 30", "limit = "), "", "is no TOML"),
    ],
)
def test_what_is_unsound_is_refused_with_file_rule_and_reason(
    folder: Callable[..., Path], change: tuple[str, str], rule: str, reason: str
) -> None:
    with pytest.raises(PackError) as raised:
        load("hk-hkma", folder(change))

    (problem,) = raised.value.problems
    assert problem.file == "hk-hkma.toml"
    assert problem.rule == rule
    assert reason in problem.reason
    assert str(raised.value).startswith(f"hk-hkma.toml: {rule + ': ' if rule else ''}")


def test_every_problem_is_told_at_once(folder: Callable[..., Path]) -> None:
    with pytest.raises(PackError) as raised:
        load("hk-hkma", folder(("limit = 7", "limit = -7"), ("limit = 60", "limit = -60")))
    assert [p.rule for p in raised.value.problems] == ["steps.acknowledge.limit", "steps.final.limit"]


@pytest.mark.parametrize(
    ("changes", "rule", "reason"),
    [
        ([('id = "hk-hkma"', 'id = "hk-other"')], "jurisdictions", "hk is claimed by"),
        ([], "version", "is the version of"),
        ([('version = "2023-01-06"', 'version = "2"')], "effective_from", "on some days together with"),
    ],
)
def test_packs_that_clash_are_refused(
    folder: Callable[..., Path], changes: list[tuple[str, str]], rule: str, reason: str
) -> None:
    folder()
    with pytest.raises(PackError) as raised:
        load("hk-hkma", folder(*changes, name="hk-more.toml"))
    (problem,) = raised.value.problems
    assert (problem.file, problem.rule) == ("hk-more.toml", rule)
    assert reason in problem.reason
    assert "hk-hkma.toml" in problem.reason


def test_a_default_that_does_not_exist_is_refused_by_the_settings_name(tmp_path: Path) -> None:
    with pytest.raises(PackError, match=r"REDRESS_DEFAULT_PACK: there is no pack 'uk-disp'; there are: hk-hkma"):
        load("uk-disp")
    with pytest.raises(PackError, match="there are: none"):
        load("hk-hkma", tmp_path)


@pytest.mark.parametrize(
    ("jurisdiction", "reason"),
    [
        ("hk", "Pack hk-hkma covers jurisdiction hk."),
        ("HK ", "Pack hk-hkma covers jurisdiction hk."),
        ("hk-hkma", "Pack hk-hkma covers jurisdiction hk-hkma."),
        ("us-cfpb", "No pack covers jurisdiction us-cfpb, so the bank's default pack hk-hkma applies."),
        (None, "The complaint names no jurisdiction, so the bank's default pack hk-hkma applies."),
        ("", "The complaint names no jurisdiction, so the bank's default pack hk-hkma applies."),
    ],
)
def test_the_reason_for_a_pack_is_given_in_plain_words(jurisdiction: str | None, reason: str) -> None:
    pack, found = load("hk-hkma").choose(jurisdiction, RECEIVED)
    assert pack.id == "hk-hkma"
    assert found == f"{reason} Its version 2023-01-06 was in force on the day of receipt, 2026-03-01."


def test_a_jurisdiction_that_is_no_code_is_not_quoted() -> None:
    _, reason = load("hk-hkma").choose("Chan Example, 9123 4567", RECEIVED)
    assert "9123" not in reason
    assert "chan" not in reason.lower()


@given(jurisdiction=st.none() | st.text(), year=st.integers(1970, 2200))
def test_every_complaint_gets_a_pack(jurisdiction: str | None, year: int) -> None:
    pack, reason = load("hk-hkma").choose(jurisdiction, datetime(year, 6, 1, tzinfo=UTC))
    assert pack.rules
    assert len(reason) < 300


def test_the_version_in_force_on_the_day_of_receipt_applies_and_outside_of_all_the_nearest(
    folder: Callable[..., Path],
) -> None:
    folder(("effective_from = 2023-01-06", "effective_from = 2023-01-06\neffective_to = 2026-06-30"))
    path = folder(
        ('version = "2023-01-06"', 'version = "2026-08-01"'),
        ("effective_from = 2023-01-06", "effective_from = 2026-08-01\neffective_to = 2026-12-31"),
        ("limit = 7", "limit = 5"),
        name="hk-hkma-2026.toml",
    )
    policies = load("hk-hkma", path)

    def on(day: str) -> tuple[str, str]:
        pack, reason = policies.choose("hk", datetime.fromisoformat(f"{day}T12:00:00+08:00"))
        return pack.version, reason

    assert on("2026-06-30")[0] == "2023-01-06"
    assert on("2026-08-01")[0] == "2026-08-01"
    assert on("2026-12-31") == (
        "2026-08-01",
        "Pack hk-hkma covers jurisdiction hk. Its version 2026-08-01 was in force on the day of receipt, 2026-12-31.",
    )
    assert on("2026-07-15")[0] == "2023-01-06"
    assert "No version was in force on the day of receipt, 2026-07-15; 2023-01-06 was the last" in on("2026-07-15")[1]
    assert on("2027-01-01")[0] == "2026-08-01"
    assert on("2019-03-01")[0] == "2023-01-06"
    assert "2019-03-01, lies before its first version 2023-01-06" in on("2019-03-01")[1]


def test_the_day_of_receipt_is_the_packs_own_day(folder: Callable[..., Path]) -> None:
    folder(("effective_from = 2023-01-06", "effective_from = 2023-01-06\neffective_to = 2026-06-30"))
    path = folder(
        ('version = "2023-01-06"', 'version = "2"'),
        ("effective_from = 2023-01-06", "effective_from = 2026-07-01"),
        name="hk-hkma-2.toml",
    )
    midnight = datetime(2026, 6, 30, 16, 0, tzinfo=UTC)  # 1 July begins in Hong Kong
    assert load("hk-hkma", path).choose("hk", midnight)[0].version == "2"
    assert load("hk-hkma", path).choose("hk", midnight - timedelta(microseconds=1))[0].version == "2023-01-06"
