"""Creating tickets by API: intake beside django-helpdesk and Roundup, on one PostgreSQL, in one run.

All take the same text over 32 connections from the same driver, in turn, in rounds; each has one worker process, is
authenticated by a token, and commits each ticket durably before it answers. A ratio is that of all rounds together.
Rounds during which strangers used the machine are set aside; where there are more of them than of others, the run is
rejected.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from deploy.infra.install import Unavailable
from deploy.infra.postgres import Postgres
from deploy.infra.processes import StartFailed
from tests.bench import results
from tests.bench.contest import CONNECTIONS, Contest
from tests.bench.intake import rate
from tests.bench.load import Figures
from tests.bench.machine import describe
from tests.bench.peers import helpdesk, roundup

PEERS = {helpdesk.NAME: helpdesk.start, roundup.NAME: roundup.start}
TITLES = {"ours": "intake, everything on", "django_helpdesk": "django-helpdesk", "roundup": "Roundup"}
TARGETS = {"django_helpdesk": 20.0, "roundup": 10.0}
LIMIT = 200_000
Round = dict[str, Figures]


def measure(
    home: Path, postgres: Postgres, peers: Sequence[str], *, rounds: int, seconds: float
) -> tuple[list[Round], list[Round], dict[str, dict[str, int]]]:
    """The rounds that count, those set aside, and what is in the tables. Raises RuntimeError when somebody refuses, or
    wrote other than it acknowledged."""
    home.mkdir(parents=True, exist_ok=True)
    contest = Contest(home, postgres, ("ours",))
    try:
        contest.start()
        for peer in peers:
            contest.contestants[peer] = PEERS[peer](home, postgres)
        names = list(contest.contestants)
        for name in names:
            contest.load(name, seconds, LIMIT)  # imports, plans and caches, before anything counts
        clean: list[Round] = []
        contended: list[Round] = []
        while len(clean) < rounds and len(contended) <= rounds:
            number = len(clean) + len(contended)
            order = [names[(number + i) % len(names)] for i in range(len(names))]
            done = {name: contest.load(name, seconds, LIMIT) for name in order}
            (clean if results.strangers(done.values()) <= results.BUSY else contended).append(done)
        return clean, contended, contest.written()
    finally:
        contest.stop()


def summary(clean: Sequence[Round], contended: Sequence[Round], wanted: int) -> dict[str, Any]:
    """Medians and ratios, of what counts; of everything where that is too little."""
    rounds = list(clean) if len(clean) >= wanted else [*clean, *contended]

    def total(name: str) -> float:
        return sum(rate(r[name]) for r in rounds)

    found: dict[str, Any] = {}
    for name in sorted(rounds[0], key=lambda n: n != "ours"):
        own = [r[name] for r in rounds]
        found[name] = {
            "per_second": statistics.median(map(rate, own)),
            "p50_ms": statistics.median(f.p50 for f in own),
            "p99_ms": statistics.median(f.p99 for f in own),
            "tickets": sum(f.answered for f in own),
        }
        if name != "ours":
            each = [rate(r["ours"]) / rate(r[name]) for r in rounds]
            found[name] |= {"ratio": total("ours") / total(name), "lowest": min(each), "highest": max(each)}
    return {
        "contestants": found,
        "counted_rounds": len(clean),
        "contended_rounds": len(contended),
        "others_share": max(results.strangers(r.values()) for r in rounds),
        "rounds": [{name: asdict(figures) for name, figures in r.items()} for r in rounds],
    }


def table(found: dict[str, Any]) -> str:
    """For people."""
    set_aside = f"{found['contended_rounds']} contended"
    lines = [f"PostgreSQL, {CONNECTIONS} connections, one worker each, {found['counted_rounds']} rounds, {set_aside}"]
    lines.append(f"  {'':28}{'tickets/s':>11}{'p50 ms':>9}{'p99 ms':>9}")
    for name, one in found["contestants"].items():
        line = f"  {TITLES[name]:28}{one['per_second']:11.1f}{one['p50_ms']:9.1f}{one['p99_ms']:9.1f}"
        if name in TARGETS:
            verdict = "reached" if one["ratio"] >= TARGETS[name] else "MISSED"
            line += f"  intake is {one['ratio']:.1f} times as fast (target {TARGETS[name]:.0f}: {verdict}; "
            line += f"single rounds {one['lowest']:.1f} to {one['highest']:.1f})"
        lines.append(line)
    return "\n".join([*lines, results.told(found["others_share"])])


def main(given: Sequence[str] | None = None) -> int:
    """Measure and print; 1 when a figure cannot be had, 3 when the run is rejected as contended."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench peers", description=__doc__)
    parser.add_argument("--peer", choices=list(PEERS), action="append", help="this one only; may be repeated")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each in each round")
    parser.add_argument("--save", action="store_true", help="keep the figures for `report`")
    parser.add_argument("--json", action="store_true", help="the figures as JSON on standard output")
    asked = parser.parse_args(given)
    with tempfile.TemporaryDirectory(prefix="redress-bench-", ignore_cleanup_errors=True) as folder:
        server = Postgres(Path(folder) / "server")
        try:
            server.start()
            clean, contended, written = measure(
                Path(folder) / "home", server, asked.peer or list(PEERS), rounds=asked.rounds, seconds=asked.seconds
            )
        except (Unavailable, StartFailed, RuntimeError) as error:
            print(f"peers: {error}", file=sys.stderr)
            return 1
        finally:
            server.destroy()
    found = summary(clean, contended, asked.rounds) | {"written": written}
    print(f"\n{describe()}\n{table(found)}", file=sys.stderr if asked.json else sys.stdout)
    if asked.save:
        results.save("peers", found["others_share"], found)
    if asked.json:
        print(json.dumps(found))
    return 0 if found["others_share"] <= results.BUSY else 3
