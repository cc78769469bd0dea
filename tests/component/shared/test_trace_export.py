"""Spans as a collector receives them (OTLP over HTTP): one complaint is one trace through requests and events."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from fastapi import Depends
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from structlog.testing import capture_logs

from shared import outbox, trace
from shared.bus.local import LocalBus
from shared.cloudevents import Envelope, decode
from shared.errors import Conflict
from shared.events import TOPICS, ComplaintAcknowledged, ComplaintClosed
from shared.inbox import Consumer
from shared.relay import Relay
from shared.settings import Settings
from shared.web.access import public
from shared.web.app import ClockDep, Tx, create_app
from shared.web.edge import direct
from shared.web.router import Router

SECRET = "written-in-confidence"  # stands for whatever somebody typed; no span may carry it
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Collector(ThreadingHTTPServer):
    """An OTLP/HTTP collector that keeps what it is sent. `mood`: what it does instead of taking it."""

    daemon_threads = True

    def __init__(self, mood: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.mood = mood
        self.paths: list[str] = []
        self.bodies: list[bytes] = []
        self.let_go = threading.Event()
        self.endpoint = f"http://127.0.0.1:{self.server_port}"

    @property
    def spans(self) -> list[Span]:
        """The spans received, first begun first."""
        groups = [g for body in self.bodies for g in ExportTraceServiceRequest.FromString(body).resource_spans]
        return sorted((s for g in groups for scope in g.scope_spans for s in scope.spans), key=_began)

    @property
    def resources(self) -> list[dict[str, str]]:
        groups = [g for body in self.bodies for g in ExportTraceServiceRequest.FromString(body).resource_spans]
        return [{a.key: a.value.string_value for a in g.resource.attributes} for g in groups]


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.server.mood == "silent":
            self.server.let_go.wait(30)
            return
        self.server.paths.append(self.path)
        self.server.bodies.append(body)
        self.send_response(503 if self.server.mood == "overloaded" else 200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the tests look at what arrived."""


def _began(span: Span) -> int:
    return int(span.start_time_unix_nano)


@pytest.fixture
def collector(request: pytest.FixtureRequest) -> Iterator[Collector]:
    with Collector(getattr(request, "param", "")) as found:
        if found.mood == "gone":
            found.server_close()
            yield found
            return
        thread = threading.Thread(target=found.serve_forever, args=(0.02,))
        thread.start()
        yield found
        found.let_go.set()
        found.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _none_left() -> Iterator[None]:
    yield
    trace.stop_exporting()


@pytest.fixture
async def desk(open_database: Any, tmp_path: Any) -> Any:
    return await open_database(f"sqlite+aiosqlite:///{tmp_path / 'intake.db'}")


@pytest.fixture
async def other(open_database: Any, tmp_path: Any) -> Any:
    """Another service's database."""
    return await open_database(f"sqlite+aiosqlite:///{tmp_path / 'routing.db'}")


def routes() -> Router:
    router = Router(prefix="/v1", dependencies=[Depends(public())])

    @router.post("/complaints/{id}")
    async def receive(id: str, tx: Tx, clock: ClockDep) -> None:
        outbox.add(tx, ComplaintAcknowledged(complaint_id=id, acknowledged_at=clock()), now=clock())

    @router.post("/fail")
    async def fail(tx: Tx, how: str) -> None:
        _fail(how)

    @router.post("/straight")
    @direct
    async def straight(request: Request) -> Response:
        _fail(request.query_params.get("how", ""))
        return JSONResponse({})

    return router


def _fail(how: str) -> None:
    if how == "unforeseen":
        raise ValueError(SECRET)
    if how == "named":
        raise Conflict("Plain words.")


@asynccontextmanager
async def living(desk: Any, endpoint: str | None) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service `intake` from its start to its end, when it sends the spans that are left."""
    settings = Settings(otlp_endpoint=endpoint)
    app = create_app("intake", "", settings=settings, db=desk.db, clock=desk.clock, routers=[routes()])
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://intake.test") as client,
    ):
        yield client


class Routing:
    """Another service that hears of complaints and closes them at once."""

    def __init__(self, desk: Any, other: Any) -> None:
        self.heard: list[Envelope] = []
        self.fails = False
        self._desk = other
        bus = LocalBus()
        wanted = frozenset({ComplaintAcknowledged.type})
        bus.subscribe("routing", [TOPICS["intake"]], Consumer(other.db, self.handle, wanted, other.clock).process)
        self._relay = Relay(desk.db, bus, TOPICS["intake"], desk.clock)

    async def handle(self, tx: Any, events: Sequence[Envelope]) -> None:
        for event in events:
            with trace.following(event, service="routing"), trace.span("decide", service="routing"):
                if self.fails:
                    raise ValueError(SECRET)
                self.heard.append(event)
                now = self._desk.now
                outbox.add(tx, ComplaintClosed(complaint_id=event.subject, closed_at=now), now=now)

    async def deliver(self) -> None:
        assert await self._relay.publish_once() == (1, 1)

    async def hear(self) -> Envelope:
        """Deliver what intake published; returns the event that this service published upon it."""
        await self.deliver()
        return decode(await self._desk.scalar("SELECT payload FROM outbox ORDER BY seq DESC LIMIT 1"))


def ids(traceparent: str | None) -> tuple[str, str]:
    """The trace id and the span id in a traceparent."""
    _, trace_id, span_id, flags = (traceparent or "").split("-")
    assert flags == "01"
    return trace_id, span_id


@pytest.mark.parametrize(
    ("sent", "caller"),
    [
        (None, None),
        (f"00-{TRACE}-{SPAN}-01", (TRACE, SPAN)),
        (f"00-{TRACE.upper()}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
    ],
)
async def test_a_request_and_what_its_event_sets_off_are_one_trace(
    collector: Collector, desk: Any, other: Any, sent: str | None, caller: tuple[str, str] | None
) -> None:
    routing = Routing(desk, other)
    async with living(desk, collector.endpoint + "/") as client:
        headers = {"x-request-id": "r-1", **({"traceparent": sent} if sent else {})}
        assert (await client.post(f"/v1/complaints/c-1?q={SECRET}", headers=headers)).status_code == 200
        published = await routing.hear()
    (heard,) = routing.heard

    assert set(collector.paths) == {"/v1/traces"}
    server, consumer, decide = collector.spans
    assert (server.name, server.kind) == ("POST intake", Span.SPAN_KIND_SERVER)
    assert (consumer.name, consumer.kind) == (f"handle {ComplaintAcknowledged.type}", Span.SPAN_KIND_CONSUMER)
    assert (decide.name, decide.kind) == ("decide", Span.SPAN_KIND_INTERNAL)
    assert [s.status.code for s in collector.spans] == [Status.STATUS_CODE_UNSET] * 3

    (trace_id,) = {s.trace_id.hex() for s in collector.spans}
    assert (trace_id == TRACE) is (caller is not None)
    assert server.parent_span_id.hex() == (caller[1] if caller else "")
    assert consumer.parent_span_id == server.span_id
    assert decide.parent_span_id == consumer.span_id
    assert ids(heard.traceparent) == (trace_id, server.span_id.hex()), "the event names the span that published it"
    assert ids(published.traceparent) == (trace_id, decide.span_id.hex()), "and so does the one that it set off"
    assert heard.correlationid == published.correlationid == "r-1"

    assert [s.attributes[0].value.string_value for s in collector.spans] == ["intake", "routing", "routing"]
    assert {r["service.name"] for r in collector.resources} == {"redress-intake"}
    assert SECRET.encode() not in b"".join(collector.bodies), "no address in a span"


async def test_requests_are_traces_of_their_own_even_at_once(collector: Collector, desk: Any) -> None:
    async with living(desk, collector.endpoint) as client:
        await asyncio.gather(*(client.post(f"/v1/complaints/c-{i}") for i in range(8)))
    events = [decode(p) for p in await desk.column("SELECT payload FROM outbox")]
    spans = {(s.trace_id.hex(), s.span_id.hex()) for s in collector.spans}
    assert len({trace_id for trace_id, _ in spans}) == 8
    assert {ids(e.traceparent) for e in events} == spans
    assert not any(s.parent_span_id for s in collector.spans)
    assert trace.current() is None


@pytest.mark.parametrize("path", ["/v1/fail", "/v1/straight"])
@pytest.mark.parametrize(("how", "status"), [("unforeseen", 500), ("named", 409)])
async def test_a_failing_request_is_marked_and_not_quoted(
    collector: Collector, desk: Any, path: str, how: str, status: int
) -> None:
    def with_trace(_: Any, __: str, fields: Any) -> Any:
        here = trace.current()
        return {**fields, "trace_id": here.traceparent[3:35] if here else None}

    with capture_logs(processors=[with_trace]) as lines:
        async with living(desk, collector.endpoint) as client:
            assert (await client.post(path, params={"how": how})).status_code == status
    (span,) = collector.spans
    logged = [line["trace_id"] for line in lines if line["event"] == "request.failed"]
    assert logged == ([span.trace_id.hex()] if status == 500 else []), "the log leads to the trace"
    assert (span.status.code == Status.STATUS_CODE_ERROR) is (status == 500)
    assert span.status.message == ("ValueError" if status == 500 else "")
    assert SECRET.encode() not in b"".join(collector.bodies)
    assert not span.events, "a stack trace may quote too"


async def test_a_failing_handler_is_marked_and_not_quoted(collector: Collector, desk: Any, other: Any) -> None:
    routing = Routing(desk, other)
    routing.fails = True
    with capture_logs():
        async with living(desk, collector.endpoint) as client:
            await client.post("/v1/complaints/c-1")
            await routing.deliver()
    assert await other.scalar("SELECT count(*) FROM parked") == 1
    consumers = [s for s in collector.spans if s.kind == Span.SPAN_KIND_CONSUMER]
    assert {(s.status.code, s.status.message) for s in consumers} == {(Status.STATUS_CODE_ERROR, "ValueError")}
    assert SECRET.encode() not in b"".join(collector.bodies)


async def test_a_caller_that_keeps_no_spans_gets_none_kept_and_its_trace_goes_on(
    collector: Collector, desk: Any, other: Any
) -> None:
    routing = Routing(desk, other)
    async with living(desk, collector.endpoint) as client:
        await client.post("/v1/complaints/c-1", headers={"traceparent": f"00-{TRACE}-{SPAN}-00"})
        published = await routing.hear()
    assert collector.spans == [], "no span whose parent nobody kept"
    assert [(e.traceparent or "")[3:35] for e in (*routing.heard, published)] == [TRACE, TRACE]


@pytest.mark.parametrize("collector", ["silent", "overloaded", "gone"], indirect=True)
async def test_a_collector_that_is_down_harms_nothing(
    collector: Collector, desk: Any, other: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "1")  # seconds
    routing = Routing(desk, other)
    async with living(desk, collector.endpoint) as client:
        began = time.monotonic()
        for i in range(20):
            assert (await client.post(f"/v1/straight?n={i}")).status_code == 200
        assert (await client.post("/v1/complaints/c-1")).status_code == 200
        published = await routing.hear()
        assert time.monotonic() - began < 5, "nothing waits for the collector"
        began = time.monotonic()
    assert time.monotonic() - began < 5, "nor does the end, beyond its time"
    (heard,) = routing.heard
    assert ids(heard.traceparent)[0] == ids(published.traceparent)[0]
    assert SECRET not in caplog.text


@pytest.mark.parametrize("endpoint", [None, ""])
async def test_without_an_endpoint_nothing_is_exported_and_events_carry_the_trace_all_the_same(
    collector: Collector, desk: Any, other: Any, monkeypatch: pytest.MonkeyPatch, endpoint: str | None
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)  # not ours to follow
    routing = Routing(desk, other)
    async with living(desk, endpoint) as client:
        await client.post("/v1/complaints/c-1", headers={"traceparent": f"00-{TRACE}-{SPAN}-01"})
        published = await routing.hear()
        with trace.span("nothing", service="intake") as found:
            assert found is None
    assert collector.bodies == []
    (heard,) = routing.heard
    assert ids(heard.traceparent)[0] == ids(published.traceparent)[0] == TRACE
    assert len({SPAN, ids(heard.traceparent)[1], ids(published.traceparent)[1]}) == 3


async def test_after_the_end_it_may_begin_again_and_twice_is_once(collector: Collector) -> None:
    for name in ("first", "second"):
        trace.start_exporting(collector.endpoint, name, "1")
        trace.start_exporting(collector.endpoint, "another", "1")
        with trace.span("work", service=name):
            pass
        trace.stop_exporting()
        trace.stop_exporting()
        with trace.span("too late", service=name) as found:
            assert found is None
    assert [r["service.name"] for r in collector.resources] == ["redress-first", "redress-second"]
    assert [s.name for s in collector.spans] == ["work", "work"]
