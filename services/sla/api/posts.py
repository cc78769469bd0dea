"""The staff directory of posts: who is reached at each level."""

from datetime import date, time
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from fastapi import Depends, Header, Path, Response
from pydantic import AfterValidator, BaseModel, Field, model_validator

from services.sla.api.context import READERS, tag, version_of
from services.sla.api.schemas import CODE
from services.sla.domain.post import Absence, Post, PostRole, Quiet
from services.sla.usecases import posts
from services.sla.usecases.posts import Kept, PostNotFound
from shared.errors import PreconditionFailed
from shared.security.principal import Principal, Role
from shared.web.access import allow
from shared.web.app import ClockDep, Reading, Tx
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1/posts", tags=["posts"])
_READ = [Depends(allow(*READERS))]
Keeper = Annotated[Principal, Depends(allow(Role.SUPERVISOR, Role.ADMIN))]
PostId = Annotated[str, Path(pattern=CODE)]
Subject = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,200}$", description="A subject in the bank's directory")]
_EMAIL = r"^[^@\s]{1,64}@[A-Za-z0-9.-]{1,189}$"
_CLOCK = r"^([01]\d|2[0-3]):[0-5]\d$"


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except Exception as error:
        raise ValueError("is no IANA time zone") from error
    return name


class AbsenceData(BaseModel):
    first: date
    last: date

    @model_validator(mode="after")
    def _forward(self) -> "AbsenceData":
        if self.last < self.first:
            raise ValueError("last lies before first")
        return self


class QuietData(BaseModel):
    """When the holder is not to be disturbed: daily `since` to `until`, and all of `days` (Monday is 0)."""

    since: Annotated[str | None, Field(pattern=_CLOCK, examples=["20:00"])] = None
    until: Annotated[str | None, Field(pattern=_CLOCK, examples=["08:00"])] = None
    days: list[Annotated[int, Field(ge=0, le=6)]] = Field([], max_length=6)
    zone: Annotated[str, AfterValidator(_zone), Field(max_length=64, examples=["Asia/Hong_Kong"])]

    @model_validator(mode="after")
    def _both(self) -> "QuietData":
        if (self.since is None) != (self.until is None):
            raise ValueError("since and until go together")
        return self


class PostIn(BaseModel):
    role: PostRole
    department: Annotated[str | None, Field(pattern=CODE)] = None
    branch: Annotated[str | None, Field(pattern=CODE)] = None
    holder: Subject | None = Field(None, description="Null: vacant")
    deputy: Subject | None = None
    language: Literal["zh-Hant", "zh-Hans", "en"] = "en"
    email: Annotated[str | None, Field(pattern=_EMAIL, max_length=254)] = None
    deputy_email: Annotated[str | None, Field(pattern=_EMAIL, max_length=254)] = None
    absences: list[AbsenceData] = Field([], max_length=100)
    quiet: QuietData | None = None


class PostOut(PostIn):
    id: str
    version: int = Field(description="For If-Match")


class PostsOut(BaseModel):
    items: list[PostOut]


IfMatch = Annotated[str | None, Header(description='The `ETag` of the post as it was read; `"0"`: it is new')]


@router.get("", dependencies=_READ, responses=documented())
async def listed(session: Reading) -> PostsOut:
    """All posts: roles, where, and who is reached."""
    return PostsOut(items=[_out(kept) for kept in await posts.listed(session)])


@router.get("/{post_id}", dependencies=_READ, responses=documented(PostNotFound))
async def one(post_id: PostId, session: Reading, response: Response) -> PostOut:
    """A post; its `ETag` goes into `If-Match`."""
    kept = await posts.found(session, post_id)
    tag(response, kept.version)
    return _out(kept)


@router.put("/{post_id}", responses=documented(PreconditionFailed))
async def put(
    post_id: PostId,
    body: PostIn,
    tx: Tx,
    by: Keeper,
    now: ClockDep,
    response: Response,
    if_match: IfMatch = None,
) -> PostOut:
    """Make a post or change it."""
    kept = await posts.put(tx, _post(post_id, body), version=version_of(if_match), by=by, now=now())
    tag(response, kept.version)
    return _out(kept)


@router.delete("/{post_id}", status_code=204, responses=documented(PostNotFound))
async def drop(post_id: PostId, tx: Tx, by: Keeper, now: ClockDep) -> None:
    """Take a post out; what would have come to it goes the way of a vacant one."""
    await posts.drop(tx, post_id, by=by, now=now())


def _post(id: str, body: PostIn) -> Post:
    quiet = None
    if body.quiet is not None:
        since, until = (time.fromisoformat(t) if t else None for t in (body.quiet.since, body.quiet.until))
        quiet = Quiet(since, until, frozenset(body.quiet.days), ZoneInfo(body.quiet.zone))
    plain = body.model_dump(exclude={"absences", "quiet"})
    return Post(id=id, absences=tuple(Absence(a.first, a.last) for a in body.absences), quiet=quiet, **plain)


def _out(kept: Kept) -> PostOut:
    post = kept.post
    quiet = None
    if post.quiet is not None:
        since, until = (f"{t:%H:%M}" if t else None for t in (post.quiet.since, post.quiet.until))
        quiet = QuietData(since=since, until=until, days=sorted(post.quiet.days), zone=post.quiet.zone.key)
    plain = ("role", "department", "branch", "holder", "deputy", "language", "email", "deputy_email")
    return PostOut(
        id=post.id,
        version=kept.version,
        absences=[AbsenceData(first=a.first, last=a.last) for a in post.absences],
        quiet=quiet,
        **{name: getattr(post, name) for name in plain},
    )
