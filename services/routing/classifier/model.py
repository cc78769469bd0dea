"""A trained model: features weighed by a linear classifier for each question, calibrated; read and written as plain
arrays, never as pickles (a pickle can run code when it is read).

It needs numpy alone; scikit-learn is only needed to train (`training`).
"""

import hashlib
import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from services.routing.classifier import features
from services.routing.classifier.features import KINDS, Shape
from services.routing.classifier.language import normalise

Floats = npt.NDArray[np.float32]
FORMAT = 1
MAX_BYTES = 64 * 1024 * 1024
_MAX_MEMBERS = 64
_WORDS, _PARTS, _CHARACTERS = (KINDS.index(kind) for kind in (features.WORDS, features.PARTS, features.RUNS[0]))
_LATIN = np.arange(len(KINDS)) <= _PARTS


class BadModel(ValueError):
    """A file that is no model, or one of a format that this release does not know."""


@dataclass(frozen=True, slots=True)
class Head:
    """The answer to one question, such as the type or the product line. `weights`: features x classes; `intercepts`:
    classes; `calibration`: classes x classes and its `offsets`, which turn scores into the logits of probabilities."""

    classes: tuple[str, ...]
    weights: Floats
    intercepts: Floats
    calibration: Floats
    offsets: Floats

    def probabilities(self, scores: Floats) -> Floats:
        """Calibrated probabilities of `scores` (texts x classes), each row adding up to 1."""
        logits = scores @ self.calibration + self.offsets
        logits -= logits.max(axis=1, keepdims=True)
        odds = np.exp(logits)
        return np.asarray(odds / odds.sum(axis=1, keepdims=True), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Seen:
    """A text as a model sees it: the rows of its known features and their values, and the share of the text's own
    weight that they make up (0: the model knows nothing of it)."""

    rows: npt.NDArray[np.int64]
    values: Floats
    known: float


@dataclass(frozen=True, slots=True)
class Word:
    """A piece of a text and what it added to the winning class over the average of the others (in score)."""

    text: str
    weight: float


@dataclass(frozen=True)
class Model:
    """Features, their inverse document frequencies, a head for each question. `version` follows from the content."""

    shape: Shape
    vocabulary: tuple[str, ...]
    idf: Floats
    heads: Mapping[str, Head]
    name: str = "model"
    about: Mapping[str, Any] = field(default_factory=dict)
    _index: dict[str, int] = field(init=False, repr=False, compare=False)
    version: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_index", {f: i for i, f in enumerate(self.vocabulary)})
        object.__setattr__(self, "version", f"{self.name}-{self._digest()[:12]}")

    def see(self, text: str) -> Seen:
        """`text` as written by its author."""
        return self.weigh(features.count(normalise(text), self.shape))

    def weigh(self, counts: Mapping[str, int]) -> Seen:
        """The values of counted features: tf-idf, each kind brought to length 1 and then to its weight."""
        index = self._index
        found = [(row, n) for f, n in counts.items() if (row := index.get(f)) is not None]
        if not found:
            return Seen(np.empty(0, np.int64), np.empty(0, np.float32), 0.0)
        rows = np.fromiter((row for row, _ in found), np.int64, len(found))
        tf = np.fromiter((n for _, n in found), np.float32, len(found))
        kinds = self._kinds[rows]
        values = weighted(tf, kinds, self.idf[rows], self.shape)
        plain = sum(1 for f in counts if f[0] in "w12")
        known = sum(1 for f in counts if f[0] in "w12" and f in index)
        return Seen(rows, values, known / plain if plain else 0.0)

    def scores(self, head: str, seen: Seen) -> Floats:
        found = self.heads[head]
        return np.asarray(seen.values @ found.weights[seen.rows] + found.intercepts, dtype=np.float32)

    def predict(self, head: str, seen: Seen) -> dict[str, float]:
        """Class -> probability, the likeliest first."""
        found = self.heads[head]
        chances = found.probabilities(self.scores(head, seen)[None, :])[0]
        return {found.classes[i]: float(chances[i]) for i in np.argsort(-chances, kind="stable")}

    @property
    def _kinds(self) -> npt.NDArray[np.int64]:
        cached: npt.NDArray[np.int64] | None = self.__dict__.get("_kinds_of")
        if cached is None:
            cached = kinds_of(self.vocabulary)
            self.__dict__["_kinds_of"] = cached
        return cached

    def contributions(self, head: str, seen: Seen, winner: str) -> dict[str, float]:
        """Feature -> what it added to `winner` over the average of the other classes."""
        found = self.heads[head]
        k = found.classes.index(winner)
        weights = found.weights[seen.rows].astype(np.float32)
        others = (weights.sum(axis=1) - weights[:, k]) / max(len(found.classes) - 1, 1)
        added = seen.values * (weights[:, k] - others)
        return {self.vocabulary[row]: float(v) for row, v in zip(seen.rows, added, strict=True)}

    def explain(self, head: str, text: str, winner: str, *, most: int = 5) -> tuple[Word, ...]:
        """The pieces of `text` that weighed most for `winner`, heaviest first, as its author wrote them.

        Features overlap (a word, its pairs, its parts); each gives its contribution to the characters that it covers,
        and words and runs of characters are then read off as they stand.
        """
        from services.routing.classifier.explaining import heaviest

        seen = self.see(text)
        return tuple(Word(t, w) for t, w in heaviest(text, self.contributions(head, seen, winner), self.shape, most))

    def encode(self) -> bytes:
        """The model as one file (a zip of plain arrays). The same model makes the same bytes."""
        arrays: dict[str, npt.NDArray[Any]] = {
            "vocabulary": _text("\n".join(self.vocabulary).encode()),
            "idf": self.idf.astype(np.float32),
            "about": _text(orjson.dumps(self._about(), option=orjson.OPT_SORT_KEYS)),
        }
        for name, head in self.heads.items():
            arrays |= {
                f"{name}.weights": head.weights,
                f"{name}.intercepts": head.intercepts.astype(np.float32),
                f"{name}.calibration": head.calibration.astype(np.float32),
                f"{name}.offsets": head.offsets.astype(np.float32),
            }
        out = io.BytesIO()
        np.savez_compressed(out, allow_pickle=False, **arrays)
        return out.getvalue()

    def _about(self) -> dict[str, Any]:
        classes = {name: list(head.classes) for name, head in self.heads.items()}
        return {
            "format": FORMAT,
            "name": self.name,
            "shape": self.shape.as_dict(),
            "classes": classes,
            "about": dict(self.about),
        }

    def _digest(self) -> str:
        digest = hashlib.sha256("\n".join(self.vocabulary).encode())
        digest.update(orjson.dumps(self._about(), option=orjson.OPT_SORT_KEYS))
        for name in sorted(self.heads):
            head = self.heads[name]
            for array in (head.weights, head.intercepts, head.calibration, head.offsets):
                digest.update(np.ascontiguousarray(array).tobytes())
        digest.update(np.ascontiguousarray(self.idf).tobytes())
        return digest.hexdigest()


def weighted(tf: Floats, kinds: npt.NDArray[np.int64], idf: Floats, shape: Shape) -> Floats:
    """The values of one text's features. Of Latin words and their parts the logarithm of the count tells more than the
    count itself; of Chinese characters the count does (measured). In a mixed text each script counts by its share."""
    latin = kinds <= _PARTS
    values = np.where(latin, 1 + np.log(tf), tf) * idf
    lengths = np.sqrt(np.bincount(kinds, weights=values * values, minlength=len(KINDS)))
    words, characters = tf[kinds == _WORDS].sum(), tf[kinds == _CHARACTERS].sum()
    share = words / (words + characters) if words + characters else 1.0
    scale = np.asarray(shape.weights) / np.where(lengths > 0, lengths, 1) * np.sqrt(np.where(_LATIN, share, 1 - share))
    return np.asarray(values * scale[kinds], dtype=np.float32)


def kinds_of(vocabulary: Sequence[str]) -> npt.NDArray[np.int64]:
    """The number of each feature's kind."""
    number = {kind: i for i, kind in enumerate(KINDS)}
    return np.fromiter((number[f[0]] for f in vocabulary), np.int64, len(vocabulary))


def is_latin(vocabulary: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which features are Latin words or their parts."""
    return np.asarray(kinds_of(vocabulary) <= _PARTS)


def decode(content: bytes) -> Model:
    """A model from the bytes of its file. Raises BadModel."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if len(members) > _MAX_MEMBERS or sum(m.file_size for m in members) > 8 * MAX_BYTES:
                raise BadModel("it unpacks to more than a model may be")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            raw = orjson.loads(arrays["about"].tobytes())
            if raw["format"] != FORMAT:
                raise BadModel(f"its format is {raw['format']}, this release knows {FORMAT}")
            vocabulary = tuple(arrays["vocabulary"].tobytes().decode().split("\n"))
            heads = {
                name: Head(
                    tuple(classes),
                    arrays[f"{name}.weights"],
                    arrays[f"{name}.intercepts"],
                    arrays[f"{name}.calibration"],
                    arrays[f"{name}.offsets"],
                )
                for name, classes in raw["classes"].items()
            }
            model = Model(Shape.of(raw["shape"]), vocabulary, arrays["idf"], heads, raw["name"], raw["about"])
    except BadModel:
        raise
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, TypeError, EOFError, OSError) as error:
        raise BadModel(f"it is no model: {error}") from None
    _check(model)
    return model


def _check(model: Model) -> None:
    n = len(model.vocabulary)
    if model.idf.shape != (n,) or len(model.shape.weights) != len(KINDS):
        raise BadModel("its parts do not fit together")
    for name, head in model.heads.items():
        k = len(head.classes)
        shapes = (head.weights.shape, head.intercepts.shape, head.calibration.shape, head.offsets.shape)
        if shapes != ((n, k), (k,), (k, k), (k,)) or k < 2:
            raise BadModel(f"the parts of its head '{name}' do not fit together")
        arrays = (head.weights, head.intercepts, head.calibration, head.offsets)
        if not all(np.issubdtype(a.dtype, np.floating) and np.isfinite(a).all() for a in arrays):
            raise BadModel(f"its head '{name}' holds what is no number")


def read(path: Path) -> Model:
    """The model in `path`: its file, or the folder that `redress classifier train` wrote. Raises BadModel."""
    file = path / "model.npz" if path.is_dir() else path
    try:
        return decode(file.read_bytes())
    except OSError as error:
        raise BadModel(f"{file}: cannot be read ({error.strerror})") from None
    except BadModel as error:
        raise BadModel(f"{file}: {error}") from None


def _text(content: bytes) -> npt.NDArray[np.uint8]:
    return np.frombuffer(content, dtype=np.uint8)
