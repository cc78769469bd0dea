"""What Prometheus and Grafana are given is well-formed, asks for nothing that there is not, and is explained."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from deploy.health import kinds, page, runbooks
from deploy.health.survey import Source
from shared.settings import Settings
from tests.component.monitoring.running import Running

pytestmark = pytest.mark.promtool
ROOT = Path(__file__).resolve().parents[3]
MONITORING = ROOT / "deploy" / "monitoring"
RULES = [rule for group in yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
DASHBOARDS = sorted((MONITORING / "dashboards").glob("*.json"))
_METRIC = re.compile(r"\b(?:redress|process)_\w+")
_OF_A_HISTOGRAM = re.compile(r"_(?:bucket|sum|count)$")


async def test_what_is_measured_is_well_formed_and_all_that_is_asked_for_is_measured(
    desk: Running, promtool: Callable[..., str]
) -> None:
    """Of each service and of the desk, which here tells of all, as they share its process."""
    texts = {name: (await one.http.get("/metrics")).text for name, one in desk.services.items()}
    sources = {name: Source(f"/{name}", one.http) for name, one in desk.services.items()}
    front = page.create_app(Settings(), sources)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(front), base_url="http://desk") as http:
        texts["desk"] = (await http.get("/metrics")).text
    for text in texts.values():
        promtool("check", "metrics", stdin=text)
    there = set(re.findall(r"^# TYPE (\S+)", texts["desk"], re.MULTILINE))
    asked = {name for _, query in _queries() for name in _METRIC.findall(query)}
    asked |= {name for rule in RULES for name in _METRIC.findall(rule["expr"])}
    assert {name for name in asked if name not in there and _OF_A_HISTOGRAM.sub("", name) not in there} == set()


def test_rules_and_settings_are_well_formed(promtool: Callable[..., str]) -> None:
    assert f"SUCCESS: {len(RULES)} rules found" in promtool("check", "config", str(MONITORING / "prometheus.yml"))


def test_every_query_of_the_dashboards_can_be_parsed(promtool: Callable[..., str], tmp_path: Path) -> None:
    assert len(DASHBOARDS) >= 2
    rules = [{"record": f"q{n}", "expr": query} for n, (_, query) in enumerate(_queries())]
    (tmp_path / "queries.yml").write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    assert f"SUCCESS: {len(rules)} rules found" in promtool("check", "rules", str(tmp_path / "queries.yml"))


def test_dashboards_have_their_own_names_and_no_panel_lies_over_another() -> None:
    boards = [json.loads(path.read_text()) for path in DASHBOARDS]
    assert len({board["uid"] for board in boards}) == len(boards)
    for board in boards:
        taken: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            at = panel["gridPos"]
            cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
            assert not cells & taken, (board["title"], panel["title"])
            taken |= cells
            assert panel["title"]


def _queries() -> Iterator[tuple[str, str]]:
    """(dashboard, PromQL) of every panel, with a service chosen."""
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", []):
                yield path.stem, target["expr"].replace("$service", "intake")


def test_every_alert_has_its_runbook_page_and_every_page_its_alert() -> None:
    names = {re.sub(r"(?<!^)(?=[A-Z])", "-", rule["alert"]).lower() for rule in RULES}
    for rule in RULES:
        about: dict[str, Any] = rule["annotations"]
        assert set(about) == {"summary", "description", "runbook"}
        assert (ROOT / about["runbook"]).is_file(), rule["alert"]
        assert rule["labels"]["severity"] in ("critical", "warning")
    assert {Path(rule["annotations"]["runbook"]).stem for rule in RULES} == names == set(runbooks.names())
    index = (runbooks.FOLDER / "README.md").read_text()
    assert all(
        f"`{rule['alert']}`" in index and f"({Path(rule['annotations']['runbook']).name})" in index for rule in RULES
    )
    for name in names:
        found = runbooks.runbook(name)
        assert found is not None
        wanted = ["What it means", "What is kept safe", "How to see it", "What to do", "Whom to call, and when"]
        assert re.findall(r"<h2>(.*?)</h2>", found.body) == wanted
        assert set(re.findall(r'href="([a-z-]+)"', found.body)) <= names


def test_the_health_page_raises_the_same_alarms_at_the_same_limits() -> None:
    by_page = {Path(rule["annotations"]["runbook"]).stem: rule for rule in RULES}
    assert {kind.page for kind in kinds.KINDS.values()} <= set(by_page)
    for name, limit in {
        "consumer-lagging": kinds.LAG,
        "deadlines-behind": kinds.DEADLINES_BEHIND,
        "notices-behind": kinds.NOTICES_BEHIND,
        "parking-nearly-full": kinds.PARKING_USED,
        "error-rate": kinds.ERRORS,
        "slow-answers": kinds.SLOW,
        "disk-nearly-full": kinds.DISK_FREE,
        "certificate-ends": kinds.CERTIFICATE,
        "encryption-key-old": kinds.ENCRYPTION_KEY,
        "api-key-old": kinds.API_KEY,
        "api-key-ends": kinds.API_KEY_ENDS,
    }.items():
        factors = re.search(r"[<>] ([\d.]+)(?: \* (\d+))?$", by_page[name]["expr"])
        assert factors is not None
        assert float(factors[1]) * float(factors[2] or 1) == limit, name
    for code, kind in kinds.KINDS.items():
        if kind.page == code.replace("_", "-"):
            assert kind.critical == (by_page[kind.page]["labels"]["severity"] == "critical"), code
