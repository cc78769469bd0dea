"""How an HTTP process is run: uvicorn's settings in one place, and a garbage collector that keeps out of the way."""

import gc
import signal
from collections.abc import Callable
from typing import Any

import uvicorn

from shared.settings import Settings

# Net new objects before the youngest are walked through. Python's 700 is reached every few requests, though what a
# request makes dies by its reference count; only what is left in cycles (tracebacks, mostly) waits for this.
_GC_THRESHOLDS = (50_000, 20, 50)


def settle_memory() -> None:
    """Call once everything is imported and built: what lives now lives for ever and is never walked through again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


class Server(uvicorn.Server):
    """uvicorn, with memory settled once the app has started."""

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        settle_memory()


def server(app: str | Callable[..., Any], *, host: str, port: int, root_path: str = "") -> Server:
    """A server of `app` (an ASGI app, or `module:factory` as text), to be awaited in a running event loop. `root_path`
    is where a gateway puts it; what `REDRESS_TRUSTED_PROXIES` tell of a request's sender and scheme is believed."""
    proxies = Settings().trusted_proxies
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
            root_path=root_path,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=list(proxies),
            backlog=2048,
            timeout_keep_alive=30,  # seconds; longer than the pause of a load balancer's probe
            timeout_graceful_shutdown=20,
        )
    )


def _end(*_: object) -> None:
    """Being asked to stop, and having stopped, is no failure."""
    raise SystemExit(0)


def serve(app: str | Callable[..., Any], *, host: str = "127.0.0.1", port: int = 8000, root_path: str = "") -> None:
    """Serve `app` until SIGTERM or Ctrl-C, then answer what has begun. Raises SystemExit where it cannot start."""
    served = server(app, host=host, port=port, root_path=root_path)
    signal.signal(signal.SIGTERM, _end)  # uvicorn raises the signal again when it has stopped
    try:
        served.run()
    except KeyboardInterrupt:  # uvicorn has stopped cleanly by then, and raises the signal again
        return
    if not served.started:
        raise SystemExit(3)
