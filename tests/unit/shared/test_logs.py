"""One JSON object a line, with the ids of the request, and no personal data even by mistake."""

import errno
import io
import json
import logging
from collections.abc import Iterator
from contextlib import redirect_stderr

import pytest
import structlog

from shared import logs, trace


@pytest.fixture
def printed() -> Iterator[io.StringIO]:
    captured = io.StringIO()
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    with redirect_stderr(captured):
        logs.configure("INFO")
        yield captured
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


class FullDisk(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_log_whose_disk_is_full_stops_nobodys_work() -> None:
    with redirect_stderr(FullDisk()):
        logs.configure("INFO")
        structlog.get_logger().warning("bus.delivery_failed")
    structlog.reset_defaults()


def test_a_line_is_json_with_name_level_time_and_the_ids_of_the_request(printed: io.StringIO) -> None:
    here = trace.begin("req-1", None)
    token = trace.enter(here)
    structlog.get_logger().info("complaint.routed", complaint_id="c-1", text="多行\nline")
    trace.leave(token)
    structlog.get_logger().info("worker.started")

    first, second = map(json.loads, printed.getvalue().splitlines())
    assert (first["event"], first["level"], first["complaint_id"]) == ("complaint.routed", "info", "c-1")
    assert first["text"] == "多行\nline"
    assert first["timestamp"].endswith("Z")
    assert first["correlation_id"] == "req-1"
    assert first["trace_id"] == here.traceparent.split("-")[1]
    assert "correlation_id" not in second


@pytest.mark.parametrize(
    "key", ["name", "phone", "email", "customer_no", "narrative", "complainant", "body", "payload", "token",
            "authorization", "secret", "address"]
)  # fmt: skip
def test_what_could_be_personal_is_dropped_and_the_slip_stays_visible(printed: io.StringIO, key: str) -> None:
    structlog.get_logger().warning("slip", **{key: "Chan Example", "complaint_id": "c-1"})
    line = json.loads(printed.getvalue())
    assert line[key] == "[dropped]"
    assert line["complaint_id"] == "c-1"
    assert "Chan" not in printed.getvalue()


def test_below_the_level_nothing_is_printed_and_libraries_only_warn(printed: io.StringIO) -> None:
    structlog.get_logger().debug("chatter")
    logging.getLogger("some.library").info("SELECT name")
    logging.getLogger("sqlalchemy.engine").warning("a statement with values")
    logging.getLogger("aiokafka").error("a broker is away")
    assert printed.getvalue() == ""
    logging.getLogger("some.library").warning("careful")
    assert "careful" in printed.getvalue()


def test_what_json_does_not_know_is_written_as_text(printed: io.StringIO) -> None:
    structlog.get_logger().info("odd", value={1, 2}, error=ValueError("x"))
    assert json.loads(printed.getvalue())["event"] == "odd"
