"""Whoever opens a page reads it whole in their own language."""

import ast
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from babel.messages import pofile
from babel.messages.catalog import Catalog, Message
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment, nodes

from shared import i18n

ROOT = Path(i18n.__file__).parents[1]
HONG_KONG = ZoneInfo("Asia/Hong_Kong")
OFFERED = ("zh-Hant", "zh-Hans", "en")
SERVICES = sorted(p.parent for p in (ROOT / "services").glob("*/app.py"))
UNITS = [ROOT / "shared", *SERVICES, ROOT / "deploy"]


def catalogue_of(unit: Path, language: str) -> Catalog:
    path = next(unit.rglob(f"locale/{language}.po"), None)
    if path is None:
        return Catalog()
    with path.open("rb") as file:
        return pofile.read_po(file, abort_invalid=True)


def messages(unit: Path, language: str) -> dict[tuple[str | None, str], Message]:
    return {(m.context, first(m.id)): m for m in catalogue_of(unit, language) if m.id}


def first(text: object) -> str:
    return text[0] if isinstance(text, tuple | list) else str(text)


def used_in_templates(unit: Path) -> Iterator[tuple[str, ...]]:
    """The texts that templates ask for: (text,) or (one, many)."""
    environment = Environment(autoescape=True)
    for path in sorted(unit.rglob("templates/**/*.html")):
        for call in environment.parse(path.read_text()).find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name in ("_", "ngettext"):
                wanted = 1 if call.node.name == "_" else 2
                found = tuple(a.value for a in call.args[:wanted] if isinstance(a, nodes.Const))
                if len(found) == wanted:  # a variable's text was marked where it was written
                    yield found


def used_in_code(unit: Path) -> Iterator[tuple[str, ...]]:
    for path in sorted(unit.rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text())):
            if not isinstance(call, ast.Call):
                continue
            name = getattr(call.func, "id", getattr(call.func, "attr", ""))
            if name in ("gettext", "mark", "ngettext"):
                texts = call.args[: 2 if name == "ngettext" else 1]
                if all(isinstance(a, ast.Constant) and isinstance(a.value, str) for a in texts):
                    yield tuple(str(a.value) for a in texts if isinstance(a, ast.Constant))


def used(unit: Path) -> set[tuple[str, ...]]:
    return {*used_in_templates(unit), *used_in_code(unit)}


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
@pytest.mark.parametrize("language", ["zh-Hant", "zh-Hans"])
def test_every_text_is_translated(unit: Path, language: str) -> None:
    known = messages(ROOT / "shared", language) | messages(unit, language)
    missing = [texts for texts in used(unit) if not (m := known.get((None, texts[0]))) or not all_there(m)]
    assert not missing


def all_there(message: Message) -> bool:
    strings = message.string if isinstance(message.string, tuple | list) else (message.string,)
    return bool(strings) and all(strings) and not message.fuzzy


def test_the_search_for_texts_finds_them() -> None:
    found = used(ROOT / "shared")
    assert ("Sign in",) in found, "from a template"
    assert ("There is nothing here",) in found, "marked in code"


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_no_translation_is_left_over(unit: Path) -> None:
    # what is shared may be asked for by any service, and a service may say what is shared in words of its own
    wanted = {t[0] for other in (UNITS if unit.name == "shared" else [unit, ROOT / "shared"]) for t in used(other)}
    for language in OFFERED:
        assert not [text for context, text in messages(unit, language) if context is None and text not in wanted]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_every_code_has_a_label_in_each_language(unit: Path) -> None:
    labels = [{key for key, m in messages(unit, lang).items() if key[0] and all_there(m)} for lang in OFFERED]
    assert labels[0] == labels[1] == labels[2]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
@pytest.mark.parametrize("language", OFFERED)
def test_translations_keep_the_placeholders(unit: Path, language: str) -> None:
    for message in messages(unit, language).values():
        wanted = placeholders(message.id[-1] if message.pluralizable else message.id)
        strings = message.string if message.pluralizable else (message.string,)
        for string in strings:
            assert placeholders(string) == wanted, message.id


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("zh-Hant", "zh-Hant"),
        ("zh-TW", "zh-Hant"),
        ("zh-hk", "zh-Hant"),
        ("zh_Hant_MO", "zh-Hant"),
        ("yue", "zh-Hant"),
        ("zh-Hans-HK", "zh-Hans"),
        ("zh", "zh-Hans"),
        ("zh-CN", "zh-Hans"),
        ("zh-SG", "zh-Hans"),
        ("en-US", "en"),
        ("de", None),
        ("", None),
    ],
)
def test_a_tag_means_one_of_our_languages(tag: str, language: str | None) -> None:
    assert i18n.match(tag, OFFERED) == language


def test_another_chinese_is_better_than_none() -> None:
    assert i18n.match("zh-CN", ["zh-Hant", "en"]) == "zh-Hant"


def test_the_address_goes_before_the_cookie_before_the_browser_before_the_bank() -> None:
    assert i18n.choose("en", "zh-Hans", "zh-TW", OFFERED) == "en"
    assert i18n.choose(None, "zh-Hans", "en", OFFERED) == "zh-Hans"
    assert i18n.choose("xx", "??", "fr, en;q=0.5, zh-CN;q=0.8, zh-TW;q=0", OFFERED) == "zh-Hans"
    assert i18n.choose(None, None, "fr", OFFERED) == "zh-Hant"


@given(st.text(), st.text(), st.text())
def test_whatever_is_sent_a_language_is_found(asked: str, remembered: str, accept: str) -> None:
    assert i18n.choose(asked, remembered, accept, OFFERED) in OFFERED


def test_numbers_and_times_are_written_as_people_write_them() -> None:
    english, traditional = (i18n.translator(lang, HONG_KONG) for lang in ("en", "zh-Hant"))
    moment = datetime(2025, 3, 4, 23, 5, tzinfo=UTC)  # the fifth, 7:05 in Hong Kong
    assert english.datetime(moment) == "5 Mar 2025 07:05"
    assert traditional.datetime(moment) == "2025年3月5日 07:05"
    assert english.date(date(2025, 3, 4)) == "4 Mar 2025"
    assert traditional.month(date(2025, 3, 1)) == "2025年3月"
    assert english.number(1234567) == "1,234,567"
    assert english.percent(0.256) == "26%"
    assert english.percent(0.256, 1) == "25.6%"


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        i18n.translator("en", HONG_KONG).date(datetime(2025, 3, 4))  # noqa: DTZ001


def test_a_code_without_a_label_is_shown_as_it_is() -> None:
    t = i18n.translator("zh-Hant", HONG_KONG)
    assert t.label("channel", "phone") == "電話"
    assert t.label("channel", "pigeon") == "pigeon"
    assert i18n.translator("en", HONG_KONG).label("category", "fees") == "Fees and charges"


def test_a_service_has_its_own_words_beside_the_shared_ones(tmp_path: Path) -> None:
    header = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'
    (tmp_path / "en.po").write_text(header)
    entry = 'msgid "{n} case"\nmsgid_plural "{n} cases"\nmsgstr[0] "{n} 宗"\n'
    (tmp_path / "zh-Hant.po").write_text(header + entry)
    chinese = i18n.translator("zh-Hant", HONG_KONG, tmp_path)
    assert chinese.ngettext("{n} case", "{n} cases", 1200) == "1,200 宗"
    assert chinese.gettext("Sign in") == "登入"
    english = i18n.translator("en", HONG_KONG, tmp_path)
    assert english.ngettext("{n} case", "{n} cases", 1) == "1 case"
    assert english.ngettext("{n} case", "{n} cases", 1200) == "1,200 cases"
