"""Another model from what officers have corrected, and whether it does better than the one in use.

A correction's id alone decides what it serves for: a quarter is held out for good, so that no model, today's or an
earlier one, has ever learnt from a text that it is measured on.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.routing.classifier import starter
from services.routing.classifier.decide import PRODUCT, TYPE
from services.routing.classifier.evaluation import Figures, evaluate
from services.routing.classifier.model import Model
from services.routing.classifier.training import Recipe, TooLittle, train

MADE_UP = 6_000
"""Texts of the project's own that a model learns beside corrections, so that it forgets no rare type."""
LEAST = 40
"""Held-out texts below which a comparison says nothing."""
SLACK = 0.01
"""What the macro-F1 may lose: rare types move it by chance."""
SENSE = 0.2
"""What the accuracy on the project's own unseen texts may lose. A bank may draw the line between types elsewhere; one
whose labels are mixed up loses far more, though it may agree with itself on what was held out."""
_SHARES = ("check", "calibrate", "learn", "learn")
_RECIPE = Recipe(part=0.0, keep=16_000, half=True)


@dataclass(frozen=True, slots=True)
class Example:
    """A text and what a person said it is. `id` is the complaint's, or the text's own digest."""

    id: str
    text: str
    type: str
    product: str | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The figures of two models on the same held-out texts, and `made_up` on the project's own, which neither has
    learnt from either. `better`: the candidate may replace the one in use."""

    candidate: Figures
    in_use: Figures
    made_up: tuple[Figures, Figures]

    @property
    def better(self) -> bool:
        kept = self.candidate.macro_f1 >= self.in_use.macro_f1 - SLACK
        candidate, in_use = self.made_up
        sound = candidate.accuracy >= in_use.accuracy - SENSE
        return self.candidate.accuracy >= self.in_use.accuracy and kept and sound

    def as_dict(self) -> dict[str, Any]:
        candidate, in_use = self.made_up
        return {
            "candidate": self.candidate.as_dict(),
            "in_use": self.in_use.as_dict(),
            "made_up": {"candidate": candidate.as_dict(), "in_use": in_use.as_dict()},
        }


def share(id: str) -> str:
    """What an example serves for: `learn`, `calibrate` or `check`."""
    return _SHARES[hashlib.sha256(id.encode()).digest()[0] % len(_SHARES)]


def retrain(examples: Sequence[Example], in_use: Model, *, made_up: int = MADE_UP) -> tuple[Model, Comparison]:
    """A model that has learnt from `examples` too, and how it compares with the one in use. Raises TooLittle."""
    parts: dict[str, list[Example]] = {name: [] for name in _SHARES}
    for one in examples:
        parts[share(one.id)].append(one)
    check = parts["check"]
    if len(check) < LEAST:
        raise TooLittle(
            f"Of {len(examples)} examples {len(check)} are held out to compare on; at least {LEAST} are needed there."
        )
    learn, calibrate, own = starters(made_up)
    model = train(
        *_asked([*learn, *parts["learn"]]),
        apart=_asked([*calibrate, *parts["calibrate"]]),
        recipe=_RECIPE,
        name="corrected",
        about={"examples": len(examples)},
    )

    def on(part: Sequence[Any]) -> tuple[Figures, Figures]:
        texts, types = [one.text for one in part], [one.type for one in part]
        return evaluate(model, TYPE, texts, types), evaluate(in_use, TYPE, texts, types)

    return model, Comparison(*on(check), made_up=on(own))


def first(made_up: int) -> tuple[Model, list[starter.Labelled]]:
    """The model that the project ships, and made-up texts in wording that it has not met."""
    learn, calibrate, check = starters(made_up)
    return train(*_asked(learn), apart=_asked(calibrate), recipe=_RECIPE, name="starter"), check


def starters(n: int) -> tuple[list[starter.Labelled], list[starter.Labelled], list[starter.Labelled]]:
    """Made-up texts to learn from, to calibrate on and to measure on; the latter two in wording and situations of
    their own, since texts of one hand resemble one another more than what will come."""
    other = list(starter.generate(n // 2, 2, part="heldout"))
    calibrating = set(sorted({one.situation for one in other})[::2])
    calibrate = [one for one in other if one.situation in calibrating]
    return list(starter.generate(n, 1)), calibrate, [one for one in other if one.situation not in calibrating]


def _asked(examples: Sequence[Any]) -> tuple[list[str], dict[str, list[str | None]]]:
    """Texts, and their answers to each question."""
    return [one.text for one in examples], {
        TYPE: [one.type for one in examples],
        PRODUCT: [one.product for one in examples],
    }
