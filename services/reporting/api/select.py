"""Which complaints a request means, from its query parameters, and who may ask."""

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import BaseModel, BeforeValidator, Field, StringConstraints

from services.reporting.domain.place import DIMENSIONS
from services.reporting.domain.selection import Selection
from shared.security.principal import Role
from shared.settings import Settings
from shared.web.access import Check, allow

# Whoever works on complaints or answers for them; those who only take complaints in have no need of figures.
READERS = (Role.OFFICER, Role.SUPERVISOR, Role.MANAGER, Role.AUDITOR, Role.ADMIN)

_blank_is_none = BeforeValidator(lambda value: None if value == "" else value)  # a form sends its empty fields too
_EARLIEST, _LATEST = date(1900, 1, 1), date(2999, 12, 31)  # beyond these nothing is counted, and no calendar holds
Day = Annotated[date | None, _blank_is_none]
Code = Annotated[
    Annotated[str, StringConstraints(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")] | None, _blank_is_none
]


def readers() -> Check:
    return allow(*READERS)


class Asked(BaseModel):
    """The parameters that every figure takes."""

    since: Day = Field(None, alias="from", description="First day of the period, in the bank's zone")
    until: Day = Field(None, alias="to", description="Last day of the period")
    channel: Code = None
    category: Code = None
    product: Code = None
    department: Code = None
    branch: Code = None
    severity: Code = None
    language: Code = None
    jurisdiction: Code = None
    outcome: Code = None
    root_cause: Code = None
    state: Code = None
    vulnerable: Code = None
    repeat: Code = None

    def selection(self) -> Selection:
        """Raises Invalid when the period ends before it begins."""
        since = self.since and min(max(self.since, _EARLIEST), _LATEST)
        until = self.until and min(max(self.until, _EARLIEST), _LATEST)
        where = {name: code for name in DIMENSIONS if (code := getattr(self, name)) is not None}
        return Selection(since, until, where)


def _selection(asked: Annotated[Asked, Query()]) -> Selection:
    return asked.selection()


Selected = Annotated[Selection, Depends(_selection)]


def today(settings: Settings, now: datetime) -> date:
    """The present day in the bank's zone."""
    return now.astimezone(settings.zone).date()


def parameters(chosen: Selection) -> dict[str, Any]:
    """A selection as the parameters of an address."""
    period = {"from": chosen.since, "to": chosen.until}
    return {name: str(value) for name, value in {**period, **chosen.where}.items() if value is not None}
