"""Posts and the people in them."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.sla.store.base import POST, PostRow


async def posts(session: AsyncSession) -> Sequence[PostRow]:
    """All of them: a bank has some hundreds."""
    return (await session.scalars(select(PostRow).order_by(POST.c.id))).all()
