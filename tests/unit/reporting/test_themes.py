"""Themes that rise in the text are found, and none where nothing rises.

`LONG_SCALE_FORM=1` looks at ten times as many generated desks.
"""

import os
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from services.reporting.domain.theme import Theme, WrongCount, rising, terms

LONG = bool(os.environ.get("LONG_SCALE_FORM"))
DESKS = 200 if LONG else 15
ENDS = ("ka", "le", "mi", "nor", "pas", "quet", "rud", "sto", "tir", "vam", "wex", "yon", "zel", "dru", "fip")
STEMS = [a + b for a in ("ba", "do", "fe", "gi", "lu", "mo") for b in ("ran", "ten", "sil", "vor", "pol")]
WORDS = [stem + end for stem in STEMS for end in ENDS]
HAN = [
    a + b
    for a in "账户银行柜台客服电话网点排队利息手续费用贷款卡片密码短信理财保险合同还款额度"
    for b in "员部理额务期单条款证"
]


def texts(rng: np.random.Generator, number: int, vocabulary: Sequence[str], joint: str) -> list[str]:
    """Texts of 20 to 80 words, the n-th most frequent word 1/n times as frequent as the first (Zipf)."""
    share = 1.0 / np.arange(1, len(vocabulary) + 1)
    share /= share.sum()
    lengths = rng.integers(20, 80, number)
    words = rng.choice(vocabulary, size=lengths.sum(), p=share)
    return [joint.join(part) for part in np.split(words, np.cumsum(lengths)[:-1])]


def compared(recent: Sequence[str], base: Sequence[str]) -> tuple[Theme, ...]:
    now, before = [terms(text) for text in recent], [terms(text) for text in base]
    counts = [Counter(term for document in documents for term in document) for documents in (now, before)]
    return rising(counts[0], len(now), counts[1], len(before), documents=now)


def test_placeholders_and_numbers_are_no_terms() -> None:
    found = terms(
        "Mr [person] at [phone] paid {$1,200.00} on XX/XX/2024 to XXXX, ref 99887766; [account] [email] http://a.example/b"
    )
    assert found == {"paid", "ref"}
    assert terms("電話[phone]，[person]先生") == {"电话", "先生"}


def test_words_and_their_bigrams() -> None:
    assert terms("The transfer FAILED twice. Failed again!") == {
        "transfer",
        "failed",
        "twice",
        "transfer failed",
        "failed twice",
    }
    assert "failed twice" not in terms("It failed. Twice."), "a sentence ends between them"
    assert "charged fee" not in terms("charged a fee"), "words between them"
    assert "app's" in terms("the app’s screen")


def test_traditional_and_simplified_are_the_same_terms() -> None:
    assert terms("手機銀行系統升級後轉賬失敗") == terms("手机银行系统升级后转账失败")
    assert {"系统升级", "转账失败"} <= terms("手機銀行系統升級後轉賬失敗")
    assert terms("說綫裏") == terms("説線裡")
    assert not any(term.startswith("的") or term.endswith("的") for term in terms("你们的客服的态度的确很差"))


def test_chinese_and_english_in_one_text() -> None:
    assert {"app", "闪退", "atm", "吞卡"} <= terms("APP閃退，ATM吞卡")


def test_a_long_text_is_cut() -> None:
    assert "tail" not in terms("word " * 5000 + "tail")


@pytest.mark.parametrize(("vocabulary", "joint"), [(WORDS, " "), (HAN, "，")], ids=["latin", "han"])
def test_nothing_is_found_where_nothing_rises(vocabulary: Sequence[str], joint: str) -> None:
    """The level promises one desk in a hundred in which anything is found."""
    found = 0
    for seed in range(DESKS):
        rng = np.random.default_rng(seed)
        found += bool(compared(texts(rng, 120, vocabulary, joint), texts(rng, 600, vocabulary, joint)))
    assert found <= max(1, DESKS // 50)


@pytest.mark.parametrize(
    ("vocabulary", "joint", "planted", "term"),
    [
        (WORDS, " ", "wire transfer frozen", "wire transfer"),
        (HAN, "，", "手機銀行系統升級", "系统升级"),
    ],
    ids=["latin", "han"],
)
def test_a_theme_in_a_tenth_of_recent_complaints_is_found_as_one(
    vocabulary: Sequence[str], joint: str, planted: str, term: str
) -> None:
    """Planted in 12 of 120 recent complaints; before it stood in 3 of 600."""
    hits = 0
    for seed in range(DESKS):
        rng = np.random.default_rng(1000 + seed)
        recent, base = texts(rng, 120, vocabulary, joint), texts(rng, 600, vocabulary, joint)
        for n in range(12):
            recent[n * 7] += joint + planted
        for n in range(3):
            base[n] += joint + planted
        themes = compared(recent, base)
        if len(themes) == 1 and term in themes[0].terms:
            theme = themes[0]
            assert (theme.recent, theme.recent_of, theme.base, theme.base_of) == (12, 120, 3, 600)
            assert theme.lift > 10
            assert theme.p < 0.01
            hits += 1
    assert hits >= 0.9 * DESKS, f"{hits} of {DESKS}"


def test_two_themes_stay_two() -> None:
    rng = np.random.default_rng(5)
    recent, base = texts(rng, 200, WORDS, " "), texts(rng, 800, WORDS, " ")
    for n in range(25):
        recent[n] += " wire transfer frozen"
        recent[100 + n] += " cash machine swallowed"
    themes = compared(recent, base)
    assert len(themes) == 2
    assert {"wire", "cash"} == {next(t for t in theme.terms if t in ("wire", "cash")) for theme in themes}


def test_without_documents_terms_that_overlap_are_one_theme() -> None:
    counts = Counter(dict.fromkeys(("系统升级", "系统升", "统升级", "系统", "升级"), 30))
    themes = rising(counts, 300, {"系统": 4}, 1500)
    assert [theme.term for theme in themes] == ["系统升级"]
    assert set(themes[0].terms) == set(counts)


def test_fewer_than_the_support_is_no_theme_however_new() -> None:
    assert rising({"skimmer": 4}, 40, {}, 100_000) == ()
    assert rising({"skimmer": 5}, 40, {}, 100_000) != ()


def test_more_but_hardly_more_often_is_no_theme() -> None:
    """Beyond chance in many complaints, and of no use to anybody."""
    assert rising({"bank": 6000}, 10_000, {"bank": 50_000}, 100_000) == ()


def test_with_nothing_to_compare_with_nothing_is_found() -> None:
    assert rising({"fee": 10}, 20, {}, 0) == ()
    assert rising({}, 0, {"fee": 10}, 20) == ()


def test_a_term_in_more_complaints_than_there_are_is_refused() -> None:
    with pytest.raises(WrongCount):
        rising({"fee": 21}, 20, {}, 10)
    with pytest.raises(WrongCount):
        rising({"fee": -1}, 20, {}, 10)
