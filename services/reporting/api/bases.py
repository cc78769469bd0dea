"""Routes of bases: the numbers of customers, accounts and branches."""

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import Path, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.reporting.api.common import CodeQuery, Day, Dimension, IfMatch, Keeper, Limit, Reader, Today, version_of
from services.reporting.domain.base import Count
from services.reporting.store import surveys as store
from services.reporting.usecases import bases as usecases
from services.reporting.usecases.bases import BaseChanged, BaseInvalid, BaseNotFound
from shared.errors import FieldError, Invalid
from shared.web.app import ClockDep, Reading, Tx
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1/bases", tags=["bases"])
KindName = Literal["customers", "accounts", "branches"]
DayPath = Annotated[Day, Path(description="From which day on it is valid")]
BaseCursor = Annotated[
    str | None,
    Query(
        max_length=160,
        pattern=r"^(customers|accounts|branches)/[a-z]{0,20}/[A-Za-z0-9._-]{0,64}/[0-9]{4}-[0-9]{2}-[0-9]{2}$",
        description="`next` of the page before",
    ),
]


class BaseIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    count: Annotated[int, Field(ge=0, le=10_000_000_000)]


class BaseOut(BaseModel):
    """There are `count` of `kind` from `valid_from` on: in all, or under `code` of `dimension`. `version` is its
    ETag."""

    kind: KindName
    valid_from: date
    count: int
    dimension: str | None
    code: str | None
    version: int
    updated_at: AwareDatetime


class BasePage(BaseModel):
    items: list[BaseOut]
    next: str | None = Field(description="The cursor of the next page; null on the last")


class BaseAtOut(BaseModel):
    kind: KindName
    on: date
    dimension: str | None
    code: str | None
    count: int


@router.get("", response_model=BasePage, responses=documented())
async def listed(
    session: Reading, _: Reader, kind: KindName | None = None, limit: Limit = 50, cursor: BaseCursor = None
) -> dict[str, Any]:
    """All counts, in order of kind, dimension, code and day."""
    rows = await store.bases(session, kind=kind, after=_after(cursor), limit=limit + 1)
    last = rows[limit - 1] if len(rows) > limit else None
    more = None if last is None else f"{last.kind}/{last.dimension}/{last.code}/{last.valid_from.isoformat()}"
    return {"items": [usecases.view(row) for row in rows[:limit]], "next": more}


@router.get("/{kind}", response_model=BaseAtOut, responses=documented(BaseNotFound, BaseInvalid))
async def at(
    kind: KindName,
    session: Reading,
    today: Today,
    _: Reader,
    on: Annotated[Day | None, Query(description="Missing: today")] = None,
    dimension: Dimension | None = None,
    code: CodeQuery = None,
) -> dict[str, Any]:
    """How many there were on a day: the newest count that was valid then."""
    day = on or today
    count = await usecases.at(session, kind, dimension, code, day)
    return {"kind": kind, "on": day.isoformat(), "dimension": dimension, "code": code, "count": count}


@router.get("/{kind}/{valid_from}", response_model=BaseOut, responses=documented(BaseNotFound, BaseInvalid))
async def one(
    kind: KindName,
    valid_from: DayPath,
    session: Reading,
    response: Response,
    _: Reader,
    dimension: Dimension | None = None,
    code: CodeQuery = None,
) -> dict[str, Any]:
    """The count that is valid from exactly that day on. Its `ETag` goes into `If-Match` of a change."""
    row = await usecases.find(session, Count(kind, valid_from, 0, dimension, code))
    response.headers["ETag"] = f'"{row.version}"'
    return usecases.view(row)


@router.put(
    "/{kind}/{valid_from}",
    response_model=BaseOut,
    responses=documented(BaseInvalid, BaseChanged) | {201: {"model": BaseOut, "description": "The count is new"}},
)
async def put(
    kind: KindName,
    valid_from: DayPath,
    body: BaseIn,
    response: Response,
    tx: Tx,
    clock: ClockDep,
    principal: Keeper,
    dimension: Dimension | None = None,
    code: CodeQuery = None,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Keep a count; the same again changes nothing. With `If-Match`, only as it was read."""
    count = Count(kind, valid_from, body.count, dimension, code)
    row, new = await usecases.put(tx, count, version=version_of(if_match), actor=principal.id, now=clock())
    response.status_code = 201 if new else 200
    response.headers["ETag"] = f'"{row.version}"'
    return usecases.view(row)


@router.delete("/{kind}/{valid_from}", status_code=204, responses=documented(BaseNotFound, BaseInvalid, BaseChanged))
async def delete(
    kind: KindName,
    valid_from: DayPath,
    tx: Tx,
    clock: ClockDep,
    principal: Keeper,
    dimension: Dimension | None = None,
    code: CodeQuery = None,
    if_match: IfMatch = None,
) -> None:
    """Remove a count: the one before is valid again."""
    count = Count(kind, valid_from, 0, dimension, code)
    await usecases.delete(tx, count, version=version_of(if_match), actor=principal.id, now=clock())


def _after(cursor: str | None) -> tuple[str, str, str, date] | None:
    if cursor is None:
        return None
    kind, dimension, code, day = cursor.split("/")
    try:
        return kind, dimension, code, date.fromisoformat(day)
    except ValueError:
        raise Invalid("There is no such page.", errors=(FieldError("cursor", "is no cursor", "cursor"),)) from None
