"""The staff directory: who holds which post, who stands in, when they are away or not to be disturbed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.sla.domain.post import Absence, Directory, Post, Quiet
from services.sla.store import posts as store
from services.sla.store.base import PostRow
from shared import audit
from shared.errors import NotFound, PreconditionFailed
from shared.security.principal import Principal

_NOWHERE: dict[str, Any] = dict.fromkeys(("department", "branch", "holder", "deputy", "email", "deputy_email"))


class PostNotFound(NotFound):
    """There is no such post."""

    code = "post_not_found"


@dataclass(frozen=True, slots=True)
class Kept:
    """A post and how often it was changed."""

    post: Post
    version: int


async def directory(session: AsyncSession) -> Directory:
    """All posts, for finding who is reached."""
    return Directory.of(kept.post for kept in await listed(session))


async def listed(session: AsyncSession) -> list[Kept]:
    return [Kept(_post(row), row.version) for row in await store.posts(session)]


async def found(session: AsyncSession, id: str) -> Kept:
    """Raises PostNotFound."""
    row = await session.get(PostRow, id)
    if row is None:
        raise PostNotFound
    return Kept(_post(row), row.version)


async def put(tx: AsyncSession, post: Post, *, version: int | None, by: Principal, now: datetime) -> Kept:
    """Make a post or change it. `version`: as it was read, None not to ask. Raises PreconditionFailed."""
    row = await tx.get(PostRow, post.id, with_for_update=True)
    if version is not None and (row.version if row else 0) != version:
        raise PreconditionFailed("The post has changed since; look at it again.")
    before = _told(_post(row)) if row else None
    if row is None:
        row = PostRow(id=post.id, version=0, role=post.role, language=post.language, absences="[]", **_NOWHERE)
        tx.add(row)
    for name in ("role", "department", "branch", "holder", "deputy", "language", "email", "deputy_email"):
        setattr(row, name, getattr(post, name))
    row.absences = orjson.dumps([[a.first, a.last] for a in post.absences]).decode()
    row.quiet = orjson.dumps(_quiet_json(post.quiet)).decode() if post.quiet else None
    row.version += 1
    detail = {"before": before, "after": _told(post)}
    audit.add(tx, by.id, "post.changed" if before else "post.made", post.id, now=now, detail=detail)
    await tx.flush()
    return Kept(post, row.version)


async def drop(tx: AsyncSession, id: str, *, by: Principal, now: datetime) -> None:
    """Raises PostNotFound."""
    row = await tx.get(PostRow, id, with_for_update=True)
    if row is None:
        raise PostNotFound
    audit.add(tx, by.id, "post.dropped", id, now=now, detail={"before": _told(_post(row))})
    await tx.delete(row)


def _told(post: Post) -> dict[str, Any]:
    """What the audit trail keeps: the post and its people's subjects, no addresses."""
    plain = {n: getattr(post, n) for n in ("role", "department", "branch", "holder", "deputy", "language")}
    return plain | {"absences": [[a.first.isoformat(), a.last.isoformat()] for a in post.absences]}


def _post(row: PostRow) -> Post:
    absences: Sequence[Sequence[str]] = orjson.loads(row.absences)
    role: Any = row.role
    return Post(
        id=row.id,
        role=role,
        department=row.department,
        branch=row.branch,
        holder=row.holder,
        deputy=row.deputy,
        language=row.language,
        email=row.email,
        deputy_email=row.deputy_email,
        absences=tuple(Absence(date.fromisoformat(a), date.fromisoformat(b)) for a, b in absences),
        quiet=_quiet(orjson.loads(row.quiet)) if row.quiet else None,
    )


def _quiet(raw: dict[str, Any]) -> Quiet:
    since, until = (time.fromisoformat(raw[n]) if raw[n] else None for n in ("since", "until"))
    return Quiet(since, until, frozenset(raw["days"]), ZoneInfo(raw["zone"]))


def _quiet_json(quiet: Quiet) -> dict[str, Any]:
    since, until = (f"{t:%H:%M}" if t else None for t in (quiet.since, quiet.until))
    return {"since": since, "until": until, "days": sorted(quiet.days), "zone": quiet.zone.key}
