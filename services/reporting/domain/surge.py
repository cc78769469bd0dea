"""Early warning: of many daily counts, which run higher than chance explains. Pure.

The method is that of public health surveillance: a log-linear quasi-Poisson model of each series' past, with past
outbreaks weighted down and an upper limit from the negative binomial distribution (Farrington et al., A statistical
algorithm for the early detection of outbreaks of infectious disease, J R Stat Soc A 159, 1996; Noufaily et al., An
improved algorithm for outbreak detection in multiple surveillance systems, Stat Med 32, 2013). Three things differ, as
complaints want it: days, not weeks, so weekdays and closed days are part of the model; the slow change of the level is
a random walk instead of a straight line; and all series are fitted at once as a penalised regression (posterior mode
with normal priors), by which a series too small to know its own weekdays takes those of all complaints together.

Each series is judged by its last day and by the last two, three, five and seven days together. How wide those sums
scatter is measured on the same sums of the past, so that days which depend on one another widen the limit by
themselves. The level of each test comes from how many false alarms a month are put up with, over all series: that is
what the people who get them feel. The share of false ones among the alarms (Benjamini and Hochberg) would let more
through on the very days on which a real surge brings many.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

WINDOWS = (1, 2, 3, 5, 7)
"""Days that are summed and judged together; the last of each is the day judged."""
GUARD = max(WINDOWS)
"""The days judged are no part of the past by which they are judged."""
SHORTEST = 14
"""Days of past that it takes to judge at all: each weekday twice."""
SETTLED = 28
"""Days of past from which a judgement is no longer tentative."""
MONTH = 30

# The windows share most of their days: as measured on generated series, they give no more false alarms than this many
# independent tests would.
_INDEPENDENT = 2
_KNOTS = 90  # days between the knots of the level
_UNSURE = 0.25  # standard errors of the scatter, put on top of it; of the shortest past, one more
_YEAR = 365.25
_HARMONICS = 2
_OUTLIER = (
    3.3  # of a normal score: one day in two thousand; Noufaily's 2.58 would cut into the scatter that it measures
)
_LASTING = 20  # of _KNOWN days out of the ordinary: that is the level now, and no outbreak
_KNOWN = 28
# Standard deviations of the priors, on the log scale: of what a series may differ by from all complaints together.
_PRIOR_LEVEL, _PRIOR_WEEKDAY, _PRIOR_CLOSED, _PRIOR_SEASON, _PRIOR_TREND, _PRIOR_STEP = 5.0, 0.7, 0.7, 0.2, 0.3, 0.08


class Kind(NamedTuple):
    """Which complaints a series counts: those that are of everything given here."""

    category: str | None = None
    product: str | None = None
    branch: str | None = None
    channel: str | None = None


class DayCount(NamedTuple):
    """Complaints of one day: how many came, how many were expected."""

    day: date
    observed: int
    expected: float


@dataclass(frozen=True, slots=True)
class Rule:
    """What is put up with. `false_alarms`: how many a month (30 days) over all series together, if nothing ever rose.
    `least`: complaints that a surge must have; fewer are never one, however rare."""

    false_alarms: float = 0.25
    least: int = 5


@dataclass(frozen=True, slots=True)
class Surge:
    """More complaints of a kind than chance explains, from `since` to `until` (both included).

    `observed` and `expected` are sums over its days, which `daily` gives; quiet ones between two flares are not among
    them. `limit`: so many complaints in the days that gave the alarm would have been the first too many. `p`: how
    probable so many or more were by chance, in any of the windows judged (the smallest, times as many tests as they are
    worth). `tentative`: there were fewer than four weeks to compare with. `over`: nothing has been heard of it for some
    days.
    """

    kind: Kind
    since: date
    until: date
    observed: int
    expected: float
    limit: int
    p: float
    tentative: bool
    daily: tuple[DayCount, ...]
    over: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found for the last day of the counts. `expected` [series]: complaints of that day; `limit` [series]: so
    many on that one day would be the first too many; both NaN for the series that could not be judged yet."""

    day: date
    surges: tuple[Surge, ...]
    unjudged: tuple[Kind, ...]
    expected: Floats
    limit: Floats


@dataclass(frozen=True, slots=True)
class Tidings:
    """What is to be told and kept. `new`: to be alarmed about. `continued`: known ones that have grown. `over`: known
    ones that have ended. A known one that is in none of these stays as it is."""

    new: tuple[Surge, ...] = ()
    continued: tuple[Surge, ...] = ()
    over: tuple[Surge, ...] = ()


class WrongShape(ValueError):
    """Kinds, counts and days do not fit one another, or a count is below zero."""


def judge(
    kinds: Sequence[Kind],
    counts: NDArray[np.integer],
    first: date,
    *,
    closed: Collection[date] = (),
    begun: Sequence[date] | None = None,
    left_out: Flags | None = None,
    rule: Rule = Rule(),
) -> Judgement:
    """Judge the last day of `counts` [series, days], complaints a day from `first` on without gaps.

    `closed`: days on which the bank does not work, other than its usual ones of the week (holidays). `begun` [series]:
    the first day on which a series could count anything (a branch opened), `first` if None. `left_out` [series, days]:
    what must not be learnt from, because it is known to have been out of the ordinary.

    Three years are enough, eight weeks are worth having, three the least: a series with less is `unjudged`. With under
    four weeks to compare with a surge is `tentative`, and the limits are wide. Raises WrongShape.
    """
    from scipy import stats

    counted = np.asarray(counts)
    if counted.ndim != 2 or counted.shape[0] != len(kinds) or (counted.size and counted.min() < 0):
        raise WrongShape
    if left_out is not None and left_out.shape != counted.shape:
        raise WrongShape
    if begun is not None and len(begun) != len(kinds):
        raise WrongShape
    size, days = counted.shape
    last = first + timedelta(days=days - 1)
    starts = np.array(
        [max(0, (day - first).days) for day in begun] if begun is not None else [0] * size, dtype=np.int64
    )
    learnt = days - GUARD - starts
    able = learnt >= SHORTEST
    nothing = np.full(size, np.nan)
    if not able.any():
        return Judgement(last, (), tuple(kinds), nothing, nothing.copy())

    level = rule.false_alarms / (MONTH * size * _INDEPENDENT)
    past = _Past.of(counted[able], first, closed, starts[able], None if left_out is None else left_out[able])
    model = past.fitted()
    recent = counted[able, -GUARD:].astype(np.float64)
    smallest = np.ones(len(recent))
    window = np.ones(len(recent), dtype=np.int64)
    limit = np.full(len(recent), np.inf)
    limit_of_day = np.full(len(recent), np.inf)
    for at, length in enumerate(WINDOWS):
        observed = recent[:, -length:].sum(axis=1)
        expected, variance = model.predicted(at)
        successes = expected**2 / np.maximum(variance - expected, 1e-6 * expected)
        shape = successes / (successes + expected)
        p = stats.nbinom.sf(observed - 1, successes, shape)
        p[observed < rule.least] = 1.0
        # ties are for the longer window, which tells more of the surge
        better = p <= smallest
        first_too_many = np.maximum(stats.nbinom.isf(level, successes, shape) + 1, rule.least)
        smallest = np.where(better, p, smallest)
        window = np.where(better, length, window)
        limit = np.where(better, first_too_many, limit)
        if length == 1:
            limit_of_day = first_too_many

    surges = []
    index = np.flatnonzero(able)
    for row in np.flatnonzero(smallest < level):
        daily = [
            DayCount(last - timedelta(days=back), int(recent[row, -1 - back]), float(model.expected[row, -1 - back]))
            for back in reversed(range(int(window[row])))
        ]
        surges.append(
            _surge(
                kinds[index[row]],
                daily,
                limit=int(limit[row]),
                p=min(1.0, float(smallest[row]) * _INDEPENDENT),
                tentative=bool(learnt[index[row]] < SETTLED),
            )
        )
    shown, limits = nothing, nothing.copy()
    shown[able], limits[able] = model.expected[:, -1], limit_of_day
    return Judgement(
        last,
        tuple(sorted(surges, key=lambda surge: surge.p)),
        tuple(kind for kind, judged in zip(kinds, able, strict=True) if not judged),
        shown,
        limits,
    )


def told(found: Collection[Surge], known: Collection[Surge], *, day: date, quiet: int = 3) -> Tidings:
    """What the surges `found` on `day` are to those `known`: a surge that goes on is no new alarm.

    `known` holds the ongoing ones, and those that ended not longer than a fortnight ago: the sum of seven days
    remembers them for a while. A found surge is the same as a known one of its kind if it begins no more than `quiet`
    days after that one's last day. A known one is over once `quiet` days have passed without it. Asked twice for the
    same day it says of what it has told already nothing anew.
    """
    pause = timedelta(days=quiet)
    latest: dict[Kind, Surge] = {}
    for surge in sorted(known, key=lambda surge: surge.until):
        latest[surge.kind] = surge
    new, continued, over = [], [], []
    grown: set[Kind] = set()
    for surge in found:
        before = latest.get(surge.kind)
        if before is None or surge.since > before.until + pause:
            new.append(surge)
        elif surge.until > before.until:
            continued.append(_joined(before, surge))
            grown.add(surge.kind)
    for surge in known:
        if surge.over or (surge.kind in grown and surge is latest[surge.kind]):
            continue
        if day - surge.until > pause:
            over.append(replace(surge, over=True))
    return Tidings(tuple(new), tuple(continued), tuple(over))


def same(one: Surge, other: Surge, shared: int) -> bool:
    """Whether two surges, with `shared` complaints in common, are one event seen from two sides: of each, at least half
    of what came beyond the expected is the other's too. A kind that most complaints are of shares many with any other,
    but not that many."""
    return shared >= 0.5 * max(one.observed - one.expected, other.observed - other.expected)


def together(kinds: Sequence[Kind]) -> Kind:
    """The kind of several surges that are one: what is given of a dimension by one of them alone; where two say
    different things of it, it is not what they have in common."""
    named = {name: {code for kind in kinds if (code := getattr(kind, name))} for name in Kind._fields}
    return Kind(**{name: next(iter(codes)) for name, codes in named.items() if len(codes) == 1})


def _surge(kind: Kind, daily: Sequence[DayCount], *, limit: int, p: float, tentative: bool) -> Surge:
    """Without the days at either end that were no higher than usual: the window reaches back further than the surge."""
    high = [n for n, day in enumerate(daily) if day.observed > day.expected + day.expected**0.5]
    kept = tuple(daily[high[0] : high[-1] + 1]) if high else tuple(daily)
    observed, expected = sum(day.observed for day in kept), sum(day.expected for day in kept)
    return Surge(kind, kept[0].day, kept[-1].day, observed, expected, limit, p, tentative, kept)


def _joined(before: Surge, after: Surge) -> Surge:
    """The known one with the days that are new. Its beginning stays, whatever the sum of seven days reaches back to; so
    does what was expected, for the later judgement has learnt from the surge."""
    daily = (*before.daily, *(day for day in after.daily if day.day > before.until))
    return replace(
        before,
        until=daily[-1].day,
        observed=sum(day.observed for day in daily),
        expected=sum(day.expected for day in daily),
        limit=after.limit if after.p < before.p else before.limit,
        p=min(before.p, after.p),
        daily=daily,
        over=False,
    )


@dataclass(slots=True)
class _Model:
    """What the past says of the days judged. `expected` [series, GUARD]; `error` [series, windows]: variance of the
    logarithm of the sums expected; `alpha` and `phi` [series, windows]: how the sums scatter, see `scatter`."""

    expected: Floats
    error: Floats
    alpha: Floats
    phi: Floats

    def predicted(self, window: int) -> tuple[Floats, Floats]:
        """Mean and variance [series] of the sum over the window of that number, if nothing has risen.

        Scatter in proportion to the mean and to its square are both measured, and the wider is taken: the one is too
        narrow for busy days, the other for quiet ones, and the past seldom tells which it is.
        """
        mean = self.expected[:, -WINDOWS[window] :].sum(axis=1)
        scatter = np.maximum(self.phi[:, window] * mean, mean + self.alpha[:, window] * mean**2)
        return mean, scatter + self.error[:, window] * mean**2


@dataclass(slots=True)
class _Past:
    """Counts [series, days] and the design [days, columns] of the model; only the days before GUARD are learnt from.
    `weight` [series, learnt days] is 1 where a day counts, 0 where it does not."""

    counts: Floats
    design: Floats
    products: NDArray[np.float32]
    precision: Floats
    shared: Flags
    weight: Floats

    @classmethod
    def of(
        cls,
        counts: NDArray[np.integer],
        first: date,
        closed: Collection[date],
        starts: NDArray[np.int64],
        out: Flags | None,
    ) -> "_Past":
        days = counts.shape[1]
        design, precision, shared = _design(first, days, closed)
        learnt = days - GUARD
        weight = (np.arange(learnt) >= starts[:, None]).astype(np.float64)
        if out is not None:
            weight[out[:, :learnt]] = 0.0
        rows, columns = np.triu_indices(design.shape[1])
        # Half the precision at half the price: they serve the way to the mode and the errors, not the mode.
        products = (design[:learnt, rows] * design[:learnt, columns]).astype(np.float32)
        return cls(counts[:, :learnt].astype(np.float64), design, products, precision, shared, weight)

    def fitted(self) -> _Model:
        together = _Past(
            (self.counts * self.weight).sum(axis=0, keepdims=True) / max(1.0, self.weight.sum(axis=0).max()),
            self.design, self.products, self.precision, self.shared, self.weight.max(axis=0, keepdims=True),
        )  # fmt: skip
        # Series begin at different times, so the level of all together means nothing; its weekdays and seasons do.
        pattern = together._fit(np.zeros(self.design.shape[1]), None, np.zeros((1, 1)), rounds=12)[0]
        prior = np.where(self.shared, pattern[0], 0.0)

        alpha = np.zeros((len(self.counts), 1))
        ordinary = self.weight
        weights = self.weight
        coefficients: Floats | None = None
        for first, rounds in ((True, 4), (False, 2), (False, 1)):
            self.weight = weights
            coefficients, covariance = self._fit(prior, coefficients, alpha, rounds=rounds)
            mean = np.exp(coefficients @ self.design[: self.counts.shape[1]].T)
            alpha = self._scatter(mean, 1, tamed=first)[0][:, None]
            weights = ordinary * ~self._outbreaks(mean, alpha)
        self.weight = weights
        coefficients, covariance = self._fit(prior, coefficients, alpha, rounds=2)
        mean = np.exp(coefficients @ self.design[: self.counts.shape[1]].T)
        scatters = [self._scatter(mean, length) for length in WINDOWS]

        ahead = self.design[-GUARD:]
        expected = np.exp(coefficients @ ahead.T)
        error = np.empty((len(expected), len(WINDOWS)))
        for at, length in enumerate(WINDOWS):
            share = expected[:, -length:] / expected[:, -length:].sum(axis=1, keepdims=True)
            row = share @ ahead[-length:]
            error[:, at] = np.einsum("si,sij,sj->s", row, covariance, row)
        return _Model(expected, error, np.stack([a for a, _ in scatters], 1), np.stack([p for _, p in scatters], 1))

    def _fit(self, prior: Floats, start: Floats | None, alpha: Floats, *, rounds: int) -> tuple[Floats, Floats]:
        """Posterior mode and covariance [series, columns(, columns)], by Newton's method with Fisher's information."""
        learnt = self.counts.shape[1]
        design = self.design[:learnt]
        width = design.shape[1]
        rows, columns = np.triu_indices(width)
        penalty = np.diag(self.precision)
        if start is None:
            start = np.tile(prior, (len(self.counts), 1))
            usual = (np.exp(start @ design.T) * self.weight).sum(axis=1)
            start[:, 0] = np.log(((self.counts * self.weight).sum(axis=1) + 0.5) / np.maximum(usual, 0.5))
        coefficients = start
        information = np.empty((len(coefficients), width, width))
        for turn in range(rounds + 1):
            mean = np.exp(np.clip(coefficients @ design.T, -15.0, 15.0))
            strength = self.weight / (1.0 + alpha * mean)
            packed = (strength * mean).astype(np.float32) @ self.products
            information[:, rows, columns] = packed
            information[:, columns, rows] = packed
            information += penalty
            if turn == rounds:
                break
            slope = (strength * (self.counts - mean)) @ design - (coefficients - prior) * self.precision
            move = np.linalg.solve(information, slope[..., None])[..., 0]
            coefficients = coefficients + np.clip(move, -2.0, 2.0)
        return coefficients, np.asarray(np.linalg.inv(information), dtype=np.float64)

    def _scatter(self, mean: Floats, length: int, *, tamed: bool = False) -> tuple[Floats, Floats]:
        """`alpha` and `phi` [series] such that sums over `length` days have the variance m + alpha m² or phi m, by
        moments, each with part of its standard error on top: what was measured on little is taken for more.

        `tamed`: before outbreaks are known, lest they hide in the scatter that they themselves have made.
        """
        far = self.counts - mean
        if tamed:
            far = np.minimum(far, 4.0 * np.sqrt(mean) + 1.0)
        total = _sums(far, length) ** 2
        expected = _sums(mean, length)
        whole = _sums(self.weight, length) > length - 0.5
        number = np.maximum(whole.sum(axis=1), 1)
        expected *= whole
        total *= whole
        phi = (total / np.maximum(expected, 1e-9)).sum(axis=1, where=whole) / number
        square = np.maximum((expected**2).sum(axis=1), 1e-12)
        alpha = (total.sum(axis=1) - expected.sum(axis=1)) / square
        free = np.maximum(number / length, 1.0)
        typical = np.maximum(expected.sum(axis=1) / number, 1e-3)
        unsure = (_UNSURE + SHORTEST / number) * np.sqrt(2.0 / free)
        phi = np.maximum(phi, 1.0) * (1.0 + unsure)
        alpha = np.maximum(alpha, 0.0) + (np.maximum(alpha, 0.0) + 1.0 / typical) * unsure
        return alpha, np.asarray(phi, dtype=np.float64)

    def _outbreaks(self, mean: Floats, alpha: Floats) -> Flags:
        """Days [series, learnt] that are no guide to ordinary ones: too high by themselves or with their neighbours
        (Anscombe's residuals). What lasts for most of four weeks is no outbreak but the level."""
        high = _score(self.counts, mean, alpha) > _OUTLIER
        five = _score(_sums(self.counts, 5), _sums(mean, 5), alpha) > _OUTLIER
        for shift in range(5):
            high[:, shift : shift + five.shape[1]] |= five
        if high.shape[1] >= _KNOWN:
            lasting = _sums(high.astype(np.float64), _KNOWN) >= _LASTING
            spread = np.zeros(high.shape, dtype=np.int64)
            spread[:, : lasting.shape[1]] += lasting
            spread[:, _KNOWN:] -= lasting[:, : high.shape[1] - _KNOWN]
            high &= np.cumsum(spread, axis=1) <= 0
        return high


def _score(counts: Floats, mean: Floats, alpha: Floats) -> Floats:
    """About standard normal for counts of variance m + alpha m²."""
    root = np.cbrt(mean)
    score: Floats = 1.5 * (np.cbrt(counts) ** 2 - root**2) / np.sqrt(root * (1.0 + alpha * mean))
    return score


def _sums(values: Floats, length: int) -> Floats:
    """[series, days - length + 1]: sums over `length` days in a row."""
    total = np.cumsum(values, axis=1)
    out = total[:, length - 1 :].copy()
    out[:, 1:] -= total[:, :-length]
    return out


def _design(first: date, days: int, closed: Collection[date]) -> tuple[Floats, Floats, Flags]:
    """The columns [days, columns], the precision of each one's prior, and which take their prior from all series."""
    at = np.arange(days, dtype=np.float64)
    learnt = days - GUARD
    shut = np.zeros(days, dtype=bool)
    for day in closed:
        if 0 <= (day - first).days < days:
            shut[(day - first).days] = True
    # A closed day is like a Sunday until the past says otherwise.
    weekday = np.where(shut, 6, (first.weekday() + np.arange(days)) % 7)
    columns: list[tuple[Floats, float, bool]] = [(np.ones(days), _PRIOR_LEVEL, False)]
    columns += [((weekday == n) - 1.0 / 7.0, _PRIOR_WEEKDAY, True) for n in range(7)]
    columns.append((shut.astype(np.float64), _PRIOR_CLOSED, True))
    angle = 2 * np.pi * (at + first.timetuple().tm_yday) / _YEAR
    for n in range(1, _HARMONICS + 1):
        columns += [(np.sin(n * angle), _PRIOR_SEASON, True), (np.cos(n * angle), _PRIOR_SEASON, True)]
    columns.append(((at - learnt) / _YEAR, _PRIOR_TREND, False))
    # A random walk in straight pieces that ends at the last knot: what comes after is as high as that.
    for n in range(learnt // _KNOTS):
        start = learnt - (n + 1) * _KNOTS
        columns.append((1.0 - np.clip((at - start) / _KNOTS, 0.0, 1.0), _PRIOR_STEP, False))
    design = np.stack([column for column, _, _ in columns], axis=1)
    precision = np.array([deviation**-2 for _, deviation, _ in columns])
    return design, precision, np.array([shared for _, _, shared in columns])
