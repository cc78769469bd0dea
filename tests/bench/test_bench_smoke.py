"""The benchmark measures what it says: every contestant runs, writes what it acknowledges, and the sums are right.

Whether the figures are good is no matter here: this machine may be busy. Each benchmark runs on one of the databases;
`make bench` on both."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(110)
@pytest.mark.postgres
def test_a_short_run_of_every_contestant() -> None:
    database = "postgres"
    options = ["--database", database, "--rounds", "1", "--seconds", "1", "--limit", "200", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", *options], cwd=ROOT, capture_output=True, text=True, timeout=100
    )

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["databases"][database]
    (measured,) = found["rounds"]
    for name in ("ours", "plain", "bare"):
        assert measured[name]["refused"] == 0
        assert 0 < measured[name]["answered"] <= 200 + 31  # those under way when the limit is reached are answered too
        assert measured[name]["answered"] < measured[name]["taken"]  # which counts the warm-up
        assert 0 < measured[name]["p50"] <= measured[name]["p99"] <= measured[name]["longest"]
    taken = {name: measured[name]["taken"] for name in measured}
    assert found["written"] == {
        "ours": {"complaint": taken["ours"], "outbox": taken["ours"], "audit": taken["ours"] + 1},
        "plain": {"complaint": taken["plain"], "outbox": taken["plain"]},
    }
    rates = {name: measured[name]["answered"] / measured[name]["seconds"] for name in measured}
    for other in ("plain", "bare"):
        assert found["ratios"][other]["rate"] == pytest.approx(rates["ours"] / rates[other])
    assert found["raw_rows_per_second"] > 0
    assert "MISSED" in done.stderr or "reached" in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(110)
def test_a_short_run_of_the_deadline_engine() -> None:
    database = "sqlite"
    options = ["--database", database, "--rounds", "1", "--small", "3000", "--large", "4000", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "sla", *options], cwd=ROOT, capture_output=True, text=True, timeout=100
    )

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["databases"][database]
    for kind in ("warning", "miss"):
        ours, floor = found[kind], found[f"{kind} floor"]
        assert ours["ratio"] == pytest.approx(ours["ours_ms"] / ours["beside_ms"])
        assert floor["beside_ms"] == ours["beside_ms"]
    assert done.stderr.count("floor") == 2


@pytest.mark.slow
@pytest.mark.timeout(110)
def test_a_short_run_of_the_figures() -> None:
    database = "sqlite"
    sizes = ["--complaints", "400", "--large", "800", "--rounds", "1", "--short"]
    options = ["--database", database, *sizes, "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "reporting", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["databases"][database]
    assert {one["of"] for one in found["figures"]} == {"all", "year", "department"}
    assert len(found["figures"]) == 3 * len({one["figure"] for one in found["figures"]})
    assert all(one[kind] > 0 for one in found["figures"] for kind in ("counters_ms", "rows_ms", "api_ms"))
    assert len(found["growth"]) == len(found["figures"])
    batch = found["batch"]
    assert batch["ratio"] == pytest.approx(batch["batched_per_second"] / batch["single_per_second"])
