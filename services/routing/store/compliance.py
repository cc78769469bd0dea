"""Closed cases that may have broken a rule, newest first."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import load_only

from services.routing.domain.powers import Powers
from services.routing.store.case import ALONE, AMISS, ComplaintCase, table

_unread = {"narrative", "desired_outcome", "explanation", "rules"}
_columns = [getattr(ComplaintCase, column.name) for column in table.c if column.name not in _unread]


async def amiss(
    tx: AsyncSession, since: datetime, until: datetime, after: tuple[datetime, str] | None, limit: int
) -> Sequence[ComplaintCase]:
    """Cases closed from `since` until before `until` that lack something, were approved by who proposed, or are about
    somebody of the staff; without their texts."""
    return await _closed(tx, text(AMISS), since, until, after, limit)


async def alone(
    tx: AsyncSession, powers: Powers, since: datetime, until: datetime, after: tuple[datetime, str] | None, limit: int
) -> Sequence[ComplaintCase]:
    """Cases that one person decided although `powers` ask for two, as far as a query can tell."""
    return await _closed(tx, and_(text(ALONE), _needs_two(powers)), since, until, after, limit)


async def _closed(
    tx: AsyncSession,
    condition: Any,
    since: datetime,
    until: datetime,
    after: tuple[datetime, str] | None,
    limit: int,
) -> Sequence[ComplaintCase]:
    query = select(ComplaintCase).options(load_only(*_columns)).where(condition)
    query = query.where(table.c.closed_at >= since, table.c.closed_at < until)
    if after is not None:
        query = query.where(tuple_(table.c.closed_at, table.c.complaint_id) < tuple_(*after))
    return (await tx.scalars(query.order_by(table.c.closed_at.desc(), table.c.complaint_id.desc()).limit(limit))).all()


def _needs_two(powers: Powers) -> ColumnElement[bool]:
    value, currency = table.c.redress_value, table.c.redress_currency
    amounts = [and_(currency == code, value > limit) for code, limit in powers.alone.items()]
    amounts.append(and_(value > 0, func.coalesce(currency, "").not_in(list(powers.alone))))
    severities, outcomes = sorted(powers.severities), sorted(powers.outcomes)
    return or_(table.c.outcome.in_(outcomes), table.c.severity.in_(severities), *amounts)
