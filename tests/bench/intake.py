"""How fast intake is beside what it might have been, in one run: `python -m tests.bench`.

Ours: intake's HTTP process with authentication, validation, encryption, idempotency, audit and outbox. Plain: FastAPI +
SQLModel with one commit a request. Bare: the same without a database, the framework's ceiling. Raw: the database's
ceiling. The first three are loaded in turn, in many short rounds, so that what else the machine does meets all alike:
a virtual machine may run at half its speed from one second to the next. A ratio is that of all rounds together; the
lowest and highest of a single round are told beside it.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from deploy.infra.install import Unavailable
from deploy.infra.postgres import Postgres
from tests.bench import results
from tests.bench.contest import CONNECTIONS, Contest
from tests.bench.load import Figures
from tests.bench.machine import describe

NAMES = ("ours", "plain", "bare")
TITLES = {
    "ours": "intake, everything on",
    "plain": "FastAPI + SQLModel, a commit a request",
    "bare": "FastAPI, no database",
}
TARGETS = {"sqlite": {"plain": 5.0, "bare": 0.45}, "postgres": {"plain": 3.5, "bare": 0.45}}
LIMIT = 200_000  # requests a run, whatever its seconds


def rate(figures: Figures) -> float:
    """Requests a second."""
    return figures.answered / figures.seconds


def cost(figures: Figures) -> float:
    """The server's processor time of a request, in seconds."""
    return figures.server_cpu / figures.answered


def summary(rounds: Sequence[dict[str, Figures]], raw: Sequence[float]) -> dict[str, Any]:
    """Medians over `rounds`, and the ratios of all rounds together."""

    def median(name: str, of: Callable[[Figures], float]) -> float:
        return statistics.median(of(r[name]) for r in rounds)

    contestants = {
        name: {
            "per_second": median(name, rate),
            "p50_ms": median(name, lambda f: f.p50),
            "p99_ms": median(name, lambda f: f.p99),
            "longest_ms": max(r[name].longest for r in rounds),
            "cpu_us": median(name, cost) * 1e6,
        }
        for name in NAMES
    }

    def total(name: str, of: Callable[[Figures], float]) -> float:
        return sum(of(r[name]) for r in rounds)

    ratios = {
        other: {
            "rate": total("ours", rate) / total(other, rate),
            "cpu": total(other, cost) / max(total("ours", cost), 1e-9),
        }
        for other in NAMES[1:]
    }
    return {
        "contestants": contestants,
        "raw_rows_per_second": statistics.median(raw),
        "ratios": ratios,
        "others_share": max(results.strangers(r.values()) for r in rounds),
        "rounds": [{name: asdict(figures) for name, figures in r.items()} for r in rounds],
    }


def measure(home: Path, postgres: Postgres | None, *, rounds: int, seconds: float, limit: int) -> dict[str, Any]:
    """One database's contest. Raises RuntimeError when a contestant refuses, or wrote other than it acknowledged."""
    home.mkdir(parents=True, exist_ok=True)
    contest = Contest(home, postgres)
    try:
        contest.start()
        done, raw = [], []
        for number in range(rounds):
            order = [NAMES[(number + i) % len(NAMES)] for i in range(len(NAMES))]
            done.append({name: contest.load(name, seconds, limit) for name in order})
            raw.append(contest.raw(min(seconds, 2.0)))
        return {**summary(done, raw), "written": contest.written()}
    finally:
        contest.stop()


def table(database: str, found: dict[str, Any]) -> str:
    """The figures of one database, for people."""
    lines = ["", f"{database}: {CONNECTIONS} connections, medians of {len(found['rounds'])} rounds"]
    lines.append(f"  {'':40}{'requests/s':>11}{'p50 ms':>8}{'p99 ms':>8}{'longest':>9}{'CPU us/request':>16}")
    for name, one in found["contestants"].items():
        figures = f"{one['per_second']:11.0f}{one['p50_ms']:8.1f}{one['p99_ms']:8.1f}{one['longest_ms']:9.1f}"
        lines.append(f"  {TITLES[name]:40}{figures}{one['cpu_us']:16.0f}")
    lines.append(f"  {'driver alone, 32 rows + outbox a commit':40}{found['raw_rows_per_second']:11.0f}  (rows/s)")
    for other, target in TARGETS[database].items():
        got = found["ratios"][other]
        verdict = "reached" if got["rate"] >= target else "MISSED"
        each = [rate(Figures(**r["ours"])) / rate(Figures(**r[other])) for r in found["rounds"]]
        lines.append(
            f"  intake / {TITLES[other]:38} {got['rate']:5.2f}  (target {target}: {verdict}; "
            f"single rounds {min(each):.2f} to {max(each):.2f}; "
            f"by the server's CPU {got['cpu']:.2f})"
        )
    lines.append(results.told(found["others_share"]))
    return "\n".join(lines)


def _arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgres", "both"), default="both")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each contestant in each round")
    parser.add_argument("--limit", type=int, default=LIMIT, help="most requests of each contestant in each round")
    parser.add_argument("--save", action="store_true", help="keep the figures for `report`")
    parser.add_argument("--json", action="store_true", help="the figures as JSON on standard output")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> int:
    """Measure and print; 1 when a figure cannot be trusted or had."""
    wanted = _arguments(sys.argv[1:] if given is None else given)
    report: dict[str, Any] = {"machine": describe(), "databases": {}}
    say = sys.stderr if wanted.json else sys.stdout
    print(report["machine"], file=say)
    for database in ("sqlite", "postgres"):
        if wanted.database not in (database, "both"):
            continue
        with tempfile.TemporaryDirectory(prefix="redress-bench-", ignore_cleanup_errors=True) as folder:
            server = Postgres(Path(folder) / "server") if database == "postgres" else None
            try:
                if server is not None:
                    server.start()
                found = measure(
                    Path(folder) / "home", server, rounds=wanted.rounds, seconds=wanted.seconds, limit=wanted.limit
                )
            except (Unavailable, RuntimeError) as error:
                print(f"{database}: {error}", file=sys.stderr)
                return 1
            finally:
                if server is not None:
                    server.destroy()
        report["databases"][database] = found
        print(table(database, found), file=say, flush=True)
    if wanted.save:
        others = max(one["others_share"] for one in report["databases"].values())
        results.save("intake", others, report["databases"])
    if wanted.json:
        print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
