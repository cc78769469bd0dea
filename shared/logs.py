"""Structured logs: one JSON object a line, an event name and ids. Never what a complainant wrote or who they are."""

import contextlib
import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import orjson
import structlog

from shared import trace

# Keys that could carry personal data if somebody logged them by mistake; the value is dropped, the slip stays visible.
_PERSONAL = (
    "name phone email customer_no narrative complainant personal body payload address token authorization secret"
)
_FORBIDDEN = frozenset(_PERSONAL.split())


def configure(level: str = "INFO", *, pretty: bool = False) -> None:
    """Set up logging for this process. `pretty` is for a terminal."""
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        if pretty
        else structlog.processors.JSONRenderer(serializer=lambda value, **_: orjson.dumps(value, default=str).decode())
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _trace_ids,
            _no_personal_data,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=_Unfailing(sys.stderr)),  # type: ignore[arg-type]
        cache_logger_on_first_use=False,
    )
    # Libraries log through the standard library; their messages may quote values, so only their warnings pass.
    logging.basicConfig(
        level=logging.WARNING, format="%(levelname)s %(name)s %(message)s", stream=sys.stderr, force=True
    )
    for chatty in ("aiokafka", "sqlalchemy", "asyncio", "alembic", "uvicorn.access", "python_multipart"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


class _Unfailing:
    """A log whose disk is full, or whose reader has gone, loses lines. The work that they tell of goes on."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._file.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._file.flush()


def _trace_ids(_: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    here = trace.current()
    if here:
        fields["correlation_id"] = here.correlation_id
        fields["trace_id"] = here.traceparent[3:35]
    return fields


def _no_personal_data(_: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key in _FORBIDDEN.intersection(fields):
        fields[key] = "[dropped]"
    return fields
