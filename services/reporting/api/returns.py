"""Returns to regulators: as JSON to look at, as CSV or XLSX to file."""

import asyncio
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.reporting.api.select import today
from services.reporting.domain.returns import Entry, NotInForce, WrongPeriod
from services.reporting.usecases import files
from services.reporting.usecases import returns as usecase
from services.reporting.usecases.returns import (
    PARTS,
    RETURNS,
    Asked,
    BaseMissing,
    Made,
    Name,
    NoSuchPart,
    Part,
    known_bases,
)
from shared import audit
from shared.db import Database
from shared.errors import FieldError, Invalid
from shared.security.principal import Principal, Role
from shared.web.access import allow
from shared.web.app import ClockDep
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1/returns", tags=["returns"])
Filer = Annotated[Principal, Depends(allow(Role.MANAGER, Role.AUDITOR, Role.ADMIN))]
_CODE = r"^[A-Za-z0-9._-]{1,64}$"
Number = Annotated[int | None, Query(ge=1, le=10**12)]
Exposures = Annotated[list[str], Query(max_length=20, examples=["banking_credit_cards:1250000"])]


class TooManyRows(Invalid):
    """The return has more rows than a worksheet holds: take it as CSV."""

    code = "too_many_rows"


class Listed(BaseModel):
    """A return that can be made. `part` says what `part` counts, from 1 to `parts`; `needs` are the parameters that it
    is not made without where the bank's bases do not tell, `takes` those that it can do without."""

    name: str = Field(examples=["uk_1r"])
    title: str
    source: str
    jurisdictions: list[str]
    part: Part
    parts: int
    needs: list[str]
    takes: list[str]


class ListOfReturns(BaseModel):
    items: list[Listed]


class ReturnOut(BaseModel):
    """A return. `rows` have an entry for each of `columns`; amounts and rates are decimal numbers as text. `notes` say
    what it lacks and what was counted how; they are no part of what is filed."""

    model_config = ConfigDict(populate_by_name=True)

    name: str
    title: str
    since: date = Field(alias="from")
    until: date = Field(alias="to")
    columns: list[str]
    rows: list[list[int | str | None]]
    notes: list[str]


_FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "text/csv": {"schema": {"type": "string", "format": "binary"}},
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {
                "schema": {"type": "string", "format": "binary"}
            },
        },
        "description": "The return",
    }
}


@router.get("", responses=documented(), dependencies=[Depends(allow(Role.MANAGER, Role.AUDITOR, Role.ADMIN))])
async def catalogue() -> ListOfReturns:
    """The returns that can be made, and what each needs."""
    return ListOfReturns(
        items=[
            Listed(
                name=one.name,
                title=one.title,
                source=one.source,
                jurisdictions=list(one.jurisdictions),
                part=one.part,
                parts=PARTS[one.part],
                needs=list(one.needs),
                takes=list(one.takes),
            )
            for one in RETURNS.values()
        ]
    )


@router.get(
    "/{name}",
    response_model=ReturnOut,
    responses=documented(BaseMissing, NoSuchPart, WrongPeriod, NotInForce, TooManyRows) | _FILES,
)
async def one(
    request: Request,
    clock: ClockDep,
    principal: Filer,
    name: Annotated[Name, Path()],
    year: Annotated[int, Query(ge=1990, le=2099)],
    part: Annotated[int, Query(ge=1, le=12, description="Which half, quarter or month of the year")],
    format: Literal["json", "csv", "xlsx"] = "json",
    first_month: Annotated[
        int, Query(ge=1, le=12, description="In which the first half of the firm's own year begins")
    ] = 1,
    script: Annotated[Literal["zh-Hans", "zh-Hant"], Query(description="Of Chinese headings")] = "zh-Hans",
    firm: Annotated[
        str | None, Query(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$", description="Brand or company")
    ] = None,
    outlets: Number = None,
    customers: Number = None,
    provision: Exposures = [],  # noqa: B006  (FastAPI copies it)
    intermediation: Exposures = [],  # noqa: B006
    failure_type: Annotated[list[Annotated[str, Field(pattern=_CODE)]], Query(max_length=20)] = [],  # noqa: B006
) -> Response | ReturnOut:
    """A return of one half-year, quarter or month, by its regulator's rules. Nothing is hidden in it; that it was made,
    by whom and in which form, is audited. `provision` and `intermediation`: `<the regulator's product>:<number>`."""
    state, now = request.app.state, clock()
    asked = Asked(
        year=year,
        part=part,
        first_month=first_month,
        script=script,
        firm=firm or state.settings.bank_name,
        outlets=outlets,
        customers=customers,
        provision=_numbers("provision", provision),
        intermediation=_numbers("intermediation", intermediation),
        failure_types=failure_type,
    )
    db: Database = state.db
    made = await usecase.make(
        db,
        name,
        asked,
        home=state.settings.default_jurisdiction,
        today=today(state.settings, now),
        bases=known_bases,
    )
    answer = await asyncio.to_thread(_answer, made, format)
    async with db.transaction() as tx:
        detail = {"year": year, "part": part, "format": format}
        audit.add(tx, principal.id, "return.made", name, now=now, detail=detail)
    return answer


def _numbers(parameter: str, given: list[str]) -> dict[str, int]:
    """Raises Invalid."""
    found = {}
    for text in given:
        code, _, number = text.partition(":")
        if code not in usecase.PRODUCT_GROUPS or not (number.isascii() and number.isdigit() and len(number) <= 12):
            reason = f"is no <product>:<number>; products are {', '.join(usecase.PRODUCT_GROUPS)}"
            raise Invalid("Some values cannot be taken; see errors.", errors=(FieldError(parameter, reason),))
        found[code] = int(number)
    return found


def _answer(made: Made, format: str) -> Response | ReturnOut:
    table, period = made.table, made.period
    if format == "json":
        return ReturnOut(
            name=made.of.name,
            title=table.name,
            since=period.since,
            until=period.until,
            columns=list(table.columns),
            rows=[[_plain(entry) for entry in row] for row in table.rows],
            notes=list(table.notes),
        )
    if format == "csv":
        body, media = files.csv_of(table.columns, table.rows), "text/csv; charset=utf-8"
    else:
        if len(table.rows) >= files.MOST_ROWS:
            raise TooManyRows
        body = files.xlsx_of(made.of.name, table.columns, table.rows, [table.name, *table.notes])
        media = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    name = f"{made.of.name}-{period.since}-{period.until}.{format}"
    return Response(body, media_type=media, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _plain(entry: Entry) -> int | str | None:
    if isinstance(entry, Decimal):
        return f"{entry:f}"
    return entry.isoformat() if isinstance(entry, date) else entry
