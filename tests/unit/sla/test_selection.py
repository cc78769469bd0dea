"""Every complaint gets its packs: exactly one primary, the bank's own standard beside it, each with the reason."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sla.calendars import load as load_calendars
from services.sla.domain.policy import Choice, Policies, Subject
from services.sla.packs import FOLDER, load

SHIPPED = load("hk-hkma")
RECEIVED = datetime(2026, 3, 1, tzinfo=UTC)
SERVICE, FAST = "bank-service", "bank-service-fast"


def ids(subject: Subject, policies: Policies = SHIPPED, at: datetime = RECEIVED) -> list[str]:
    return [choice.pack.id for choice in policies.choose(subject, at)]


def primary(subject: Subject, at: datetime = RECEIVED, policies: Policies = SHIPPED) -> Choice:
    (found,) = [choice for choice in policies.choose(subject, at) if choice.primary]
    assert found is policies.choose(subject, at)[0] or found == policies.choose(subject, at)[0]
    return found


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (Subject("hk"), ["hk-hkma", SERVICE]),
        (Subject("HK "), ["hk-hkma", SERVICE]),
        (Subject(), ["hk-hkma", SERVICE]),
        (Subject("xx"), ["hk-hkma", SERVICE]),
        (Subject("cn"), ["cn-nfra", SERVICE]),
        (Subject("cn", referred_by="pboc"), ["cn-nfra", "cn-pboc", SERVICE]),
        (Subject("cn", referred_by="PBOC"), ["cn-nfra", "cn-pboc", SERVICE]),
        (Subject("cn-nfra", referred_by="PBOC"), ["cn-nfra", "cn-pboc", SERVICE]),
        (Subject(referred_by="pboc"), ["cn-pboc", SERVICE]),
        (Subject("hk", referred_by="pboc"), ["hk-hkma", "cn-pboc", SERVICE]),
        (Subject("tw"), ["tw-fcpa", SERVICE]),
        (Subject("uk"), ["uk-disp", "uk-disp-3bd", SERVICE]),
        (Subject("gb", "mortgage"), ["uk-disp", "uk-disp-3bd", SERVICE]),
        (Subject("gb", "remittance"), ["uk-psd", "uk-disp-3bd", SERVICE]),
        (Subject("uk", "Money transfers"), ["uk-psd", "uk-disp-3bd", SERVICE]),
        (Subject("uk-psd", "credit_card"), ["uk-psd", SERVICE]),
        (Subject("eu"), ["eu-psd2", SERVICE]),
        (Subject("us", "deposit"), ["us-rege", SERVICE]),
        (Subject("us", "mortgage"), ["hk-hkma", SERVICE]),
        (Subject("us", "mortgage", channel="regulator"), ["us-cfpb", SERVICE]),
        (Subject("us", "deposit", channel="regulator", referred_by="CFPB"), ["us-rege", "us-cfpb", SERVICE]),
        (Subject("us-cfpb", "credit_reporting", severity="low"), ["us-cfpb", SERVICE]),
        (Subject(referred_by="cfpb"), ["us-cfpb", SERVICE]),
        (Subject("sg", "wealth"), ["sg-fa", SERVICE]),
        (Subject("sg", "loan"), ["hk-hkma", SERVICE]),
        (Subject("au"), ["au-rg271", SERVICE]),
        (Subject("au", "superannuation"), ["au-rg271-super", SERVICE]),
        (Subject("au", "debt_collection"), ["au-rg271-hardship", SERVICE]),
        (Subject("au-rg271-hardship", "loan"), ["au-rg271-hardship", SERVICE]),
        (Subject("in"), ["in-rbi", SERVICE]),
        (Subject("hk", severity="critical"), ["hk-hkma", FAST]),
        (Subject("hk", severity="high"), ["hk-hkma", FAST]),
        (Subject("hk", severity="normal"), ["hk-hkma", SERVICE]),
        (Subject("bank-service"), ["hk-hkma", SERVICE]),
    ],
)
def test_the_packs_of_a_complaint_are_those_that_fit_it(subject: Subject, expected: list[str]) -> None:
    assert ids(subject) == expected
    assert primary(subject).pack.id == expected[0]


@pytest.mark.parametrize(
    ("subject", "pack", "reason"),
    [
        (Subject("hk"), "hk-hkma", "Pack hk-hkma covers jurisdiction hk."),
        (Subject("HK "), "hk-hkma", "Pack hk-hkma covers jurisdiction hk."),
        (Subject("hk-hkma"), "hk-hkma", "Pack hk-hkma covers jurisdiction hk-hkma."),
        (Subject("gb", "Payments"), "uk-psd", "Pack uk-psd covers jurisdiction gb, product payments."),
        (Subject(referred_by="PBOC"), "cn-pboc", "Pack cn-pboc covers complaints referred by pboc."),
        (Subject("mars"), "hk-hkma", "No pack covers jurisdiction mars, so the bank's default pack hk-hkma applies."),
        (
            Subject("us", "mortgage"),
            "hk-hkma",
            "The packs of jurisdiction us are for other kinds of complaints, so the bank's default pack hk-hkma "
            "applies.",
        ),
        (Subject(), "hk-hkma", "The complaint names no jurisdiction, so the bank's default pack hk-hkma applies."),
        (Subject(""), "hk-hkma", "The complaint names no jurisdiction, so the bank's default pack hk-hkma applies."),
    ],
)
def test_the_reason_for_a_pack_is_given_in_plain_words(subject: Subject, pack: str, reason: str) -> None:
    found = primary(subject)
    assert found.pack.id == pack
    assert found.reason.startswith(
        f"{reason} Its version {found.pack.version} was in force on the day of receipt, 2026-0"
    )


def test_a_service_pack_is_never_primary_and_says_what_it_is() -> None:
    *_, service = SHIPPED.choose(Subject("tw"), RECEIVED)
    assert not service.primary
    assert service.reason.startswith("Pack bank-service is the bank's own standard. Its version 1 was in force")


def test_a_jurisdiction_that_is_no_code_is_not_quoted() -> None:
    reason = primary(Subject("Chan Example, 9123 4567")).reason
    assert "9123" not in reason
    assert "chan" not in reason.lower()


texts = st.none() | st.text(max_size=20) | st.sampled_from(["uk", "us", "cn", "pboc", "CFPB", "deposit", "high"])


@given(
    subject=st.builds(Subject, texts, texts, texts, texts, texts, texts),
    at=st.datetimes(datetime(1971, 1, 1), datetime(2199, 1, 1)).map(lambda d: d.replace(tzinfo=UTC)),  # noqa: DTZ001
)
def test_every_complaint_gets_exactly_one_primary_pack_and_none_that_another_replaces(
    subject: Subject, at: datetime
) -> None:
    found = SHIPPED.choose(subject, at)
    chosen = [choice.pack for choice in found]
    assert [choice.primary for choice in found] == [True] + [False] * (len(found) - 1)
    assert chosen[0].kind == "regulatory"
    assert len({p.id for p in chosen}) == len(chosen)
    assert not {id for p in chosen for id in p.replaces} & {p.id for p in chosen}
    assert all(len(choice.reason) < 300 for choice in found)


@pytest.fixture
def two_versions(tmp_path: Path) -> Callable[..., Policies]:
    def make(until: str, since: str, to: str | None = None) -> Policies:
        text = (FOLDER / "hk-hkma.toml").read_text(encoding="utf-8")
        first = text.replace("effective_from = 2023-01-06", f"effective_from = 2023-01-06\neffective_to = {until}")
        end = f"\neffective_to = {to}" if to else ""
        second = text.replace("effective_from = 2023-01-06", f"effective_from = {since}{end}")
        (tmp_path / "one.toml").write_text(first, encoding="utf-8")
        (tmp_path / "two.toml").write_text(second.replace('version = "2023-01-06"', 'version = "2"'), encoding="utf-8")
        return load("hk-hkma", tmp_path, calendars=load_calendars())

    return make


def test_the_version_in_force_on_the_day_of_receipt_applies_and_outside_of_all_the_nearest(
    two_versions: Callable[..., Policies],
) -> None:
    policies = two_versions("2026-06-30", "2026-08-01", "2026-12-31")

    def on(day: str) -> tuple[str, str]:
        found = primary(Subject("hk"), datetime.fromisoformat(f"{day}T12:00:00+08:00"), policies)
        return found.pack.version, found.reason

    assert on("2026-06-30")[0] == "2023-01-06"
    assert on("2026-08-01")[0] == "2"
    assert on("2026-12-31") == (
        "2",
        "Pack hk-hkma covers jurisdiction hk. Its version 2 was in force on the day of receipt, 2026-12-31.",
    )
    assert on("2026-07-15")[0] == "2023-01-06"
    assert "No version was in force on the day of receipt, 2026-07-15; 2023-01-06 was the last" in on("2026-07-15")[1]
    assert on("2027-01-01")[0] == "2"
    assert on("2019-03-01")[0] == "2023-01-06"
    assert "2019-03-01, lies before its first version 2023-01-06" in on("2019-03-01")[1]


def test_the_day_of_receipt_is_the_packs_own_day(two_versions: Callable[..., Policies]) -> None:
    policies = two_versions("2026-06-30", "2026-07-01")
    midnight = datetime(2026, 6, 30, 16, 0, tzinfo=UTC)  # 1 July begins in Hong Kong
    assert primary(Subject("hk"), midnight, policies).pack.version == "2"
    assert primary(Subject("hk"), midnight - timedelta(microseconds=1), policies).pack.version == "2023-01-06"


def test_a_pack_that_was_not_in_force_does_not_join_one_that_was() -> None:
    before_pboc = datetime(2020, 6, 1, tzinfo=UTC)
    assert ids(Subject("cn", referred_by="pboc"), at=before_pboc) == ["cn-nfra", SERVICE]
    assert ids(Subject("gb", "payments"), at=datetime(2017, 6, 1, tzinfo=UTC)) == ["uk-disp", "uk-disp-3bd", SERVICE]
