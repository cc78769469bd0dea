"""A person's own views of the queue, and whose queue it is."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.routing import store
from services.routing.store.queue import QueueView
from services.routing.store.staff import Officer
from shared import audit
from shared.errors import Conflict, NotFound
from shared.ids import uuid7
from shared.security.principal import Principal

MOST_VIEWS = 20


class TooManyViews(Conflict):
    """A person keeps at most twenty views; drop one first."""

    code = "too_many_views"


class ViewNotFound(NotFound):
    """You have no view of this id."""


async def departments_of(tx: AsyncSession, principal: Principal) -> tuple[str, ...]:
    """Where a person works: as the bank's directory says, else as the register of officers does."""
    if principal.departments:
        return tuple(sorted(principal.departments))
    known = await tx.get(Officer, principal.id)
    return (known.department,) if known else ()


async def keep_view(tx: AsyncSession, owner: str, name: str, query: str, *, now: datetime) -> QueueView:
    """Keep a choice of filters under a name; one of that name is replaced. Raises TooManyViews."""
    views = await store.queue.views(tx, owner)
    known = next((view for view in views if view.name == name), None)
    if known is not None:
        known.query = query
        return known
    if len(views) >= MOST_VIEWS:
        raise TooManyViews
    row = QueueView(id=uuid7(), owner=owner, name=name, query=query, made_at=now)
    tx.add(row)
    audit.add(tx, owner, "queue_view.kept", row.id, now=now)
    return row


async def drop_view(tx: AsyncSession, owner: str, id: str, *, now: datetime) -> None:
    """Raises ViewNotFound."""
    row = await tx.get(QueueView, id)
    if row is None or row.owner != owner:
        raise ViewNotFound
    await tx.delete(row)
    audit.add(tx, owner, "queue_view.dropped", id, now=now)
