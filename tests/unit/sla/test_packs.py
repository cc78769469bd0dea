"""The shipped packs ask for what the facts say, admit what is not confirmed, and hang together with the registers."""

import tomllib
from datetime import date, timedelta
from pathlib import Path
from typing import get_args

import pytest

from services.sla.domain.counting import Limit
from services.sla.domain.policy import Pack
from services.sla.packs import load
from shared.events import StepName

SHIPPED = load("hk-hkma")
ROOT = Path(__file__).parents[3]


def limits(id: str) -> dict[str, str]:
    """The steps of a pack's latest version: `15 business_day`, with a question mark if it is not confirmed."""
    pack = [p for p in SHIPPED.packs if p.id == id][-1]
    return {
        r.step: f"{r.limit.length} {r.limit.unit}{'' if r.authority.confirmed else ' ?'}{'' if r.breach else ' -'}"
        for r in pack.rules
    }


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
def test_every_shipped_pack_may_be_relied_on_as_data(pack: Pack) -> None:
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


def test_steps_come_in_the_order_of_the_events() -> None:
    assert get_args(StepName)[0] == "first_contact"
    assert get_args(StepName)[-1] == "final"
    assert SHIPPED.packs[0].rules[0].limit == Limit(1, "business_day", "next_day")
