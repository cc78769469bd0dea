"""Complaints made up by this project, with their labels: what the starter model is trained on, and measured by.

Texts are put together from fragments in `data/`, written for this purpose: nothing in them comes from a complaint that
was ever made, nobody is named, no bank either. Each complaint has a situation, which alone decides its type, and words
that name its product; around them stand an opening, details, consequences, demands, threats and courtesies that occur
with every type alike, so that a model does not learn from them.

The part `heldout` shares no fragment with the part `train`. A model trained on one and measured on the other meets
wording that it has not seen; both are of one hand all the same, so real complaints are harder than either.
"""

from services.routing.classifier.starter.fragments import LANGUAGES, Part
from services.routing.classifier.starter.generator import Labelled, generate, paired

__all__ = ["LANGUAGES", "Labelled", "Part", "generate", "paired"]
