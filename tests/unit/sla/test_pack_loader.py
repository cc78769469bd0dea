"""Packs and ladders that are not sound are refused with file, line, key and reason, all of them at once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from services.sla.calendars import load as load_calendars
from services.sla.packs import FOLDER, PackError, load
from services.sla.packs.loader import LADDERS

GOOD = (FOLDER / "hk-hkma.toml").read_text(encoding="utf-8")
CALENDARS = load_calendars()
TEXT = '\nzh-Hans = "您可以向香港金融管理局反映；如属金钱纠纷，也可以向金融纠纷调解中心提出。"'
EXTEND = """[[extensions]]
step = "final"
limit = 90
unit = "calendar_day"
count_from = "next_day"
approver = "complaint_office"
notice_required = true
article = "x"

[on_miss]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """A folder with a shipped pack, changed: `folder(("old", "new"), ...)`; each change must change something."""

    def make(*changes: tuple[str, str], name: str = "hk-hkma.toml", of: str = "hk-hkma.toml") -> Path:
        text = (FOLDER / of).read_text(encoding="utf-8")
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path

    return make


@pytest.mark.parametrize(
    ("change", "at", "rule", "reason"),
    [
        (("limit = 30", "limit = 0"), "limit = 0", "steps.interim.limit", "greater than 0"),
        (("limit = 30", 'limit = "30"'), 'limit = "30"', "steps.interim.limit", "valid integer"),
        (("limit = 30", "limit = 6"), "limit = 6", "steps.interim.limit", "interim would be due before acknowledge"),
        (('unit = "calendar_day"', 'unit = "fortnight"'), "fortnight", "steps.acknowledge.unit", "'business_day'"),
        (('count_from = "next_day"\n', ""), "[[steps]]", "steps.acknowledge.count_from", "must say which day is day 1"),
        (('unit = "calendar_day"', 'unit = "working_hour"'), "count_from", "steps.acknowledge.count_from", "leave"),
        (("confirmed = false\n", ""), "[[steps]]", "steps.acknowledge.confirmed", "required"),
        (('article = "IC-4, final response"', 'article = ""'), 'article = ""', "steps.final.article", "at least 1"),
        (("share = 0.75", "share = 1.0"), "share = 1.0", "steps.acknowledge.warn.1.share", "less than 1"),
        (("[{ share = 0.75 }]", "[{ }]"), "warn = [{ }]", "steps.acknowledge.warn.1", "a share of the time"),
        (
            ("[{ share = 0.75 }]", "[{ lead_hours = 168 }]"),
            "lead_hours = 168",
            "steps.acknowledge.warn.1.lead_hours",
            "as long as the limit",
        ),
        (('ladder = "regulatory"', 'ladder = "rope"'), "rope", "steps.acknowledge.ladder", "there are: fast, regul"),
        (('name = "interim"', 'name = "acknowledge"'), None, "steps.acknowledge.name", "more than one step is named"),
        (('name = "interim"', 'name = "holding"'), "holding", "steps.holding.name", "'interim'"),
        (('name = "interim"\n', ""), None, "steps.number 2.name", "required"),
        (('calendar = "hk"', 'calendar = "mars"'), "mars", "calendar", "there is no calendar 'mars'; there are: au"),
        (('start_event = "received"', 'start_event = "sent"'), '"sent"', "start_event", "'received'"),
        (("effective_from = 2023-01-06", 'effective_from = "2023"'), '"2023"', "effective_from", "valid date"),
        (
            ('confirmed = false\nnote = "Seven', 'confirmed = false\neffective_from = 2024-01-01\nnote = "Seven'),
            "effective_from = 2024",
            "steps.acknowledge.effective_from",
            "belongs into a later version",
        ),
        (
            ("effective_from = 2023-01-06", "effective_from = 2023-01-06\neffective_to = 2023-01-05"),
            "effective_to",
            "effective_to",
            "lies before",
        ),
        (('jurisdictions = ["hk"]', 'jurisdictions = ["HK"]'), '["HK"]', "applies.jurisdictions.1", "match pattern"),
        (('jurisdictions = ["hk"]', 'countries = ["hk"]'), "countries", "applies.countries", "not permitted"),
        (('jurisdictions = ["hk"]', 'severities = ["dire"]'), "dire", "applies.severities.1", "'critical'"),
        ((', zh-Hans = "香港（金管局）"', ""), "title =", "title", "lacks zh-Hans"),
        ((TEXT, ""), "[on_miss.text]", "on_miss.text", "lacks zh-Hans"),
        (('version = "2023-01-06"', 'version = "2023-01-06"\npause = true'), "pause", "pause", "not permitted"),
        (('kind = "regulatory"', 'kind = "service law"'), "service law", "kind", "'service'"),
        (('kind = "regulatory"', 'kind = "regulatory"\nreplaces = ["hk-hkma"]'), "replaces", "replaces", "itself"),
        (('kind = "regulatory"', 'kind = "regulatory"\nreplaces = ["no-such"]'), "replaces", "replaces.1", "no pack"),
        (("[on_miss]\n", EXTEND.replace("90", "60")), "limit = 60", "extensions.1.limit", "does not reach beyond"),
        (
            ("[on_miss]\n", EXTEND.replace('"final"', '"resolve"')),
            "resolve",
            "extensions.1.step",
            "has no step resolve",
        ),
        (("[on_miss]\n", EXTEND.replace("complaint_office", "boss")), "boss", "extensions.1.approver", "'supervisor'"),
        (
            ("[on_miss]\n", EXTEND.replace('count_from = "next_day"\n', "")),
            "[[ext",
            "extensions.1.count_from",
            "must say",
        ),
        (("limit = 30", "limit = "), "limit = ", "", "is no TOML"),
    ],
)
def test_what_is_unsound_is_refused_with_file_line_key_and_reason(
    folder: Callable[..., Path], change: tuple[str, str], at: str | None, rule: str, reason: str
) -> None:
    """`at` stands in the line that is named (None: whichever, the file holds it more than once)."""
    path = folder(change)
    with pytest.raises(PackError) as raised:
        load("hk-hkma", path, calendars=CALENDARS)

    (problem,) = raised.value.problems
    assert problem.file == "hk-hkma.toml"
    assert problem.rule == rule
    assert reason in problem.reason
    named = (path / problem.file).read_text(encoding="utf-8").splitlines()[problem.line - 1]
    assert at is None or at in named
    assert str(raised.value).startswith(f"hk-hkma.toml:{problem.line}: {rule + ': ' if rule else ''}")


def test_every_problem_of_every_file_is_told_at_once_with_its_own_line(folder: Callable[..., Path]) -> None:
    folder(("limit = 7", "limit = -7"), ("limit = 60", "limit = -60"))
    folder(('calendar = "tw"', 'calendar = "xx"'), ("zh-Hans", "zh"), of="tw-fcpa.toml", name="tw-fcpa.toml")
    path = folder(("patience_hours = 24\n", ""), of=LADDERS, name=LADDERS)
    with pytest.raises(PackError) as raised:
        load("hk-hkma", path, calendars=CALENDARS)
    told = [(p.file, p.rule) for p in raised.value.problems]
    assert told[:3] == [
        (LADDERS, "regulatory.patience_hours"),
        ("hk-hkma.toml", "steps.acknowledge.limit"),
        ("hk-hkma.toml", "steps.final.limit"),
    ]
    assert {("tw-fcpa.toml", "calendar"), ("tw-fcpa.toml", "title")} <= set(told)
    lines = GOOD.splitlines()
    assert lines[raised.value.problems[1].line - 1] == "limit = 7"
    assert lines[raised.value.problems[2].line - 1] == "limit = 60"


@pytest.mark.parametrize(
    ("change", "at", "rule", "reason"),
    [
        (
            ("after_days = 1 ", "after_days = 1, share = 0.5 "),
            "share = 0.5",
            "regulatory.rungs.2",
            "one of after_hours",
        ),
        ((", after_days = 3", ""), "complaint_office", "regulatory.rungs.3", "one of after_hours"),
        (("after_days = 3", "share = 3.0"), "share = 3.0", "regulatory.rungs.3", "all for a share"),
        (("after_days = 7", "after_days = 2"), "internal_audit", "regulatory.rungs.4", "comes before the rung below"),
        (("level = 4", "level = 3"), "level = 3", "regulatory.rungs.4.level", "levels go up"),
        (('"supervisor" }', '"supervisor", after_hours = 1 }'), "after_hours = 1", "regulatory.rungs.1", "waits for"),
        (('"supervisor"', '"king"'), "king", "regulatory.rungs.1.role", "'supervisor'"),
    ],
)
def test_unsound_ladders_are_refused(
    folder: Callable[..., Path], change: tuple[str, str], at: str, rule: str, reason: str
) -> None:
    folder()
    path = folder(change, of=LADDERS, name=LADDERS)
    with pytest.raises(PackError) as raised:
        load("hk-hkma", path, calendars=CALENDARS)
    problem = raised.value.problems[0]
    assert (problem.file, problem.rule) == (LADDERS, rule)
    assert reason in problem.reason
    assert at in (path / LADDERS).read_text(encoding="utf-8").splitlines()[problem.line - 1]


@pytest.mark.parametrize(
    ("changes", "rule", "reason"),
    [
        ([], "version", "is the version of"),
        ([('version = "2023-01-06"', 'version = "2"')], "effective_from", "on some days together with"),
        (
            [
                ('version = "2023-01-06"', 'version = "2"'),
                ('kind = "regulatory"', 'kind = "service"'),
            ],
            "kind",
            "has another",
        ),
    ],
)
def test_versions_of_a_pack_that_clash_are_refused(
    folder: Callable[..., Path], changes: list[tuple[str, str]], rule: str, reason: str
) -> None:
    folder()
    with pytest.raises(PackError) as raised:
        load("hk-hkma", folder(*changes, name="hk-more.toml"))
    problem = raised.value.problems[0]
    assert (problem.file, problem.rule) == ("hk-more.toml", rule)
    assert problem.line > 0
    assert reason in problem.reason
    assert "hk-hkma.toml" in problem.reason


def test_packs_of_one_jurisdiction_may_stand_beside_one_another(folder: Callable[..., Path]) -> None:
    folder()
    path = folder(('id = "hk-hkma"', 'id = "hk-other"'), name="hk-more.toml")
    assert {p.id for p in load("hk-hkma", path).packs} == {"hk-hkma", "hk-other"}


def test_a_default_that_does_not_exist_is_refused_by_the_settings_name(tmp_path: Path) -> None:
    with pytest.raises(
        PackError, match=r"REDRESS_DEFAULT_PACK: there is no regulatory pack 'fr-acpr'; there are: au-rg"
    ):
        load("fr-acpr")
    with pytest.raises(PackError, match="there is no regulatory pack 'bank-service'"):
        load("bank-service")
    with pytest.raises(PackError, match="there are: none"):
        load("hk-hkma", tmp_path)
