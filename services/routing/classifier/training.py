"""Making a model from labelled texts. scikit-learn is imported here and nowhere else, and only when training."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from services.routing.classifier import features
from services.routing.classifier.features import Shape
from services.routing.classifier.language import normalise
from services.routing.classifier.model import Floats, Head, Model, is_latin, kinds_of, weighted

MIN_PER_CLASS = 3
SEED = 20261101
_TEXTS_PER_CELL = 50
_NONE = -1  # the answer of a text that has none


class TooLittle(ValueError):
    """The labelled texts do not suffice; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class _Examples:
    """What machines learn from: whole texts, then parts of them. `matrix`: examples x features; `text`: which text each
    example is, or is part of; `worth`: what it counts."""

    matrix: Any
    text: npt.NDArray[np.int64]
    worth: npt.NDArray[np.float64]

    def of(self, texts: npt.NDArray[np.int64]) -> "_Examples":
        """Those of `texts` alone: a part never serves apart from its whole."""
        rows = np.flatnonzero(np.isin(self.text, texts))
        return _Examples(self.matrix[rows], self.text[rows], self.worth[rows])


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is made. `at_least`: texts that a feature must occur in. `rarity`: the powers of the inverse document
    frequency, of Latin and of Chinese features. `prior`: the smoothing of each class's own frequencies, None to leave
    them out. `characters`: what Chinese characters are multiplied by instead. `balance`: how far a text of a rare class
    counts for more (0: all texts count the same; 1: all classes do), where texts are few and where they suffice for a
    matrix that calibrates, which corrects between classes itself. `part`: what a Chinese text's first sentence, and
    what follows it, each count as further examples, where the whole counts 1. `keep`: how many features remain (those
    that weigh most), None for all. `half`: weights in half precision (a file half as large)."""

    shape: Shape = field(default_factory=Shape)
    at_least: int = 2
    rarity: tuple[float, float] = (1.5, 2.0)
    cost: float = 0.3
    prior: float | None = 0.5
    characters: float = 1.6
    balance: tuple[float, float] = (1.0, 0.5)
    part: float = 0.3
    folds: int = 5
    keep: int | None = None
    half: bool = False


def train(
    texts: Sequence[str],
    labels: Mapping[str, Sequence[str | None]],
    *,
    apart: tuple[Sequence[str], Mapping[str, Sequence[str | None]]] | None = None,
    recipe: Recipe | None = None,
    name: str = "model",
    about: Mapping[str, Any] | None = None,
) -> Model:
    """A model with one head for each question in `labels` (None: this text has no answer to it).

    Each head is a linear support vector machine, one class against the rest. Its scores on texts that it was not
    trained on (cross-validation) then train a multinomial logistic regression that turns scores into probabilities.
    `apart`: labelled texts to calibrate on instead, where those to learn from resemble one another more than what will
    come. Raises TooLittle.
    """
    recipe = recipe or Recipe()
    for question, given in labels.items():
        _enough(question, given, recipe.folds)
    lines = [normalise(t) for t in texts]
    counts = [features.count(line, recipe.shape) for line in lines]
    often = Counter(f for c in counts for f in c)
    vocabulary = sorted(f for f, n in often.items() if n >= recipe.at_least)
    if not vocabulary:
        raise TooLittle("The texts have no word in common.")
    if recipe.keep is not None and len(vocabulary) > recipe.keep:
        vocabulary = _weightiest(lines, counts, often, vocabulary, labels, recipe)
    idf = _rarity(vocabulary, often, len(texts), recipe)
    examples = _examples(lines, counts, vocabulary, idf, recipe)
    held = None
    if apart is not None:
        held = _matrix([features.count(normalise(t), recipe.shape) for t in apart[0]], vocabulary, idf, recipe.shape)

    def others(question: str) -> tuple[Any, Sequence[str | None]] | None:
        return None if apart is None else (held, apart[1][question])

    heads = {
        question: _head(examples, given, is_latin(vocabulary), recipe, others(question))
        for question, given in labels.items()
    }
    return Model(recipe.shape, tuple(vocabulary), idf, heads, name, {"n": len(texts), **(about or {})})


def _enough(question: str, given: Sequence[str | None], folds: int) -> None:
    tally = Counter(g for g in given if g)
    if len(tally) < 2:
        raise TooLittle(f"'{question}' has {len(tally)} class(es) in these texts; two are the least.")
    rare = sorted(c for c, n in tally.items() if n < min(MIN_PER_CLASS, folds))
    if rare:
        raise TooLittle(f"'{question}': fewer than {MIN_PER_CLASS} texts are labelled {', '.join(rare)}.")


def _rarity(vocabulary: Sequence[str], often: Mapping[str, int], texts: int, recipe: Recipe) -> Floats:
    plain = np.asarray([np.log((1 + texts) / (1 + often[f])) + 1 for f in vocabulary])
    return np.asarray(plain ** np.where(is_latin(vocabulary), *recipe.rarity), np.float32)


def _examples(
    lines: Sequence[str], counts: Sequence[Mapping[str, int]], vocabulary: Sequence[str], idf: Floats, recipe: Recipe
) -> _Examples:
    """`lines`: the texts, normalised. A title or a first sentence says in few words what the rest says in many; learnt
    by itself it is not drowned by them."""
    parts = [(i, part) for i, line in enumerate(lines) for part in features.divided(line)] if recipe.part else []
    counts = [*counts, *(features.count(part, recipe.shape) for _, part in parts)]
    return _Examples(
        _matrix(counts, vocabulary, idf, recipe.shape),
        np.asarray([*range(len(lines)), *(i for i, _ in parts)]),
        np.asarray([1.0] * len(lines) + [recipe.part] * len(parts)),
    )


def _matrix(counts: Sequence[Mapping[str, int]], vocabulary: Sequence[str], idf: Floats, shape: Shape) -> Any:
    """Texts x features, sparse; every row as `Model.weigh` would make it."""
    from scipy import sparse

    index = {f: i for i, f in enumerate(vocabulary)}
    kinds = kinds_of(vocabulary)
    columns: list[npt.NDArray[np.int64]] = []
    values: list[Floats] = []
    for one in counts:
        found = [(i, n) for f, n in one.items() if (i := index.get(f)) is not None]
        rows = np.fromiter((i for i, _ in found), np.int64, len(found))
        tf = np.fromiter((n for _, n in found), np.float32, len(found))
        order = np.argsort(rows)
        columns.append(rows[order])
        values.append(weighted(tf, kinds[rows], idf[rows], shape)[order] if found else np.empty(0, np.float32))
    ends = np.cumsum([0, *(len(c) for c in columns)])
    return sparse.csr_matrix(
        (np.concatenate(values).astype(np.float64), np.concatenate(columns), ends), (len(counts), len(vocabulary))
    )


def _asked(
    examples: _Examples, given: Sequence[str | None], recipe: Recipe
) -> tuple[tuple[str, ...], npt.NDArray[np.int64], _Examples]:
    """The classes of a question, the number of each text's class, and the examples that answer it, balanced."""
    classes = tuple(sorted({g for g in given if g}))
    answers = np.asarray([classes.index(g) if g else _NONE for g in given])
    texts = np.flatnonzero(answers != _NONE)
    found = examples.of(texts)
    right = answers[found.text]
    size = np.bincount(right, weights=found.worth)
    few, many = recipe.balance
    power = many if _bear_a_matrix(len(texts), len(classes)) else few
    return classes, answers, replace(found, worth=found.worth * (size.mean() / size[right]) ** power)


def _head(
    examples: _Examples,
    given: Sequence[str | None],
    latin: npt.NDArray[np.bool_],
    recipe: Recipe,
    apart: tuple[Any, Sequence[str | None]] | None,
) -> Head:
    classes, answers, examples = _asked(examples, given, recipe)
    texts = np.flatnonzero(answers != _NONE)
    weights, intercepts = _fit(examples, answers, len(classes), latin, recipe)
    if apart is None:
        unseen, right = _unseen(examples, texts, answers, len(classes), latin, recipe), answers[texts]
    else:
        known = [i for i, g in enumerate(apart[1]) if g in classes]
        unseen = apart[0][known] @ weights + intercepts
        right = np.asarray([classes.index(str(apart[1][i])) for i in known])
    calibration, offsets = _calibrated(unseen, right, len(classes))
    return Head(
        classes,
        weights.astype(np.float16 if recipe.half else np.float32),
        intercepts.astype(np.float32),
        calibration.astype(np.float32),
        offsets.astype(np.float32),
    )


def _unseen(
    examples: _Examples,
    texts: npt.NDArray[np.int64],
    answers: npt.NDArray[np.int64],
    classes: int,
    latin: npt.NDArray[np.bool_],
    recipe: Recipe,
) -> Any:
    """The scores of each of `texts`, whole, by machines that were trained without it (cross-validation)."""
    from sklearn.model_selection import StratifiedKFold

    right = answers[texts]
    folds = StratifiedKFold(max(2, min(recipe.folds, int(np.bincount(right).min()))), shuffle=True, random_state=SEED)
    scores = np.zeros((len(texts), classes))
    for learn, check in folds.split(texts, right):
        weights, intercepts = _fit(examples.of(texts[learn]), answers, classes, latin, recipe)
        scores[check] = examples.matrix[check] @ weights + intercepts  # whole texts come first
    return scores


def _calibrated(scores: Any, answers: npt.NDArray[np.int64], classes: int) -> tuple[Any, Any]:
    """What turns scores of unseen texts into the logits of probabilities: a matrix, which also corrects between
    classes; where there are too few texts to bear one, a single factor, which leaves the order as it is."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    if _bear_a_matrix(len(answers), classes):
        matrix = LogisticRegression(C=10.0, max_iter=2000).fit(scores, answers)
        return matrix.coef_.T, matrix.intercept_

    def loss(factor: float) -> float:
        odds = np.exp(factor * (scores - scores.max(axis=1, keepdims=True)))
        return float(log_loss(answers, odds / odds.sum(axis=1, keepdims=True), labels=range(classes)))

    return np.eye(classes) * min(np.geomspace(0.5, 20, 60), key=loss), np.zeros(classes)


def _bear_a_matrix(texts: int, classes: int) -> bool:
    return classes > 2 and texts >= _TEXTS_PER_CELL * classes**2


def _fit(
    examples: _Examples, answers: npt.NDArray[np.int64], classes: int, latin: npt.NDArray[np.bool_], recipe: Recipe
) -> tuple[Any, Any]:
    """Weights (features x classes) and intercepts of one machine for each class against the rest. `answers`: the class
    of each text, by its number in `examples.text`.

    Each machine sees every feature of Latin words multiplied by the logarithm of how much more often it occurs in its
    class (Wang and Manning, "Baselines and Bigrams", ACL 2012): with few texts, what is typical counts before anything
    is learnt. Of Chinese characters that did not hold (measured).
    """
    from sklearn.svm import LinearSVC

    x, right = examples.matrix, answers[examples.text]
    weights = np.zeros((x.shape[1], classes))
    intercepts = np.zeros(classes)
    for k in range(classes):
        inside = right == k
        ratio = np.ones(x.shape[1])
        if recipe.prior is not None:
            mine = recipe.prior + np.asarray(x[inside].sum(axis=0)).ravel()
            others = recipe.prior + np.asarray(x[~inside].sum(axis=0)).ravel()
            ratio = np.where(latin, np.log((mine / mine.sum()) / (others / others.sum())), recipe.characters)
        machine = LinearSVC(C=recipe.cost, random_state=SEED).fit(x.multiply(ratio).tocsr(), inside, examples.worth)
        weights[:, k] = machine.coef_[0] * ratio
        intercepts[k] = machine.intercept_[0]
    return weights, intercepts


def _weightiest(
    lines: Sequence[str],
    counts: Sequence[Mapping[str, int]],
    often: Mapping[str, int],
    vocabulary: Sequence[str],
    labels: Mapping[str, Sequence[str | None]],
    recipe: Recipe,
) -> list[str]:
    """The `keep` features that a first fit gives the greatest weight."""
    idf = _rarity(vocabulary, often, len(counts), recipe)
    examples = _examples(lines, counts, vocabulary, idf, recipe)
    reach = np.zeros(len(vocabulary))
    for given in labels.values():
        classes, answers, learn = _asked(examples, given, recipe)
        strength = np.abs(_fit(learn, answers, len(classes), is_latin(vocabulary), recipe)[0]).max(axis=1)
        reach = np.maximum(reach, strength / strength.max())
    best = np.argsort(-reach, kind="stable")[: recipe.keep]
    return sorted(vocabulary[i] for i in best)
