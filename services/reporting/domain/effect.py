"""Whether a measure of improvement worked: complaints before and after, with the uncertainty of the answer. Pure.

An interrupted time series (Bernal, Cummins and Gasparrini, Interrupted time series regression for the evaluation of
public health interventions, Int J Epidemiol 46, 2017): a log-linear model of the counts of weeks or months with a step
where the measure begins, a straight trend and the waves of the year where the history is long enough to tell them from
the step. Where comparable branches are given, what each period counts there takes the place of trend and season
(difference in differences): given the sum of both, the share of the branch is binomial, and the step in its logit is
the logarithm of the ratio by which the branch changed more than they did.

Counts scatter more than Poisson's law allows and depend on those before. So the residuals are taken to be of two parts,
the noise of counting, which is known, and one that fades from period to period (a latent autoregression, as Zeger, A
regression model for time series of counts, Biometrika 75, 1988). How large and how persistent the second is, a short
series cannot tell; so the interval is taken over all that it may be, each weighed by the restricted likelihood. A short
series then has a wide interval, which is what it deserves.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Period = Literal["week", "month"]
Measure = Literal["rate_ratio", "odds_ratio", "difference"]

PER_YEAR: dict[Period, float] = {"week": 365.25 / 7, "month": 12.0}
LEAST_BEFORE = 8
"""Periods before the measure that it takes to say anything."""
LEAST_AFTER = 3
LEAST_COUNT = 20
"""Complaints before the measure that it takes, and half as many that would have come after it."""

_TREND_FROM = 12  # periods before, from which a trend can be told from the step
_SEASON_FROM = 2.0  # years in all
_LEVEL = 0.05
_APART = 0.01  # how improbable a common trend must be before it is given up; at 0.05 false effects came to 6 in 100
_PERSISTENCE = np.linspace(0.0, 0.9, 7)
_SIZES = 30
_NOTHING_ELSE = 0.5  # odds, before the data, that there is no noise but that of counting


class Verdict(StrEnum):
    """What may be said. Of shares and means `fewer` reads lower, `more` higher."""

    TOO_LITTLE_DATA = "too_little_data"
    NO_CLEAR_EFFECT = "no_clear_effect"
    FEWER = "fewer"
    MORE = "more"


@dataclass(frozen=True, slots=True)
class Effect:
    """What a measure changed, as far as can be told.

    `ratio` compares with what would have come without the measure, `low` to `high` is its 95 % interval: a rate ratio
    for counts, an odds ratio for shares (both 1 if nothing changed), a difference in the unit of the values for means
    (0). `p` is two-sided. All None with too little data. `before` and `after`: periods compared. `trend` and `season`:
    whether they were taken out; with `controls`, how many branches there were to compare with, season is theirs. What
    was not taken out may be the cause as well as the measure, and the reader must be told so. `dispersion`: variance of
    the residuals, 1 if counting were the only noise (for means: in their unit squared); `persistence`: how much of the
    rest of the noise goes over from one period to the next, 0 to 0.9.
    """

    verdict: Verdict
    measure: Measure
    ratio: float | None
    low: float | None
    high: float | None
    p: float | None
    before: int
    after: int
    trend: bool = False
    season: bool = False
    controls: int = 0
    dispersion: float | None = None
    persistence: float | None = None


class WrongShape(ValueError):
    """Series of different lengths, a value below zero or not finite, or a start that lies outside of the series."""


def on_counts(
    counts: ArrayLike,
    start: int,
    period: Period,
    *,
    controls: ArrayLike | None = None,
    exposure: ArrayLike | None = None,
    settling: int = 0,
) -> Effect:
    """The effect on `counts` [periods], complaints of each whole week or month, of a measure that began with period
    number `start` (from 0).

    `controls` [branches, periods]: the same of branches without the measure. `exposure` [periods]: what the counts are
    in proportion to (days, customers; with controls, relative to theirs). `settling`: periods from `start` on that are
    left out, in which the measure came into force. Raises WrongShape.
    """
    y = _series(counts)
    n = len(y)
    weight = np.ones(n) if exposure is None else _series(exposure, n)
    if np.any(weight <= 0):
        raise WrongShape
    shape = _Shape.of(n, start, period, settling)
    before, after = y[shape.kept & ~shape.later], y[shape.kept & shape.later]
    table = np.zeros((0, n)) if controls is None else np.asarray(controls, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != n or np.any(table < 0):
        raise WrongShape
    branches = len(table)
    others = _series(table.sum(axis=0), n) if branches else None
    would = before.sum() / max(1e-9, weight[shape.kept & ~shape.later].sum()) * weight[shape.kept & shape.later].sum()
    enough = shape.enough and before.sum() >= LEAST_COUNT and max(would, after.sum()) >= LEAST_COUNT / 2
    if others is not None:
        enough = (
            enough
            and min(others[shape.kept & ~shape.later].sum(), others[shape.kept & shape.later].sum()) >= LEAST_COUNT
        )
    if not enough:
        return shape.too_little("rate_ratio", branches)
    y = _something(y, shape)
    if others is None:
        return _judged(shape, "rate_ratio", _Counts(y, np.log(weight)), branches)
    totals = table.sum(axis=1)
    beside = []
    for branch in range(branches if branches > 1 else 0):
        rest = others - table[branch]
        if min(table[branch][shape.kept].sum(), rest[shape.kept].sum()) >= LEAST_COUNT:
            beside.append(_Shares(table[branch], others, np.zeros(n), spread=_spread(np.delete(totals, branch))))
    shape = replace(shape, kept=shape.kept & (y + others > 0))  # a period with nothing anywhere tells of no share
    beside = [one for one in beside if np.all(one.of[shape.kept] > 0)]
    ours = _Shares(y, y + others, np.log(weight), spread=_spread(totals))
    return _judged(shape, "rate_ratio", ours, branches, beside)


def _spread(totals: Floats) -> float:
    """The variance of one branch's noise less that of the average of others, in units of the first."""
    share = totals / totals.sum()
    return 1.0 + float(share @ share)


def on_shares(hits: ArrayLike, of: ArrayLike, start: int, period: Period, *, settling: int = 0) -> Effect:
    """The effect on a share, such as that of deadlines kept: `hits` of `of` [periods] each. Periods with none are left
    out. Raises WrongShape."""
    every = _series(of)
    y = _series(hits, len(every))
    if np.any(y > every):
        raise WrongShape
    shape = _Shape.of(len(every), start, period, settling, every > 0)
    sums = [(y[part].sum(), (every - y)[part].sum()) for part in (shape.kept & ~shape.later, shape.kept & shape.later)]
    if not shape.enough or sum(sums[0]) < LEAST_COUNT or sum(sums[1]) < LEAST_COUNT / 2:
        return shape.too_little("odds_ratio", 0)
    misses = _something(every - y, shape)
    y = _something(y, shape)
    return _judged(shape, "odds_ratio", _Shares(y, y + misses, np.zeros(len(y))), 0)


def on_means(means: ArrayLike, of: ArrayLike, start: int, period: Period, *, settling: int = 0) -> Effect:
    """The effect on a mean, such as that of satisfaction: `means` [periods], each of `of` values. Periods with none are
    left out. Raises WrongShape."""
    every = _series(of)
    values = np.asarray(means, dtype=np.float64)
    if values.shape != every.shape or not np.all(np.isfinite(values[every > 0])):
        raise WrongShape
    shape = _Shape.of(len(every), start, period, settling, every > 0)
    if not shape.enough:
        return shape.too_little("difference", 0)
    return _judged(shape, "difference", _Means(np.where(every > 0, values, 0.0), every), 0)


@dataclass(frozen=True, slots=True)
class _Shape:
    """Which periods are compared [periods], and what of the course of time can be told from the step."""

    kept: NDArray[np.bool_]
    later: NDArray[np.bool_]
    time: Floats  # years

    @classmethod
    def of(cls, n: int, start: int, period: Period, settling: int, usable: NDArray[np.bool_] | None = None) -> "_Shape":
        if not 0 <= start <= n or settling < 0:
            raise WrongShape
        at = np.arange(n)
        kept = (at < start) | (at >= start + settling)
        return cls(kept if usable is None else kept & usable, at >= start, at / PER_YEAR[period])

    @property
    def before(self) -> int:
        return int((self.kept & ~self.later).sum())

    @property
    def after(self) -> int:
        return int((self.kept & self.later).sum())

    @property
    def enough(self) -> bool:
        return self.before >= LEAST_BEFORE and self.after >= LEAST_AFTER

    @property
    def with_trend(self) -> bool:
        return self.before >= _TREND_FROM

    @property
    def with_season(self) -> bool:
        seen = self.time[self.kept]
        return bool(seen[-1] - seen[0] >= _SEASON_FROM - 0.1)

    def too_little(self, measure: Measure, branches: int) -> Effect:
        return Effect(
            Verdict.TOO_LITTLE_DATA, measure, None, None, None, None, self.before, self.after, controls=branches
        )

    def design(self, *, trend: bool, season: bool) -> Floats:
        """[kept periods, columns]: level, step, and what is asked for."""
        time = self.time[self.kept]
        columns = [np.ones(len(time)), self.later[self.kept].astype(np.float64)]
        if trend:
            columns.append((time - time.mean()) / (np.ptp(time) or 1.0))
        if season:
            for wave in (1, 2):
                columns += [np.sin(2 * np.pi * wave * time), np.cos(2 * np.pi * wave * time)]
        return np.stack(columns, axis=1)


@dataclass(frozen=True, slots=True)
class _Counts:
    counts: Floats
    offset: Floats
    counting: float = 1.0
    """Variance of the Pearson residuals that is due to counting alone."""
    spread: float = 1.0

    def fitted(self, kept: NDArray[np.bool_], design: Floats) -> tuple[Floats, Floats, Floats]:
        """Coefficients, working weights and Pearson residuals."""
        import statsmodels.api as sm

        fit = _quietly(sm.GLM(self.counts[kept], design, family=sm.families.Poisson(), offset=self.offset[kept]))
        return _array(fit.params), _array(fit.mu), _array(fit.resid_pearson)


@dataclass(frozen=True, slots=True)
class _Shares:
    hits: Floats
    of: Floats
    offset: Floats
    counting: float = 1.0
    spread: float = 1.0

    def fitted(self, kept: NDArray[np.bool_], design: Floats) -> tuple[Floats, Floats, Floats]:
        import statsmodels.api as sm

        hits, of = self.hits[kept], self.of[kept]
        outcome = np.stack([hits, of - hits], axis=1)
        fit = _quietly(sm.GLM(outcome, design, family=sm.families.Binomial(), offset=self.offset[kept]))
        weight = of * fit.mu * (1 - fit.mu)
        return _array(fit.params), _array(weight), _array((hits - of * fit.mu) / np.sqrt(np.maximum(weight, 1e-12)))


@dataclass(frozen=True, slots=True)
class _Means:
    values: Floats
    of: Floats
    counting: float = 0.0
    spread: float = 1.0

    def fitted(self, kept: NDArray[np.bool_], design: Floats) -> tuple[Floats, Floats, Floats]:
        import statsmodels.api as sm

        fit = sm.WLS(self.values[kept], design, weights=self.of[kept]).fit()
        return _array(fit.params), self.of[kept], _array(fit.resid * np.sqrt(self.of[kept]))


@dataclass(frozen=True, slots=True)
class _Noise:
    """What the noise may be like [possibilities]: `size` is the variance of the residuals beyond that of counting, each
    with the `weight` that the data give it. `errors` [columns, possibilities]: standard errors of the coefficients."""

    weight: Floats
    size: Floats
    persistence: Floats
    errors: Floats

    def p(self, column: int, value: float) -> float:
        """Two-sided: how probable a coefficient that far from 0 is by chance."""
        from scipy import stats

        return float(self.weight @ (2 * stats.norm.sf(abs(value) / self.errors[column])))

    def reach(self, column: int) -> float:
        """Half the width of the 95 % interval of a coefficient."""
        from scipy import optimize

        widest = float(self.errors[column].max())
        return float(optimize.brentq(lambda far: self.p(column, far) - _LEVEL, 0.0, 10 * widest))


def _judged(
    shape: _Shape,
    measure: Measure,
    model: "_Counts | _Shares | _Means",
    branches: int,
    beside: Sequence["_Shares"] = (),
) -> Effect:
    season = shape.with_season and not branches
    trend = shape.with_trend
    coefficients, noise = _fit(shape, model, beside, trend=trend, season=season)
    if branches and trend and noise.p(2, coefficients[2]) > _APART:
        # Comparable branches share the trend unless the data speak against it; to fit it all the same would double the
        # width of the interval.
        trend = False
        coefficients, noise = _fit(shape, model, beside, trend=False, season=False)
    size, reach = float(coefficients[1]), noise.reach(1)
    p = noise.p(1, size)
    bounds = (size, size - reach, size + reach)
    ratio, low, high = bounds if measure == "difference" else tuple(math.exp(min(max(b, -50.0), 50.0)) for b in bounds)
    verdict = Verdict.NO_CLEAR_EFFECT
    if p < _LEVEL:
        verdict = Verdict.FEWER if size < 0 else Verdict.MORE
    return Effect(
        verdict, measure, ratio, low, high, p, shape.before, shape.after, trend, season, branches,
        model.counting + float(noise.weight @ noise.size), float(noise.weight @ noise.persistence),
    )  # fmt: skip


def _fit(
    shape: _Shape, model: "_Counts | _Shares | _Means", beside: Sequence["_Shares"], *, trend: bool, season: bool
) -> tuple[Floats, _Noise]:
    design = shape.design(trend=trend, season=season)
    coefficients, weight, residual = model.fitted(shape.kept, design)
    ours = _Left(design, weight, residual, model.spread)
    theirs = []
    plain = shape.design(trend=trend, season=False)[:, [0, *range(2, 2 + trend)]]
    for other in beside:
        _, weight, residual = other.fitted(shape.kept, plain)
        theirs.append(_Left(plain, weight, residual, other.spread))
    return coefficients, _noise(ours, theirs, np.flatnonzero(shape.kept), model.counting)


@dataclass(frozen=True, slots=True)
class _Left:
    """What a fit has left: its design, working weights and Pearson residuals; `spread` times the fading noise of one
    branch is in it, as the branches that it is compared with have theirs."""

    design: Floats
    weight: Floats
    residual: Floats
    spread: float


def _noise(ours: _Left, theirs: Sequence[_Left], at: NDArray[np.int64], counting: float) -> _Noise:
    """Weigh what the noise may be like by the restricted likelihood (Patterson and Thompson, Biometrika 58, 1971) of
    the residuals: that of what lies across the design, so that what the fit has swallowed does not count as silence.

    Before the data the odds are one to two that there is no noise but that of counting; other noise is of any order of
    magnitude from that up and of any persistence from 0 to 0.9. A short series leaves much of this standing, and the
    interval is wide. Comparable branches, each beside the others, tell of the same noise; they count for half, for they
    are compared with one another and are only like the branch in question.
    """
    apart = np.abs(at[:, None] - at[None, :]).astype(np.float64)
    fading = [persistence**apart for persistence in _PERSISTENCE]
    heavy = float(np.mean(ours.weight)) if counting else 1.0
    most = float(ours.residual @ ours.residual) / max(1, len(at) - ours.design.shape[1]) or 1e-12
    if counting:
        sizes = np.expm1(np.linspace(0.0, math.log(1.0 + 20.0 * max(most, 1.0)), _SIZES)) / heavy
    else:
        sizes = most * np.geomspace(0.05, 20.0, _SIZES)
    likely = _likely(ours, fading, sizes, counting)
    for left in theirs:
        likely += 0.5 * _likely(left, fading, sizes, counting)
    weight = np.exp(likely - likely.max())
    if counting:
        weight[:, 0] *= _NOTHING_ELSE * (_SIZES - 1)
    weight /= weight.sum()

    root = np.sqrt(ours.weight)
    design = ours.design * root[:, None]
    rows = design @ np.linalg.pinv(design.T @ design)
    faded = rows * root[:, None] if counting else rows
    variance = np.empty((design.shape[1], len(fading), _SIZES))
    for number, alike in enumerate(fading):
        passed = ours.spread * np.sum(faded * (alike @ faded), axis=0)
        variance[:, number] = counting * np.sum(rows**2, axis=0)[:, None] + passed[:, None] * sizes
    return _Noise(
        weight.ravel(),
        np.tile(sizes * heavy * ours.spread, len(fading)),
        np.repeat(_PERSISTENCE, _SIZES),
        np.sqrt(variance.reshape(len(variance), -1)),
    )


def _likely(left: _Left, fading: Sequence[Floats], sizes: Floats, counting: float) -> Floats:
    """Logarithm of the restricted likelihood [persistences, sizes]."""
    root = np.sqrt(left.weight)
    design = left.design * root[:, None]
    across = np.linalg.qr(design, mode="complete")[0][:, design.shape[1] :]
    error = across.T @ left.residual
    across = across * root[:, None] if counting else across
    out = np.empty((len(fading), len(sizes)))
    for number, alike in enumerate(fading):
        values, vectors = np.linalg.eigh(left.spread * (across.T @ alike @ across))
        spread = counting + sizes[:, None] * np.maximum(values, 1e-9)
        out[number] = -0.5 * (np.log(spread) + (vectors.T @ error) ** 2 / spread).sum(axis=1)
    return out


def _series(values: ArrayLike, n: int | None = None) -> Floats:
    out = np.asarray(values, dtype=np.float64)
    if out.ndim != 1 or (n is not None and len(out) != n) or not np.all(np.isfinite(out)) or np.any(out < 0):
        raise WrongShape
    return out


def _something(counts: Floats, shape: _Shape) -> Floats:
    """Half a complaint, spread over a side on which there is none: its logarithm must exist."""
    out = counts.copy()
    for side in (shape.kept & ~shape.later, shape.kept & shape.later):
        if out[side].sum() == 0:
            out[side] += 0.5 / side.sum()
    return out


def _quietly(model: Any) -> Any:
    """The fit. That it is perfect is no reason to warn: a small desk may have the same count in every period."""
    from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PerfectSeparationWarning)
        return model.fit()


def _array(values: Any) -> Floats:
    return np.asarray(values, dtype=np.float64)
