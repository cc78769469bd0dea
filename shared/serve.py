"""How an HTTP process is run: uvicorn's settings in one place, and a garbage collector that keeps out of the way."""

import asyncio
import contextlib
import gc
import signal
import ssl
import time
from collections.abc import Callable, Generator
from typing import Any

import uvicorn
from uvicorn.importer import import_from_string

from shared.settings import Settings
from shared.web import leaving, live

# Net new objects before the youngest are walked through. Python's 700 is reached every few requests, though what a
# request makes dies by its reference count; only what is left in cycles (tracebacks, mostly) waits for this.
_GC_THRESHOLDS = (50_000, 20, 50)


def settle_memory() -> None:
    """Call once everything is imported and built: what lives now lives for ever and is never walked through again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


class Below:
    """`app` at the path `prefix` of an address that it shares, whether the proxy in front strips the prefix or not."""

    def __init__(self, app: Callable[..., Any], prefix: str) -> None:
        self._app = app
        self._prefix = "/" + prefix.strip("/")

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if "path" in scope:
            inside = scope["path"] == self._prefix or scope["path"].startswith(f"{self._prefix}/")
            path = scope["path"] if inside else self._prefix + scope["path"]
            scope = {**scope, "path": path, "root_path": self._prefix}
        await self._app(scope, receive, send)


class Server(uvicorn.Server):
    """uvicorn, with memory settled once the app has started, and a while between being asked to stop and stopping.

    For `drain` seconds it serves on and says that it is not ready; a second signal ends that. Without `signals` the
    process's handlers are left alone: whoever runs it cancels `serve`.
    """

    def __init__(self, config: uvicorn.Config, *, drain: float, signals: bool) -> None:
        super().__init__(config)
        self._drain = drain
        self._signals = signals
        self._hurry = False

    async def startup(self, sockets: Any = None) -> None:
        leaving.arrive()
        await super().startup(sockets)
        settle_memory()

    async def main_loop(self) -> None:
        await super().main_loop()
        leaving.tell()
        until, ticks = time.monotonic() + self._drain, 0
        while time.monotonic() < until and not self._hurry:
            await asyncio.sleep(0.1)
            ticks += 1
            await self.on_tick(ticks)  # keeps the clock of the Date header

    def handle_exit(self, sig: int, frame: Any) -> None:
        self._hurry = self.should_exit
        super().handle_exit(sig, frame)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        with super().capture_signals() if self._signals else contextlib.nullcontext():
            yield

    async def shutdown(self, sockets: Any = None) -> None:
        live.end_all()  # a stream has no end of its own, and would hold up the stop
        try:
            await super().shutdown(sockets)
        finally:
            leaving.arrive()  # it is gone; what else this process serves, now or later, is not


def server(
    app: str | Callable[..., Any],
    *,
    host: str,
    port: int,
    root_path: str = "",
    tls: ssl.SSLContext | None = None,
    signals: bool = True,
) -> Server:
    """A server of `app` (an ASGI app, or `module:factory` as text), to be awaited in a running event loop. `root_path`
    is where a gateway puts it, stripped from the path or not; what `REDRESS_TRUSTED_PROXIES` tell of a request's sender
    and scheme is believed. With `tls` it serves https alone; without
    `signals` it leaves it to the caller to end it."""
    settings = Settings()
    proxies = settings.trusted_proxies
    if root_path.strip("/"):
        app = Below(import_from_string(app)() if isinstance(app, str) else app, root_path)
    return Server(
        uvicorn.Config(
            app,
            factory=isinstance(app, str),
            host=host,
            port=port,
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="on",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=list(proxies),
            backlog=2048,
            timeout_keep_alive=30,  # seconds; longer than the pause of a load balancer's probe
            timeout_graceful_shutdown=20,
            ssl_context_factory=None if tls is None else lambda *_: tls,
        ),
        drain=settings.drain_seconds,
        signals=signals,
    )


def _end(*_: object) -> None:
    """Being asked to stop, and having stopped, is no failure."""
    raise SystemExit(0)


def serve(
    app: str | Callable[..., Any],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    root_path: str = "",
    tls: ssl.SSLContext | None = None,
) -> None:
    """Serve `app` until SIGTERM or Ctrl-C, and on for `REDRESS_DRAIN_SECONDS`; then answer what has begun. Raises
    SystemExit where it cannot start."""
    served = server(app, host=host, port=port, root_path=root_path, tls=tls)
    signal.signal(signal.SIGTERM, _end)  # uvicorn raises the signal again when it has stopped
    try:
        served.run()
    except KeyboardInterrupt:  # uvicorn has stopped cleanly by then, and raises the signal again
        return
    if not served.started:
        raise SystemExit(3)
