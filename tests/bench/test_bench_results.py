"""What is published of the benchmarks: accepted runs alone; and the driver counts right whoever ends connections."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.bench import report, results
from tests.bench.load import Figures, drive
from tests.bench.peers import run as peers

LATENCY = {
    "peak_per_second": 1000.0,
    "rate_per_second": 500.0,
    "complaints": 30_000,
    "post": {"p50_ms": 2.0, "p99_ms": 8.0, "longest_ms": 20.0},
    "figure": {"p50_ms": 40.0, "p99_ms": 120.0, "longest_ms": 300.0},
    "ratio": 3.0,
    "resolution_ms": 0.001,
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDRESS_HOME", str(tmp_path))


def figures(rate: float, others: float) -> Figures:
    return Figures(int(rate * 10), int(rate * 10), 0, 10.0, 5.0, 9.0, 12.0, 1.0, 0.1, others)


def test_an_accepted_run_is_on_the_page_and_what_was_not_measured_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "ROOT", results.redress_home())
    monkeypatch.setattr(report, "PAGE", results.redress_home() / "benchmarks.md")
    results.save("latency", 0.01, LATENCY)
    assert report.main([]) == 0
    assert report.main(["--write"]) == 0
    page = report.PAGE.read_text()
    assert "| POST to the figure | 40.0 | 120.0 | 300.0 |" in page
    assert "A backlog" not in page
    kept = results.kept("latency")
    assert kept
    assert kept["date"] in page
    assert kept["machine"] in page


def test_a_contended_run_is_not_published(capsys: pytest.CaptureFixture[str]) -> None:
    assert report.main([]) == 3
    results.save("latency", results.BUSY + 0.01, LATENCY)
    assert report.main([]) == 3
    said = capsys.readouterr()
    assert "contended, so not published: latency" in said.err
    assert said.out == ""


def test_contended_rounds_are_set_aside_and_too_many_of_them_reject_the_run() -> None:
    busy = results.BUSY * 10.0 * 64  # seconds of processor, whatever the number of processors
    clean = {"ours": figures(400, 0.0), "roundup": figures(20, 0.0)}
    contended = {"ours": figures(100, busy), "roundup": figures(20, busy)}
    found: dict[str, Any] = peers.summary([clean], [contended], 1)
    assert found["contestants"]["roundup"]["ratio"] == 20.0
    assert found["others_share"] == 0
    assert "accepted" in peers.table(found)
    rejected = peers.summary([clean], [contended, contended], 2)
    assert rejected["others_share"] > results.BUSY
    assert "REJECTED" in peers.table(rejected)


@pytest.mark.parametrize("ends", [True, False])
async def test_the_driver_counts_each_answer_once_whether_or_not_the_server_ends_connections(ends: bool) -> None:
    answered = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal answered
        try:
            while True:
                await reader.readuntil(b"}")
                answered += 1
                how = "Connection: close\r\nContent-Type: text/plain\r\nContent-Length" if ends else "content-length"
                writer.write(f"HTTP/1.1 201 Created\r\n{how}: 2\r\n\r\nok".encode())
                await writer.drain()
                if ends:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    spec = {"path": "/", "headers": {}, "body": "{}", "mark": "m", "connections": 4, "warm_up": 0.05, "limit": 200}
    async with server:
        found = await drive(port, 5.0, {**spec, "pids": []})
    assert found.refused == 0
    assert found.answered >= 200
    assert found.taken == answered
