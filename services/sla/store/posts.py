"""The staff directory: posts, who holds them, and how they are told. Never commits.

Staff's contact data is here, never a complainant's; it goes into no log and no event.
"""

from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson
from sqlalchemy import Column, Table, Text, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from services.sla.domain.post import Absence, Post, Quiet
from services.sla.store.base import Base, metadata
from shared.db import UtcDateTime


class PostRow(Base, table=True):
    """A role in a department and branch. `quiet` is JSON `{start, end, weekends}`, `absences` a JSON list of
    `{first, last, whose}`. `chat` is the id of a chat subscription. `version` rises with each change."""

    __tablename__ = "post"

    id: str = Field(primary_key=True, max_length=64)
    role: str = Field(max_length=30)
    department: str | None = Field(default=None, max_length=100)
    branch: str | None = Field(default=None, max_length=64)
    holder: str | None = Field(default=None, max_length=200)
    deputy: str | None = Field(default=None, max_length=200)
    language: str | None = Field(default=None, max_length=10)
    email: str | None = Field(default=None, max_length=254)
    deputy_email: str | None = Field(default=None, max_length=254)
    chat: str | None = Field(default=None, max_length=36)
    zone: str | None = Field(default=None, max_length=64)
    quiet: str | None = Field(default=None, sa_column=Column(Text))
    absences: str = Field(default="[]", sa_column=Column(Text, nullable=False))
    version: int = 1
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    updated_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


POST: Table = metadata.tables["post"]


async def every(session: AsyncSession) -> list[Post]:
    """The whole directory, in one statement."""
    return [post_of(row) for row in (await session.execute(select(POST).order_by(POST.c.id))).mappings()]


async def find(tx: AsyncSession, id: str, *, lock: bool = False) -> PostRow | None:
    """One post; with `lock`, kept from others until the unit of work ends."""
    query = select(PostRow).where(POST.c.id == id)
    return (await tx.scalars(query.with_for_update() if lock else query)).first()


async def page(
    session: AsyncSession,
    *,
    role: str | None,
    department: str | None,
    branch: str | None,
    holder: str | None,
    after: str | None,
    limit: int,
) -> Sequence[PostRow]:
    """Posts in order of their ids, from behind `after` on."""
    query = select(PostRow).order_by(POST.c.id).limit(limit)
    for column, wanted in ((POST.c.role, role), (POST.c.department, department), (POST.c.branch, branch)):
        if wanted is not None:
            query = query.where(column == wanted)
    if holder is not None:
        query = query.where((POST.c.holder == holder) | (POST.c.deputy == holder))
    if after is not None:
        query = query.where(POST.c.id > after)
    return (await session.scalars(query)).all()


def write(row: PostRow, post: Post) -> None:
    """Everything of `post` but its id and version into `row`."""
    for name in ("role", "department", "branch", "holder", "deputy", "language", "email", "deputy_email", "chat"):
        setattr(row, name, getattr(post, name))
    row.zone = post.zone.key if post.zone else None
    row.quiet = _dump(quiet_json(post.quiet)) if post.quiet else None
    row.absences = _dump([absence_json(a) for a in post.absences])


def post_of(row: Any) -> Post:
    """The post in a row or in a mapping with the same names."""
    read = row.__getitem__ if not isinstance(row, PostRow) else row.__getattribute__
    quiet = orjson.loads(read("quiet")) if read("quiet") else None
    plain = ("id", "role", "department", "branch", "holder", "deputy", "language", "email", "deputy_email", "chat")
    return Post(
        **{name: read(name) for name in plain},
        zone=_zone(read("zone")),
        quiet=Quiet(time.fromisoformat(quiet["start"]), time.fromisoformat(quiet["end"]), quiet["weekends"])
        if quiet
        else None,
        absences=tuple(
            Absence(date.fromisoformat(a["first"]), date.fromisoformat(a["last"]), a["whose"])
            for a in orjson.loads(read("absences"))
        ),
        version=read("version"),
    )


def quiet_json(quiet: Quiet) -> dict[str, Any]:
    start, end = (at.isoformat("minutes") for at in (quiet.start, quiet.end))
    return {"start": start, "end": end, "weekends": quiet.weekends}


def absence_json(absence: Absence) -> dict[str, Any]:
    return {"first": absence.first.isoformat(), "last": absence.last.isoformat(), "whose": absence.whose}


def _zone(key: str | None) -> ZoneInfo | None:
    """None as well for one that this machine does not know: a post must not keep the others from being read."""
    try:
        return ZoneInfo(key) if key else None
    except (ZoneInfoNotFoundError, ValueError):
        return None


def _dump(value: Any) -> str:
    return orjson.dumps(value).decode()
