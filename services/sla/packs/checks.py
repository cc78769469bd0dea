"""What must hang together within one file: each finding is a key and the reason, and none stops another."""

from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from typing import get_args

from services.sla.domain.policy import Unit
from services.sla.packs.schema import LadderFile, LimitFile, PackFile
from shared.events import StepName

Finding = tuple[tuple[str | int, ...], str]

LANGUAGES = ("zh-Hant", "zh-Hans", "en")
_ORDER: tuple[StepName, ...] = get_args(StepName)
# roughly, to find nonsense: a working hour is an eighth of a day, five business days are a week
_HOURS: dict[Unit, float] = {"hour": 1, "working_hour": 3, "calendar_day": 24, "business_day": 33.6, "week": 168}
_SHORTEST: dict[Unit, int] = {"hour": 1, "working_hour": 1, "calendar_day": 24, "business_day": 24, "week": 168}


def pack(file: PackFile, *, calendars: Collection[str], ladders: Collection[str]) -> Iterator[Finding]:
    """What is wrong with a pack although each of its values may stand by itself."""
    yield from _languages(("title",), file.title)
    if file.on_miss:
        yield from _languages(("on_miss", "text"), file.on_miss.text)
    if file.effective_to is not None and file.effective_to < file.effective_from:
        yield ("effective_to",), "lies before effective_from"
    if file.calendar not in calendars:
        yield ("calendar",), f"there is no calendar '{file.calendar}'; there are: {', '.join(sorted(calendars))}"
    if file.id in file.replaces:
        yield ("replaces",), "a pack cannot replace itself"
    if file.kind == "service" and file.applies.jurisdictions == [] and file.start_event != "received":
        yield ("start_event",), "a service standard runs from receipt"
    yield from _steps(file, ladders)
    yield from _extensions(file)


def ladder(id: str, file: LadderFile) -> Iterator[Finding]:
    """What is wrong with a ladder."""
    first, *later = file.rungs
    if first.after_hours or first.after_days or first.share:
        yield (id, "rungs", 0), "the first rung comes with the miss itself: it waits for nothing"
    for n, rung in enumerate(later, start=1):
        if sum(wait is not None for wait in (rung.after_hours, rung.after_days, rung.share)) != 1:
            yield (id, "rungs", n), "a rung waits for one of after_hours, after_days and share"
        elif (rung.share is None) != (later[0].share is None):
            yield (id, "rungs", n), "the rungs of one ladder all wait for a time, or all for a share"
    for n, (lower, upper) in enumerate(pairwise(file.rungs), start=1):
        if upper.level <= lower.level:
            yield (id, "rungs", n, "level"), "levels go up from rung to rung"
        if _wait(upper.read().share, upper.read().after.total_seconds()) < _wait(
            lower.read().share, lower.read().after.total_seconds()
        ):
            yield (id, "rungs", n), "comes before the rung below it"


def _wait(share: float | None, seconds: float) -> float:
    return share if share is not None else seconds


def _languages(key: tuple[str, ...], texts: Mapping[str, str]) -> Iterator[Finding]:
    if missing := [language for language in LANGUAGES if language not in texts]:
        yield key, f"lacks {', '.join(missing)}"
    if unknown := sorted(set(texts) - set(LANGUAGES)):
        yield key, f"{', '.join(unknown)} is none of the languages {', '.join(LANGUAGES)}"


def _limit(key: tuple[str | int, ...], limit: LimitFile) -> Iterator[Finding]:
    by_hours = limit.unit in ("hour", "working_hour")
    if by_hours and limit.count_from is not None:
        yield (*key, "count_from"), "hours run from the moment itself: leave count_from out"
    if not by_hours and limit.count_from is None:
        yield (*key, "count_from"), "must say which day is day 1: same_day or next_day"


def _steps(file: PackFile, ladders: Collection[str]) -> Iterator[Finding]:
    for n, step in enumerate(file.steps):
        yield from _limit(("steps", n), step)
        if step.name in [s.name for s in file.steps[:n]]:
            yield ("steps", n, "name"), f"more than one step is named {step.name}"
        if step.ladder is not None and step.ladder not in ladders:
            yield ("steps", n, "ladder"), f"there is no ladder '{step.ladder}'; there are: {', '.join(sorted(ladders))}"
        if step.effective_from is not None and step.effective_from > file.effective_from:
            yield ("steps", n, "effective_from"), "lies after this version's: the step belongs into a later version"
        for m, warn in enumerate(step.warn):
            if warn.share is None and warn.lead_hours is None:
                yield ("steps", n, "warn", m), "a warning needs a share of the time, a lead in hours, or both"
            elif warn.lead_hours is not None and warn.lead_hours >= step.limit * _SHORTEST[step.unit]:
                yield ("steps", n, "warn", m, "lead_hours"), "the warning's lead is as long as the limit itself"
    for n, (earlier, later) in enumerate(pairwise(file.steps), start=1):
        if _ORDER.index(later.name) < _ORDER.index(earlier.name):
            yield ("steps", n, "name"), f"steps come in the order {', '.join(_ORDER)}"
        if _about(later) < _about(earlier):
            yield ("steps", n, "limit"), f"{later.name} would be due before {earlier.name}"


def _extensions(file: PackFile) -> Iterator[Finding]:
    reached = {step.name: _about(step) for step in file.steps}
    for n, extension in enumerate(file.extensions):
        yield from _limit(("extensions", n), extension)
        if extension.step not in reached:
            yield ("extensions", n, "step"), f"the pack has no step {extension.step}"
            continue
        if _about(extension) <= reached[extension.step]:
            yield ("extensions", n, "limit"), f"does not reach beyond what {extension.step} has without it"
        reached[extension.step] = _about(extension)


def _about(limit: LimitFile) -> float:
    return limit.limit * _HOURS[limit.unit]
