"""Which request we are in: request id, correlation id and W3C trace context, carried by context variables.

The trace context travels in every event even when OpenTelemetry is off, so that one complaint can be followed through
HTTP, outbox, Kafka and handlers by its ids alone. With `REDRESS_OTLP_ENDPOINT` set, spans are exported too.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.errors import RedressError

if TYPE_CHECKING:
    from shared.cloudevents import Envelope

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}\Z")
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
_tracer: Any = None


@dataclass(frozen=True, slots=True)
class Trace:
    """`correlation_id` is one for everything that a request sets off; `traceparent` is W3C Trace Context level 1."""

    correlation_id: str
    traceparent: str


_current: ContextVar[Trace | None] = ContextVar("redress_trace", default=None)


def current() -> Trace | None:
    return _current.get()


def begin(correlation_id: str | None, traceparent: str | None) -> Trace:
    """The trace to work under: what the caller sent if it is well formed, else a new one."""
    raw = os.urandom(32).hex()
    found = _TRACEPARENT.match(traceparent) if traceparent else None
    trace_id = found[1] if found and found[1] != "0" * 32 else raw[:32]
    given = correlation_id if correlation_id and _ID.match(correlation_id) else None
    return Trace(given or raw[32:48], f"00-{trace_id}-{raw[48:]}-01")


def enter(trace: Trace) -> Any:
    """Make `trace` the current one; give the returned token to `leave`."""
    return _current.set(trace)


def leave(token: Any) -> None:
    _current.reset(token)


def start_exporting(endpoint: str | None, service: str, version: str) -> None:
    """Export spans to an OTLP/HTTP `endpoint` (its base address). Does nothing without one."""
    global _tracer
    if not endpoint or _tracer is not None:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class OurTraceIds(RandomIdGenerator):
        """A span that begins a trace takes the id under which we work already, and which logs and events carry."""

        def generate_trace_id(self) -> int:
            here = current()
            return int(here.traceparent[3:35], 16) if here else super().generate_trace_id()

    resource = Resource({"service.name": f"redress-{service}", "service.version": version})
    provider = TracerProvider(resource=resource, id_generator=OurTraceIds())
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=3)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracer = provider


def stop_exporting() -> None:
    """Send what is left and stop."""
    global _tracer
    if _tracer is not None:
        _tracer.shutdown()
        _tracer = None


@contextmanager
def span(
    name: str, *, service: str, kind: str = "internal", parent: str | None = None, **attributes: str | int
) -> Iterator[Any]:
    """A span under `parent` (a traceparent; an empty one: the first of its trace) or else under the current span;
    within it `current()` is the span's own context.

    Costs one comparison while nothing is exported.
    """
    if _tracer is None:
        yield None
        return
    from opentelemetry import trace as otel
    from opentelemetry.trace import Status, StatusCode
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    here = current()
    carrier = {"traceparent": parent if parent is not None else here.traceparent if here else ""}
    context = TraceContextTextMapPropagator().extract(carrier)
    with _tracer.get_tracer("redress").start_as_current_span(
        name,
        context=context,
        kind=otel.SpanKind[kind.upper()],
        attributes={"redress.service": service, **attributes},
        record_exception=False,  # its message and stack may quote what somebody wrote
        set_status_on_exception=False,
    ) as found:
        ids = found.get_span_context()
        # a caller's wish that its trace be not kept goes along: else ours would be spans without their parents
        parentage = f"00-{ids.trace_id:032x}-{ids.span_id:016x}-{ids.trace_flags & 1:02x}"
        token = enter(Trace(here.correlation_id if here else "", parentage))
        try:
            yield found
        except RedressError:
            raise  # an answer, not a failure
        except Exception as error:
            found.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise
        finally:
            leave(token)


@contextmanager
def following(event: "Envelope", *, service: str) -> Iterator[None]:
    """Work under the trace that an event brought along: what its handler publishes belongs to the same complaint."""
    token = enter(begin(event.correlationid, event.traceparent))
    try:
        parent = event.traceparent or ""
        with span(f"handle {event.type}", service=service, kind="consumer", parent=parent, subject=event.subject):
            yield
    finally:
        leave(token)
