"""How well a model does on labelled texts."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from services.routing.classifier.model import Model

SEED = 20261101
HEAD = "label"
"""The question that a model trained from one column of labels answers."""
BINS = 10
CONFIDENT_SHARE = 0.7


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares from 0 to 1. `top2`: the right class is among the two likeliest. `top70`: accuracy of the most confident
    70 %. `ece`: expected calibration error over ten equal bins of confidence. Times: one decision, text to probability,
    in milliseconds."""

    n: int
    accuracy: float
    macro_f1: float
    top2: float
    top70: float
    ece: float
    p50_ms: float
    p99_ms: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def evaluate(model: Model, head: str, texts: Sequence[str], labels: Sequence[str]) -> Figures:
    """Decide each text by itself and compare. A label that the model does not know counts as wrong."""
    known = model.heads[head].classes
    classes = (*known, *sorted(set(labels) - set(known)))
    chances = np.zeros((len(texts), len(classes)))
    times = np.zeros(len(texts))
    for i, text in enumerate(texts):
        began = time.perf_counter()
        found = model.predict(head, model.see(text))
        times[i] = time.perf_counter() - began
        chances[i, : len(known)] = [found[c] for c in known]
    answers = np.asarray([classes.index(label) for label in labels])
    return measured(chances, answers, times)


def cross_validate(
    texts: Sequence[str], labels: Sequence[str], *, folds: int, train: Callable[[Sequence[str], Sequence[str]], Model]
) -> Figures:
    """Figures over all texts, each decided by a model that `train` has made without it and its fold. Labels are spread
    evenly over the folds; the same texts make the same folds."""
    classes = tuple(sorted(set(labels)))
    fold = _spread(labels, folds)
    chances = np.zeros((len(texts), len(classes)))
    times = np.zeros(len(texts))
    for k in range(folds):
        learn = [i for i in range(len(texts)) if fold[i] != k]
        model = train([texts[i] for i in learn], [labels[i] for i in learn])
        for i in range(len(texts)):
            if fold[i] == k:
                began = time.perf_counter()
                found = model.predict(HEAD, model.see(texts[i]))
                times[i] = time.perf_counter() - began
                chances[i] = [found.get(c, 0.0) for c in classes]
    return measured(chances, np.asarray([classes.index(label) for label in labels]), times)


def _spread(labels: Sequence[str], folds: int) -> list[int]:
    """A fold for each text: texts of one label are dealt out in an order that chance has mixed, once and for all."""
    order = np.random.default_rng(SEED).permutation(len(labels))
    dealt: Counter[str] = Counter()
    fold = [0] * len(labels)
    for i in order:
        fold[i] = dealt[labels[i]] % folds
        dealt[labels[i]] += 1
    return fold


def measured(
    chances: npt.NDArray[np.float64], answers: npt.NDArray[np.int64], times: npt.NDArray[np.float64]
) -> Figures:
    """Figures from probabilities (texts x classes), the right classes, and seconds for each text."""
    order = np.argsort(-chances, axis=1, kind="stable")
    right = order[:, 0] == answers
    confidence = chances.max(axis=1)
    surest = np.argsort(-confidence, kind="stable")[: max(1, round(CONFIDENT_SHARE * len(answers)))]
    return Figures(
        n=len(answers),
        accuracy=_round(right.mean()),
        macro_f1=_round(macro_f1(order[:, 0], answers)),
        top2=_round((order[:, :2] == answers[:, None]).any(axis=1).mean()),
        top70=_round(right[surest].mean()),
        ece=_round(calibration_error(confidence, right)),
        p50_ms=_round(np.quantile(times, 0.5) * 1000),
        p99_ms=_round(np.quantile(times, 0.99) * 1000),
    )


def macro_f1(said: npt.NDArray[np.int64], answers: npt.NDArray[np.int64]) -> float:
    """The mean of each class's F1, over the classes that were said or right."""
    scores = []
    for k in np.union1d(said, answers):
        both = np.sum((said == k) & (answers == k))
        scores.append(2 * both / (np.sum(said == k) + np.sum(answers == k)))
    return float(np.mean(scores))


def calibration_error(confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]) -> float:
    """Mean distance between confidence and accuracy over `BINS` equal bins, weighted by their sizes."""
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    error = 0.0
    for b in range(BINS):
        inside = bins == b
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return float(error)


def _round(value: Any) -> float:
    return round(float(value), 4)
