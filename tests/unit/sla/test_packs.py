"""Packs are data: what is sound loads, what is not is refused with file, line, key and reason."""

import tomllib
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import get_args

import pytest

from services.sla.calendars import load as load_calendars
from services.sla.domain.counting import Limit
from services.sla.packs import FOLDER, PackError, load
from services.sla.packs.loader import LADDERS
from shared.events import StepName

SHIPPED = load("hk-hkma")
ROOT = Path(__file__).parents[3]
GOOD = (FOLDER / "hk-hkma.toml").read_text(encoding="utf-8")
CALENDARS = load_calendars()


def limits(id: str) -> dict[str, str]:
    """The steps of a pack's latest version: `15 business_day`, with a question mark if it is not confirmed."""
    pack = [p for p in SHIPPED.packs if p.id == id][-1]
    return {
        r.step: f"{r.limit.length} {r.limit.unit}{'' if r.authority.confirmed else ' ?'}{'' if r.breach else ' -'}"
        for r in pack.rules
    }


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
    ("id", "expected"),
    [
        ("cn-nfra", {"final": "15 calendar_day ?"}),
        ("cn-pboc", {"final": "15 calendar_day"}),
        (
            "hk-hkma",
            {"acknowledge": "7 calendar_day ?", "interim": "30 calendar_day ?", "final": "60 calendar_day ?"},
        ),
        ("tw-fcpa", {"final": "30 calendar_day"}),
        ("uk-disp-3bd", {"resolve": "3 business_day -"}),
        ("uk-disp", {"acknowledge": "5 business_day ?", "final": "8 week"}),
        ("uk-psd", {"acknowledge": "5 business_day ?", "final": "15 business_day"}),
        ("eu-psd2", {"final": "15 business_day ?"}),
        ("us-cfpb", {"interim": "15 calendar_day", "final": "60 calendar_day ?"}),
        (
            "us-rege",
            {"resolve": "10 business_day -", "provisional_credit": "10 business_day", "final": "45 calendar_day"},
        ),
        ("sg-fa", {"acknowledge": "2 business_day", "interim": "20 business_day"}),
        (
            "au-rg271",
            {"acknowledge": "1 business_day ?", "resolve": "5 business_day ? -", "final": "30 calendar_day ?"},
        ),
        (
            "au-rg271-super",
            {"acknowledge": "1 business_day ?", "resolve": "5 business_day ? -", "final": "45 calendar_day ?"},
        ),
        (
            "au-rg271-hardship",
            {"acknowledge": "1 business_day ?", "resolve": "5 business_day ? -", "final": "21 calendar_day ?"},
        ),
        ("in-rbi", {"internal_escalation": "20 calendar_day ?", "final": "30 calendar_day ?"}),
        (
            "bank-service",
            {"first_contact": "2 working_hour", "acknowledge": "1 business_day", "final": "10 business_day"},
        ),
        (
            "bank-service-fast",
            {"first_contact": "1 working_hour", "acknowledge": "4 working_hour", "final": "3 business_day"},
        ),
    ],
)
def test_every_pack_asks_for_what_the_facts_say_and_admits_what_is_not_confirmed(
    id: str, expected: dict[str, str]
) -> None:
    assert limits(id) == expected


@pytest.mark.parametrize(
    ("id", "step", "stages"),
    [
        (
            "cn-nfra",
            "final",
            [("30 calendar_day", "supervisor", False), ("60 calendar_day", "senior_management", True)],
        ),
        ("cn-pboc", "final", [("60 calendar_day", "complaint_office", True)]),
        ("uk-psd", "final", [("35 business_day", "complaint_office", True)]),
        ("eu-psd2", "final", [("35 business_day", "complaint_office", True)]),
        ("us-rege", "provisional_credit", [("20 business_day", "supervisor", False)]),
        ("us-rege", "final", [("90 calendar_day", "supervisor", False)]),
        ("bank-service", "final", [("20 business_day", "supervisor", True)]),
        *((id, "final", []) for id in ("tw-fcpa", "uk-disp", "hk-hkma", "us-cfpb", "au-rg271", "in-rbi")),
    ],
)
def test_extensions_reach_as_far_as_the_facts_say(id: str, step: str, stages: list[tuple[str, str, bool]]) -> None:
    (pack, *_) = [p for p in SHIPPED.packs if p.id == id]
    found = [
        (f"{e.to.length} {e.to.unit}", e.approver_role, e.notice_required) for e in pack.extensions if e.step == step
    ]
    assert found == stages


def test_the_chinese_packs_say_what_may_stop_or_restart_them() -> None:
    nfra, pboc = SHIPPED.pack("cn-nfra", "2020-03-01"), SHIPPED.pack("cn-pboc", "2020-11-01")
    assert nfra is not None
    assert pboc is not None
    assert nfra.suspension is not None
    assert nfra.suspension.reasons == ("external_appraisal", "external_testing")
    assert nfra.suspension.notice_required
    assert nfra.groups is not None
    assert (nfra.groups.representatives_max, nfra.groups.major_from, nfra.groups.article) == (5, 20, "12")
    assert nfra.restart is not None
    assert pboc.restart is not None
    assert pboc.suspension is None
    assert pboc.start_event == "forwarded_by_regulator"


def test_no_regulators_clock_stops_for_the_complainant_and_the_banks_own_does() -> None:
    stopping = {p.id: p.suspension.reasons for p in SHIPPED.packs if p.suspension}
    assert stopping.pop("cn-nfra") == ("external_appraisal", "external_testing")
    assert stopping == {"bank-service": ("awaiting_complainant",), "bank-service-fast": ("awaiting_complainant",)}


@pytest.mark.parametrize("pack", SHIPPED.packs, ids=lambda p: f"{p.id} {p.version}")
def test_every_shipped_pack_may_be_relied_on_as_data(pack: object) -> None:
    from services.sla.domain.policy import Pack

    assert isinstance(pack, Pack)
    assert set(pack.titles) == {"en", "zh-Hant", "zh-Hans"}
    for rule in pack.rules:
        assert rule.authority.source
        assert rule.authority.article
        assert rule.authority.effective_from <= pack.effective_from
        assert rule.warnings
        assert rule.ladder is not None or not rule.breach
        assert pack.kind == "service" or rule.authority.confirmed or rule.note
    assert pack.confirmed == all(r.authority.confirmed for r in pack.rules)
    if pack.kind == "regulatory":
        assert pack.on_miss is not None
        assert all(pack.on_miss.texts[language] for language in ("en", "zh-Hant", "zh-Hans"))
        assert load(pack.id).default == pack.id
    assert SHIPPED.pack(pack.id, pack.version) is pack
    assert SHIPPED.calendar(pack).id == pack.calendar
    assert SHIPPED.pack(pack.id, "0") is None


def test_what_follows_a_miss_bears_the_codes_that_the_tracking_page_knows() -> None:
    known = tomllib.loads((ROOT / "services/intake/usecases/rights.toml").read_text(encoding="utf-8"))
    codes = {right["code"] for right in known["rights"]}
    used = {p.on_miss.right for p in SHIPPED.packs if p.on_miss}
    assert used - codes == {"pboc"}  # who turns to it has been there before


def test_packs_select_by_codes_that_complaints_can_bear() -> None:
    def register(path: str, table: str) -> list[dict[str, object]]:
        found = tomllib.loads((ROOT / "services/routing/classifier" / path).read_text(encoding="utf-8"))[table]
        assert isinstance(found, list)
        return found

    types = {entry["code"] for entry in register("taxonomy.toml", "category")}
    products: set[object] = {"superannuation", "e_money"}
    for entry in register("products.toml", "product"):
        aliases = entry["aliases"]
        assert isinstance(aliases, list)
        products |= {entry["code"], *("_".join(str(a).lower().split()) for a in aliases)}
    for pack in SHIPPED.packs:
        for applies in (pack.applies, *pack.also):
            assert set(applies.types) <= types
            assert set(applies.products) <= products, pack.id
            assert set(applies.channels) <= {"regulator"}


def test_the_disp_text_of_june_2026_is_a_version_of_its_own() -> None:
    versions = {p.version: p for p in SHIPPED.packs if p.id == "uk-disp"}
    assert set(versions) == {"2016-06-30", "2026-06-01"}
    assert versions["2016-06-30"].effective_to == date(2026, 5, 31)
    assert "states the time limit" in versions["2026-06-01"].rules[0].note
    assert "states the time limit" not in versions["2016-06-30"].rules[0].note


def test_the_shipped_ladders_go_up_through_every_level() -> None:
    regulatory, fast, service = (SHIPPED.ladders[id] for id in ("regulatory", "fast", "service"))
    roles = ["supervisor", "branch_manager", "complaint_office", "internal_audit", "senior_management"]
    assert [r.role for r in regulatory.rungs] == [r.role for r in fast.rungs] == roles
    assert [r.level for r in regulatory.rungs] == [1, 2, 3, 4, 5]
    assert [r.after.days for r in regulatory.rungs] == [0, 1, 3, 7, 14]
    assert fast.rungs[-1].after == timedelta(hours=24)
    assert fast.repeat == timedelta(hours=4)
    assert regulatory.patience == timedelta(hours=24)
    assert [r.share for r in service.rungs] == [None, 0.5, 1.0]
    assert service.repeat is None


ACK, INTERIM, FINAL = 'name = "acknowledge"\nlimit = 7', 'name = "interim"\nlimit = 30', 'name = "final"\nlimit = 60'
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


def test_steps_come_in_the_order_of_the_events() -> None:
    assert get_args(StepName)[0] == "first_contact"
    assert get_args(StepName)[-1] == "final"
    assert SHIPPED.packs[0].rules[0].limit == Limit(1, "business_day", "next_day")
