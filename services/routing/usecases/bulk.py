"""The same step for several cases at once: what succeeded, why the rest did not, and taking it back."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.routing import store
from services.routing.classifier import Rulebook
from services.routing.domain.case import Actor, CaseNotFound
from services.routing.domain.machine import Action
from services.routing.store import ComplaintCase
from services.routing.store.queue import BulkAction
from services.routing.usecases import steps
from services.routing.usecases.history import remember
from services.routing.usecases.steps import Words
from shared import audit, outbox
from shared.clock import rfc3339
from shared.errors import Conflict, Forbidden, NotFound, Refused
from shared.events import UNDONE, ComplaintAssigned, ComplaintRouted, ComplaintTransferred
from shared.ids import uuid7

MOST = 50
NO_WORDS = Words()
_KEPT = timedelta(days=7)
_FIELDS = ("state", "department", "assignee", "assigned_at", "waiting_since")


class ActionNotFound(NotFound):
    """Nothing that you did to several cases at once has this id."""


class UndoneBefore(Conflict):
    """This has been taken back already."""

    code = "undone_before"


async def take(
    tx: AsyncSession,
    wanted: Mapping[str, int],
    action: Action,
    *,
    actor: Actor,
    rulebook: Rulebook,
    now: datetime,
    words: Words = NO_WORDS,
) -> BulkAction:
    """Do `action` to the cases `wanted` (complaint -> the version that the actor saw), each for itself.

    What cannot be done is no error: the answer's `items` say of each case what became of it.
    """
    before = await store.cases(tx, list(wanted), locked=True)
    items: list[dict[str, Any]] = []
    for id, version in wanted.items():
        item: dict[str, Any] = {"id": id, "reference": before[id].reference if id in before else ""}
        was = _snapshot(before[id]) if id in before else {}
        try:
            # refusals come before anything is written, so those that succeed are not in danger
            row = await steps.take(
                tx, id, action, actor=actor, rulebook=rulebook, version=version, now=now, words=words
            )
        except CaseNotFound as error:
            items.append(item | {"error": error.code})
        except (Refused, Conflict, Forbidden) as error:
            items.append(item | {"error": error.code, "state": was["state"], "assignee": was["assignee"]})
        else:
            items.append(item | {"before": was, "version": row.version})
    for old in await store.queue.old_actions(tx, actor.id, now - _KEPT):
        await tx.delete(old)
    done = BulkAction(
        id=uuid7(), actor=actor.id, verb=action.verb, items=orjson.dumps(items).decode(), done_at=now, undone_at=None
    )
    tx.add(done)
    return done


async def found(tx: AsyncSession, id: str, actor: str, *, locked: bool = False) -> BulkAction:
    """Raises ActionNotFound."""
    row = await tx.get(BulkAction, id, with_for_update=locked or None)
    if row is None or row.actor != actor:
        raise ActionNotFound
    return row


def items_of(row: BulkAction) -> list[dict[str, Any]]:
    """What became of each case: `id`, `reference`, and `version` where it succeeded, `error` where it did not; after
    it was taken back `undone`, true or false."""
    items: list[dict[str, Any]] = orjson.loads(row.items)
    return items


async def undo(tx: AsyncSession, id: str, *, actor: Actor, now: datetime) -> BulkAction:
    """Put back what nobody has touched since. Raises ActionNotFound, UndoneBefore."""
    row = await found(tx, id, actor.id, locked=True)
    if row.undone_at is not None:
        raise UndoneBefore
    items = items_of(row)
    cases = await store.cases(tx, [item["id"] for item in items if "version" in item], locked=True)
    for item in items:
        case = cases.get(item["id"])
        if "version" not in item or case is None:
            continue
        item["undone"] = case.version == item["version"]
        if item["undone"]:
            _put_back(tx, case, item["before"], row.verb, actor, now)
    row.items, row.undone_at = orjson.dumps(items).decode(), now
    return row


def _put_back(
    tx: AsyncSession, case: ComplaintCase, before: Mapping[str, Any], verb: str, actor: Actor, now: datetime
) -> None:
    id, department = case.complaint_id, case.department
    changed = {name: [_text(getattr(case, name)), before[name]] for name in ("department", "assignee")}
    for name in _FIELDS:
        value = before[name]
        setattr(case, name, datetime.fromisoformat(value) if value and name.endswith(("_at", "_since")) else value)
    case.version += 1
    if case.department != department:
        moved = ComplaintTransferred(
            complaint_id=id,
            from_department=department,
            department=case.department,
            reason=UNDONE,
            transferred_at=now,
        )
        outbox.add(tx, moved, now=now)
    if case.assignee is None or case.department != department:
        given = ComplaintRouted(complaint_id=id, department=case.department, reason=UNDONE, routed_at=now)
        outbox.add(tx, given, now=now)
    if case.assignee is not None:
        outbox.add(tx, ComplaintAssigned(complaint_id=id, assignee=case.assignee, assigned_at=now), now=now)
    changed = {name: pair for name, pair in changed.items() if pair[0] != pair[1]}
    audit.add(tx, actor.id, "case.undone", id, now=now, detail={"verb": verb, "changed": changed})
    remember(tx, id, "undone", actor.id, now=now, detail={"verb": verb, "changed": changed})


def _snapshot(case: ComplaintCase) -> dict[str, str | None]:
    return {name: _text(getattr(case, name)) for name in _FIELDS}


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return rfc3339(value) if isinstance(value, datetime) else str(value)


def succeeded(items: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [item for item in items if "version" in item]
