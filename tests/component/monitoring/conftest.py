"""The four services, and promtool."""

import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.metrics import MetricWrapperBase

from deploy.infra import install
from shared import metrics
from tests.component.monitoring.running import Running, certificate, homes, running

Promtool = Callable[..., str]


@pytest.fixture
def promtool() -> Promtool:
    """`promtool("check", "rules", path)`: what it prints; fails with that when it finds anything wrong."""

    def run(*arguments: str, stdin: str | None = None, cwd: Path | None = None) -> str:
        command = [str(install.find_promtool()), *arguments]
        done = subprocess.run(command, input=stdin, cwd=cwd, capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        assert done.returncode == 0, said
        return said

    return run


@pytest.fixture(autouse=True)
def _no_figures_of_others() -> None:
    """Metrics are of the process: what tests before have left in it must raise no alarm here."""
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase) and metric._labelnames:
            metric.clear()


@pytest.fixture
async def desk(tmp_path: Path, templates: Any) -> AsyncIterator[Running]:
    certificate(tmp_path / "mail.pem", days=200)
    options = {"certificates": {"mail": tmp_path / "mail.pem"}, "max_parked": 3}
    options |= {"duty_email": "duty@bank.example"}
    async with running(homes(templates, tmp_path), options) as found:
        yield found
