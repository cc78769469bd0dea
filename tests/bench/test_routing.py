"""How long routing takes to decide and to start, in processor time of its own: this machine may be busy."""

import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from deploy.registry import SERVICES
from services.routing.classifier import OWN, Rulebook, load, shipped
from services.routing.classifier.starter import generate
from tests.bench.machine import usage

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("joined", [1, 8], ids=["a short text", "a long one"])
def test_a_decision_takes_less_than_ten_milliseconds_at_the_median(joined: int) -> None:
    book: Rulebook = load(OWN).with_model(shipped())
    made = [one.text for one in generate(200 * joined, 5, part="heldout")]
    taken = []
    for n in range(0, len(made), joined):
        text = "\n".join(made[n : n + joined])
        began = time.process_time()
        book.route(book.classify(text, explain=True))
        taken.append(time.process_time() - began)
    assert statistics.median(taken) < 0.010


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.timeout(60)
def test_the_service_starts_with_its_model_in_less_than_three_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDRESS_HOME", str(tmp_path))
    monkeypatch.setenv("REDRESS_LOG_LEVEL", "ERROR")
    SERVICES["routing"].migrate(SERVICES["routing"].settings())
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "deploy.cli", "serve", "routing", "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            while not _lives(port):
                assert process.poll() is None
                time.sleep(0.05)
            spent = usage([process.pid]).watched
        finally:
            process.terminate()
    assert 0 < spent < 3


def _lives(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health/live", timeout=5).is_success
    except httpx.TransportError:
        return False
