"""The made-up complaints that the starter model learns from: varied, balanced, the same for the same seed."""

import re
from collections import Counter
from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.routing import classifier
from services.routing.classifier.characters import SIMPLIFIED_ONLY, TRADITIONAL_ONLY
from services.routing.classifier.language import detect, normalise
from services.routing.classifier.starter import LANGUAGES, Part, generate, paired
from services.routing.classifier.starter.fragments import Fragments, fragments, words

REGISTERS = classifier.load().registers
TYPES = {t.code for t in REGISTERS.taxonomy.category}
PRODUCTS = {p.code for p in REGISTERS.products}
PARTS: tuple[Part, ...] = ("train", "heldout")
SLOTS = {"product", "amount", "fee", "days", "count", "time", "date", "wait", "year"}
MANY = {part: list(generate(6_000 if part == "train" else 2_000, 1, part=part)) for part in PARTS}


def _bare(text: str) -> str:
    """Without case, script and punctuation."""
    return re.sub(r"\W", "", normalise(text))


@given(st.integers(0, 2**32), st.sampled_from(PARTS), st.integers(0, 40))
@settings(max_examples=25, deadline=None)
def test_the_same_seed_gives_the_same_texts(seed: int, part: Part, n: int) -> None:
    first = list(generate(n, seed, part=part))
    assert first == list(generate(n, seed, part=part))
    assert len(first) == n


def test_another_seed_gives_others() -> None:
    one, other = ({x.text for x in generate(300, seed)} for seed in (1, 2))
    assert len(one & other) < 15


@pytest.mark.parametrize("part", PARTS)
def test_every_type_product_and_language_is_there_in_balance(part: Part) -> None:
    found = MANY[part]
    by_type = Counter((x.language, x.type) for x in found)
    assert set(by_type) == set(product(LANGUAGES, TYPES))
    assert max(by_type.values()) - min(by_type.values()) <= 1
    by_product = Counter(x.product for x in found)
    assert set(by_product) == PRODUCTS | {None}
    assert max(by_product.values()) < 1.5 * min(by_product.values())


def test_chinese_with_english_names_of_products_is_among_them() -> None:
    chinese = [x for x in MANY["train"] if x.language != "en"]
    mixed = [x for x in chinese if x.mixed]
    assert 0.1 < len(mixed) / len(chinese) < 0.3
    for one in mixed:
        assert re.search(r"[A-Za-z]{2,}", one.text), one
    assert not any(x.mixed for x in MANY["train"] if x.language == "en")


@pytest.mark.parametrize("part", PARTS)
def test_the_language_is_told_right(part: Part) -> None:
    assert [x for x in MANY[part] if detect(x.text) != x.language] == []


@pytest.mark.parametrize("part", PARTS)
def test_no_slot_or_choice_is_left_and_no_two_are_alike(part: Part) -> None:
    texts = [x.text for x in MANY[part]]
    assert [t for t in texts if re.search(r"[{}\[\]|]", t)] == []
    assert len(set(texts)) == len(texts)
    assert all(len(t) >= 6 for t in texts)


def test_near_repeats_are_few() -> None:
    """Fewer than one text in ten shares four fifths of its runs of five characters with another of its kind."""
    cells: dict[tuple[str, str, str | None], list[frozenset[str]]] = {}
    for x in MANY["train"]:
        text = _bare(re.sub(r"\d", "", x.text))
        cells.setdefault((x.language, x.type, x.product), []).append(
            frozenset(text[i : i + 5] for i in range(len(text) - 4))
        )
    near = sum(
        any(len(a & b) > 0.8 * len(a | b) for j, b in enumerate(cell) if i != j)
        for cell in cells.values()
        for i, a in enumerate(cell)
    )
    assert near / len(MANY["train"]) < 0.1


def test_the_parts_share_no_fragment_in_whatever_script() -> None:
    one, other = ({_bare(f) for language in LANGUAGES for f in fragments(part, language).all()} for part in PARTS)
    assert one & other == set()


@pytest.mark.parametrize(("part", "language"), list(product(PARTS, LANGUAGES)))
def test_the_fragments_are_many_whole_and_in_their_script(part: Part, language: str) -> None:
    found: Fragments = fragments(part, language)  # type: ignore[arg-type]
    everything = list(found.all())
    foreign = {"zh-Hant": SIMPLIFIED_ONLY, "zh-Hans": TRADITIONAL_ONLY, "en": frozenset("。，！")}[language]
    assert set(found.situation) == TYPES
    assert set(found.context) == PRODUCTS
    least = 25 if part == "train" else 12
    for kind, situation in found.situation.items():
        assert len({*situation.any, *(f for own in situation.by_product.values() for f in own)}) >= least, kind
        assert set(situation.products) <= PRODUCTS | {None}
    for one in everything:
        assert set(re.findall(r"\{(\w+)\}", one)) <= SLOTS, one
        assert not foreign.intersection(one), one
    assert all("{product}" not in f for name in type(found.frame).model_fields for f in getattr(found.frame, name))
    assert len(everything) == len(set(everything))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_product_has_names(language: str) -> None:
    found = words(language)  # type: ignore[arg-type]
    assert set(found.names) == PRODUCTS
    assert set(found.mixed) == (set() if language == "en" else PRODUCTS)


def test_pairs_differ_in_script_only() -> None:
    pairs = list(paired(400, 3))
    assert len(pairs) == 400
    for traditional, simplified in pairs:
        assert (detect(traditional), detect(simplified)) == ("zh-Hant", "zh-Hans")
        assert not TRADITIONAL_ONLY.intersection(simplified), simplified
        assert len(traditional) == len(simplified)
    assert pairs == list(paired(400, 3))
    assert {t for t, _ in pairs}.isdisjoint(t for t, _ in paired(400, 3, part="heldout"))


def test_courtesies_and_threats_occur_with_every_type() -> None:
    """What must not decide is spread evenly: no type has more than twice the threats of another."""
    threats = {_bare(f) for language in LANGUAGES for f in fragments("train", language).frame.threat if "{" not in f}
    count = Counter(x.type for x in MANY["train"] if any(t in _bare(x.text) for t in threats))
    assert set(count) == TYPES
    assert all(more < 2 * less for less, more in pairwise(sorted(count.values())))
    assert max(count.values()) < 2 * min(count.values())
