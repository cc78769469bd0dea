"""Bases: how many customers, accounts and branches there are, since when."""

from datetime import date, datetime
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.domain.base import Count, base_at
from services.reporting.domain.figure import about_flaws
from services.reporting.store import surveys as store
from services.reporting.store.surveys import BaseRow
from shared import audit
from shared.clock import rfc3339
from shared.errors import Invalid, NotFound, PreconditionFailed


class BaseNotFound(NotFound):
    """No count is known for this."""

    code = "base_not_found"


class BaseInvalid(Invalid):
    """This count cannot be kept as it is."""

    code = "base_invalid"


class BaseChanged(PreconditionFailed):
    """The count has changed since it was read."""

    code = "base_changed"


async def find(session: AsyncSession, of: Count) -> BaseRow:
    """The entry of exactly that day. Raises BaseNotFound, BaseInvalid."""
    if (row := await store.base(session, _key(of))) is None:
        raise BaseNotFound
    return row


async def put(
    tx: AsyncSession, count: Count, *, version: int | None, actor: str, now: datetime
) -> tuple[BaseRow, bool]:
    """Keep a count; the row, and whether it is new. The same again changes nothing. Raises BaseInvalid, BaseChanged."""
    key = _key(count)
    row = await store.base(tx, key, lock=True)
    if version is not None and (row is None or row.version != version):
        raise BaseChanged
    new = row is None
    if row is None:
        kind, dimension, code, valid_from = key
        row = BaseRow(
            kind=kind, dimension=dimension, code=code, valid_from=valid_from, count=count.count, updated_at=now
        )
        tx.add(row)
        try:
            await tx.flush()
        except IntegrityError:  # somebody else has kept one at the same moment
            raise BaseChanged from None
    elif row.count == count.count:
        return row, False
    else:
        row.count = count.count
        row.version += 1
        row.updated_at = now
    audit.add(tx, actor, "base.created" if new else "base.changed", _name(key), now=now, detail={"count": row.count})
    return row, new


async def delete(tx: AsyncSession, of: Count, *, version: int | None, actor: str, now: datetime) -> None:
    """Raises BaseNotFound, BaseInvalid, BaseChanged."""
    key = _key(of)
    row = await store.base(tx, key, lock=True)
    if row is None:
        raise BaseNotFound
    if version is not None and row.version != version:
        raise BaseChanged
    await tx.delete(row)
    audit.add(tx, actor, "base.deleted", _name(key), now=now, detail={"count": row.count})


async def at(session: AsyncSession, kind: str, dimension: str | None, code: str | None, day: date) -> int:
    """How many there were on `day`. Raises BaseNotFound, BaseInvalid."""
    _key(Count(kind, day, 0, dimension, code))
    where = {dimension: code} if dimension is not None and code is not None else {}
    found = base_at(await store.base_counts(session, kind, dimension), kind, where, day)
    if found is None:
        raise BaseNotFound
    return found


def _key(of: Count) -> tuple[str, str, str, date]:
    if wrong := about_flaws("received", of.dimension, of.code):
        errors = [type(e)(e.pointer.removeprefix("/"), e.detail, e.code) for e in wrong]  # they are parameters here
        raise BaseInvalid(errors=tuple(errors))
    return of.kind, of.dimension or "", of.code or "", of.valid_from


def _name(key: tuple[str, str, str, date]) -> str:
    kind, dimension, code, valid_from = key
    return "/".join((kind, *((f"{dimension}={code}",) if dimension else ()), valid_from.isoformat()))


def view(row: BaseRow) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "valid_from": row.valid_from.isoformat(),
        "count": row.count,
        "dimension": row.dimension or None,
        "code": row.code or None,
        "version": row.version,
        "updated_at": rfc3339(row.updated_at),
    }
