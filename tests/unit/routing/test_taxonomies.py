"""Taxonomies: each code of ours leads to every return, on every day; whoever spoils a file is told which entry."""

import shutil
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.routing import classifier
from services.routing.classifier.characters import SIMPLIFIED_ONLY, TRADITIONAL_ONLY
from services.routing.classifier.registers import BadRegister
from services.routing.taxonomies import OWN, NotInForce, NotMapped, load
from services.routing.taxonomies.reading import read

ALL = load()
TODAY = date(2026, 11, 1)
TYPES = [t.code for t in ALL.on("programme", TODAY).terms("type")]
PRODUCTS = [t.code for t in ALL.on("programme", TODAY).terms("product")]
OURS = [("type", c) for c in TYPES] + [("product", c) for c in PRODUCTS]
RETURNS = [name for name in ALL.names if name != "programme"]
VERSIONS = [(name, v) for name in ALL.names for v in ALL.versions(name).version]
days = st.dates(date(2024, 1, 1), date(2031, 12, 31))


def test_the_programme_stands_first_and_is_what_routing_decides_by() -> None:
    registers = classifier.load().registers
    own = ALL.on("programme", TODAY)

    assert ALL.names[0] == "programme"
    assert [t.code for t in own.terms("type")] == [t.code for t in registers.taxonomy.category]
    assert [t.labels for t in own.terms("root_cause")] == [t.labels for t in registers.taxonomy.root_cause]
    assert [t.code for t in own.terms("no_redress")] == [t.code for t in registers.taxonomy.no_redress]
    assert [t.code for t in own.terms("product")] == [p.code for p in registers.products]


@given(days, st.sampled_from(RETURNS), st.sampled_from(OURS))
def test_on_every_day_each_type_and_product_leads_to_a_known_term_or_says_why_not(
    day: date, name: str, ours: tuple[str, str]
) -> None:
    found = ALL.translate(*ours, to=name, on=day)
    target = ALL.on(name, day)
    codes = {t.code for t in target.terms(found.axis)}

    assert codes.issuperset(found.also)
    assert found.code not in found.also
    assert found.code in codes if found.code is not None else found.note is not None
    assert not (found.exact and (found.also or target.provisional))


@given(days, st.sampled_from(TYPES), st.sampled_from(PRODUCTS))
def test_an_issue_is_offered_under_the_product(day: date, type: str, product: str) -> None:
    found = ALL.translate("type", type, to="cfpb", on=day, product=product)
    under = ALL.translate("product", product, to="cfpb", on=day)
    if found.code is not None:
        assert under.code in ALL.on("cfpb", day).term("issue", found.code).of


def test_by_product_answers_where_the_product_is_known() -> None:
    assert ALL.translate("type", "fees", to="cfpb", on=TODAY, product="credit_card").code == "fees_or_interest"
    unknown = ALL.translate("type", "fees", to="cfpb", on=TODAY)
    assert unknown.code is None
    assert unknown.note is not None


@pytest.mark.parametrize(
    ("kind", "code", "to", "target", "exact"),
    [
        ("type", "service_quality", "jrt_0169", "service", True),
        ("type", "fees", "jrt_0169", "pricing", True),
        ("type", "channel", "jrt_0169", "facilities_systems", True),
        ("type", "product", "jrt_0169", "product_return", False),
        ("type", "information_security", "jrt_0169", "information_safety", False),
        ("root_cause", "internal_management", "jrt_0169", "rules_process", True),
        ("product", "credit_card", "jrt_0169", "bank_card", True),
        ("type", "fees", "fca", "disputed_sums_charges", True),
        ("product", "mortgage", "fca", "home_finance", True),
        ("product", "credit_card", "cfpb", "credit_card", True),
        ("product", "wealth", "cfpb", None, False),
        ("type", "fees", "programme", "fees", True),
    ],
)
def test_ways_that_the_sources_give(kind: str, code: str, to: str, target: str | None, exact: bool) -> None:
    found = ALL.translate(kind, code, to=to, on=TODAY)
    assert (found.code, found.exact) == (target, exact)


def test_a_product_complaint_may_be_one_of_four_reasons() -> None:
    found = ALL.translate("type", "product", to="jrt_0169", on=TODAY)
    assert {found.code, *found.also} == {"product_return", "contract_terms", "disclosure", "marketing"}


def test_from_2027_the_fca_s_old_causes_only_stand_in() -> None:
    last = ALL.translate("type", "fees", to="fca", on=date(2026, 12, 31))
    first = ALL.translate("type", "fees", to="fca", on=date(2027, 1, 1))

    assert (last.code, last.exact, last.provisional) == ("disputed_sums_charges", True, False)
    assert (first.code, first.exact, first.provisional) == ("disputed_sums_charges", False, True)
    assert ALL.on("fca", date(2027, 1, 1)).version.confirmed == "?"


def test_a_complaint_of_the_old_form_is_told_by_its_product_only() -> None:
    day = date(2023, 8, 23)
    assert ALL.translate("product", "credit_card", to="cfpb", on=day).code == "card"
    with pytest.raises(NotMapped, match="version '2017'"):
        ALL.translate("type", "fees", to="cfpb", on=day)


def test_the_sizes_that_the_standards_have() -> None:
    china = ALL.on("jrt_0169", TODAY)
    assert (len(china.terms("business")), len(china.terms("reason"))) == (14, 12)
    assert len([t for t in china.terms("channel") if t.parent == "electronic"]) == 6
    assert len(ALL.on("fca", TODAY).terms("product_group")) == 5


def test_every_label_is_in_its_own_script() -> None:
    terms = [t for _, v in VERSIONS for those in v.terms.values() for t in those]
    assert len(terms) > 150
    for term in terms:
        assert not SIMPLIFIED_ONLY.intersection(term.labels.zh_hant), term
        assert not TRADITIONAL_ONLY.intersection(term.labels.zh_hans), term
        assert term.labels.en.isascii(), term


def test_how_sure_a_term_is_is_its_own_word_or_the_version_s() -> None:
    fca = ALL.on("fca", TODAY)
    assert fca.confirmed(fca.term("product_group", "investments")) == "ok"
    assert fca.confirmed(fca.term("cause", "delays")) == "2nd"
    assert fca.confirmed(fca.term("cause", "arrears")) == "?"


def test_what_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(NotInForce, match="'klingon'"):
        ALL.on("klingon", TODAY)
    with pytest.raises(NotInForce, match="2018-09-03"):
        ALL.on("jrt_0169", date(2018, 9, 3))
    with pytest.raises(NotMapped, match="'haunting'"):
        ALL.translate("type", "haunting", to="fca", on=TODAY)
    with pytest.raises(NotMapped, match="from no_redress"):
        ALL.translate("no_redress", "no_loss", to="fca", on=TODAY)
    with pytest.raises(NotMapped, match="'haunting'"):
        ALL.translate("type", "haunting", to="programme", on=TODAY)
    with pytest.raises(KeyError):
        ALL.on("fca", TODAY).term("cause", "haunting")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Copies of the taxonomies and of the registers, to be spoilt."""
    shutil.copytree(OWN, tmp_path / "data")
    (tmp_path / "registers").mkdir()
    for file in classifier.OWN.glob("*.toml"):
        shutil.copy(file, tmp_path / "registers")
    return tmp_path / "data", tmp_path / "registers"


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("fca.toml", 'en = "Home finance"', 'fr = "Logement"', r"fca.toml: version '2016' terms product_group 'home_f"),
        ("fca.toml", 'code = "delays"', 'code = "other"', r"fca.toml: version '2016': cause 'other' is there twice"),
        ("fca.toml", "to = 2026-12-31", "to = 2027-01-31", r"version '2027': it overlaps.*2027-01-31"),
        ("fca.toml", "to = 2026-12-31", "to = 2026-11-30", r"version '2027': no version is in force"),
        ("fca.toml", "effective_to = 2026-12-31\n", "", r"'2027': it overlaps version '2016', which has no end"),
        ("fca.toml", "to = 2026-12-31", "to = 2010-12-31", r"version '2016': .*ends before it begins"),
        ("fca.toml", 'same_as = "2016"', 'same_as = "1999"', r"version '2027': unknown version '1999'"),
        ("fca.toml", 'same_as = "2016"', "", r"version '2027': it has no terms"),
        ("fca.toml", 'id = "2027"', 'id = "2016"', r"fca.toml: version '2016' is there twice"),
        ("fca.toml", 'confirmed = "2nd"', 'confirmed = "maybe"', r"fca.toml: version '2016' confirmed"),
        ("fca.toml", 'name = "fca"', 'name = "fsa"', r"fca.toml: it is named 'fsa'"),
        ("cfpb.toml", 'of = ["student_loan"]', 'of = ["bakery"]', r"cfpb.toml: .*issue 'student_\w+': unknown product"),
        ("jrt_0169.toml", 'parent = "electronic"', 'parent = "astral"', r"'online_banking': unknown parent 'astral'"),
        (
            "programme.toml",
            'id = "1"',
            'id = "1"\nterms = { type = [] }',
            r"its terms stand in taxonomy",
        ),
        ("crosswalks.toml", 'to = "pricing"', 'to = "prices"', r"'type-jrt_0169': 'fees': unknown reason.*'prices'"),
        ("crosswalks.toml", 'code = "channel"', 'code = "chanel"', r"'type-jrt_0169': unknown type 'chanel'"),
        ("crosswalks.toml", 'code = "mortgage"', 'code = "insurance"', r"'insurance' is there twice"),
        ("crosswalks.toml", '["2016", "2027"]', '["2016"]', r"from type to 'fca', version '2027'"),
        ("crosswalks.toml", '["2017"]', '["2023"]', r"unknown product of version '2023' 'card'"),
        (
            "crosswalks.toml",
            'id = "product-fca"\nkind = "product"',
            'id = "product-fca"\nkind = "type"',
            r"from type to",
        ),
        ("crosswalks.toml", 'taxonomy = "fca"', 'taxonomy = "fsa"', r"'type-fca': unknown taxonomy 'fsa'"),
        ("crosswalks.toml", 'axis = "cause"', 'axis = "clause"', r"'type-fca': unknown axis 'clause'"),
        ("crosswalks.toml", "fees_or_interest", "debt_threats", r"'debt_threats' is not offered under.*'credit_card'"),
        ("crosswalks.toml", 'to = "pricing"\nexact = true', "", r"'fees'.*leads nowhere and has no note"),
        ("crosswalks.toml", 'also = ["delays", ', 'also = ["general_admin", ', r"'general_admin' is its primary"),
    ],
)
def test_a_spoilt_file_is_refused_with_its_name_and_entry(
    folders: tuple[Path, Path], file: str, old: str, new: str, told: str
) -> None:
    data, registers = folders
    path = data / file
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(BadRegister, match=told):
        read(data, registers)


def _before(text: str, ways: dict[str, str], code: str) -> str:
    """`text` with a way for `code` before each way of credit cards, to the target that `ways` gives for theirs."""
    for target, ours in ways.items():
        first = f'[[crosswalk.way]]\ncode = "credit_card"\nto = "{target}"\n'
        assert first in text
        text = text.replace(first, f'[[crosswalk.way]]\ncode = "{code}"\nto = "{ours}"\n\n{first}')
    return text


def test_a_product_that_the_bank_adds_must_lead_somewhere(folders: tuple[Path, Path]) -> None:
    data, registers = folders
    labels = '{ zh-Hant = "保管箱", zh-Hans = "保管箱", en = "Safe deposit" }'
    with (registers / "products.toml").open("a", encoding="utf-8") as file:
        file.write(f'\n[[product]]\ncode = "safe_deposit"\nlabels = {labels}\nkeywords = {{ en = ["safe deposit"] }}\n')
    with pytest.raises(BadRegister, match=r"'product-jrt_0169': product 'safe_deposit' leads nowhere"):
        load(registers)

    ways = {"bank_card": "other", "banking_credit_cards": "banking_credit_cards"}
    ways |= dict.fromkeys(("card", "credit_card"), "checking_savings")
    (registers / "taxonomies").mkdir()
    crosswalks = _before((data / "crosswalks.toml").read_text("utf-8"), ways, "safe_deposit")
    (registers / "taxonomies" / "crosswalks.toml").write_text(crosswalks, "utf-8")
    taxonomies = load(registers)
    assert taxonomies.translate("product", "safe_deposit", to="fca", on=TODAY).code == "banking_credit_cards"
    assert taxonomies.on("programme", TODAY).term("product", "safe_deposit").labels.en == "Safe deposit"


def test_one_version_follows_the_other_without_a_gap() -> None:
    for name in ALL.names:
        versions = ALL.versions(name).version
        for before, after in pairwise(versions):
            assert before.effective_to is not None
            assert ALL.on(name, before.effective_to).version.id == before.id
            assert ALL.on(name, before.effective_to + timedelta(days=1)).version.id == after.id
