"""Incidents: complaints that have one cause are handled under one plan, answered together, and closed with findings."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.routing import store
from services.routing.classifier import Rulebook
from services.routing.classifier.decide import GRAVITY
from services.routing.store.case import ComplaintCase, Row
from services.routing.store.incident import Incident
from services.routing.usecases.history import remember
from shared import audit, outbox
from shared.clock import rfc3339
from shared.errors import Conflict, FieldError, Invalid, NotFound, PreconditionFailed, RedressError
from shared.events import ComplaintJoined, IncidentClosed, IncidentDeclared, SurgeDetected
from shared.ids import uuid7
from shared.redaction import redact

Cause = Literal["supervisor", "rule", "surge"]
SYSTEM = "system"


class IncidentNotFound(NotFound):
    """There is no such incident."""


class IncidentOver(Conflict):
    """This incident is closed; declare another one."""

    code = "incident_closed"


class OtherIncident(Conflict):
    """Some complaints are handled under another incident already; see errors."""

    code = "other_incident"


class PlanUnfinished(Conflict):
    """The plan has steps that are not done; see errors."""

    code = "plan_unfinished"


@dataclass(frozen=True, slots=True)
class PlanStep:
    """What is to be done, by whom (a department or an officer), by when; and by whom and when it was done."""

    what: str
    who: str
    by: datetime
    code: str | None = None
    done_by: str | None = None
    done_at: datetime | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            **{name: getattr(self, name) for name in ("what", "who", "code", "done_by")},
            "by": rfc3339(self.by),
            "done_at": rfc3339(self.done_at) if self.done_at else None,
        }


async def declare(
    tx: AsyncSession,
    *,
    title: str,
    department: str,
    ids: Collection[str],
    plan: Sequence[PlanStep] | None,
    rulebook: Rulebook,
    by: str,
    now: datetime,
    cause: Cause = "supervisor",
    series: str | None = None,
) -> Incident:
    """Declare an incident over complaints. `plan` None: the one that incidents begin with.

    Raises Invalid for a department or complaint that is not known, OtherIncident.
    """
    if department not in rulebook.departments:
        raise Invalid(errors=(FieldError("/department", "is no department of this desk", "unknown_department"),))
    steps = first_plan(rulebook, now) if plan is None else plan
    id = uuid7()
    cases = await _free(tx, ids, id)  # refuses, so it comes before anything is written
    row = Incident(
        id=id,
        title=redact(title),
        cause=cause,
        department=department,
        series=series,
        plan=_dumped(steps),
        declared_by=by,
        declared_at=now,
    )
    tx.add(row)
    told = IncidentDeclared(
        complaint_id=row.id,
        title=row.title,
        department=department,
        cause=cause,
        complaints=len(cases),
        declared_at=now,
    )
    outbox.add(tx, told, now=now)
    _join(tx, row.id, cases, by, now)
    detail = {"cause": cause, "department": department, "complaints": len(cases), "plan": len(steps)}
    audit.add(tx, by, "incident.declared", row.id, now=now, detail=detail)
    await tx.flush()
    return row


async def join(tx: AsyncSession, id: str, ids: Collection[str], *, by: str, now: datetime) -> Incident:
    """Handle more complaints under an incident. Raises IncidentNotFound, IncidentOver, Invalid, OtherIncident."""
    row = await _open(tx, id)
    if fresh := [case for case in await _free(tx, ids, id) if case.incident_id is None]:
        _join(tx, id, fresh, by, now)
        _changed(tx, row, "incident.joined", by, now, complaints=len(fresh))
    return row


async def leave(tx: AsyncSession, id: str, ids: Collection[str], *, by: str, now: datetime) -> Incident:
    """Handle complaints by themselves again. Raises IncidentNotFound, IncidentOver."""
    row = await _open(tx, id)
    cases = (await store.cases(tx, ids, locked=True)).values()
    if gone := [case for case in cases if case.incident_id == id]:
        for case in gone:
            case.incident_id = None
            case.version += 1
            outbox.add(tx, ComplaintJoined(complaint_id=case.complaint_id, joined_at=now), now=now)
            remember(tx, case.complaint_id, "incident_left", by, now=now, detail={"incident": id})
        _changed(tx, row, "incident.left", by, now, complaints=len(gone))
    return row


async def replan(
    tx: AsyncSession, id: str, plan: Sequence[PlanStep], *, version: int | None, by: str, now: datetime
) -> Incident:
    """Write the plan anew. A step that is now said to be done is signed by `by`; one that was, keeps its signature.

    Raises IncidentNotFound, IncidentOver, PreconditionFailed.
    """
    row = await _open(tx, id, version)
    signed = {(s["what"], s["who"]): s for s in orjson.loads(row.plan) if s["done_at"]}
    steps = []
    for step in plan:
        line = step.as_dict()
        if step.done_at is not None:
            before = signed.get((step.what, step.who))
            line |= {name: before[name] for name in ("done_by", "done_at")} if before else {"done_by": by}
        steps.append(line)
    detail = {"before": orjson.loads(row.plan), "after": steps}
    row.plan = orjson.dumps(steps).decode()
    _changed(tx, row, "incident.planned", by, now, **detail)
    return row


async def close(tx: AsyncSession, id: str, findings: str, *, version: int | None, by: str, now: datetime) -> Incident:
    """Close an incident with what was found; its complaints go on by themselves until each is closed.

    Raises IncidentNotFound, IncidentOver, PreconditionFailed, PlanUnfinished.
    """
    row = await _open(tx, id, version)
    undone = [(n, s) for n, s in enumerate(orjson.loads(row.plan)) if not s["done_at"]]
    if undone:
        raise PlanUnfinished(errors=tuple(FieldError(f"/plan/{n}", s["what"], "not_done") for n, s in undone))
    row.state, row.findings, row.closed_by, row.closed_at = "closed", redact(findings), by, now
    size = (await store.incident.sizes(tx, [id]))[id]
    outbox.add(tx, IncidentClosed(complaint_id=id, complaints=size, closed_at=now), now=now)
    _changed(tx, row, "incident.closed", by, now, complaints=size)
    return row


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one complaint: `code` and `detail` say why it was refused, None where it was done."""

    complaint_id: str
    code: str | None = None
    detail: str | None = None


async def together(
    tx: AsyncSession,
    id: str,
    do: Callable[[str], Awaitable[object]],
    *,
    by: str,
    what: str,
    after: str | None,
    limit: int,
    now: datetime,
) -> tuple[list[Result], str | None]:
    """Do the same with one complaint of an incident after the other, at most `limit`; what is refused to one is told
    and keeps nobody else waiting. Returns the results, and after which complaint to go on (None: that was all).

    `do` must refuse before it changes anything. Raises IncidentNotFound, IncidentOver.
    """
    await _open(tx, id)
    ids = list(await store.incident.members(tx, id, after=after, limit=limit + 1))
    results = []
    for complaint_id in ids[:limit]:
        try:
            await do(complaint_id)
        except RedressError as error:
            results.append(Result(complaint_id, error.code, str(error)))
        else:
            results.append(Result(complaint_id))
    done = sum(result.code is None for result in results)
    audit.add(tx, by, f"incident.{what}", id, now=now, detail={"done": done, "refused": len(results) - done})
    return results, ids[limit - 1] if len(ids) > limit else None


async def watch(tx: AsyncSession, opened: Sequence[Row], rulebook: Rulebook, *, now: datetime) -> None:
    """Join newly opened cases to the incident of their series, or declare it where there are enough of them."""
    rule = rulebook.registers.rules.incidents
    gravest = GRAVITY[rule.severity]
    series = {
        (row["category"], row["product"])
        for row in opened
        if not row["imported"] and GRAVITY[row["severity"]] >= gravest
    }
    for category, product in sorted(series, key=str):
        since = now - timedelta(hours=rule.hours)
        alike = await store.incident.alike(tx, since, category=category, product=product)
        cases = [c for c in alike if c.product == product and GRAVITY[c.severity] >= gravest]
        name, title = f"rule|{category}|{product or ''}", _titled(rulebook, category, product)
        await _declared_or_joined(tx, name, title, cases, rulebook, "rule", rule.cases, now)


async def surged(tx: AsyncSession, surge: SurgeDetected, rulebook: Rulebook, *, now: datetime) -> None:
    """Reporting has seen more complaints of one kind than chance explains."""
    facts = {name: getattr(surge, name) for name in ("category", "product", "branch", "channel")}
    cases = await store.incident.alike(tx, surge.since, surge.until, **facts)
    series = "|".join(("surge", *(value or "" for value in facts.values())))
    await _declared_or_joined(tx, series, _titled(rulebook, *facts.values()), cases, rulebook, "surge", 1, now)


def _titled(rulebook: Rulebook, *codes: str | None) -> str:
    """Codes in the words of the bank's registers; codes that no register knows, such as branches, as they are."""
    registers = rulebook.registers
    labels = {term.code: term.labels.zh_hant for term in registers.taxonomy.category}
    labels |= {product.code: product.labels.zh_hant for product in registers.products}
    return " · ".join(labels.get(code, code) for code in codes if code) or "*"


async def _declared_or_joined(
    tx: AsyncSession,
    series: str,
    title: str,
    cases: Sequence[ComplaintCase],
    rulebook: Rulebook,
    cause: Cause,
    least: int,
    now: datetime,
) -> None:
    known = (await store.incident.of_series(tx, [series])).get(series)
    if known is not None:
        await join(tx, known.id, [case.complaint_id for case in cases], by=SYSTEM, now=now)
    elif len(cases) >= least:
        await declare(
            tx,
            title=title[:200],
            department=rulebook.registers.routes.fallback,
            ids=[case.complaint_id for case in cases],
            plan=None,
            rulebook=rulebook,
            by=SYSTEM,
            now=now,
            cause=cause,
            series=series,
        )


def first_plan(rulebook: Rulebook, now: datetime) -> list[PlanStep]:
    """The plan that incidents begin with; whoever shows it words a step by its `code`."""
    return [
        PlanStep(step.labels.zh_hant, step.who, now + timedelta(hours=step.hours), step.code)
        for step in rulebook.registers.rules.incidents.plan
    ]


def view(row: Incident, size: int) -> dict[str, Any]:
    plain = ("id", "title", "state", "cause", "department", "findings", "declared_by", "closed_by", "version")
    return {
        **{name: getattr(row, name) for name in plain},
        "declared_at": rfc3339(row.declared_at),
        "closed_at": rfc3339(row.closed_at) if row.closed_at else None,
        "plan": orjson.loads(row.plan),
        "complaints": size,
    }


async def found(tx: AsyncSession, id: str) -> Incident:
    """Raises IncidentNotFound."""
    row = await tx.get(Incident, id)
    if row is None:
        raise IncidentNotFound
    return row


async def _open(tx: AsyncSession, id: str, version: int | None = None) -> Incident:
    row = await store.incident.locked(tx, id)
    if row is None:
        raise IncidentNotFound
    if row.state != "open":
        raise IncidentOver
    if version is not None and version != row.version:
        raise PreconditionFailed("The incident has changed since.")
    return row


async def _free(tx: AsyncSession, ids: Collection[str], id: str) -> list[ComplaintCase]:
    """The cases of these complaints, none of which another incident has."""
    cases = await store.cases(tx, ids, locked=True)
    if unknown := [n for n, one in enumerate(ids) if one not in cases]:
        raise Invalid(
            errors=tuple(FieldError(f"/complaints/{n}", "is no case of this desk", "unknown") for n in unknown)
        )
    taken = [(n, one) for n, one in enumerate(ids) if cases[one].incident_id not in (None, id)]
    if taken:
        errors = (FieldError(f"/complaints/{n}", str(cases[one].incident_id), "other_incident") for n, one in taken)
        raise OtherIncident(errors=tuple(errors))
    return list(cases.values())


def _join(tx: AsyncSession, id: str, cases: Sequence[ComplaintCase], by: str, now: datetime) -> None:
    for case in cases:
        case.incident_id = id
        case.version += 1
        outbox.add(tx, ComplaintJoined(complaint_id=case.complaint_id, incident_id=id, joined_at=now), now=now)
        remember(tx, case.complaint_id, "incident_joined", by, now=now, detail={"incident": id})


def _changed(tx: AsyncSession, row: Incident, action: str, by: str, now: datetime, **detail: Any) -> None:
    row.version += 1
    audit.add(tx, by, action, row.id, now=now, detail=detail)


def _dumped(plan: Sequence[PlanStep]) -> str:
    return orjson.dumps([step.as_dict() for step in plan]).decode()
