"""How long routing takes to decide, beside the least that there is to do: counting what is written."""

import statistics
import time
from collections import Counter

import pytest

from services.routing.classifier import OWN, Rulebook, load, shipped
from services.routing.classifier.starter import generate


@pytest.mark.parametrize("joined", [1, 8], ids=["a short text", "a long one"])
def test_a_decision_takes_at_most_thirty_times_counting_one_to_three_characters(joined: int) -> None:
    book: Rulebook = load(OWN).with_model(shipped())
    made = [one.text for one in generate(200 * joined, 5, part="heldout")]
    deciding, counting = [], []
    for n in range(0, len(made), joined):
        text = "\n".join(made[n : n + joined])
        began = time.process_time()
        book.route(book.classify(text, explain=True))
        decided = time.process_time()
        _grams(text)
        deciding.append(decided - began)
        counting.append(time.process_time() - decided)
    assert statistics.median(deciding) < 30 * statistics.median(counting)


def _grams(text: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for length in (1, 2, 3):
        found.update(text[i : i + length] for i in range(len(text) - length + 1))
    return found
