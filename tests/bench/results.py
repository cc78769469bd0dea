"""What a part of the benchmarks found, kept as JSON until `report` makes a page of it; and whether it may be believed.

A run is contended when processes that are not ours took more than `BUSY` of the machine meanwhile. Such figures are
shown and kept, but never published.
"""

import json
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy.infra.install import redress_home
from tests.bench.load import Figures
from tests.bench.machine import Usage, describe

BUSY = 0.05
"""Of the machine."""


def share(other_cpu: float, seconds: float) -> float:
    """Of the machine: what `other_cpu` seconds of its processors are within `seconds`."""
    return other_cpu / seconds / (os.cpu_count() or 1)


def strangers(figures: Iterable[Figures]) -> float:
    """The largest share that strangers had in any of these."""
    return max(share(f.other_cpu, f.seconds) for f in figures)


def foreign(before: Usage, after: Usage, seconds: float) -> float:
    """The share that strangers had in between."""
    return share((after - before).others, seconds)


def told(others: float) -> str:
    """Whether figures may be believed, for people."""
    verdict = "accepted" if others <= BUSY else "REJECTED: contended; trust the ratios at most, publish nothing"
    return f"  foreign load: up to {others:.0%} of the machine ({verdict})"


def folder() -> Path:
    return redress_home() / "bench"


def save(part: str, others: float, found: dict[str, Any]) -> dict[str, Any]:
    """Keep what `part` found, with machine and date; the whole of what is kept."""
    whole = {
        "part": part,
        "machine": describe(),
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "others_share": others,
        "accepted": others <= BUSY,
        "found": found,
    }
    folder().mkdir(parents=True, exist_ok=True)
    (folder() / f"{part}.json").write_text(json.dumps(whole, indent=1))
    return whole


def kept(part: str) -> dict[str, Any] | None:
    """What `part` found last."""
    try:
        found: dict[str, Any] = json.loads((folder() / f"{part}.json").read_text())
    except OSError:
        return None
    return found
