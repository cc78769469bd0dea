"""What the figures suggest to do next: by rule, so that anybody can check why. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.reporting.domain.fact import IN_TIME, LATE, MISSED
from services.reporting.domain.place import OPEN, UNROUTED

VITAL = 0.8
"""The share of complaints that the causes worth a measure lie behind, together (Pareto)."""
_MOST = 3  # of each reason
_LEAST = 5  # complaints or deadlines without which there is nothing to say
_NONE = "none_found"  # the root cause of a complaint that showed no fault


@dataclass(frozen=True, slots=True)
class Proposal:
    """`reason`: cause, rising, late or surge. `count`, `before` and `share` are what it rests on: complaints now and in
    the period before, and the share of them (of `late`: of deadlines in time)."""

    reason: str
    dimension: str
    code: str
    count: int = 0
    before: int = 0
    share: float | None = None


def proposals(
    causes: Mapping[str, int],
    causes_before: Mapping[str, int],
    deadlines: Mapping[str, Mapping[str, int]],
    surges: Sequence[tuple[str, str]],
) -> tuple[Proposal, ...]:
    """The vital few root causes; causes that grow beyond what chance explains (twice the standard deviation of a
    difference of counts); the departments whose deadlines are kept least, where that is less than nine in ten; and
    surges, as pairs of dimension and code."""
    faults = {code: n for code, n in causes.items() if code not in (OPEN, _NONE)}
    total = sum(faults.values())
    found: list[Proposal] = []
    below = 0
    for code, n in sorted(faults.items(), key=lambda pair: (-pair[1], pair[0])):
        if total and n >= _LEAST and below < VITAL * total and len(found) < _MOST:
            found.append(Proposal("cause", "root_cause", code, n, causes_before.get(code, 0), n / total))
        below += n
    rising = [
        Proposal("rising", "root_cause", code, n, before, n / total)
        for code, n in sorted(faults.items())
        if n >= _LEAST and n - (before := causes_before.get(code, 0)) > 2 * (n + before) ** 0.5
    ]
    found += sorted(rising, key=lambda one: one.before - one.count)[:_MOST]
    late = []
    for code, results in deadlines.items():
        past = sum(results.get(word, 0) for word in (IN_TIME, LATE, MISSED))
        if past >= _LEAST and code != UNROUTED and (share := results.get(IN_TIME, 0) / past) < 0.9:
            late.append(Proposal("late", "department", code, past, 0, share))
    found += sorted(late, key=lambda one: (one.share or 0, one.code))[:_MOST]
    found += [Proposal("surge", dimension, code) for dimension, code in dict.fromkeys(surges)][:_MOST]
    return tuple(found)
