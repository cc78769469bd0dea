"""Letters say all that they must, in three languages, and no edit takes out what the law wants in them."""

import re
import tomllib
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.usecases import rights as intake
from services.routing import letters
from services.routing.letters import (
    KINDS,
    LANGUAGES,
    BadLetters,
    Facts,
    Kind,
    Language,
    LetterIncomplete,
    MandatoryTextMissing,
    check_edited,
    compose,
    contains_mandatory,
    mandatory,
)
from services.routing.letters.book import OUTCOMES
from shared.errors import Refused

BOOK = letters.load()
FACTS = Facts(
    reference="26-1105-0001",
    received_on=date(2026, 11, 5),
    department="Cards",
    explanation="The journal of the machine confirms your account.",
    outcome="upheld",
    redress_amount=Decimal("1200"),
    redress_currency="HKD",
    reply_by=date(2026, 12, 5),
    adr_body="Example Ombudsman, 1 Example Road",
    jurisdiction="hk-hkma",
)
PLACES = sorted({place for right in BOOK.law.rights for place in right.jurisdictions})
every_kind = pytest.mark.parametrize("kind", KINDS)
every_language = pytest.mark.parametrize("language", LANGUAGES)


@every_kind
@every_language
@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("paid", [True, False])
def test_every_letter_of_every_outcome_is_whole(kind: Kind, language: Language, outcome: Any, paid: bool) -> None:
    facts = replace(FACTS, outcome=outcome)
    if not paid:
        facts = replace(facts, redress_amount=None, redress_currency=None)
    letter = compose(BOOK, kind, language, facts)
    assert re.findall(r"\{.*?\}", letter.body + letter.subject) == ["{complainant}"]
    assert "\n\n\n" not in letter.body
    assert letter.body == letter.body.strip()
    assert (letter.kind, letter.language) == (kind, language)
    assert letter.template_version == f"{BOOK.templates[language].version}+{BOOK.law.version}"
    assert facts.reference in letter.subject + letter.body
    assert facts.explanation in letter.body
    assert letter.body.endswith(("Cards", "Cards　謹啟"))
    day = {"en": "5 November 2026"}.get(language, "2026年11月5日")
    assert day in letter.body
    assert ("HK$1,200.00" in letter.body) is (paid and kind in ("final", "summary_resolution"))
    check_edited(BOOK, kind, language, facts, letter.body)


@every_language
def test_outcomes_and_redress_have_words_of_their_own(language: Language) -> None:
    said = set()
    for outcome in OUTCOMES:
        for amount in (Decimal(5), None):
            paid = replace(FACTS, outcome=outcome, redress_amount=amount, redress_currency="HKD" if amount else None)
            said.add(compose(BOOK, "final", language, paid).body)
    assert len(said) == 2 * len(OUTCOMES)


@every_language
@pytest.mark.parametrize("place", PLACES)
def test_a_final_letter_names_each_right_of_the_place_and_nobody_elses(language: Language, place: str) -> None:
    facts = replace(FACTS, jurisdiction=place)
    body = compose(BOOK, "final", language, facts).body
    for right in BOOK.law.rights:
        text = right.text[language].replace("{url}", right.url or "").replace("{adr_body}", facts.adr_body or "")
        assert (f"• {text}" in body) is (place in right.jurisdictions)


MISSING: list[tuple[Kind, dict[str, Any], list[str]]] = [
    ("final", {"outcome": None}, ["/outcome"]),
    ("final", {"explanation": " \n"}, ["/explanation"]),
    ("final", {"outcome": None, "explanation": None}, ["/outcome", "/explanation"]),
    ("final", {"jurisdiction": "eu", "adr_body": None}, ["/adr_body"]),
    ("holding", {"reply_by": None}, ["/reply_by"]),
    ("holding", {"explanation": None}, ["/explanation"]),
    ("summary_resolution", {"explanation": None}, ["/explanation"]),
    ("acknowledgement", {"reply_by": None, "jurisdiction": "uk-disp"}, ["/reply_by"]),
    ("other", {"explanation": ""}, ["/explanation"]),
    ("final", {"redress_currency": None}, ["/redress"]),
    ("final", {"redress_amount": Decimal(0)}, ["/redress"]),
    ("final", {"redress_amount": Decimal("NaN")}, ["/redress"]),
]


@pytest.mark.parametrize(("kind", "without", "named"), MISSING)
def test_a_letter_that_lacks_what_it_must_say_is_refused_by_name(
    kind: Kind, without: dict[str, Any], named: list[str]
) -> None:
    with pytest.raises(LetterIncomplete) as refused:
        compose(BOOK, kind, "en", replace(FACTS, **without))
    assert [error.pointer for error in refused.value.errors] == named
    assert issubclass(LetterIncomplete, Refused)


def test_a_final_letter_where_no_right_is_known_is_refused() -> None:
    law = BOOK.law.model_copy(update={"rights": ()})
    with pytest.raises(LetterIncomplete) as refused:
        compose(BOOK.model_copy(update={"law": law}), "final", "en", FACTS)
    assert [error.pointer for error in refused.value.errors] == ["/rights"]


def test_an_acknowledgement_promises_a_day_only_where_one_is_known() -> None:
    assert "5 December 2026" in compose(BOOK, "acknowledgement", "en", FACTS).body
    without = compose(BOOK, "acknowledgement", "en", replace(FACTS, reply_by=None, explanation=None)).body
    assert "You will have our reply" not in without


@every_language
def test_a_holding_letter_names_the_ombudsman_once_the_time_has_passed(language: Language) -> None:
    uk = replace(FACTS, jurisdiction="uk-disp")
    fos = "financial-ombudsman.org.uk"
    assert fos not in compose(BOOK, "holding", language, uk).body
    late = compose(BOOK, "holding", language, replace(uk, term_passed=True)).body
    assert fos in late
    assert {"en": "six months", "zh-Hant": "六個月", "zh-Hans": "六个月"}[language] not in late, "no decision runs yet"
    singapore = compose(BOOK, "holding", language, replace(FACTS, jurisdiction="sg", term_passed=True)).body
    assert "•" not in singapore, "there, no right opens before a decision"
    assert (BOOK.templates[language].holding.rights or "-") not in singapore


def test_the_wording_that_the_fca_prescribes_is_kept() -> None:
    body = compose(BOOK, "final", "en", replace(FACTS, jurisdiction="uk")).body
    assert "free of charge – but you must do so within six months of the date of this letter." in body
    assert "the Ombudsman will not have our permission to consider your complaint" in body


@pytest.mark.parametrize(
    ("jurisdiction", "home", "place"),
    [
        ("hk-hkma", None, "hk"),
        ("uk-disp-3bd", "hk", "uk"),
        (None, "hk-hkma", "hk"),
        ("fr", "hk", "hk"),
        ("fr", None, "*"),
        (None, None, "*"),
        ("", "", "*"),
    ],
)
def test_the_nearest_jurisdiction_counts_then_the_banks_own(
    jurisdiction: str | None, home: str | None, place: str
) -> None:
    assert BOOK.law.place(jurisdiction, home) == place


def test_the_rights_are_those_of_the_tracking_page() -> None:
    mine = {(place, right.code): right for right in BOOK.law.rights for place in right.jurisdictions}
    theirs = {(place, right.code): right for place, found in intake.known().items() for right in found}
    assert set(mine) == set(theirs)
    for key, right in mine.items():
        other = theirs[key]
        assert (right.opens, right.confirmed, right.url) == (other.opens, other.confirmed, other.url), key
        for language in LANGUAGES:
            assert other.body[language] in right.text[language], "it goes by the same name"


def test_a_version_goes_with_each_file() -> None:
    assert {BOOK.templates[language].version for language in LANGUAGES}
    assert all(re.fullmatch(r"\d{4}-\d{2}(\.\d+)?", BOOK.templates[language].version) for language in LANGUAGES)


# --- what officers write ---

PROSE = st.text(st.characters(exclude_categories=("Cs",)), max_size=400)
SNEAKY = st.lists(
    st.sampled_from(["{rights}", "{complainant}", "{", "}", "{amount}", "{0}", "\n", "\r\n", " ", "解釋", "x"]),
    max_size=30,
).map("".join)


@given(PROSE | SNEAKY, st.sampled_from(KINDS), st.sampled_from(LANGUAGES))
def test_an_officers_words_stand_as_they_are_and_are_never_read_as_placeholders(
    text: str, kind: Kind, language: Language
) -> None:
    facts = replace(FACTS, explanation=text)
    if not text.strip() and kind != "acknowledgement":
        with pytest.raises(LetterIncomplete):
            compose(BOOK, kind, language, facts)
        return
    body = compose(BOOK, kind, language, facts).body
    assert text.replace("\r\n", "\n").strip() in body
    plain = compose(BOOK, kind, language, replace(facts, explanation="§§")).body
    before, after = plain.split("§§")
    if text.strip():
        assert body == before + text.replace("\r\n", "\n").strip() + after
    assert contains_mandatory(BOOK, kind, language, facts, body)


EDITS: list[tuple[str, Callable[[str], str], bool]] = [
    ("nothing", lambda body: body, True),
    ("its line ends", lambda body: body.replace("\n", " \r\n  "), True),
    ("words beside", lambda body: "Added.\n\n" + body + "\n\nAdded.", True),
    ("its salutation", lambda body: body.replace("Dear {complainant}", "Dear Sir"), True),
    ("a right", lambda body: body.replace("Financial Dispute Resolution Centre", "a centre"), False),
    ("a word of a right", lambda body: body.replace("costs nothing", "costs little"), False),
    ("the amount", lambda body: body.replace("1,200.00", "1,000.00"), False),
    ("the reference", lambda body: body.replace("26-1105-0001", "your complaint"), False),
    ("everything", lambda body: "", False),
]


@pytest.mark.parametrize(("what", "edit", "taken"), EDITS, ids=[what for what, _, _ in EDITS])
def test_an_edit_may_change_all_but_what_the_letter_must_hold(
    what: str, edit: Callable[[str], str], taken: bool
) -> None:
    body = edit(compose(BOOK, "final", "en", FACTS).body)
    assert contains_mandatory(BOOK, "final", "en", FACTS, body) is taken
    if taken:
        check_edited(BOOK, "final", "en", FACTS, body)
        return
    with pytest.raises(MandatoryTextMissing) as refused:
        check_edited(BOOK, "final", "en", FACTS, body)
    assert {error.pointer for error in refused.value.errors} == {"/body"}


@every_kind
@every_language
def test_each_passage_is_missed_by_its_name(kind: Kind, language: Language) -> None:
    facts = replace(FACTS, jurisdiction="uk", term_passed=True)
    body = compose(BOOK, kind, language, facts).body
    for passage in mandatory(BOOK, kind, language, facts):
        with pytest.raises(MandatoryTextMissing) as refused:
            check_edited(BOOK, kind, language, facts, body.replace(passage.text, "…"))
        assert passage.name in {error.code for error in refused.value.errors}


def test_a_placeholder_left_in_an_edit_is_refused() -> None:
    body = compose(BOOK, "final", "en", FACTS).body + "\n\n{reply_by} {redress_text} {anything}"
    with pytest.raises(MandatoryTextMissing) as refused:
        check_edited(BOOK, "final", "en", FACTS, body)
    assert [error.code for error in refused.value.errors] == ["placeholder_left", "placeholder_left"]


# --- a bank's own letters ---


def _copy(folder: Path, name: str, change: Callable[[str], str]) -> Path:
    (folder / "templates").mkdir()
    for path in [*(letters.OWN / "templates").iterdir(), letters.OWN / "rights.toml"]:
        text = path.read_text(encoding="utf-8")
        there = folder / path.relative_to(letters.OWN)
        changed = change(text) if path.name == name else text
        assert (changed != text) is (path.name == name)
        there.write_text(changed, encoding="utf-8")
    return folder


def test_a_bank_has_its_own_words(tmp_path: Path) -> None:
    folder = _copy(tmp_path, "en.toml", lambda text: text.replace("2026-11", "2027-01").replace("Dear ", "To "))
    letter = compose(letters.load(folder), "final", "en", FACTS)
    assert letter.body.startswith("To {complainant},")
    assert letter.template_version == f"2027-01+{BOOK.law.version}"


BROKEN: list[tuple[str, Callable[[str], str], str]] = [
    ("en.toml", lambda text: text.replace("{rights}", ""), "holding lacks rights"),
    ("en.toml", lambda text: text.replace("{outcome_text}", ""), "final lacks outcome_text"),
    ("en.toml", lambda text: text.replace("{received_on}", "{receved_on}"), "unknown placeholders: receved_on"),
    ("en.toml", lambda text: text.replace("{amount}", "something"), "does not name the {amount}"),
    ("en.toml", lambda text: text.replace("[outcome.goodwill]", "[outcome.gift]"), "goodwill"),
    ("en.toml", lambda text: text.replace('version = "2026-11"', ""), "version"),
    ("zh-Hans.toml", lambda text: text.replace("[holding]", "[holding"), "zh-Hans.toml"),
    ("zh-Hant.toml", lambda text: text.replace("尊敬的{complainant}", "您好"), "lacks complainant"),
    ("rights.toml", lambda text: text.replace("confirmed = false", ""), "confirmed"),
    ("rights.toml", lambda text: text.replace("zh-Hans = ", "zh-Hanz = "), "zh-Han"),
    ("rights.toml", lambda text: text.replace('["*", "hk"', '["hk"'), "not named"),
    ("rights.toml", lambda text: text.replace('code = "fdrc"', 'code = "hkma"'), "twice"),
    ("rights.toml", lambda text: text.replace("{adr_body}", "{adr}"), "unknown placeholders: adr"),
    ("rights.toml", lambda text: text.replace('url = "https://www.fdrc', 'url = "http://www.fdrc'), "url"),
]


@pytest.mark.parametrize(("name", "change", "told"), BROKEN, ids=[told for _, _, told in BROKEN])
def test_unsound_letters_are_refused_with_the_place(
    tmp_path: Path, name: str, change: Callable[[str], str], told: str
) -> None:
    with pytest.raises(BadLetters) as bad:
        letters.read(_copy(tmp_path, name, change))
    assert str(bad.value).startswith(f"{name}: ")
    assert told in str(bad.value)


def test_the_shipped_data_is_toml_and_says_its_sources() -> None:
    data = tomllib.loads((letters.OWN / "rights.toml").read_text(encoding="utf-8"))
    assert all(one["source"] for one in [*data["rights"], *data["requires"]])
