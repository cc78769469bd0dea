"""Measures: planned, carried out in tasks, shown by evidence, and judged by what changed."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.domain.effect import Effect, on_counts, on_means, on_shares
from services.reporting.domain.figure import FIGURES, Figure
from services.reporting.domain.measure import WEEK, Measure, Task, Weeks, flaws, task_flaws, weeks_around
from services.reporting.domain.selection import Selection
from services.reporting.figures.reading import agree
from services.reporting.figures.weekly import Weekly, first_day, weekly
from services.reporting.store import goals as store
from services.reporting.store.goals import EvidenceRow, MeasureRow, TaskRow
from shared import audit
from shared.clock import rfc3339
from shared.errors import Invalid, NotFound, PreconditionFailed, Refused
from shared.ids import uuid7
from shared.redaction import redact

TASKS_AT_MOST = 200
EVIDENCE_AT_MOST = 500


class MeasureNotFound(NotFound):
    """No measure has this id."""

    code = "measure_not_found"


class TaskNotFound(NotFound):
    """The measure has no task with this id."""

    code = "task_not_found"


class MeasureInvalid(Invalid):
    """This measure cannot be kept as it is."""

    code = "measure_invalid"


class MeasureChanged(PreconditionFailed):
    """The measure has changed since it was read."""

    code = "measure_changed"


class MeasureFull(Refused):
    """A measure holds at most 200 tasks and 500 pieces of evidence."""

    code = "measure_full"


class EffectUnknown(Refused):
    """The effect of this measure cannot be told."""

    code = "effect_unknown"


@dataclass(frozen=True, slots=True)
class Judged:
    """The `effect`, and what it was told from: the figure in `weeks`, and the count of all that it was compared with,
    None where it was compared with nothing."""

    weeks: Weeks
    seen: Weekly
    others: list[int] | None
    effect: Effect


async def find(session: AsyncSession, id: str) -> MeasureRow:
    """Raises MeasureNotFound."""
    if (row := await store.measure(session, id)) is None:
        raise MeasureNotFound
    return row


async def create(tx: AsyncSession, measure: Measure, today: date, *, actor: str, now: datetime) -> MeasureRow:
    """Plan a measure. Raises MeasureInvalid."""
    measure = _checked(measure, today)
    row = MeasureRow(id=uuid7(), created_at=now, updated_at=now)  # type: ignore[call-arg]
    store.write_measure(row, measure)
    tx.add(row)
    audit.add(tx, actor, "measure.created", row.id, now=now, detail=_detail(row))
    return row


async def change(
    tx: AsyncSession, id: str, measure: Measure, today: date, *, version: int | None, actor: str, now: datetime
) -> MeasureRow:
    """Put `measure` in the place of the one there is; the same again changes nothing. Raises MeasureNotFound,
    MeasureChanged, MeasureInvalid."""
    row = await _held(tx, id, version)
    measure = _checked(measure, today)
    if store.measure_of(row) == measure:
        return row
    before = _detail(row)
    store.write_measure(row, measure)
    _touch(row, now)
    after = _detail(row)
    moved = {name: value for name, value in before.items() if after[name] != value}
    audit.add(tx, actor, "measure.changed", id, now=now, detail={**after, "before": moved})
    return row


async def add_task(
    tx: AsyncSession, id: str, task: Task, today: date, *, version: int | None, actor: str, now: datetime
) -> MeasureRow:
    """Raises MeasureNotFound, MeasureChanged, MeasureInvalid, MeasureFull."""
    row = await _held(tx, id, version)
    task = _checked_task(task, today)
    if len(await store.tasks(tx, [id])) >= TASKS_AT_MOST:
        raise MeasureFull
    found = TaskRow(id=uuid7(), measure_id=id)  # type: ignore[call-arg]
    store.write_task(found, task)
    tx.add(found)
    _touch(row, now)
    audit.add(tx, actor, "measure.task_added", id, now=now, detail=_task_detail(found))
    return row


async def change_task(
    tx: AsyncSession, id: str, task_id: str, task: Task, today: date, *, version: int | None, actor: str, now: datetime
) -> MeasureRow:
    """Raises MeasureNotFound, TaskNotFound, MeasureChanged, MeasureInvalid."""
    row = await _held(tx, id, version)
    if (found := await store.task(tx, id, task_id)) is None:
        raise TaskNotFound
    task = _checked_task(task, today)
    if store.task_of(found) == task:
        return row
    store.write_task(found, task)
    _touch(row, now)
    audit.add(tx, actor, "measure.task_changed", id, now=now, detail=_task_detail(found))
    return row


async def remove_task(
    tx: AsyncSession, id: str, task_id: str, *, version: int | None, actor: str, now: datetime
) -> MeasureRow:
    """Raises MeasureNotFound, TaskNotFound, MeasureChanged."""
    row = await _held(tx, id, version)
    if (found := await store.task(tx, id, task_id)) is None:
        raise TaskNotFound
    await tx.delete(found)
    await tx.flush()
    _touch(row, now)
    audit.add(tx, actor, "measure.task_removed", id, now=now, detail=_task_detail(found))
    return row


async def add_evidence(
    tx: AsyncSession, id: str, note: str, link: str | None, *, actor: str, now: datetime
) -> MeasureRow:
    """Raises MeasureNotFound, MeasureFull."""
    row = await _held(tx, id, None)
    if len(await store.evidence(tx, [id])) >= EVIDENCE_AT_MOST:
        raise MeasureFull
    found = EvidenceRow(id=uuid7(), measure_id=id, note=redact(note), link=link, added_by=actor, added_at=now)
    tx.add(found)
    _touch(row, now)
    audit.add(tx, actor, "measure.evidence_added", id, now=now, detail={"evidence": found.id})
    return row


async def judge(session: AsyncSession, id: str, today: date, at_most: int) -> Judged:
    """What a measure changed, by up to `at_most` weeks on either side of its start; nothing may have been read in
    `session` before. Raises MeasureNotFound, EffectUnknown."""
    await agree(session)
    return await judge_within(session, id, today, at_most)


async def judge_within(session: AsyncSession, id: str, today: date, at_most: int) -> Judged:
    """As `judge`, in a unit of work that has begun. Raises MeasureNotFound, EffectUnknown."""
    measure = store.measure_of(await find(session, id))
    figure = FIGURES[measure.figure]
    if not figure.weekly:
        raise EffectUnknown("The measure's figure cannot be told by the week.")
    if measure.comparable and figure.counted is None:
        raise EffectUnknown("Only counts of complaints can be compared with others.")
    if (started_on := measure.started_on) is None:
        raise EffectUnknown("The measure has not started.")
    yesterday = today - timedelta(days=1)
    first = await first_day(session, figure, Selection(started_on - at_most * WEEK, max(started_on, yesterday)))
    if first is None:
        raise EffectUnknown("There is nothing in this time that the figure could be of.")
    weeks = weeks_around(started_on, first, yesterday, at_most)
    where = {} if measure.dimension is None or measure.code is None else {measure.dimension: measure.code}
    seen = await weekly(session, figure, weeks, Selection(where=where))
    controls = []
    for code in measure.comparable:
        assert measure.dimension is not None
        narrowed = Selection(where={measure.dimension: code})
        controls.append((await weekly(session, figure, weeks, narrowed)).counts)
    effect = await asyncio.to_thread(_effect, figure, weeks, seen, controls)
    return Judged(weeks, seen, _sum(controls), effect)


def _effect(figure: Figure, weeks: Weeks, seen: Weekly, controls: list[list[int]]) -> Effect:
    if seen.of is None:
        return on_counts(seen.counts, weeks.before, "week", controls=controls or None)
    if figure.part is not None:
        return on_shares(seen.counts, seen.of, weeks.before, "week")
    means = [total / n if n else 0.0 for total, n in zip(seen.counts, seen.of, strict=True)]
    return on_means(means, seen.of, weeks.before, "week")


def _sum(series: Sequence[Sequence[int]]) -> list[int] | None:
    return [sum(week) for week in zip(*series, strict=True)] if series else None


async def _held(tx: AsyncSession, id: str, version: int | None) -> MeasureRow:
    row = await store.measure(tx, id, lock=True)
    if row is None:
        raise MeasureNotFound
    if version is not None and row.version != version:
        raise MeasureChanged
    return row


def _touch(row: MeasureRow, now: datetime) -> None:
    row.version += 1
    row.updated_at = now


def _checked(measure: Measure, today: date) -> Measure:
    if wrong := flaws(measure, today):
        raise MeasureInvalid(errors=tuple(wrong))
    note = None if measure.note is None else redact(measure.note)
    comparable = tuple(dict.fromkeys(measure.comparable))
    return replace(measure, title=redact(measure.title), note=note, comparable=comparable)


def _checked_task(task: Task, today: date) -> Task:
    if wrong := task_flaws(task, today):
        raise MeasureInvalid(errors=tuple(wrong))
    return replace(task, title=redact(task.title))


def _detail(row: MeasureRow) -> dict[str, Any]:
    """For the audit trail: all but the words."""
    plain = ("figure", "dimension", "code", "comparable", "horizon", "owner_department", "budget", "currency", "status")
    days = {name: _day(getattr(row, name)) for name in ("starts_on", "ends_on", "started_on", "ended_on")}
    return {name: getattr(row, name) for name in (*plain, "version")} | days


def _task_detail(row: TaskRow) -> dict[str, Any]:
    plain = {name: getattr(row, name) for name in ("owner_role", "owner_department")}
    return {"task": row.id, **plain, "due_on": _day(row.due_on), "done_on": _day(row.done_on)}


def _day(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


def view(row: MeasureRow) -> dict[str, Any]:
    """A measure without its tasks and its evidence."""
    measure = store.measure_of(row)
    plain = ("id", "title", "figure", "dimension", "code", "horizon", "owner_department", "status", "note", "version")
    money = None if measure.budget is None else {"amount": f"{measure.budget:f}", "currency": measure.currency}
    return {name: getattr(row, name) for name in plain} | {
        "comparable": list(measure.comparable),
        "budget": money,
        **{name: _day(getattr(row, name)) for name in ("starts_on", "ends_on", "started_on", "ended_on")},
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
    }


async def whole(session: AsyncSession, row: MeasureRow) -> dict[str, Any]:
    """A measure with its tasks and its evidence."""
    return view(row) | {
        "tasks": [
            {name: getattr(task, name) for name in ("id", "title", "owner_role", "owner_department")}
            | {"due_on": _day(task.due_on), "done_on": _day(task.done_on)}
            for task in await store.tasks(session, [row.id])
        ],
        "evidence": [
            {name: getattr(one, name) for name in ("id", "note", "link", "added_by")}
            | {"added_at": rfc3339(one.added_at)}
            for one in await store.evidence(session, [row.id])
        ],
    }
