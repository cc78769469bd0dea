"""What a survey says: how many answered, how satisfied they are, what troubles them; and how sure that is.

Answers are whole numbers from 1 (very dissatisfied) to 5 (very satisfied) for each aspect (overall, staff, product,
handling, ...). Nothing here knows who answered: an answer has no name, number or time, and its order says nothing.

**Small groups.** A group (department, branch, channel) with fewer than `minimum` answers to any aspect shows nothing.
Nor do so many of the others that it cannot be computed back from the whole: what all hidden groups have together, which
anybody gets by subtraction, is itself `minimum` answers at least, and leaves each small number of answers open as
`suppression` demands it. Which groups are hidden is decided once for all aspects: people answer most questions, so the
numbers of one aspect are near those of the next, and a group hidden in one and shown in the other is hidden in neither.
Which hidden groups are small and which were only sacrificed is not told.

**Anonymous surveys** (of staff). Where all of a group gave the same answer, or nobody in it is satisfied, its figures
are the answer of each member, however many there are: such a group counts as small.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from statistics import NormalDist, fmean, stdev

from scipy.special import stdtrit

from services.reporting.domain.suppression import THRESHOLD
from shared.errors import Invalid

LOWEST, HIGHEST, SATISFIED = 1, 5, 4
"""The ends of the scale, and the answer from which somebody is satisfied."""


class BadAnswer(Invalid):
    """An answer is not on the scale, or of a group or aspect that the survey does not have."""

    code = "bad_survey_answer"


@dataclass(frozen=True, slots=True)
class Answer:
    """One person's answers: `scores` aspect -> 1..5, aspects may be left out; `group` None where it is not known;
    `text` what was written besides. Raises BadAnswer."""

    scores: Mapping[str, int]
    group: str | None = None
    text: str | None = None

    def __post_init__(self) -> None:
        if not all(LOWEST <= score <= HIGHEST for score in self.scores.values()):
            raise BadAnswer(f"Answers are from {LOWEST} to {HIGHEST}.")


@dataclass(frozen=True, slots=True)
class Share:
    """`count` of `of`, and the interval (0..1) in which the share lies that they are a sample of."""

    count: int
    of: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share itself, 0..1; 0 of nobody."""
        return self.count / self.of if self.of else 0.0


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean answer, 1..5, and the interval in which the mean lies that the answers are a sample of."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Standing:
    """What `answers` answers say of one aspect. `satisfied` is the share of 4 and 5."""

    answers: int
    mean: Mean
    satisfied: Share


@dataclass(frozen=True, slots=True)
class Problem:
    """A term, and how many respondents wrote it (each counted once)."""

    term: str
    respondents: int


@dataclass(frozen=True, slots=True)
class Group:
    """What one group answered. Hidden: `answers` and `response` are None and every aspect is."""

    name: str
    aspects: Mapping[str, Standing | None]
    answers: int | None = None
    response: Share | None = None

    @property
    def hidden(self) -> bool:
        return self.answers is None


@dataclass(frozen=True, slots=True)
class Result:
    """A survey evaluated. An aspect is None where too few answered it. `response` is None where it is not known how
    many were asked, or too few answered. `groups` are in the order of the register."""

    minimum: int
    response: Share | None
    aspects: Mapping[str, Standing | None]
    groups: tuple[Group, ...]
    problems: tuple[Problem, ...]


def share(count: int, of: int, *, level: float = 0.95) -> Share:
    """`count` of `of` with Wilson's score interval (Wilson 1927; recommended by Brown, Cai and DasGupta 2001): it stays
    within 0..1 and is not empty at 0 of n or n of n. Of nobody, everything is possible: 0..1.

    Raises ValueError unless 0 <= count <= of.
    """
    if not 0 <= count <= of:
        raise ValueError(f"{count} of {of}")
    if of == 0:
        return Share(0, 0, 0.0, 1.0)
    z = NormalDist().inv_cdf((1 + level) / 2)
    p, shrink = count / of, 1 + z * z / of
    centre = (p + z * z / (2 * of)) / shrink
    half = z / shrink * sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    # At the ends the bound is the end itself; only rounding would have it otherwise.
    return Share(count, of, 0.0 if count == 0 else max(0.0, centre - half), 1.0 if count == of else centre + half)


def mean(scores: Sequence[int], *, level: float = 0.95) -> Mean:
    """The mean of `scores` with Student's interval, mean +- t(n - 1) s / sqrt(n), kept within the scale. It serves for
    few answers as for many, where t becomes the normal's quantile.

    Two cases would say too much. One answer has no spread: its interval is the whole scale. Answers that are all the
    same have none either, as if nobody could think otherwise: s is taken to be at least what it were if one
    of them lay one step off, 1 / sqrt(n). No correction for a finite population: whoever answered stands for customers
    and days to come, not for the list that was asked.

    Raises ValueError where there are no scores.
    """
    if not scores:
        raise ValueError("no scores")
    n, middle = len(scores), fmean(scores)
    if n == 1:
        return Mean(middle, float(LOWEST), float(HIGHEST))
    spread = max(stdev(scores), 1 / sqrt(n))
    half = float(stdtrit(n - 1, (1 + level) / 2)) * spread / sqrt(n)
    return Mean(middle, max(float(LOWEST), middle - half), min(float(HIGHEST), middle + half))


def standing(scores: Sequence[int], *, level: float = 0.95) -> Standing:
    """What `scores` of one aspect say. Raises ValueError where there are none."""
    satisfied = sum(score >= SATISFIED for score in scores)
    return Standing(len(scores), mean(scores, level=level), share(satisfied, len(scores), level=level))


def problems(
    texts: Iterable[str], terms: Callable[[str], Iterable[str]], *, minimum: int = THRESHOLD, most: int = 20
) -> tuple[Problem, ...]:
    """The terms that most respondents wrote, at most `most`, most frequent first, then by alphabet. `terms` finds them
    in one text (words, stems, concepts: the language is its affair). A term of fewer than `minimum` respondents is left
    out: a rare word or a name would point to who wrote it."""
    counted = Counter(term for text in texts for term in set(terms(text)))
    frequent = [Problem(term, n) for term, n in counted.items() if n >= minimum]
    return tuple(sorted(frequent, key=lambda problem: (-problem.respondents, problem.term))[:most])


def evaluate(
    answers: Sequence[Answer],
    aspects: Sequence[str],
    groups: Sequence[str] = (),
    *,
    terms: Callable[[str], Iterable[str]],
    invited: Mapping[str | None, int] | int | None = None,
    minimum: int = THRESHOLD,
    anonymous: bool = False,
    level: float = 0.95,
) -> Result:
    """A survey's figures, fit to be shown to anybody.

    `groups` is the register of groups, all of which appear in the result; answers without a group count in the whole.
    `invited` is how many were asked: by group (None: those without one), altogether, or None if nobody counted.

    Raises BadAnswer, also where more answered than were asked.
    """
    if minimum < 2:
        raise BadAnswer("Below two answers there is nothing to hide behind.")
    for answer in answers:
        if answer.scores.keys() - set(aspects) or (answer.group is not None and answer.group not in groups):
            raise BadAnswer
    # The nameless are a group as any other, if there are any: of nobody, everybody knows that it is empty.
    names: tuple[str | None, ...] = (*groups, None) if any(answer.group is None for answer in answers) else (*groups,)
    scores = {name: _Sheets([answer for answer in answers if answer.group == name], aspects) for name in names}
    whole = _Sheets(answers, aspects)
    answered = [aspect for aspect in aspects if whole.scores[aspect]]  # what nobody answered hides no group
    hidden = _hidden(scores, answered, minimum, anonymous)
    asked: Mapping[str | None, int] = invited if isinstance(invited, Mapping) else {}
    total = invited if isinstance(invited, int) else sum(asked.values()) if asked else None
    return Result(
        minimum,
        _response(whole.size, total, level) if whole.size >= minimum else None,
        {
            aspect: None
            if _telling(whole.scores[aspect], minimum, anonymous)
            else standing(whole.scores[aspect], level=level)
            for aspect in aspects
        },
        tuple(
            Group(group, dict.fromkeys(aspects))
            if group in hidden
            else Group(
                group,
                {a: standing(found, level=level) if (found := scores[group].scores[a]) else None for a in aspects},
                scores[group].size,
                _response(scores[group].size, asked.get(group), level),
            )
            for group in groups
        ),
        problems((answer.text for answer in answers if answer.text), terms, minimum=minimum),
    )


def _response(size: int, asked: int | None, level: float) -> Share | None:
    if asked is None:
        return None
    if size > asked:
        raise BadAnswer("More answered than were asked.")
    return share(size, asked, level=level)


@dataclass(frozen=True, slots=True)
class _Sheets:
    """The answers of a group, by aspect."""

    answers: Sequence[Answer]
    aspects: Sequence[str]
    scores: Mapping[str, Sequence[int]] = field(init=False)

    def __post_init__(self) -> None:
        found = {a: [answer.scores[a] for answer in self.answers if a in answer.scores] for a in self.aspects}
        object.__setattr__(self, "scores", found)

    @property
    def size(self) -> int:
        return len(self.answers)


def _telling(scores: Sequence[int], minimum: int, anonymous: bool) -> bool:
    """Whether figures of `scores` would tell what somebody answered."""
    if len(scores) < minimum:
        return True
    return anonymous and (len(set(scores)) == 1 or max(scores) < SATISFIED)


def _hidden(
    groups: Mapping[str | None, _Sheets], aspects: Sequence[str], minimum: int, anonymous: bool
) -> set[str | None]:
    """The groups of which nothing is shown, the nameless always; the smallest are sacrificed first."""

    def small(sheets: _Sheets) -> bool:
        return sheets.size < minimum or any(_telling(sheets.scores[a], minimum, anonymous) for a in aspects)

    hidden: set[str | None] = {name for name, sheets in groups.items() if name is None or small(sheets)}
    # Nobody answered, nobody to protect: alone, such groups cost the others nothing.
    if all(groups[name].size == 0 for name in hidden):
        return hidden
    others = sorted((groups[name].size, name) for name in groups if name is not None and name not in hidden)
    for _, name in others:
        if _safe([groups[other] for other in hidden], aspects, minimum, anonymous):
            break
        hidden.add(name)
    return hidden


def _safe(hidden: Sequence[_Sheets], aspects: Sequence[str], minimum: int, anonymous: bool) -> bool:
    """Whether what the hidden groups have together, which is known, tells nothing of any of them."""
    together = [[score for sheets in hidden for score in sheets.scores[aspect]] for aspect in aspects]
    if any(_telling(scores, minimum, anonymous) for scores in together):
        return False
    numbers = [[sheets.size for sheets in hidden]]
    numbers += [[len(sheets.scores[aspect]) for sheets in hidden] for aspect in aspects]
    return all(_open(counts, minimum) for counts in numbers)


def _open(counts: Sequence[int], minimum: int) -> bool:
    """Whether each count below `minimum` can still be of values as far apart as `suppression.protect` demands, for
    somebody who knows their sum and which of them are below. One table needs no search: each end is reached when the
    others are at theirs."""
    below = sum(count < minimum for count in counts)
    above, total = len(counts) - below, sum(counts)
    least = 0 if above else max(0, total - (below - 1) * (minimum - 1))
    most = min(minimum - 1, total - above * minimum)
    return below == 0 or (total >= minimum and most - least >= (minimum - 1) // 2)
