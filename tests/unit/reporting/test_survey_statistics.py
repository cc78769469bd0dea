"""Survey figures say how sure they are, and never what one person answered."""

import random
from collections.abc import Iterator, Sequence
from itertools import product
from math import isfinite

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, bootstrap, t
from statsmodels.stats.proportion import proportion_confint

from services.reporting.domain.survey import (
    Answer,
    BadAnswer,
    Problem,
    Result,
    evaluate,
    mean,
    problems,
    share,
    standing,
)

SPREAD = (5 - 1) // 2


def words(text: str) -> list[str]:
    return text.lower().split()


def sheets(group: str | None, *scores: int) -> list[Answer]:
    return [Answer({"overall": score}, group) for score in scores]


def result(answers: Sequence[Answer], groups: Sequence[str] = (), *, anonymous: bool = False) -> Result:
    return evaluate(answers, ["overall"], groups, terms=words, anonymous=anonymous)


def shown(found: Result) -> list[str]:
    return [group.name for group in found.groups if not group.hidden]


# --- Statistics -------------------------------------------------------------------------------------------------------


def test_wilson_by_hand() -> None:
    """8 of 10: centre (0.8 + 3.8415/20) / 1.38415 = 0.7167, half 1.96/1.38415 * sqrt(0.016 + 0.0096) = 0.2266."""
    found = share(8, 10)
    assert found.value == 0.8
    assert (found.low, found.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)


@pytest.mark.parametrize("of", [1, 2, 5, 37, 1000])
def test_wilson_agrees_with_the_libraries(of: int) -> None:
    for count in {0, 1, of // 3, of - 1, of}:
        found = share(count, of)
        assert (found.low, found.high) == pytest.approx(proportion_confint(count, of, method="wilson"), abs=1e-12)
        theirs = binomtest(count, of).proportion_ci(method="wilson")
        assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_a_share_of_nobody_could_be_anything() -> None:
    assert (share(0, 0).value, share(0, 0).low, share(0, 0).high) == (0, 0, 1)
    with pytest.raises(ValueError, match="3 of 2"):
        share(3, 2)


def test_mean_by_hand() -> None:
    """1, 2, 3, 4, 5: mean 3, s = sqrt(2.5), t(4) = 2.7764, half 2.7764 * 1.5811 / 2.2361 = 1.9632."""
    found = mean([1, 2, 3, 4, 5])
    assert (found.value, found.low, found.high) == pytest.approx((3, 1.0368, 4.9632), abs=1e-4)


def test_few_answers_are_no_certainty() -> None:
    assert (mean([4]).low, mean([4]).high) == (1, 5)
    agreed = mean([5] * 6)
    assert agreed.high == 5
    assert agreed.low == pytest.approx(5 - t.ppf(0.975, 5) / 6)
    with pytest.raises(ValueError, match="no scores"):
        mean([])


def test_with_many_answers_the_interval_is_that_of_the_bootstrap() -> None:
    draw = random.Random(4)
    scores = draw.choices([1, 2, 3, 4, 5], [1, 2, 3, 6, 5], k=400)
    theirs = bootstrap(([float(s) for s in scores],), lambda x, axis: x.mean(axis=axis), rng=1).confidence_interval
    assert (mean(scores).low, mean(scores).high) == pytest.approx((theirs.low, theirs.high), abs=0.02)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=60))
def test_every_figure_is_finite_and_on_its_scale(scores: list[int]) -> None:
    found = standing(scores)
    assert 1 <= found.mean.low <= found.mean.value <= found.mean.high <= 5
    assert found.mean.low < found.mean.high
    assert 0 <= found.satisfied.low <= found.satisfied.value <= found.satisfied.high <= 1
    assert all(isfinite(x) for x in (found.mean.low, found.mean.high, found.satisfied.low, found.satisfied.high))
    assert found.satisfied.count == sum(score in (4, 5) for score in scores)


def test_the_interval_of_the_mean_holds_what_it_says() -> None:
    """Of 2,000 samples of eight, nineteen in twenty must have the truth within; a skewed scale costs a little."""
    draw, weights = random.Random(11), [2, 3, 5, 6, 4]
    truth = sum(score * weight for score, weight in zip(range(1, 6), weights, strict=True)) / sum(weights)
    samples = (mean(draw.choices(range(1, 6), weights, k=8)) for _ in range(2000))
    assert 0.93 <= sum(found.low <= truth <= found.high for found in samples) / 2000 <= 0.98


# --- What is shown of whom --------------------------------------------------------------------------------------------


def test_a_survey_by_hand() -> None:
    answers = [*sheets("cards", 5, 4, 4, 2, 5, 3), *sheets("loans", 1, 2, 4, 5, 3), *sheets(None, 4, 4, 4, 5, 1)]
    found = evaluate(answers, ["overall", "staff"], ["cards", "loans"], terms=words, invited={"cards": 12, "loans": 9})
    overall = found.aspects["overall"]
    assert overall is not None
    assert (overall.answers, overall.mean.value, overall.satisfied.count) == (16, 3.5, 10)
    assert found.aspects["staff"] is None
    cards, loans = found.groups
    assert cards.response is not None
    assert (cards.answers, cards.response.count, cards.response.of) == (6, 6, 12)
    assert loans.aspects["overall"] == standing([1, 2, 4, 5, 3])


def test_a_small_group_takes_the_next_smallest_with_it() -> None:
    answers = [*sheets("a", *[4] * 20), *sheets("b", *[3, 4] * 6), *sheets("c", 1, 1, 2)]
    assert shown(result(answers, ["a", "b", "c"])) == ["a"]


def test_two_small_groups_of_four_together_are_still_too_few() -> None:
    """24 - 20 = 4: their mean would be that of four people."""
    answers = [*sheets("a", *[4] * 20), *sheets("b", 1, 2), *sheets("c", 3, 3)]
    found = result(answers, ["a", "b", "c"])
    assert shown(found) == []
    assert found.aspects["overall"] is not None


def test_a_group_in_which_nobody_answered_costs_the_others_nothing() -> None:
    answers = [*sheets("a", 1, 2, 3, 4, 5), *sheets("b", 5, 4, 3, 2, 1)]
    assert shown(result(answers, ["a", "b", "c"])) == ["a", "b"]


def test_answers_without_a_group_are_not_found_by_subtraction() -> None:
    answers = [*sheets("a", *[4] * 9), *sheets("b", *[3] * 12), *sheets(None, 1)]
    assert shown(result(answers, ["a", "b"])) == ["b"]


def test_agreement_in_an_anonymous_survey_is_hidden() -> None:
    """All six gave 2: the mean of the group is what every one of them said."""
    answers = [*sheets("a", *[2] * 6), *sheets("b", 1, 2, 4, 5, 5, 5, 5), *sheets("c", *[1, 2, 3, 4, 5] * 4)]
    assert shown(result(answers, ["a", "b", "c"])) == ["a", "b", "c"]
    assert shown(result(answers, ["a", "b", "c"], anonymous=True)) == ["c"]
    assert result(sheets("a", *[1] * 9), ["a"], anonymous=True).aspects["overall"] is None


def test_too_few_answers_altogether_show_nothing() -> None:
    found = evaluate(sheets("a", 1, 2, 3, 4), ["overall"], ["a"], terms=words, invited=10)
    assert (found.aspects["overall"], found.response, shown(found)) == (None, None, [])


def test_the_order_of_answers_says_nothing() -> None:
    answers = [*sheets("a", 5, 4, 4, 2, 5, 3), *sheets("b", 1, 2, 4, 5, 3), *sheets("c", 1)]
    mixed = list(answers)
    random.Random(2).shuffle(mixed)
    assert result(answers, ["a", "b", "c"]) == result(mixed, ["a", "b", "c"])


def test_problems_are_terms_that_enough_people_wrote() -> None:
    texts = ["Queue queue queue", "queue fees", "queue", "fees queue", "fees", "queue Mr Chan", "fees", "fees"]
    assert problems(texts, words) == (Problem("fees", 5), Problem("queue", 5))
    assert problems(texts, words, most=1) == (Problem("fees", 5),)


def test_what_is_not_on_the_scale_is_refused() -> None:
    with pytest.raises(BadAnswer):
        Answer({"overall": 6})
    with pytest.raises(BadAnswer):
        result([Answer({"food": 3})])
    with pytest.raises(BadAnswer):
        result(sheets("nowhere", 3), ["a"])
    with pytest.raises(BadAnswer):
        evaluate(sheets(None, 3, 3, 3, 3, 3), ["overall"], terms=words, invited=4)


def possible(together: int, small: Sequence[bool]) -> Iterator[tuple[int, ...]]:
    """Every way in which hidden groups can share `together` answers, knowing even which of them are small."""
    ranges = [range(5) if below else range(5, together + 1) for below in small]
    return (counts for counts in product(*ranges) if sum(counts) == together)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(st.integers(1, 5), max_size=9), min_size=1, max_size=4), st.booleans())
def test_subtraction_finds_no_group(answers: list[list[int]], anonymous: bool) -> None:
    """What an attacker gets: the whole less the groups that are shown. Enumerated, it fits several divisions, and its
    mean is of five people at least, who do not agree where the survey is anonymous."""
    names = [f"g{n}" for n in range(len(answers))]
    found = result([a for n, s in zip(names, answers, strict=True) for a in sheets(n, *s)], names, anonymous=anonymous)
    hidden = [scores for group, scores in zip(found.groups, answers, strict=True) if group.hidden]
    assert all(group.hidden or len(scores) >= 5 for group, scores in zip(found.groups, answers, strict=True))
    if len(hidden) == len(answers) or not any(hidden):
        return
    rest = sorted(score for scores in hidden for score in scores)
    assert len(rest) >= 5
    assert not anonymous or (len(set(rest)) > 1 and rest[-1] >= 4)
    small = [len(scores) < 5 for scores in hidden]
    divisions = list(zip(*possible(len(rest), small), strict=True))
    for below, counts in zip(small, divisions, strict=True):
        assert not below or max(counts) - min(counts) >= SPREAD
