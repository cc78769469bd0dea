"""Models: made from officers' corrections, compared, put in use on a supervisor's word, and put back."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from services.routing.classifier import Current
from services.routing.classifier.model import BadModel, Model, decode
from services.routing.classifier.retraining import Comparison, Example
from services.routing.store import learning
from services.routing.store.learning import TrainedModel
from shared import audit
from shared.clock import rfc3339
from shared.db import Database
from shared.errors import Conflict, NotFound

FOLLOWED_EVERY = 2.0  # seconds
log = structlog.get_logger()


class ModelNotFound(NotFound):
    """There is no such model."""


class ModelRefused(Conflict):
    """This model did worse than the one that it was compared with, so it is not put in use."""

    code = "model_refused"


async def corrections(tx: AsyncSession) -> list[Example]:
    """What officers decided about complaints whose text is still there."""
    return [Example(id, text, category, product) for id, text, category, product in await learning.corrections(tx)]


async def record(
    tx: AsyncSession, model: Model, comparison: Comparison, *, compared_with: str, by: str, now: datetime
) -> TrainedModel:
    """Keep a model as a candidate, or as refused where it did worse. One that is known already stays as it is."""
    if (known := await tx.get(TrainedModel, model.version)) is not None:
        return known
    figures = comparison.as_dict()
    row = TrainedModel(
        version=model.version,
        content=model.encode(),
        state="candidate" if comparison.better else "refused",
        figures=orjson.dumps(figures).decode(),
        compared_with=compared_with,
        trained_by=by,
        trained_at=now,
    )
    tx.add(row)
    audit.add(tx, by, f"model.{row.state}", row.version, now=now, detail={"compared_with": compared_with, **figures})
    return row


async def adopt(tx: AsyncSession, version: str, *, shipped: str, by: str, now: datetime) -> None:
    """Put a model in use: a candidate, one that was in use before, or the shipped one.

    Raises ModelNotFound, ModelRefused.
    """
    rows = {row.version: row for row in await learning.locked(tx)}
    wanted = rows.get(version)
    if wanted is None and version != shipped:
        raise ModelNotFound
    if wanted is not None and wanted.state == "refused":
        raise ModelRefused
    before = next((row for row in rows.values() if row.state == "in_use"), None)
    if (before.version if before else shipped) == version:
        return
    if before is not None:
        before.state = "retired"
    if wanted is not None:
        wanted.state, wanted.decided_by, wanted.decided_at = "in_use", by, now
    detail = {"before": before.version if before else shipped, "after": version}
    audit.add(tx, by, "model.adopted", version, now=now, detail=detail)


async def listed(tx: AsyncSession, shipped: str) -> list[dict[str, Any]]:
    """All models, newest first, the shipped one last."""
    rows = await learning.models(tx)
    own: dict[str, Any] = {
        "version": shipped,
        "state": "retired" if any(row["state"] == "in_use" for row in rows) else "in_use",
        **dict.fromkeys(("figures", "compared_with", "trained_by", "trained_at", "decided_by", "decided_at")),
    }
    return [*map(_view, rows), own]


def _view(row: dict[str, Any]) -> dict[str, Any]:
    times = {name: rfc3339(row[name]) if row[name] else None for name in ("trained_at", "decided_at")}
    return row | times | {"figures": orjson.loads(row["figures"])}


async def in_use(tx: AsyncSession, shipped: Model) -> Model:
    """The model that decides. Raises BadModel."""
    version = await learning.in_use(tx)
    return shipped if version is None else decode(await learning.content(tx, version))


class Follower:
    """Keeps a process's rulebook on the model that is in use; nothing stops while it changes."""

    def __init__(self, db: Database, current: Current, shipped: Model) -> None:
        self._db, self._current, self._shipped = db, current, shipped
        self._version = shipped.version

    async def look(self) -> None:
        """Take over another model if one was adopted. One that cannot be read is left alone, and said so once."""
        async with self._db.reading() as tx:
            version = await learning.in_use(tx) or self._shipped.version
            if version == self._version:
                return
            known = version == self._shipped.version
            content = b"" if known else await learning.content(tx, version)
        self._version = version
        try:
            model = self._shipped if known else await asyncio.to_thread(decode, content)
        except BadModel as error:
            log.error("model.unusable", service="routing", version=version, error=str(error))
        else:
            self._current.adopt(model)
            log.info("model.in_use", service="routing", version=version)

    async def follow(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                await self.look()
            except Exception as error:
                log.warning("model.not_looked_up", service="routing", error=type(error).__name__)
            await asyncio.sleep(FOLLOWED_EVERY)


def unknown_types(examples: Sequence[Example], types: Any) -> list[str]:
    """Labels that are no types of this desk."""
    return sorted({one.type for one in examples} - set(types))
