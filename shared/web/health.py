"""Health: `/health/live` (the process runs), `/health/ready` (it can do its work, or why not), `/metrics`."""

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

import orjson
from fastapi import Depends, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import State

from shared import __version__, metrics
from shared.clock import rfc3339
from shared.db import Database
from shared.i18n import mark
from shared.relay import outbox_state
from shared.settings import Settings
from shared.web import leaving, vitals
from shared.web.access import public
from shared.web.router import Router

router = Router(tags=["health"], dependencies=[Depends(public())])
OUTBOX_LATE = 30.0  # seconds after which an unpublished event makes a service degraded
WORKER_FORGOTTEN = 3600.0  # seconds after which others are taken to have replaced it: containers change their names
WORKER_SILENT = 20.0  # seconds without a heartbeat after which a worker counts as gone

Vital = Callable[[AsyncSession, datetime], Awaitable[dict[str, dict[str, Any]]]]
"""What a service adds to `checks`, found in its database; listed in `app.state.vitals`."""


# Why a service is not simply ready. The English text is also the key into the message catalogues.
REASONS = {
    "database_away": mark("The database does not answer."),
    "outbox_waits": mark("{count} events wait to be published, the oldest for {seconds} s."),
    "parked": mark("{count} events are parked and need somebody's eye."),
    "worker_silent": mark("Worker {worker} has been silent for {seconds} s."),
    "bus_away": mark("Worker {worker} cannot reach the event bus."),
    "no_worker": mark("No worker has run yet."),
    "leaving": mark("The process is about to stop; others take over."),
    "no_answer": mark("The service does not answer."),
}


async def _shared(state: State) -> dict[str, Any]:
    """`report`, made once for all who ask while it is made: anybody may ask, at any speed, and complaints need the
    database more."""
    task: asyncio.Task[dict[str, Any]] | None = getattr(state, "reporting_health", None)
    if task is None or task.done():
        task = state.reporting_health = asyncio.create_task(report(state), name="report-health")
    return await asyncio.shield(task)


async def report(state: State) -> dict[str, Any]:
    """The state of one service: `status` is ready, degraded (works, but something waits) or not_ready (can't work, or
    is about to stop).

    `state` is that of its app. `reasons` say in plain words why it is not simply ready, `causes` the same as codes with
    their values; `dependencies` are what it stands on, `machine` what it sees of the machine.
    """
    service: str = state.service
    db: Database = state.db
    settings: Settings = state.settings
    now = state.clock()
    causes: list[dict[str, Any]] = []
    checks: dict[str, Any] = {}
    try:
        async with asyncio.timeout(3):
            checks |= await _from_database(db, now, settings, getattr(state, "vitals", ()))
        checks["database"] = {"ok": True}
        status = "ready"
    except Exception as error:  # whatever it is, the answer is: not ready, and why
        checks["database"] = {"ok": False, "error": type(error).__name__}
        causes.append({"code": "database_away"})
        status = "not_ready"
    else:
        causes = _causes(checks)
        status = "degraded" if causes else "ready"
    metrics.database_up.labels(service).set(checks["database"]["ok"])
    metrics.ready.labels(service).set(status != "not_ready")
    if leaving.told():  # it can do its work, so this is no alarm: whoever sends requests is to send them elsewhere
        causes.append({"code": "leaving"})
        status = "not_ready"
    metrics.build.labels(service, __version__).set(1)
    reasons = [REASONS[c["code"]].format(**c) for c in causes]
    return {
        "service": service,
        "version": __version__,
        "status": status,
        "reasons": reasons,
        "causes": causes,
        "checks": checks,
        "dependencies": {
            "database": "sqlite" if db.is_sqlite else "postgresql",
            "bus": "in-process" if settings.embedded else "kafka",
        },
        "machine": vitals.machine(service, settings, now),
    }


def _causes(checks: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    outbox, parked, workers = checks["outbox"], checks["parked"], checks["workers"]
    if outbox["oldest_age_seconds"] > OUTBOX_LATE:
        age = round(outbox["oldest_age_seconds"])
        found.append({"code": "outbox_waits", "count": outbox["depth"], "seconds": age})
    if parked["total"]:
        found.append({"code": "parked", "count": parked["total"]})
    forgotten = WORKER_FORGOTTEN if vitals.alive(workers, WORKER_SILENT) else math.inf
    for name, worker in workers.items():
        if worker["silent_seconds"] > forgotten:
            continue
        if worker["silent_seconds"] > WORKER_SILENT:
            found.append({"code": "worker_silent", "worker": name, "seconds": round(worker["silent_seconds"])})
        elif not worker.get("bus", {}).get("ok", True):
            found.append({"code": "bus_away", "worker": name})
    if not workers:
        found.append({"code": "no_worker"})
    return found


async def _from_database(db: Database, now: datetime, settings: Settings, more: Sequence[Vital]) -> dict[str, Any]:
    tables = db.tables
    async with db.reading() as session:
        outbox = await outbox_state(session, tables)
        parked = tables.parked.c
        query = select(parked.reason, func.count()).where(parked.settled_at.is_(None)).group_by(parked.reason)
        waiting = {str(reason): int(n) for reason, n in (await session.execute(query)).all()}
        beats = (await session.execute(select(tables.heartbeat))).mappings().all()
        own: dict[str, Any] = {"keys": {"api": await vitals.keys(session, tables, db.service, now)}}
        for vital in more:
            for name, found in (await vital(session, now)).items():
                own.setdefault(name, {}).update(found)
    age = outbox.age(now)
    workers = {b["process"]: _beat(b["at"], b["detail"], now) for b in beats}
    used = sum(n for reason, n in waiting.items() if reason != "behind") / settings.max_parked
    _measure(db.service, outbox.depth, age, waiting, used, workers)
    return {
        "outbox": {"depth": outbox.depth, "oldest_age_seconds": round(age, 3)},
        "parked": {"total": sum(waiting.values()), **waiting},
        "parking": {"used": round(used, 3)},
        "workers": workers,
        **own,
    }


def _measure(
    service: str, depth: int, age: float, waiting: dict[str, int], used: float, workers: dict[str, Any]
) -> None:
    metrics.outbox_depth.labels(service).set(depth)
    metrics.outbox_age_seconds.labels(service).set(age)
    for reason in ("undecodable", "handler_failed", "behind"):
        metrics.parked_now.labels(service, reason).set(waiting.get(reason, 0))
    metrics.parking_used.labels(service).set(used)
    metrics.workers_alive.labels(service).set(vitals.alive(workers, WORKER_SILENT))
    lately = [w for w in workers.values() if w["silent_seconds"] <= WORKER_SILENT]
    if lately:
        metrics.bus_up.labels(service).set(all(w.get("bus", {}).get("ok", True) for w in lately))
    else:  # nobody knows how the bus of one that is gone is
        with contextlib.suppress(KeyError):
            metrics.bus_up.remove(service)


def _beat(at: datetime, detail: str, now: datetime) -> dict[str, Any]:
    return {"at": rfc3339(at), "silent_seconds": round(max(0.0, (now - at).total_seconds()), 1), **orjson.loads(detail)}


@router.get("/health/live")
async def live(request: Request) -> dict[str, Any]:
    """The process runs. Says nothing of what it depends on: a restart would not mend that."""
    return {"status": "live", "service": request.app.state.service, "version": __version__}


@router.get("/health/ready", responses={503: {"description": "Not ready, with the reasons"}})
async def ready(request: Request) -> Response:
    """Whether the service can do its work: 200 ready or degraded, 503 not ready; always with checks and reasons."""
    found = await _shared(request.app.state)
    status = 503 if found["status"] == "not_ready" else 200
    headers = {"Retry-After": "2"} if status == 503 else {}
    return Response(orjson.dumps(found), status, media_type="application/json", headers=headers)


@router.get("/metrics", response_class=PlainTextResponse)
async def scrape(request: Request) -> Response:
    """Prometheus metrics; the gauges of outbox and parking lot are read at this moment. `name[]` asks for some alone,
    by the full names of samples."""
    if names := request.query_params.getlist("name[]"):
        return exposition(names)
    await _shared(request.app.state)
    return exposition()


def exposition(names: Sequence[str] = ()) -> Response:
    """This process's metrics, or those with `names`."""
    registry = REGISTRY.restricted_registry(names) if names else REGISTRY
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
