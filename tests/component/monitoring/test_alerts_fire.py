"""Every alert has fired once because its fault was caused, and ended when it was mended.

The faults are caused on the services' own objects; what their `/metrics` say before, meanwhile and afterwards becomes
the series on which promtool evaluates the rules of `deploy/monitoring/alerts.yml`, all alerts in one run.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.component.monitoring.faults import FAULTS, Fault
from tests.component.monitoring.running import Running, Samples

pytestmark = pytest.mark.promtool
MONITORING = Path(__file__).resolve().parents[3] / "deploy" / "monitoring"
ALERTS = MONITORING / "alerts.yml"
RULES = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
NAMES = set(re.findall(r"\b(?:redress_\w+|up)\b", " ".join(rule["expr"] for rule in RULES)))
WELL, ILL = 10, 25  # minutes before, and with, the fault; as many again afterwards
GROWING = ("_total", "_bucket")


async def test_every_alert_fires_when_its_fault_is_there_and_ends_with_it(
    desk: Running, promtool: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {fault.alerts[0] for fault in FAULTS} == {rule["alert"] for rule in RULES}, "no alert without its fault"
    tests = [await _test_of(fault, desk, monkeypatch) for fault in FAULTS]
    run = {"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": tests}
    (tmp_path / "alerts_test.yml").write_text(yaml.safe_dump(run, sort_keys=False, width=10_000))
    promtool("test", "rules", str(tmp_path / "alerts_test.yml"))


async def _test_of(fault: Fault, desk: Running, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    before = await desk.scrape(fault.service, NAMES)
    phases = fault.cause(desk, patch)
    await anext(phases)
    ill = await desk.scrape(fault.service, NAMES)
    goes_on = await anext(phases, "over") is None
    after = await desk.scrape(fault.service, NAMES)
    assert not goes_on or await anext(phases, "over") == "over"
    moments = ((WELL - 1, ()), (WELL + ILL - 1, fault.alerts), (WELL + 2 * ILL - 1, ()))
    return {
        "name": fault.cause.__name__,
        "interval": "1m",
        "input_series": _series(before, ill, after),
        "promql_expr_test": [
            {
                "expr": 'group by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": f"{minute}m",
                "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in sorted(alerts)],
            }
            for minute, alerts in moments
        ],
    }


def _series(before: Samples, ill: Samples, after: Samples) -> list[dict[str, str]]:
    found = []
    for key in sorted({key for one in (before, ill, after) for key in one}):
        name, labels = key
        written = ",".join(f'{label}="{value}"' for label, value in labels)
        values = _values(name, *(one.get(key) for one in (before, ill, after)))
        found.append({"series": f"{name}{{{written}}}", "values": values})
    return found


def _values(name: str, before: float | None, ill: float | None, after: float | None) -> str:
    """A gauge keeps what was scraped; a counter grows each minute by what the fault added to it."""
    if not name.endswith(GROWING):
        course = [before] * WELL + [ill] * ILL + [after] * ILL
        return " ".join("_" if value is None else repr(value) for value in course)
    start, end = before or 0.0, ill if ill is not None else before or 0.0
    grown = [start] * WELL + [start + (end - start) * (n + 1) for n in range(ILL)]
    return " ".join(map(repr, grown + grown[-1:] * ILL))
