"""Routes of the staff directory: who holds which role where."""

import re
from datetime import date, time
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import Depends, Header, Path, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from services.sla.api.context import SetupDep
from services.sla.domain.post import Absence, Post, PostRole, Quiet, resolve
from services.sla.store import posts as store
from services.sla.usecases import posts as usecases
from services.sla.usecases.posts import PostChanged, PostInvalid, PostNotFound
from shared.errors import FieldError, Invalid
from shared.security.principal import Principal, Role
from shared.web.access import allow
from shared.web.app import ClockDep, Reading, Tx
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1/posts", tags=["posts"])
Reader = Annotated[Principal, Depends(allow(Role.OFFICER, Role.SUPERVISOR, Role.MANAGER, Role.AUDITOR, Role.ADMIN))]
Keeper = Annotated[Principal, Depends(allow(Role.SUPERVISOR, Role.ADMIN))]
PostId = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
IfMatch = Annotated[str | None, Header(max_length=40, description="The ETag of the post as it was read")]
_PLACE = r"^[A-Za-z0-9._-]{1,64}$"
_PERSON = r"^[^\s\x00-\x1f\x7f]{1,200}$"
_MAIL = r"^[^@\s\x00-\x1f\x7f<>]{1,64}@[A-Za-z0-9.-]{1,189}$"
Place = Annotated[str, Field(pattern=_PLACE)]
Person = Annotated[str, Field(pattern=_PERSON, description="A subject of the bank's directory")]
ChatId = Annotated[
    str, Field(pattern=r"^[0-9a-f-]{36}$", description="A chat subscription that is told in place of the mailbox")
]
Mail = Annotated[str, Field(pattern=_MAIL, max_length=254)]


def _written(value: object) -> object:
    """Pydantic takes numbers, and digits in quotes, for days since 1970; here a day is written out."""
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        raise ValueError("is no day, YYYY-MM-DD")
    return value


Day = Annotated[date, BeforeValidator(_written)]


class QuietIn(BaseModel):
    """When what may wait does wait: daily from `start` to `end`, over midnight where `start` is the later; with
    `weekends`, on Saturdays and Sundays all day."""

    model_config = ConfigDict(extra="forbid")

    start: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", examples=["20:00"])]
    end: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", examples=["08:00"])]
    weekends: bool = False


class AbsenceIn(BaseModel):
    """Somebody is away, on both days and between them."""

    model_config = ConfigDict(extra="forbid")

    first: Day
    last: Day
    whose: Literal["holder", "deputy"] = "holder"


class PostIn(BaseModel):
    """A post. Without `department` or `branch` it is for all of them; without `holder` it is vacant."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "role": "supervisor",
                    "department": "cards",
                    "holder": "s-1042",
                    "deputy": "s-2077",
                    "email": "cards.head@bank.example",
                    "quiet": {"start": "20:00", "end": "08:00", "weekends": True},
                    "absences": [{"first": "2026-12-21", "last": "2027-01-03"}],
                }
            ]
        },
    )

    role: PostRole
    department: Place | None = None
    branch: Annotated[str, Field(pattern=_PLACE, max_length=40)] | None = None
    holder: Person | None = None
    deputy: Person | None = None
    language: Annotated[str, Field(max_length=10, description="Missing: the bank's first")] | None = None
    email: Annotated[Mail, Field(description="The post's own address, or its holder's")] | None = None
    deputy_email: Mail | None = None
    chat: (
        Annotated[
            str,
            Field(pattern=r"^[0-9a-f-]{36}$", description="A chat subscription that is told in place of the mailbox"),
        ]
        | None
    ) = None
    time_zone: Annotated[str, Field(max_length=64, description="Missing: the bank's")] | None = None
    quiet: QuietIn | None = None
    absences: Annotated[list[AbsenceIn], Field(max_length=50)] = []

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        try:
            return value and ZoneInfo(value).key
        except Exception:
            raise ValueError("is no IANA time zone") from None

    def post(self, id: str) -> Post:
        quiet = self.quiet
        plain = {"role", "department", "branch", "holder", "deputy", "language", "email", "deputy_email", "chat"}
        return Post(
            id=id,
            **self.model_dump(include=plain),
            zone=ZoneInfo(self.time_zone) if self.time_zone else None,
            quiet=Quiet(time.fromisoformat(quiet.start), time.fromisoformat(quiet.end), quiet.weekends)
            if quiet
            else None,
            absences=tuple(Absence(a.first, a.last, a.whose) for a in self.absences),
        )


class QuietOut(BaseModel):
    start: str
    end: str
    weekends: bool


class AbsenceOut(BaseModel):
    first: date
    last: date
    whose: str


class PostOut(BaseModel):
    """A post. `version` is its ETag."""

    id: str
    role: str
    department: str | None
    branch: str | None
    holder: str | None
    deputy: str | None
    language: str | None
    email: str | None
    deputy_email: str | None
    chat: str | None
    time_zone: str | None
    quiet: QuietOut | None
    absences: list[AbsenceOut]
    version: int
    created_at: AwareDatetime
    updated_at: AwareDatetime


class PostPage(BaseModel):
    items: list[PostOut]
    next: str | None = Field(description="The cursor of the next page; null on the last")


class ReachedOut(BaseModel):
    """Who would be told. `via` fallback: nobody can be reached in the role that was asked for."""

    person: str
    post_id: str
    via: Literal["holder", "deputy", "fallback"]
    role: str


@router.get("", response_model=PostPage, responses=documented())
async def posts(
    session: Reading,
    _: Reader,
    role: Annotated[PostRole | None, Query()] = None,
    department: Annotated[str | None, Query(pattern=_PLACE)] = None,
    branch: Annotated[str | None, Query(pattern=_PLACE)] = None,
    person: Annotated[str | None, Query(pattern=_PERSON, description="Who holds it or stands in")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=64, pattern=r"^[a-z0-9._-]+$")] = None,
) -> dict[str, Any]:
    """Posts in order of their ids."""
    found = await store.page(
        session, role=role, department=department, branch=branch, holder=person, after=cursor, limit=limit + 1
    )
    more = found[limit - 1].id if len(found) > limit else None
    return {"items": [usecases.view(row) for row in found[:limit]], "next": more}


@router.get("/reached", response_model=ReachedOut, responses=documented())
async def reached(
    session: Reading,
    clock: ClockDep,
    setup: SetupDep,
    _: Reader,
    role: PostRole,
    department: Annotated[str | None, Query(pattern=_PLACE)] = None,
    branch: Annotated[str | None, Query(pattern=_PLACE)] = None,
    assignee: Annotated[str | None, Query(pattern=_PERSON, description="Not to be reached above officer")] = None,
) -> dict[str, Any]:
    """A dry run: who would be reached now if this role had to act for this department and branch."""
    directory = await usecases.directory(session, setup)
    found = resolve(directory, role, department, branch, clock(), assignee=assignee)
    return {"person": found.person, "post_id": found.post_id, "via": found.via, "role": found.role}


@router.get("/{id}", response_model=PostOut, responses=documented(PostNotFound))
async def post(id: PostId, session: Reading, response: Response, _: Reader) -> dict[str, Any]:
    """One post. Its `ETag` goes into `If-Match` of a change."""
    row = await usecases.find(session, id)
    response.headers["ETag"] = f'"{row.version}"'
    return usecases.view(row)


@router.put(
    "/{id}",
    response_model=PostOut,
    responses=documented(PostInvalid, PostChanged) | {201: {"model": PostOut, "description": "The post is new"}},
)
async def put(
    id: PostId,
    body: PostIn,
    request: Request,
    response: Response,
    tx: Tx,
    clock: ClockDep,
    principal: Keeper,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Make a post or put this in its place; the same again changes nothing. With `If-Match`, only as it was read."""
    languages = request.app.state.settings.languages
    row, new = await usecases.put(
        tx, body.post(id), version=version_of(if_match), languages=languages, actor=principal.id, now=clock()
    )
    response.status_code = 201 if new else 200
    response.headers["ETag"] = f'"{row.version}"'
    return usecases.view(row)


@router.delete("/{id}", status_code=204, responses=documented(PostNotFound, PostChanged))
async def delete(id: PostId, tx: Tx, clock: ClockDep, principal: Keeper, if_match: IfMatch = None) -> None:
    """Remove a post. Notices that wait for it go to the duty post."""
    await usecases.delete(tx, id, version=version_of(if_match), actor=principal.id, now=clock())


def version_of(if_match: str | None) -> int | None:
    """The version that an ETag names; None for whichever."""
    if if_match is None or if_match.strip() == "*":
        return None
    text = if_match.strip().removeprefix("W/").strip('"')
    if not (text.isascii() and text.isdigit()):
        raise Invalid("If-Match holds no ETag of a post.", errors=(FieldError("If-Match", "is no ETag", "etag"),))
    return int(text)
