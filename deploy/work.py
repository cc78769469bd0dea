"""One service's background process, with a small HTTP side of its own for health and metrics."""

import asyncio
import contextlib
import signal

from fastapi import FastAPI

from deploy.registry import Service
from shared import __version__, logs, trace
from shared.bus.kafka import KafkaBus
from shared.clock import utcnow
from shared.serve import server, settle_memory
from shared.settings import Settings
from shared.web import health
from shared.web.app import dress
from shared.web.router import include
from shared.worker import run_until_cancelled


def run(service: Service) -> None:
    """Work until SIGINT or SIGTERM. Raises SystemExit when the settings name no Kafka: alone it would reach nobody."""
    settings = service.settings()
    logs.configure(settings.log_level)
    if not settings.kafka:
        raise SystemExit("REDRESS_KAFKA is not set; without Kafka run `redress up`, which holds all services.")
    with asyncio.Runner() as runner:
        runner.run(_work(service, settings))


async def _work(service: Service, settings: Settings) -> None:
    db = service.database(settings)
    bus = KafkaBus(str(settings.kafka), client_id=f"redress-{service.name}", **settings.kafka_options())
    worker = service.worker(settings, db, bus)
    trace.start_exporting(settings.otlp_endpoint, service.name, __version__)
    settle_memory()
    main = asyncio.create_task(run_until_cancelled([worker], bus))
    asked = False

    def leave() -> None:
        """Once: cancelled again while it leaves its group, it would leave its partitions to nobody for ten seconds."""
        nonlocal asked
        if not asked:
            asked = main.cancel()

    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, leave)
    side = asyncio.create_task(_answer(service, settings)) if settings.worker_port else None
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await main
    finally:
        if side is not None:
            side.cancel()
            await asyncio.gather(side, return_exceptions=True)
        await db.close()
        trace.stop_exporting()


async def _answer(service: Service, settings: Settings) -> None:
    app = FastAPI(title=f"Redress {service.name} worker", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.service, app.state.settings = service.name, settings
    app.state.db, app.state.clock = service.database(settings), utcnow
    dress(app, service.name, settings)
    include(app, health.router)
    tls = settings.server_tls()
    # Not its signals: uvicorn raises one again when it has stopped, which would come while the worker takes its leave.
    served = server(app, host="0.0.0.0", port=settings.worker_port or 0, tls=tls, signals=False)  # noqa: S104 - inside a container
    with contextlib.suppress(asyncio.CancelledError):
        await served.serve()
