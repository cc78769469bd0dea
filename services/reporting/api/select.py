"""Which complaints a request means, from its query parameters, and who may ask."""

from datetime import date, datetime
from typing import Annotated

from fastapi import Depends, Query
from pydantic import BeforeValidator, StringConstraints

from services.reporting.domain.counting import Selection
from shared.security.principal import Role
from shared.settings import Settings
from shared.web.access import Check, allow

# Whoever works on complaints or answers for them; those who only take complaints in have no need of figures.
READERS = (Role.OFFICER, Role.SUPERVISOR, Role.MANAGER, Role.AUDITOR, Role.ADMIN)

_blank_is_none = BeforeValidator(lambda value: None if value == "" else value)  # a form sends its empty fields too
_Day = Annotated[date | None, _blank_is_none]
_Code = Annotated[Annotated[str, StringConstraints(max_length=64)] | None, _blank_is_none]


def readers() -> Check:
    return allow(*READERS)


def selection(
    since: Annotated[_Day, Query(alias="from", description="First day of receipt, in the bank's zone")] = None,
    until: Annotated[_Day, Query(alias="to", description="Last day of receipt")] = None,
    channel: _Code = None,
    category: _Code = None,
    department: _Code = None,
) -> Selection:
    """Raises Invalid when the period ends before it begins."""
    return Selection(since, until, channel, category, department)


Selected = Annotated[Selection, Depends(selection)]


def today(settings: Settings, now: datetime) -> date:
    """The present day in the bank's zone."""
    return now.astimezone(settings.zone).date()
