"""The trained model: it learns, is calibrated, explains itself in the author's own words, and its file is data."""

import gzip
import io
import itertools
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from services.routing.classifier import Facts, load, shipped, training
from services.routing.classifier import labelled as files
from services.routing.classifier.evaluation import calibration_error, cross_validate, evaluate, macro_f1, measured
from services.routing.classifier.features import divided
from services.routing.classifier.labelled import BadFile
from services.routing.classifier.model import BadModel, Model, decode, read
from services.routing.classifier.starter import generate, paired
from services.routing.classifier.training import TooLittle, train

LEARN = list(generate(600, 5))
RULEBOOK = load()


@pytest.fixture(scope="module")
def model() -> Model:
    return train([one.text for one in LEARN], {"type": [one.type for one in LEARN]})


def test_it_learns_what_it_is_taught(model: Model) -> None:
    figures = evaluate(model, "type", [one.text for one in LEARN], [one.type for one in LEARN])
    assert figures.accuracy > 0.95
    assert figures.n == 600
    assert 0 < figures.p50_ms <= figures.p99_ms


def test_the_same_texts_make_the_same_model(model: Model) -> None:
    again = train([one.text for one in LEARN], {"type": [one.type for one in LEARN]})
    assert again.version == model.version


def test_its_file_holds_all_of_it_and_no_code(model: Model, tmp_path: Path) -> None:
    content = model.encode()
    (tmp_path / "model.npz").write_bytes(content)
    back = read(tmp_path)
    assert back.version == model.version
    text = LEARN[0].text
    assert back.predict("type", back.see(text)) == model.predict("type", model.see(text))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert all(archive.read(name).startswith(b"\x93NUMPY") for name in archive.namelist())
        assert not any(b"pickle" in archive.read(name)[:2000] for name in archive.namelist())


@given(st.binary(max_size=300))
def test_a_file_that_is_no_model_is_refused(content: bytes) -> None:
    with pytest.raises(BadModel):
        decode(content)


@pytest.mark.parametrize("at", [200, 5_000, 20_000])
def test_a_damaged_model_is_refused(model: Model, at: int) -> None:
    content = bytearray(model.encode())
    content[at] ^= 0xFF
    with pytest.raises(BadModel):
        decode(bytes(content))


def test_a_model_with_a_number_that_is_none_is_refused(model: Model) -> None:
    head = model.heads["type"]
    bad = head.intercepts.copy()
    bad[0] = np.inf
    wrong = Model(
        model.shape,
        model.vocabulary,
        model.idf,
        {"type": type(head)(head.classes, head.weights, bad, head.calibration, head.offsets)},
    )
    with pytest.raises(BadModel):
        decode(wrong.encode())


@given(st.text(max_size=300))
def test_any_text_gets_chances_that_add_up_to_one(text: str) -> None:
    starter = shipped()
    chances = starter.predict("type", starter.see(text))
    assert sum(chances.values()) == pytest.approx(1, abs=1e-3)
    assert list(chances.values()) == sorted(chances.values(), reverse=True)


@given(st.sampled_from([one.text for one in LEARN]))
def test_the_words_that_weighed_stand_in_the_text(text: str) -> None:
    starter = shipped()
    words = starter.explain("type", text, next(iter(starter.predict("type", starter.see(text)))))
    assert all(word.text.lower() in text.lower().replace("’", "'") for word in words)
    assert [w.weight for w in words] == sorted((w.weight for w in words), reverse=True)
    assert all(w.weight > 0 for w in words)


def test_traditional_and_simplified_get_the_same_type() -> None:
    starter = shipped()
    same = [
        next(iter(starter.predict("type", starter.see(traditional))))
        == next(iter(starter.predict("type", starter.see(simplified))))
        for traditional, simplified in paired(1_000, 11, part="heldout")
    ]
    assert sum(same) / len(same) >= 0.99
    decided = [
        (RULEBOOK.classify(t, Facts(language="zh-Hant")), RULEBOOK.classify(s, Facts(language="zh-Hans")))
        for t, s in itertools.islice(paired(1_000, 12, part="heldout"), 300)
    ]
    assert sum(t.category == s.category for t, s in decided) / len(decided) >= 0.99


def test_the_starter_model_knows_wording_that_it_has_not_met() -> None:
    """Far above chance (a sixth, an eleventh), and no surer than it is right."""
    check = list(generate(900, 77, part="heldout"))
    starter = shipped()
    types = evaluate(starter, "type", [one.text for one in check], [one.type for one in check])
    named = [one for one in check if one.product]
    products = evaluate(starter, "product", [one.text for one in named], [str(one.product) for one in named])
    assert types.accuracy > 0.6
    assert types.ece < 0.1
    assert products.accuracy > 0.9


def test_a_text_without_anything_known_is_for_a_person() -> None:
    found = RULEBOOK.classify("Xyzzy plugh foo bar")
    assert (found.decided_by, found.chances) == ("person", ())


def test_too_little_to_learn_from_is_told() -> None:
    with pytest.raises(TooLittle, match="two are the least"):
        train(["late fee"] * 5, {"type": ["fees"] * 5})
    with pytest.raises(TooLittle, match="channel"):
        train(["late fee"] * 5 + ["app down"], {"type": ["fees"] * 5 + ["channel"]})


# --- figures ---


def test_figures_of_a_small_example() -> None:
    chances = np.asarray([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.7, 0.3]])
    figures = measured(chances, np.asarray([0, 1, 1, 0]), np.asarray([0.001, 0.002, 0.003, 0.004]))
    assert (figures.accuracy, figures.top2, figures.top70) == (0.75, 1.0, 1.0)
    assert figures.macro_f1 == pytest.approx((0.8 + 2 / 3) / 2, abs=1e-4)
    assert figures.ece == pytest.approx((0.1 + 0.6 + 0.2 + 0.3) / 4, abs=1e-4)


def test_perfect_answers_are_perfect() -> None:
    assert macro_f1(np.asarray([0, 1, 2]), np.asarray([0, 1, 2])) == 1
    assert calibration_error(np.asarray([1.0, 1.0]), np.asarray([True, True])) == 0


def test_each_text_is_decided_by_a_model_that_has_not_seen_it() -> None:
    seen: list[set[str]] = []

    def spy(texts: object, labels: object) -> Model:
        seen.append(set(texts))  # type: ignore[call-overload]
        return train(list(texts), {"label": list(labels)})  # type: ignore[call-overload]

    texts = [one.text for one in LEARN[:300]]
    figures = cross_validate(texts, [one.type for one in LEARN[:300]], folds=3, train=spy)
    assert figures.n == 300
    assert [sum(text not in one for one in seen) for text in texts] == [1] * 300


# --- labelled files ---


def test_columns_are_read_also_from_a_compressed_file(tmp_path: Path) -> None:
    rows = 'a,b,label\n"late, fee",x,fees\n,,fees\nslow,,service\nlost,y,\n'
    (tmp_path / "one.csv").write_text("\ufeff" + rows, encoding="utf-8")
    with gzip.open(tmp_path / "two.csv.gz", "wt", encoding="utf-8") as out:
        out.write(rows)
    for name in ("one.csv", "two.csv.gz"):
        found = files.read(tmp_path / name, text=["a"], label="label")
        assert (found.texts, found.labels, found.left_out) == (("late, fee", "slow"), ("fees", "service"), 2)
    both = files.read(tmp_path / "one.csv", text=["a", "b"], label="label")
    assert both.texts[0].startswith("late, fee")
    assert both.texts[0].endswith("x")


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("no.csv", b"a,label\nx,y\n", "no column 'text'"),
        ("no.csv.gz", b"not compressed", "cannot be read"),
        ("no.csv", b"text,label\n\xff\xfe,y\n", "after row"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, name: str, content: bytes, why: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadFile, match=why):
        files.read(tmp_path / name, text=["text"], label="label")


def test_a_chinese_text_is_divided_at_its_first_sentence_and_others_are_not() -> None:
    assert divided("信用卡年费重复收取\n我上个月被收了两次年费，客服没有回音。") == (
        "信用卡年费重复收取",
        "我上个月被收了两次年费，客服没有回音。",
    )
    assert divided("信用卡年费重复收取") == ()
    assert divided("they charged the fee twice. nobody answers.\nplease help") == ()


def test_a_part_of_a_text_stays_with_its_whole() -> None:
    """Else a text would be calibrated on by a machine that has seen half of it."""
    examples = training._Examples(csr_matrix(np.arange(10).reshape(5, 2)), np.asarray([0, 1, 2, 0, 2]), np.ones(5))
    some = examples.of(np.asarray([0, 1]))
    assert some.text.tolist() == [0, 1, 0]
    assert some.matrix.toarray().tolist() == [[0, 1], [2, 3], [6, 7]]
