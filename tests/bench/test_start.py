"""How much processor time it takes to start, beside what the given packages alone take to be loaded."""

import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from deploy.registry import SERVICES
from tests.bench.machine import usage

ROOT = Path(__file__).parents[2]
GIVEN = "import fastapi, uvicorn, pydantic, sqlmodel, aiokafka, httpx"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.timeout(120)
def test_a_service_with_a_model_starts_in_five_times_what_its_packages_take(
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
    assert 0 < spent < 5 * _loading(GIVEN)


def test_the_calendars_are_loaded_in_less_than_the_packages() -> None:
    assert _loading("from services.sla.calendars import load; load()") < _loading(GIVEN)


def _loading(code: str) -> float:
    """Seconds of the processor that a Python takes for `code`, from its start."""
    command = [sys.executable, "-c", f"{code}; import time; print(time.process_time())"]
    return float(subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout)


def _lives(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health/live", timeout=5).is_success
    except httpx.TransportError:
        return False
