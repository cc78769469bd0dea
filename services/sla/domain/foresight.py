"""By when work on an open step must begin, as long as such complaints usually take. Pure."""

from dataclasses import replace

from services.sla.domain.clock import Step, Watch
from services.sla.domain.handling import Estimates

_WORKED = frozenset(("resolve", "interim", "final"))
"""Steps that are reached only by handling the complaint; others take no more than a word."""


def foreseen(watch: Watch, before: Watch, estimates: Estimates) -> Watch:
    """The complaint with the moments by which work must begin, where they may have changed."""
    same = (watch.facts.department, watch.facts.category) == (before.facts.department, before.facts.category)
    if watch is before or (same and watch.clocks == before.clocks):
        return watch
    expected = estimates.expected(watch.facts.department, watch.facts.category)

    def begun_by(step: Step) -> Step:
        at = step.due_at - expected if expected is not None and step.name in _WORKED else step.due_at
        at = max(at, step.line.since)
        return step if step.act_by == at or not step.open else replace(step, act_by=at)

    clocks = []
    for clock in watch.clocks:
        steps = tuple(map(begun_by, clock.steps))
        changed = any(new is not old for new, old in zip(steps, clock.steps, strict=True))
        clocks.append(replace(clock, steps=steps) if changed else clock)
    return replace(watch, clocks=tuple(clocks))
