"""Small counts in what is published, hidden so that they cannot be computed back.

A count below the threshold is hidden ("fewer than 5"), in a body of a table and in its margins alike. That alone hides
nothing: whoever knows the total of a row and the rest of the row subtracts. So further counts are withheld until, for
every small count, there is *another world*: a complete table of complaints, every combination of every dimension, whole
and not negative, which agrees with everything that is published, labels included, and in which the small count is
another. Such worlds are found by integer programming, but checked here by adding up whole numbers; what has not been
checked is not published. No reasoning from the published figures, however clever, can tell the worlds apart.

Cells are named by what they count and not by the table in which they stand: the margin of type x channel and that of
type x quarter are one cell, hidden in both or in neither. A year, its quarters and its months are levels of one
dimension, so that "the year is the sum of its quarters" is one more sum and nothing special.

**Zero is hidden too**, as one of "fewer than 5". A zero says that nobody complained so, which is nothing of anybody;
but were it shown, whoever knows that somebody complained of fees could read off by which channel, when all other cells
of that row are zero. It also costs less than it seems: the more a hidden cell could be, the fewer others are withheld.

**Successive publications.** Only calendar months, quarters, half-years and years that have ended are published, each
once. Running totals ("since January") are no level of any calendar here: of two that overlap, the difference is
a month. Give what has been published as `earlier`: it is held fixed, its hidden counts are protected anew, and
a revised count is refused, since old and new together tell what changed.

**What this does not do.** Shares, means and rates are for the caller to derive from *shown* counts only. Whoever knows
of some of the complaints from elsewhere (a complainant knows of one's own) may tell more; the threshold is for them.
And
which counts were withheld follows from the figures by a procedure that anybody can read here: that one *was* withheld
tells that it had to be. Whoever runs the procedure on every table that the published ones could be may exclude some
(Wong et al., "Minimality attack in privacy preserving data publishing", VLDB 2007), since the worlds here need not lead
to the same choice. Of all tables of three counts from 0 to 9 that pinned down one small count in twenty; of all of
two by two counts from 0 to 5 with a threshold of 3, where hardly anything can be left open, one in three. A bank that
must exclude it too publishes one-way tables of quarters or half-years, in which few counts are small.

Sources: Willenborg and de Waal, Elements of Statistical Disclosure Control (2001), chapters 3, 4 and 8; Fischetti and
Salazar, "Solving the cell suppression problem on tabular data with linear constraints", Management Science 47 (2001),
of which this is the greedy form: one small count after another, each time withholding what costs least.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from itertools import combinations, product
from math import prod

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csc_array, eye_array, hstack

from shared.errors import Invalid

THRESHOLD = 5
LIMIT = 20_000
"""Combinations of all dimensions of a publication, at most: what can be solved within minutes. Three dimensions of some
hundred combinations take a second or two; five of 7,200 with a hundred small counts took 45 seconds."""

FEW = 800
"""Combinations that a world may differ in, at first: enough to find one, few enough to find it fast."""

Cell = frozenset[tuple[str, str]]
"""What is counted: pairs of level and code, one at most of each dimension; empty for all complaints."""
World = tuple[int, ...]
"""How many complaints of each combination, in the order of `combinations_of`."""
Numbers = NDArray[np.float64]


class NotPublishable(Invalid):
    """The tables cannot be published as they were asked for."""

    code = "not_publishable"


class Revised(NotPublishable):
    """A count that was published is another today. Publish the period as it stood, and the correction in words."""

    code = "published_count_revised"


class Mark(StrEnum):
    """What stands in place of a count. `small`: from 0 to threshold - 1. `withheld`: the threshold or more, hidden to
    protect others; in a publication that is `void`, anything."""

    SMALL = "small"
    WITHHELD = "withheld"


Value = int | Mark


@dataclass(frozen=True, slots=True)
class Dimension:
    """One respect in which complaints are told apart. `codes` are all there can be, from the register and not from the
    complaints: a list of the codes that occurred would itself tell that they did. `levels` are coarser views: name of
    the level -> code -> code at that level."""

    name: str
    codes: tuple[str, ...]
    levels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.codes or len(set(self.codes)) != len(self.codes):
            raise NotPublishable(f"Dimension {self.name} needs codes, each once.")
        for level, parents in self.levels.items():
            if set(parents) != set(self.codes):
                raise NotPublishable(f"Level {level} must place every code of {self.name}, and no others.")

    def at(self, level: str) -> Mapping[str, str]:
        """Code -> code at `level`, which may be the dimension itself. Raises KeyError."""
        return {code: code for code in self.codes} if level == self.name else self.levels[level]


@dataclass(frozen=True, slots=True)
class Table:
    """What is tabulated: one count for each combination of `axes` (levels of different dimensions), with every margin
    down to the total. `within` narrows the whole table, as to one quarter: pairs of level and code."""

    axes: tuple[str, ...]
    within: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Publication:
    """Tables that may be published, with what may be shown in each cell.

    `worlds` is the proof and must stay inside: the real complaints first, then others that nobody can tell from them.
    `void`: no protection was found, so every cell that was not published before is withheld, small or not, and
    `withheld` says nothing of a count any more.
    """

    dimensions: tuple[Dimension, ...]
    tables: tuple[Table, ...]
    threshold: int
    values: Mapping[Cell, Value]
    void: bool = False
    worlds: tuple[World, ...] = field(default=(), repr=False)

    def value(self, **codes: str) -> Value:
        """The count where each level has the code given, or the mark that stands for it. Raises KeyError if it is not
        part of the publication."""
        return self.values[frozenset(codes.items())]

    @property
    def shown(self) -> Mapping[Cell, int]:
        """The counts that are shown: the only ones from which shares and rates may be derived."""
        return {cell: value for cell, value in self.values.items() if not isinstance(value, Mark)}


def months(first: date, last: date) -> Dimension:
    """The calendar months from that of `first` to that of `last` as a dimension `month` with the levels `quarter`,
    `half` and `year`; codes as `2026-03`, `2026-Q1`, `2026-H1`, `2026`. A longer period is all of its months *here*,
    so begin and end with whole years where years are tabulated."""
    codes, day = [], first.replace(day=1)
    while day <= last:
        codes.append((day.year, day.month))
        day = (day + timedelta(days=31)).replace(day=1)
    name = {code: f"{code[0]}-{code[1]:02}" for code in codes}
    return Dimension(
        "month",
        tuple(name.values()),
        {
            "quarter": {name[y, m]: f"{y}-Q{(m + 2) // 3}" for y, m in codes},
            "half": {name[y, m]: f"{y}-H{(m + 5) // 6}" for y, m in codes},
            "year": {name[y, m]: f"{y}" for y, m in codes},
        },
    )


def combinations_of(dimensions: Sequence[Dimension]) -> tuple[tuple[str, ...], ...]:
    """Every combination of codes, the last dimension changing fastest. Raises NotPublishable if there are too many."""
    size = prod(len(dimension.codes) for dimension in dimensions)
    if size > LIMIT:
        raise NotPublishable(f"{size:,} combinations are more than {LIMIT:,}: publish fewer dimensions together.")
    return tuple(product(*(dimension.codes for dimension in dimensions)))


def cells_of(table: Table, dimensions: Sequence[Dimension]) -> Iterator[Cell]:
    """The cells of `table`: its body and all its margins, the total last. Raises NotPublishable if it names a level or
    a code that there is not, or two levels of one dimension as axes."""
    owner = {level: d for d in dimensions for level in (d.name, *d.levels)}
    for level, code in table.within:
        if level not in owner or code not in owner[level].at(level).values():
            raise NotPublishable(f"There is no {level} {code}.")
    if unknown := [axis for axis in table.axes if axis not in owner]:
        raise NotPublishable(f"There is no dimension or level {unknown[0]}.")
    if len({owner[axis].name for axis in table.axes}) != len(table.axes):
        raise NotPublishable("Axes of a table are of different dimensions.")
    if not all(_codes(owner, dimension.name, table.within) for dimension in dimensions):
        raise NotPublishable("No complaint can be within all of that at once.")
    scope = frozenset(table.within)
    for size in range(len(table.axes), -1, -1):
        for axes in combinations(table.axes, size):
            for codes in product(*(_codes(owner, axis, table.within) for axis in axes)):
                yield scope | frozenset(zip(axes, codes, strict=True))


def _codes(owner: Mapping[str, Dimension], axis: str, within: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """The codes of `axis` that occur in the scope: the months of the quarter, not of all quarters."""
    dimension = owner[axis]
    inside = [
        code
        for code in dimension.codes
        if all(dimension.at(level)[code] == at for level, at in within if owner[level] is dimension)
    ]
    return tuple(dict.fromkeys(dimension.at(axis)[code] for code in inside))


def protect(
    dimensions: Sequence[Dimension],
    counts: Mapping[tuple[str, ...], int],
    tables: Sequence[Table],
    *,
    threshold: int = THRESHOLD,
    spread: int | None = None,
    earlier: Sequence[Publication] = (),
) -> Publication:
    """What of `tables` may be shown. All tables of one publication must be given together.

    `counts` has how many complaints there are of each combination of codes, in the order of `dimensions`; what is
    missing is zero. Of every count below `threshold` (3 at least; below it a hidden count would be known from its
    being hidden) the published leaves open values that lie `spread` apart; by default half of what a small count can
    be, so with 5 at least two apart. `earlier` are publications whose complaints `dimensions` cover as well; each of
    their tables, and of these, must then be `within` a period, or "all complaints" would mean something else each time.

    It ends: one look at each small count, each look withholding something or nothing. If one cannot be protected
    with everything else withheld, the publication is void.

    Raises NotPublishable, Revised.
    """
    spread = (threshold - 1) // 2 if spread is None else spread
    if threshold < 3 or not 1 <= spread <= threshold // 2:
        raise NotPublishable("The threshold is 3 at least, the spread from 1 to half of it.")
    dimensions = tuple(dimensions)
    everything = [*tables, *(table for publication in earlier for table in publication.tables)]
    if earlier and not all(table.within for table in everything):
        raise NotPublishable("Where something was published before, every table needs the period that it is within.")
    if any(publication.threshold != threshold for publication in earlier):
        raise NotPublishable("The threshold is another than in what was published before.")
    order = combinations_of(dimensions)
    if strange := counts.keys() - set(order):
        raise NotPublishable(f"{len(strange)} combinations have codes that are in no dimension.")
    real = tuple(counts.get(combination, 0) for combination in order)
    if min(real) < 0:
        raise NotPublishable("A count is negative.")
    cells = tuple(dict.fromkeys(cell for table in everything for cell in cells_of(table, dimensions)))
    search = _Search(dimensions, order, cells, real, threshold)
    for publication in earlier:
        search.hold(publication)
    protected = search.protect(spread)
    own = {cell for table in tables for cell in cells_of(table, dimensions)}
    values = {
        cell: search.label(number) if protected else search.fallback(number)
        for number, cell in enumerate(cells)
        if cell in own
    }
    return Publication(dimensions, tuple(tables), threshold, values, not protected, tuple(search.worlds))


class _Search:
    """Goes from one small count to the next and withholds what must be. Cells are numbered as in `cells`."""

    def __init__(
        self,
        dimensions: tuple[Dimension, ...],
        order: Sequence[tuple[str, ...]],
        cells: Sequence[Cell],
        real: World,
        threshold: int,
    ) -> None:
        self.cells, self.threshold, self.worlds = cells, threshold, [real]
        self.members = list(_members(dimensions, order, cells))
        self.counts = [self._count(number, real) for number in range(len(cells))]
        self.small = [number for number, count in enumerate(self.counts) if count < threshold]
        self.lowest, self.highest = list(self.counts), list(self.counts)
        self.withheld: set[int] = set()
        self.fixed: set[int] = set()
        self.before: dict[int, Value] = {}
        widest = max(len(cell) for cell in cells)
        # How much would be lost with a cell: the wider its scope, the more.
        self.weights = [10.0 ** (widest - len(cell)) for cell in cells]
        # Those that occur, and some of every kind of the others.
        self.few = [place for place, count in enumerate(real) if count]
        self.few += [place for place, count in enumerate(real) if not count][:: max(1, len(real) // FEW)]
        # A world is sought as whole numbers x of complaints, and by how much each count goes up and down in it.
        size = [len(members) for members in self.members]
        columns = np.concatenate([np.asarray(m, dtype=np.int64) for m in self.members])
        rows = np.repeat(np.arange(len(cells)), size)
        self.sums = csc_array((np.ones(len(columns)), (rows, columns)), shape=(len(cells), len(real)))
        self.unit = eye_array(len(cells), format="csc")

    def hold(self, earlier: Publication) -> None:
        """What was published stays as it was. Raises Revised, NotPublishable."""
        number_of = {cell: number for number, cell in enumerate(self.cells)}
        if missing := earlier.values.keys() - number_of.keys():
            raise NotPublishable(f"{len(missing)} cells that were published before are in no table of the dimensions.")
        for cell, told in earlier.values.items():
            number, count = number_of[cell], self.counts[number_of[cell]]
            if told is Mark.WITHHELD and (earlier.void or number not in self.small):
                self.before.setdefault(number, told)
                if number not in self.small:
                    self.withheld.add(number)
            elif told == count or (told is Mark.SMALL and number in self.small):
                self.before[number] = told
                if told == count:
                    self.fixed.add(number)
            else:
                raise Revised("A count that was published before is another today.")
        self.withheld -= self.fixed

    def protect(self, spread: int) -> bool:
        """Sees to it that every small count has values `spread` apart in worlds like the real one. False where that
        cannot be had."""
        self._shake(spread)
        for number in self.small:
            if not self._open(number, spread):
                continue
            targets = (self.counts[number] + spread, self.counts[number] - spread)
            found = [self._near(number, target) for target in targets if 0 <= target < self.threshold]
            worlds = [world for world in found if world is not None]
            if not worlds:
                return False
            world = min(worlds, key=self._cost)
            self.withheld |= self._changed(world)
            self._add(world)
            self._shake(spread)
        return True

    def _open(self, number: int, spread: int) -> bool:
        """Whether small count `number` still wants a world."""
        return self.highest[number] - self.lowest[number] < spread

    def _add(self, world: World) -> None:
        self.worlds.append(world)
        for number in self.small:
            count = self._count(number, world)
            self.lowest[number] = min(self.lowest[number], count)
            self.highest[number] = max(self.highest[number], count)

    def _shake(self, spread: int) -> None:
        """Worlds that cost nothing, each moving as many of the open small counts as can be: most are protected so, and
        what is left is few enough to be looked at one by one."""
        while wanted := [number for number in self.small if self._open(number, spread)]:
            pull = np.zeros(len(self.cells))
            for number in wanted:
                pull[number] = 1 if 2 * self.counts[number] < self.threshold else -1
            low, high = self._room()
            for number, count in enumerate(self.counts):
                if count >= self.threshold and number not in self.withheld:
                    low[number] = high[number] = 0
            world = self._solve(-pull, pull, low, high)
            if world is None or self._changed(world):
                return
            self._add(world)
            if not any(not self._open(number, spread) for number in wanted):
                return

    def label(self, number: int) -> Value:
        """What may be shown of a cell."""
        if number in self.withheld:
            return Mark.WITHHELD
        return Mark.SMALL if self.counts[number] < self.threshold else self.counts[number]

    def fallback(self, number: int) -> Value:
        """What may be shown when the publication is void: what everybody has already."""
        return self.before.get(number, Mark.WITHHELD)

    def _count(self, number: int, world: World) -> int:
        return sum(world[member] for member in self.members[number])

    def _changed(self, world: World) -> set[int]:
        """The shown cells that `world` contradicts."""
        return {
            number
            for number, count in enumerate(self.counts)
            if count >= self.threshold and number not in self.withheld and self._count(number, world) != count
        }

    def _cost(self, world: World) -> float:
        return sum(self.weights[number] for number in self._changed(world))

    def _near(self, number: int, target: int) -> World | None:
        """A world with `target` in cell `number` that contradicts as little as can be of what is shown."""
        low, high = self._room()
        low[number] = high[number] = target - self.counts[number]
        cost = np.array([self.weights[n] for n in range(len(self.cells))])
        cost[[*self.small, *self.withheld]] = 0
        # The small addition keeps the world near the real one: none that is far where a near one will do.
        return self._solve(cost + 1e-3, cost + 1e-3, low, high)

    def _room(self) -> tuple[Numbers, Numbers]:
        """By how much each count may go down (negative) and up with its label remaining true."""
        counts = np.array(self.counts, dtype=float)
        small = counts < self.threshold
        low = np.where(small, 0, self.threshold) - counts
        high = np.where(small, self.threshold - 1 - counts, np.inf)
        held = list(self.fixed)
        low[held] = high[held] = 0
        return low, high

    def _solve(self, up: Numbers, down: Numbers, low: Numbers, high: Numbers) -> World | None:
        """A world in which every count moves by `low` to `high`, at the least cost `up` and `down` that was found;
        checked."""
        every = range(len(self.worlds[0]))
        for places in (self.few, every) if len(self.few) < len(every) else (every,):
            world = self._solve_in(places, up, down, low, high)
            if world is not None:
                return world
        return None

    def _solve_in(self, places: Sequence[int], up: Numbers, down: Numbers, low: Numbers, high: Numbers) -> World | None:
        """As `_solve`, with complaints of the combinations `places` alone."""
        size, counts = len(places), np.array(self.counts, dtype=float)
        matrix = hstack([self.sums[:, places], -self.unit, self.unit], format="csc")
        answer = milp(
            c=np.concatenate([np.zeros(size), up, down]),
            constraints=LinearConstraint(matrix, counts, counts),
            integrality=np.concatenate([np.ones(size), np.zeros(2 * len(counts))]),
            bounds=Bounds(
                np.concatenate([np.zeros(size), np.maximum(low, 0), np.maximum(-high, 0)]),
                np.concatenate([np.full(size, np.inf), np.maximum(high, 0), np.maximum(-low, 0)]),
            ),
            options={"mip_rel_gap": 0.1, "node_limit": 500},
        )
        if answer.x is None:
            return None
        there = {place: round(x) for place, x in zip(places, answer.x[:size], strict=True)}
        world = tuple(there.get(place, 0) for place in range(len(self.worlds[0])))
        return world if self._checked(world, low, high) else None

    def _checked(self, world: World, low: Numbers, high: Numbers) -> bool:
        """Whether `world` is one, in whole numbers, whatever the solver said of it."""
        moves = (self._count(number, world) - count for number, count in enumerate(self.counts))
        room = zip(moves, low, high, strict=True)
        return min(world) >= 0 and all(at_least <= by <= at_most for by, at_least, at_most in room)


def _members(
    dimensions: Sequence[Dimension], order: Sequence[tuple[str, ...]], cells: Iterable[Cell]
) -> Iterator[tuple[int, ...]]:
    """The combinations that each cell adds up, by their place in `order`."""
    sets: dict[tuple[str, str], set[int]] = {}
    for axis, dimension in enumerate(dimensions):
        for level in (dimension.name, *dimension.levels):
            parents = dimension.at(level)
            for place, combination in enumerate(order):
                sets.setdefault((level, parents[combination[axis]]), set()).add(place)
    everything = set(range(len(order)))
    for cell in cells:
        yield tuple(sorted(everything.intersection(*(sets[pair] for pair in cell))))
