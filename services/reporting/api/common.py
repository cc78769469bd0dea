"""What the routes of goals, measures, surveys, bases and commendations have in common."""

import re
from datetime import date, datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from babel.core import get_global
from fastapi import Depends, Header, Path, Query, Request
from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from services.reporting.domain.figure import FIGURES
from shared.errors import FieldError, Invalid
from shared.security.principal import Principal, Role
from shared.web.access import allow

READERS = (Role.OFFICER, Role.SUPERVISOR, Role.MANAGER, Role.AUDITOR, Role.ADMIN)
Reader = Annotated[Principal, Depends(allow(*READERS))]
Planner = Annotated[Principal, Depends(allow(Role.SUPERVISOR, Role.MANAGER, Role.ADMIN))]
Keeper = Annotated[Principal, Depends(allow(Role.MANAGER, Role.ADMIN))]

_CODE = r"^[A-Za-z0-9._-]{1,64}$"
_LINE = r"^[^\x00-\x1f\x7f]*$"
_WORDS = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
_EARLIEST, _LATEST = date(1990, 1, 1), date(2099, 12, 31)
_CURRENCIES = frozenset(get_global("all_currencies"))


def _not_blank(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("blank", "is blank")
    return text


def _written(value: object) -> object:
    """Pydantic takes numbers, and digits in quotes, for days since 1970; here a day is written out."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise PydanticCustomError("day", "is no day, YYYY-MM-DD")
    return value


def _near(day: date) -> date:
    if not _EARLIEST <= day <= _LATEST:
        raise PydanticCustomError("day", "is not between 1990 and 2099")
    return day


def _currency(code: str) -> str:
    if code not in _CURRENCIES:
        raise PydanticCustomError("currency", "is no ISO 4217 currency code")
    return code


Code = Annotated[str, Field(pattern=_CODE, description="A code of a register")]
Line = Annotated[str, Field(pattern=_LINE), AfterValidator(_not_blank)]
Title = Annotated[str, Field(min_length=1, max_length=200, pattern=_LINE), AfterValidator(_not_blank)]
Words = Annotated[str, Field(min_length=1, max_length=4000, pattern=_WORDS), AfterValidator(_not_blank)]
Day = Annotated[date, BeforeValidator(_written), AfterValidator(_near)]
Currency = Annotated[str, Field(min_length=3, max_length=3, pattern=r"^[A-Z]{3}$"), AfterValidator(_currency)]
OwnerRole = Literal["agent", "officer", "supervisor", "manager", "auditor", "admin"]
Dimension = Literal["channel", "category", "product", "department", "branch"]
FigureKey = Annotated[str, Field(max_length=60, examples=["received"], json_schema_extra={"enum": list(FIGURES)})]
Id = Annotated[str, Path(max_length=36, pattern=r"^[0-9a-f-]+$")]
CodeQuery = Annotated[str | None, Query(pattern=_CODE)]
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=36, pattern=r"^[0-9a-f-]+$", description="`next` of the page before")]
IfMatch = Annotated[str | None, Header(max_length=40, description="The ETag of the thing as it was read")]


def version_of(if_match: str | None) -> int | None:
    """The version that an ETag names; None for whichever. Raises Invalid."""
    if if_match is None or if_match.strip() == "*":
        return None
    text = if_match.strip().removeprefix("W/").strip('"')
    if not (text.isascii() and text.isdigit()):
        raise Invalid("If-Match holds no ETag of this.", errors=(FieldError("If-Match", "is no ETag", "etag"),))
    return int(text)


def today(request: Request) -> date:
    """The present day where the bank is."""
    zone: ZoneInfo = request.app.state.settings.zone
    now: datetime = request.app.state.clock()
    return now.astimezone(zone).date()


Today = Annotated[date, Depends(today)]
