"""The registers: whoever edits them is told the file and the entry; every complaint has exactly one owner."""

import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.routing.classifier import OWN, BadRegister, Classification, Current, Facts, Rulebook, Spoke, load
from services.routing.classifier.characters import SIMPLIFIED_ONLY, TRADITIONAL_ONLY
from services.routing.classifier.current import LOOK_EVERY

RULEBOOK = load()
REGISTERS = RULEBOOK.registers
CATEGORIES = [t.code for t in REGISTERS.taxonomy.category]
PRODUCTS = [p.code for p in REGISTERS.products]

classifications = st.builds(
    Classification,
    category=st.sampled_from(CATEGORIES),
    severity=st.sampled_from(["low", "normal", "high", "critical"]),
    confidence=st.floats(0, 1),
    language=st.none(),
    product=st.none() | st.sampled_from(PRODUCTS),
    spoke=st.lists(st.sampled_from(REGISTERS.rules.rule), max_size=5, unique_by=lambda r: r.id).map(
        lambda rules: tuple(Spoke(r, ("word",)) for r in rules)
    ),
)


@given(classifications, st.none() | st.sampled_from(["phone", "branch", "regulator"]))
def test_every_classification_has_one_department_and_a_reason(found: Classification, channel: str | None) -> None:
    routing = RULEBOOK.route(found, Facts(channel=channel))

    assert routing.department in RULEBOOK.departments
    assert re.match(r"(rule R\d+: |fallback: )\w", routing.reason)


@pytest.mark.parametrize("category", CATEGORIES)
@pytest.mark.parametrize("product", [None, *PRODUCTS])
def test_no_type_and_product_is_without_an_owner(category: str, product: str | None) -> None:
    found = Classification(category, "normal", 0.9, "en", product, ())
    assert RULEBOOK.route(found).department in RULEBOOK.departments


def test_what_fits_no_route_goes_to_the_complaint_office_and_says_so() -> None:
    routing = RULEBOOK.route(Classification("other", "normal", 0.0, None, None, ()))
    assert routing.department == "complaint_office"
    assert routing.reason == "fallback: no route for category=other, product=unknown"


def test_the_reason_names_the_rule_and_the_facts_that_fit() -> None:
    routing = RULEBOOK.route(Classification("fees", "normal", 0.9, "en", "credit_card", ()))
    assert routing.department == "cards"
    assert re.fullmatch(r"rule R\d+: category=fees, product=credit_card", routing.reason)


def test_misconduct_is_never_judged_by_its_own_department() -> None:
    found = RULEBOOK.classify("The branch manager forged my signature on the loan.", Facts(product="loan"))
    assert RULEBOOK.route(found).department == "complaint_office"


def test_every_rule_names_words_in_all_three_languages() -> None:
    for rule in REGISTERS.rules.rule:
        assert set(rule.keywords) == {"zh-Hant", "zh-Hans", "en"}, rule.id


def test_chinese_keywords_stand_under_their_own_script() -> None:
    entries = [(e, w) for e in (*REGISTERS.rules.rule, *REGISTERS.products) for w in e.keywords.items()]
    for entry, (language, words) in entries:
        foreign = {"zh-Hant": SIMPLIFIED_ONLY, "zh-Hans": TRADITIONAL_ONLY, "en": frozenset()}[language]
        for word in words:
            assert not foreign.intersection(word), (entry, word)


def test_the_programme_s_codes_are_there() -> None:
    assert set(CATEGORIES) == {"service_quality", "product", "channel", "fees", "information_security", "other"}
    assert {"staff_service", "product_design", "system_failure", "internal_management"} <= RULEBOOK.root_causes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the registers, to be spoilt."""
    for file in OWN.glob("*.toml"):
        shutil.copy(file, tmp_path)
    return tmp_path


def test_rules_are_read_again_when_they_change_and_left_alone_when_they_cannot_be_used(folder: Path) -> None:
    now = [0.0]
    current = Current(folder, None, ticks=lambda: now[0])
    path, first = folder / "rules.toml", current.book
    whole = path.read_text("utf-8")

    def written(text: str) -> Rulebook:
        path.write_text(text, "utf-8")
        now[0] += LOOK_EVERY
        return current.book

    ours = (
        '\n[[rule]]\nid = "zz-ours"\nowner = "cards"\ncategory = "fees"\nweight = 4\nkeywords = { en = ["gremlin"] }\n'
    )
    second = written(whole + ours)
    assert (second.classify("A gremlin").rule_ids, first.classify("A gremlin").rule_ids) == (("zz-ours",), ())
    assert second.classify("A gremlin").spoke[0].rule.owner == "cards"
    assert written(whole + ours.replace('"cards"', '"bakery"')) is second
    assert current.trouble is not None
    assert "'zz-ours'" in current.trouble
    assert written(whole).classify("A gremlin").rule_ids == ()
    assert current.trouble is None


def test_a_bank_s_own_folder_is_taken(folder: Path) -> None:
    path = folder / "rules.toml"
    path.write_text(path.read_text("utf-8").replace('version = "', 'version = "ours-', 1), "utf-8")
    assert load(folder).version.startswith("ours-")


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("rules.toml", 'category = "fees"', 'category = "fines"', r"rules.toml: rule 'fe-unreasonable'.*'fines'"),
        ("rules.toml", 'owner = "cards"', 'owner = "bakery"', r"rules.toml: rule 'pr-offer'.*owner 'bakery'"),
        ("rules.toml", "weight = 4", "weight = -1", r"rules.toml: rule 'is-unauthorised' weight"),
        ("rules.toml", "weight = 4\n", "", r"rules.toml: rule 'is-unauthorised'.*weight above 0"),
        ("rules.toml", 'id = "is-fraud"', 'id = "is-unauthorised"', r"rules.toml: rule 'is-unauthorised'.*two"),
        ("rules.toml", 'needs = ["is-unauthorised"', 'needs = ["sv-mild"', r"'sv-fraud-in-progress'.*'sv-mild'"),
        ("rules.toml", '"盜用"', '"盜"', r"rules.toml: rule 'is-unauthorised': zh-Hant keyword '盜'"),
        ("rules.toml", '"cloned"', '"c*d"', r"rules.toml: rule 'is-unauthorised': en keyword 'c\*d'"),
        ("rules.toml", '"cloned"', '"cl*"', r"three letters"),
        ("rules.toml", 'severity = "high"', 'severity = "dire"', r"rules.toml: rule 'is-unauthorised' severity"),
        ("rules.toml", "[[rule]]", "[[rule]", r"rules.toml: .*line"),
        ("routes.toml", 'department = "lending"', 'department = "bakery"', r"routes.toml: route 'R12'.*'bakery'"),
        ("routes.toml", 'fallback = "complaint_office"', 'fallback = "nobody"', r"routes.toml: fallback.*'nobody'"),
        ("routes.toml", 'rules = ["ch-machine"]', 'rules = ["ch-toaster"]', r"routes.toml: route 'R20'.*'ch-toaster'"),
        ("routes.toml", 'product = ["insurance"]', "", r"routes.toml: route 'R55'.*no condition"),
        ("routes.toml", 'id = "R02"', 'id = "R01"', r"routes.toml: route 'R01' is there twice"),
        ("departments.toml", 'code = "deposits"', 'code = "cards"', r"departments.toml: department 'cards'"),
        ("departments.toml", 'en = "Cards"', 'fr = "Cartes"', r"departments.toml: department 'cards'"),
        ("taxonomy.toml", 'code = "other"', 'code = "miscellaneous"', r"taxonomy.toml: category 'other' is missing"),
        ("products.toml", '"my card"', '""', r"products.toml: product 'credit_card'"),
    ],
)
def test_a_spoilt_register_is_refused_with_its_file_and_entry(
    folder: Path, file: str, old: str, new: str, told: str
) -> None:
    path = folder / file
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(BadRegister, match=told):
        load(folder)


def test_a_missing_register_is_named(folder: Path) -> None:
    (folder / "routes.toml").unlink()
    with pytest.raises(BadRegister, match=r"routes.toml: cannot be read"):
        load(folder)


def test_a_rule_that_could_never_decide_anything_is_refused(folder: Path) -> None:
    path = folder / "rules.toml"
    idle = '\n[[rule]]\nid = "zz-idle"\nowner = "cards"\nkeywords = { en = ["idle"] }\n'
    path.write_text(path.read_text("utf-8") + idle, "utf-8")
    with pytest.raises(BadRegister, match=r"'zz-idle'.*decides nothing"):
        load(folder)


def test_a_compiled_rulebook_does_not_change(folder: Path) -> None:
    rulebook = Rulebook(REGISTERS)
    before = rulebook.classify("late fee")
    rulebook.classify("盜用 rude crash")
    assert rulebook.classify("late fee") == before
