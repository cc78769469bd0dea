"""What a service's report of its health says beside what its database holds: disk, certificates, the age of keys."""

import contextlib
import shutil
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography import x509
from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from shared import metrics
from shared.clock import rfc3339
from shared.db import SystemTables
from shared.settings import Settings


def machine(service: str, settings: Settings, now: datetime) -> dict[str, Any]:
    """`disk` where the service keeps its files, and the `certificates` it is told to watch. Paths are not told."""
    return {
        "disk": _disk(service, settings.home),
        "certificates": {n: _certificate(service, n, p, now) for n, p in settings.watched_certificates().items()},
    }


def _disk(service: str, home: Path) -> dict[str, int]:
    place = home.absolute()
    while not place.exists():
        place = place.parent
    usage = shutil.disk_usage(place)
    metrics.disk_free_bytes.labels(service).set(usage.free)
    metrics.disk_free_ratio.labels(service).set(usage.free / usage.total)
    return {"free_bytes": usage.free, "total_bytes": usage.total}


def _certificate(service: str, name: str, path: Path, now: datetime) -> dict[str, Any]:
    """When the first certificate of a chain's file, the one that is shown, ends."""
    gauge = metrics.certificate_left.labels(service, name)
    try:
        ends = _ends(path, path.stat().st_mtime_ns)
    except (OSError, ValueError) as error:
        gauge.set(-1)
        return {"error": type(error).__name__}
    left = (ends - now).total_seconds()
    gauge.set(left)
    return {"ends_at": rfc3339(ends), "remaining_seconds": round(left)}


@lru_cache(maxsize=64)
def _ends(path: Path, changed: int) -> datetime:  # read again only when the file has changed
    return x509.load_pem_x509_certificates(path.read_bytes())[0].not_valid_after_utc


async def keys(session: AsyncSession, tables: SystemTables, service: str, now: datetime) -> dict[str, Any]:
    """Of the API keys in force, how old the oldest is and when the next one ends, in seconds; None where there is
    none."""
    key = tables.api_key.c
    in_force = (key.revoked_at.is_(None), or_(key.expires_at.is_(None), key.expires_at > now))
    query = select(func.min(key.created_at), func.min(key.expires_at)).where(*in_force)
    oldest, next_end = (await session.execute(query)).one()
    age = _since(oldest, now)
    left = (next_end - now).total_seconds() if next_end else None
    metrics.api_key_age.labels(service).set(age or 0)
    if left is not None:
        metrics.api_key_left.labels(service).set(left)
    else:
        with contextlib.suppress(KeyError):
            metrics.api_key_left.remove(service)
    return {"oldest_seconds": _whole(age), "next_end_seconds": _whole(left)}


def _since(moment: datetime | None, now: datetime) -> float | None:
    return max(0.0, (now - moment).total_seconds()) if moment else None


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds)


def alive(workers: Mapping[str, Mapping[str, Any]], silent: float) -> int:
    """How many of `workers` have been heard of within the last `silent` seconds."""
    return sum(worker["silent_seconds"] <= silent for worker in workers.values())
