"""Making a model from labelled texts. scikit-learn is imported here and nowhere else, and only when training."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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


class TooLittle(ValueError):
    """The labelled texts do not suffice; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is made. `at_least`: texts that a feature must occur in. `rarity`: the power of the inverse document
    frequency. `prior`: the smoothing of each class's own frequencies, None to leave them out. `characters`: what runs
    of Chinese characters are multiplied by instead. `keep`: how many features remain (those that weigh most), None for
    all. `half`: weights in half precision (a file half as large)."""

    shape: Shape = field(default_factory=Shape)
    at_least: int = 2
    rarity: float = 1.5
    cost: float = 0.3
    prior: float | None = 0.5
    characters: float = 1.8
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
    counts = [features.count(normalise(t), recipe.shape) for t in texts]
    often = Counter(f for c in counts for f in c)
    vocabulary = sorted(f for f, n in often.items() if n >= recipe.at_least)
    if not vocabulary:
        raise TooLittle("The texts have no word in common.")
    if recipe.keep is not None and len(vocabulary) > recipe.keep:
        vocabulary = _weightiest(counts, often, vocabulary, labels, recipe)
    idf = _rarity(vocabulary, often, len(texts), recipe)
    matrix = _matrix(counts, vocabulary, idf, recipe.shape)
    held = None
    if apart is not None:
        held = _matrix([features.count(normalise(t), recipe.shape) for t in apart[0]], vocabulary, idf, recipe.shape)

    def others(question: str) -> tuple[Any, Sequence[str | None]] | None:
        return None if apart is None else (held, apart[1][question])

    heads = {
        question: _head(matrix, given, is_latin(vocabulary), recipe, others(question))
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
    return np.asarray([(np.log((1 + texts) / (1 + often[f])) + 1) ** recipe.rarity for f in vocabulary], np.float32)


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


def _head(
    matrix: Any,
    given: Sequence[str | None],
    latin: npt.NDArray[np.bool_],
    recipe: Recipe,
    apart: tuple[Any, Sequence[str | None]] | None,
) -> Head:
    rows = np.asarray([i for i, g in enumerate(given) if g])
    classes = tuple(sorted({g for g in given if g}))
    answers = np.asarray([classes.index(g) for g in given if g])
    x = matrix[rows]
    weights, intercepts = _fit(x, answers, len(classes), latin, recipe)
    if apart is None:
        unseen, right = _unseen(x, answers, len(classes), latin, recipe), answers
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


def _unseen(x: Any, answers: npt.NDArray[np.int64], classes: int, latin: npt.NDArray[np.bool_], recipe: Recipe) -> Any:
    """The scores of each text by machines that were trained without it (cross-validation)."""
    from sklearn.model_selection import StratifiedKFold

    folds = StratifiedKFold(max(2, min(recipe.folds, int(np.bincount(answers).min()))), shuffle=True, random_state=SEED)
    scores = np.zeros((len(answers), classes))
    for learn, check in folds.split(x, answers):
        weights, intercepts = _fit(x[learn], answers[learn], classes, latin, recipe)
        scores[check] = x[check] @ weights + intercepts
    return scores


def _calibrated(scores: Any, answers: npt.NDArray[np.int64], classes: int) -> tuple[Any, Any]:
    """What turns scores of unseen texts into the logits of probabilities: a matrix, which also corrects between
    classes; where there are too few texts to bear one, a single factor, which leaves the order as it is."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    if classes > 2 and len(answers) >= _TEXTS_PER_CELL * classes**2:
        matrix = LogisticRegression(C=10.0, max_iter=2000).fit(scores, answers)
        return matrix.coef_.T, matrix.intercept_

    def loss(factor: float) -> float:
        odds = np.exp(factor * (scores - scores.max(axis=1, keepdims=True)))
        return float(log_loss(answers, odds / odds.sum(axis=1, keepdims=True), labels=range(classes)))

    return np.eye(classes) * min(np.geomspace(0.5, 20, 60), key=loss), np.zeros(classes)


def _fit(
    x: Any, answers: npt.NDArray[np.int64], classes: int, latin: npt.NDArray[np.bool_], recipe: Recipe
) -> tuple[Any, Any]:
    """Weights (features x classes) and intercepts of one machine for each class against the rest.

    Each machine sees every feature of Latin words multiplied by the logarithm of how much more often it occurs in its
    class (Wang and Manning, "Baselines and Bigrams", ACL 2012): with few texts, what is typical counts before anything
    is learnt. Of Chinese characters that did not hold (measured).
    """
    from sklearn.svm import LinearSVC

    weights = np.zeros((x.shape[1], classes))
    intercepts = np.zeros(classes)
    for k in range(classes):
        inside = answers == k
        ratio = np.ones(x.shape[1])
        if recipe.prior is not None:
            mine = recipe.prior + np.asarray(x[inside].sum(axis=0)).ravel()
            others = recipe.prior + np.asarray(x[~inside].sum(axis=0)).ravel()
            ratio = np.where(latin, np.log((mine / mine.sum()) / (others / others.sum())), recipe.characters)
        machine = LinearSVC(C=recipe.cost, random_state=SEED).fit(x.multiply(ratio).tocsr(), inside)
        weights[:, k] = machine.coef_[0] * ratio
        intercepts[k] = machine.intercept_[0]
    return weights, intercepts


def _weightiest(
    counts: Sequence[Mapping[str, int]],
    often: Mapping[str, int],
    vocabulary: Sequence[str],
    labels: Mapping[str, Sequence[str | None]],
    recipe: Recipe,
) -> list[str]:
    """The `keep` features that a first fit gives the greatest weight."""
    idf = _rarity(vocabulary, often, len(counts), recipe)
    matrix = _matrix(counts, vocabulary, idf, recipe.shape)
    reach = np.zeros(len(vocabulary))
    for given in labels.values():
        rows = [i for i, g in enumerate(given) if g]
        classes = sorted({g for g in given if g})
        answers = np.asarray([classes.index(str(given[i])) for i in rows])
        strength = np.abs(_fit(matrix[rows], answers, len(classes), is_latin(vocabulary), recipe)[0]).max(axis=1)
        reach = np.maximum(reach, strength / strength.max())
    best = np.argsort(-reach, kind="stable")[: recipe.keep]
    return sorted(vocabulary[i] for i in best)
