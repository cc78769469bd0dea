"""Health: `/health/live` (the process runs), `/health/ready` (it can do its work, or why not), `/metrics`."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import orjson
from fastapi import Depends, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import func, select

from shared import __version__, metrics
from shared.clock import Clock, rfc3339
from shared.db import Database
from shared.i18n import mark
from shared.relay import outbox_state
from shared.web.access import public
from shared.web.router import Router

router = Router(tags=["health"], dependencies=[Depends(public())])
OUTBOX_LATE = 30.0  # seconds after which an unpublished event makes a service degraded
WORKER_SILENT = 20.0  # seconds without a heartbeat after which a worker counts as gone

Extra = Callable[[], Awaitable[dict[str, Any]]]


# Why a service is not simply ready. The English text is also the key into the message catalogues.
REASONS = {
    "database_away": mark("The database does not answer."),
    "outbox_waits": mark("{count} events wait to be published, the oldest for {seconds} s."),
    "parked": mark("{count} events are parked and need somebody's eye."),
    "worker_silent": mark("Worker {worker} has been silent for {seconds} s."),
    "bus_away": mark("Worker {worker} cannot reach the event bus."),
    "no_worker": mark("No worker has run yet."),
    "no_answer": mark("The service does not answer."),
}


async def report(service: str, db: Database, clock: Clock) -> dict[str, Any]:
    """The state of one service: `status` is ready, degraded (works, but something waits) or not_ready (can't work).

    `reasons` say in plain words why it is not simply ready, `causes` the same as codes with their values.
    """
    causes: list[dict[str, Any]] = []
    checks: dict[str, Any] = {}
    try:
        async with asyncio.timeout(3):
            checks |= await _from_database(db, clock)
        checks["database"] = {"ok": True}
        status = "ready"
    except Exception as error:  # whatever it is, the answer is: not ready, and why
        checks["database"] = {"ok": False, "error": type(error).__name__}
        causes.append({"code": "database_away"})
        status = "not_ready"
    else:
        causes = _causes(checks)
        status = "degraded" if causes else "ready"
    reasons = [REASONS[c["code"]].format(**c) for c in causes]
    return {
        "service": service,
        "version": __version__,
        "status": status,
        "reasons": reasons,
        "causes": causes,
        "checks": checks,
    }


def _causes(checks: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    outbox, parked, workers = checks["outbox"], checks["parked"], checks["workers"]
    if outbox["oldest_age_seconds"] > OUTBOX_LATE:
        age = round(outbox["oldest_age_seconds"])
        found.append({"code": "outbox_waits", "count": outbox["depth"], "seconds": age})
    if parked["total"]:
        found.append({"code": "parked", "count": parked["total"]})
    for name, worker in workers.items():
        if worker["silent_seconds"] > WORKER_SILENT:
            found.append({"code": "worker_silent", "worker": name, "seconds": round(worker["silent_seconds"])})
        elif not worker.get("bus", {}).get("ok", True):
            found.append({"code": "bus_away", "worker": name})
    if not workers:
        found.append({"code": "no_worker"})
    return found


async def _from_database(db: Database, clock: Clock) -> dict[str, Any]:
    tables = db.tables
    async with db.reading() as session:
        outbox = await outbox_state(session, tables)
        parked = tables.parked.c
        query = select(parked.reason, func.count()).where(parked.settled_at.is_(None)).group_by(parked.reason)
        waiting = {str(reason): int(n) for reason, n in (await session.execute(query)).all()}
        beats = (await session.execute(select(tables.heartbeat))).mappings().all()
    now = clock()
    age = outbox.age(now)
    metrics.outbox_depth.labels(db.service).set(outbox.depth)
    metrics.outbox_age_seconds.labels(db.service).set(age)
    for reason in ("undecodable", "handler_failed", "behind"):
        metrics.parked_now.labels(db.service, reason).set(waiting.get(reason, 0))
    return {
        "outbox": {"depth": outbox.depth, "oldest_age_seconds": round(age, 3)},
        "parked": {"total": sum(waiting.values()), **waiting},
        "workers": {b["process"]: _beat(b["at"], b["detail"], now) for b in beats},
    }


def _beat(at: datetime, detail: str, now: datetime) -> dict[str, Any]:
    return {"at": rfc3339(at), "silent_seconds": round(max(0.0, (now - at).total_seconds()), 1), **orjson.loads(detail)}


@router.get("/health/live")
async def live(request: Request) -> dict[str, Any]:
    """The process runs. Says nothing of what it depends on: a restart would not mend that."""
    return {"status": "live", "service": request.app.state.service, "version": __version__}


@router.get("/health/ready", responses={503: {"description": "Not ready, with the reasons"}})
async def ready(request: Request) -> Response:
    """Whether the service can do its work: 200 ready or degraded, 503 not ready; always with checks and reasons."""
    found = await report(request.app.state.service, request.app.state.db, request.app.state.clock)
    status = 503 if found["status"] == "not_ready" else 200
    headers = {"Retry-After": "2"} if status == 503 else {}
    return Response(orjson.dumps(found), status, media_type="application/json", headers=headers)


@router.get("/metrics", response_class=PlainTextResponse)
async def scrape(request: Request) -> Response:
    """Prometheus metrics; the gauges of outbox and parking lot are read at this moment."""
    await report(request.app.state.service, request.app.state.db, request.app.state.clock)
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
