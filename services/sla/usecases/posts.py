"""The staff directory: reading it whole for a batch, and changing one post at a time."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from services.sla import store_posts as store
from services.sla import store_subscriptions as subscriptions
from services.sla.domain.notice import Setup
from services.sla.domain.post import DUTY, ROLES, Directory, Post
from services.sla.store_posts import PostRow
from shared import audit
from shared.clock import rfc3339
from shared.errors import FieldError, Invalid, NotFound, PreconditionFailed


class PostNotFound(NotFound):
    """No post has this id."""

    code = "post_not_found"


class PostInvalid(Invalid):
    """This post cannot be kept as it is."""

    code = "post_invalid"


class PostChanged(PreconditionFailed):
    """The post has changed since it was read."""

    code = "post_changed"


async def directory(session: AsyncSession, setup: Setup) -> Directory:
    """Everybody, in one statement: once for a batch, whatever it holds."""
    return Directory(await store.every(session), zone=setup.zone, duty=setup.duty)


async def find(session: AsyncSession, id: str) -> PostRow:
    """Raises PostNotFound."""
    found = await store.find(session, id)
    if found is None:
        raise PostNotFound
    return found


async def put(
    tx: AsyncSession, post: Post, *, version: int | None, languages: tuple[str, ...], actor: str, now: datetime
) -> tuple[PostRow, bool]:
    """Make a post, or put another in its place; the row, and whether it is new. `version`: the one that the caller has
    seen, None for whichever. Raises PostInvalid, PostChanged."""
    await _check(tx, post, languages)
    row = await store.find(tx, post.id, lock=True)
    if version is not None and (row is None or row.version != version):
        raise PostChanged
    new = row is None
    if row is None:
        row = PostRow(id=post.id, role=post.role, created_at=now, updated_at=now)
        tx.add(row)
    elif store.post_of(row) == replace(post, version=row.version):
        return row, False
    else:
        row.version += 1
        row.updated_at = now
    store.write(row, post)
    detail = {"role": post.role, "department": post.department, "branch": post.branch, "version": row.version}
    detail |= {"holder": post.holder, "deputy": post.deputy}
    audit.add(tx, actor, "post.created" if new else "post.changed", post.id, now=now, detail=detail)
    return row, new


async def delete(tx: AsyncSession, id: str, *, version: int | None, actor: str, now: datetime) -> None:
    """What waits for the post goes to the duty post. Raises PostNotFound, PostChanged."""
    row = await store.find(tx, id, lock=True)
    if row is None:
        raise PostNotFound
    if version is not None and row.version != version:
        raise PostChanged
    await tx.delete(row)
    audit.add(tx, actor, "post.deleted", id, now=now, detail={"role": row.role, "version": row.version})


async def _check(tx: AsyncSession, post: Post, languages: tuple[str, ...]) -> None:
    wrong = []
    if post.id == DUTY:
        wrong.append(FieldError("id", "is the last resort's, which is a setting", "reserved"))
    if post.role not in ROLES:
        wrong.append(FieldError("/role", f"is none of {', '.join(ROLES)}", "unknown_role"))
    if post.deputy is not None and post.deputy == post.holder:
        wrong.append(FieldError("/deputy", "is the holder", "deputy_is_holder"))
    if post.deputy is None and post.deputy_email is not None:
        wrong.append(FieldError("/deputy_email", "is nobody's without a deputy", "deputy_missing"))
    if post.language is not None and post.language not in languages:
        wrong.append(FieldError("/language", f"is none of {', '.join(languages)}", "unknown_language"))
    if post.quiet is not None and post.quiet.start == post.quiet.end and not post.quiet.weekends:
        wrong.append(FieldError("/quiet/end", "is the start", "quiet_is_empty"))
    for i, absence in enumerate(post.absences):
        if absence.last < absence.first:
            wrong.append(FieldError(f"/absences/{i}/last", "is before the first day", "absence_backwards"))
        elif (post.holder if absence.whose == "holder" else post.deputy) is None:
            wrong.append(FieldError(f"/absences/{i}/whose", "is nobody", "absence_of_nobody"))
    if post.chat is not None:
        chat = await subscriptions.find(tx, post.chat)
        if chat is None or chat.kind != "chat" or chat.disabled_at is not None:
            wrong.append(FieldError("/chat", "is no chat subscription that is switched on", "chat_unknown"))
    if wrong:
        raise PostInvalid(errors=tuple(wrong))


def view(row: PostRow) -> dict[str, Any]:
    post = store.post_of(row)
    plain = ("id", "role", "department", "branch", "holder", "deputy", "language", "email", "deputy_email", "chat")
    return {
        **{name: getattr(post, name) for name in plain},
        "time_zone": post.zone.key if post.zone else None,
        "quiet": store.quiet_json(post.quiet) if post.quiet else None,
        "absences": [store.absence_json(a) for a in post.absences],
        "version": post.version,
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
    }
