"""The effect of a measure lies in its interval as often as it says, and none is claimed where there is none.

`LONG_SCALE_FORM=1` simulates ten times as many measures.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from services.reporting.domain.effect import Effect, Period, Verdict, WrongShape, on_counts, on_means, on_shares

LONG = bool(os.environ.get("LONG_SCALE_FORM"))
MEASURES = 5000 if LONG else 200
PERIODS: dict[Period, float] = {"week": 365.25 / 7, "month": 12.0}
EFFECTS = (0.6, 0.8, 1.0, 1.25)


@dataclass(frozen=True)
class World:
    """How complaints come about: `mean` a period, NB of `size` (Poisson if None), and a rate that wanders on the log
    scale by `sd` with an autoregression of `rho`; a trend a year, and a wave of the year of `season`."""

    period: Period
    before: int
    after: int
    mean: float
    size: float | None = None
    sd: float = 0.0
    rho: float = 0.0
    trend: float = 0.0
    season: float = 0.0
    branches: int = 0


WORLDS = {
    "Poisson": World("month", 24, 12, 30),
    "few": World("month", 24, 12, 3),
    "short": World("month", 10, 5, 30),
    "NB, trend, season": World("month", 36, 12, 30, size=10, trend=0.1, season=0.2),
    "AR, trend, season": World("month", 36, 12, 40, sd=0.2, rho=0.5, trend=0.1, season=0.2),
    "weeks, NB": World("week", 104, 26, 8, size=10, trend=0.1, season=0.2),
    "weeks, AR": World("week", 104, 26, 20, sd=0.2, rho=0.5, trend=0.1, season=0.2),
    "Poisson, controls": World("month", 14, 10, 20, trend=0.2, season=0.3, branches=4),
    "NB, controls": World("month", 18, 12, 20, size=10, trend=0.2, season=0.3, branches=4),
    "AR, controls": World("month", 18, 12, 30, sd=0.15, rho=0.5, trend=0.2, season=0.3, branches=4),
}


def counts(rng: np.random.Generator, world: World, effect: float) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
    n = world.before + world.after
    year = np.arange(n) / PERIODS[world.period]
    turn = 2 * np.pi * (year + rng.uniform())
    common = world.trend * (year - year.mean()) + world.season * (np.sin(turn) + 0.3 * np.sin(2 * turn + 1))

    def branch(mean: float, step: float) -> NDArray[np.int64]:
        wander = rng.normal(0, world.sd, n)
        for at in range(1, n):
            wander[at] = world.rho * wander[at - 1] + wander[at] * np.sqrt(1 - world.rho**2)
        rate = mean * np.exp(common + wander + np.log(step) * (np.arange(n) >= world.before))
        if world.size is not None:
            rate = rng.gamma(world.size, rate / world.size)
        return rng.poisson(rate)

    treated = branch(world.mean, effect)
    if not world.branches:
        return treated, None
    return treated, np.stack([branch(world.mean * rng.uniform(0.5, 2), 1.0) for _ in range(world.branches)])


def covers(found: Effect, truth: float) -> bool:
    assert found.low is not None
    assert found.high is not None
    return found.low <= truth <= found.high


def claims(found: Effect) -> bool:
    return found.verdict in (Verdict.FEWER, Verdict.MORE)


def within_chance(share: float, of: int) -> float:
    """Three standard errors of a share that was measured on `of`."""
    return 3 * float(np.sqrt(share * (1 - share) / of))


@pytest.mark.timeout(900)
def test_the_true_effect_lies_in_the_interval_of_95_in_100() -> None:
    """Over measures in worlds of every kind: 93 to 97 in a hundred. No kind by itself is under 95 beyond chance; in
    short histories the interval is rather too wide, for what makes it narrow cannot be known from them."""
    share: dict[str, float] = {}
    each = MEASURES // len(WORLDS)
    for seed, (name, world) in enumerate(WORLDS.items()):
        rng = np.random.default_rng(seed)
        hits = 0
        for n in range(each):
            effect = EFFECTS[n % len(EFFECTS)]
            ours, others = counts(rng, world, effect)
            hits += covers(on_counts(ours, world.before, world.period, controls=others), effect)
        share[name] = hits / each
    together = sum(share.values()) / len(share)
    assert 0.93 <= together <= 0.97 + (0 if LONG else 0.01), share
    assert all(one >= 0.95 - within_chance(0.95, each) for one in share.values()), share


@pytest.mark.timeout(900)
def test_where_nothing_changed_an_effect_is_claimed_in_at_most_5_in_100() -> None:
    share: dict[str, float] = {}
    each = MEASURES // len(WORLDS)
    for seed, (name, world) in enumerate(WORLDS.items()):
        rng = np.random.default_rng(100 + seed)
        false = 0
        for _ in range(each):
            ours, others = counts(rng, world, 1.0)
            false += claims(on_counts(ours, world.before, world.period, controls=others))
        share[name] = false / each
    assert sum(share.values()) / len(share) <= 0.05, share
    assert all(one <= 0.05 + within_chance(0.05, each) for one in share.values()), share


@pytest.mark.parametrize(
    ("world", "effect", "least"),
    [
        (World("month", 24, 12, 60), 0.6, 0.9),
        (World("week", 104, 26, 20, size=20, season=0.2), 0.6, 0.9),
        (World("month", 18, 12, 30, size=20, season=0.3, branches=4), 0.5, 0.9),
    ],
    ids=["months", "weeks", "controls"],
)
def test_a_large_effect_is_seen(world: World, effect: float, least: float) -> None:
    rng = np.random.default_rng(1)
    seen = 0
    for _ in range(40):
        ours, others = counts(rng, world, effect)
        seen += on_counts(ours, world.before, world.period, controls=others).verdict is Verdict.FEWER
    assert seen >= least * 40


def test_what_befell_all_branches_is_not_the_measures_doing() -> None:
    """A common shock halves every branch: the branch alone looks mended, beside the others it does not."""
    rng = np.random.default_rng(2)
    world = World("month", 18, 12, 60, size=50, branches=4)
    alone, beside = 0, 0
    for _ in range(40):
        ours, others = counts(rng, world, 0.5)
        assert others is not None
        halved = rng.binomial(others, np.where(np.arange(30) >= 18, 0.5, 1.0))
        alone += claims(on_counts(ours, 18, "month"))
        beside += claims(on_counts(ours, 18, "month", controls=halved))
    assert alone >= 30
    assert beside <= 5


def test_the_effect_says_what_it_took_out() -> None:
    rng = np.random.default_rng(3)
    long = on_counts(rng.poisson(30, 48), 36, "month")
    assert (long.trend, long.season, long.controls, long.before, long.after) == (True, True, 0, 36, 12)
    short = on_counts(rng.poisson(30, 14), 9, "month")
    assert (short.trend, short.season) == (False, False)
    beside = on_counts(rng.poisson(30, 48), 36, "month", controls=rng.poisson(30, (3, 48)))
    assert (beside.season, beside.controls) == (False, 3)


def test_a_falling_trend_is_no_effect() -> None:
    rng = np.random.default_rng(4)
    claimed = sum(claims(on_counts(rng.poisson(60 * np.exp(-0.02 * np.arange(48))), 36, "month")) for _ in range(40))
    assert claimed <= 5


def test_periods_of_settling_are_left_out() -> None:
    rng = np.random.default_rng(5)
    series = rng.poisson(40, 36)
    series[24:27] = 400
    found = on_counts(series, 24, "month", settling=3)
    assert found.after == 9
    assert covers(found, 1.0)


def test_counts_in_proportion_to_days_or_customers() -> None:
    rng = np.random.default_rng(6)
    customers = np.where(np.arange(36) < 24, 1000.0, 2000.0)
    found = on_counts(rng.poisson(customers * 0.05), 24, "month", exposure=customers)
    assert covers(found, 1.0)
    assert found.ratio == pytest.approx(1.0, abs=0.25)


@pytest.mark.parametrize(
    ("series", "start"),
    [
        ([30] * 20, 7),  # too few before
        ([30] * 20, 18),  # too few after
        ([1] * 24, 16),  # too few complaints
        ([0] * 24, 16),
        ([], 0),
    ],
)
def test_too_little_data_is_said_to_be_too_little(series: Sequence[int], start: int) -> None:
    found = on_counts(series, start, "month")
    assert found.verdict is Verdict.TOO_LITTLE_DATA
    assert (found.ratio, found.low, found.high, found.p) == (None, None, None, None)


def test_controls_that_have_nothing_are_too_little() -> None:
    assert on_counts([30] * 30, 20, "month", controls=[[0] * 30]).verdict is Verdict.TOO_LITTLE_DATA


def test_none_left_at_all_is_fewer() -> None:
    found = on_counts([20] * 24 + [0] * 8, 24, "month")
    assert found.verdict is Verdict.FEWER
    assert found.high is not None
    assert found.high < 0.3


def test_a_share_as_an_odds_ratio() -> None:
    """Deadlines kept: 80 in a hundred before, 90 after, an odds ratio of 2.25."""
    rng = np.random.default_rng(7)
    kept, of, claimed, false = 0, np.full(36, 60), 0, 0
    for _ in range(100):
        found = on_shares(rng.binomial(of, np.where(np.arange(36) < 24, 0.8, 0.9)), of, 24, "month")
        kept += covers(found, 2.25)
        claimed += found.verdict is Verdict.MORE
        false += claims(on_shares(rng.binomial(of, 0.8), of, 24, "month"))
    assert kept >= 92
    assert claimed >= 60
    assert false <= 8


def test_a_share_of_all_and_periods_without_any() -> None:
    of = np.array([40, 0] * 18)
    found = on_shares(np.where(np.arange(36) < 24, of // 2, of), of, 24, "month")
    assert (found.before, found.after) == (12, 6)
    assert found.verdict is Verdict.MORE


def test_a_mean_as_a_difference() -> None:
    """Satisfaction from 3.5 to 4.0 of 5, with an autoregression."""
    rng = np.random.default_rng(8)
    kept, false = 0, 0
    of = rng.integers(20, 60, 36)
    for _ in range(100):
        noise = rng.normal(0, 1 / np.sqrt(of))
        found = on_means(np.where(np.arange(36) < 24, 3.5, 4.0) + noise, of, 24, "month")
        kept += covers(found, 0.5)
        false += claims(on_means(3.5 + rng.normal(0, 1 / np.sqrt(of)), of, 24, "month"))
    assert kept >= 90
    assert false <= 8
    assert found.measure == "difference"


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(WrongShape):
        on_counts([1.0, -1.0], 1, "week")
    with pytest.raises(WrongShape):
        on_counts([1.0, float("nan")], 1, "week")
    with pytest.raises(WrongShape):
        on_counts([1, 2], 3, "week")
    with pytest.raises(WrongShape):
        on_counts([1, 2], 1, "week", controls=[[1, 2, 3]])
    with pytest.raises(WrongShape):
        on_counts([1, 2], 1, "week", exposure=[1, 0])
    with pytest.raises(WrongShape):
        on_shares([3], [2], 1, "week")
    with pytest.raises(WrongShape):
        on_means([3, 4], [2], 1, "week")
