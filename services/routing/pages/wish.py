"""What somebody wants to see of the queue: read from the page's address, and said there again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncSession

from services.routing import store
from services.routing.domain.case import State
from services.routing.usecases import queue as queues
from shared import i18n
from shared.security.principal import Principal, Role

TABS = ("mine", "department", "unassigned", "all")
FILTERS = store.queue.FILTERS
LIMIT = 50
_LONGEST = 70
_CODES: Mapping[str, tuple[str, ...]] = {
    "state": tuple(State),
    "severity": i18n.codes("severity"),
    "channel": i18n.codes("channel"),
    "language": tuple(i18n.LANGUAGES),
}


@dataclass(frozen=True, slots=True)
class Wish:
    """A tab, filters, and where a page begins. `own`: the departments of whoever asks; `departments`: those wanted,
    None for all."""

    tab: str
    me: str
    own: tuple[str, ...] = ()
    department: str | None = None
    filters: Mapping[str, str] = field(default_factory=dict)
    vulnerable: bool = False
    cursor: str | None = None

    @property
    def departments(self) -> tuple[str, ...] | None:
        if self.department is not None:
            return (self.department,)
        return self.own if self.tab in ("department", "unassigned") else None

    @property
    def homeless(self) -> bool:
        """Whether a department has to be chosen first."""
        return self.departments == ()

    def query(self, **changes: str | None) -> str:
        """The wish as the query of an address, without where a page begins."""
        values: dict[str, Any] = {"tab": self.tab, "department": self.department, **self.filters}
        values |= {"vulnerable": "1" if self.vulnerable else None, **changes}
        return urlencode({name: value for name, value in values.items() if value})

    async def rows(self, tx: AsyncSession) -> tuple[list[Any], str | None]:
        """The cases, and the cursor of the next page if there is one."""
        if self.homeless:
            return [], None
        found = await store.queue.listed(
            tx,
            departments=self.departments,
            assignee=self.me if self.tab == "mine" else None,
            unassigned=self.tab == "unassigned",
            filters=self.filters,
            vulnerable=self.vulnerable,
            after=self.cursor,
            limit=LIMIT + 1,
        )
        if len(found) <= LIMIT:
            return found, None
        last = found[LIMIT - 1]
        return found[:LIMIT], last.sort_key if self.filters.get("state") == State.CLOSED else last.due_key


async def read(tx: AsyncSession, request: Request, principal: Principal) -> Wish:
    """The wish of a request. What cannot be meant is passed over: a saved view outlives the codes that it names."""
    said = {name: value.strip() for name, value in request.query_params.items() if 0 < len(value.strip()) <= _LONGEST}
    own = await queues.departments_of(tx, principal)
    first = "mine" if principal.has(Role.OFFICER) else "department" if own else "all"
    tab = said.get("tab", first)
    return Wish(
        tab if tab in TABS else first,
        principal.id,
        own,
        said.get("department"),
        {name: said[name] for name in FILTERS if name in said and said[name] in _CODES.get(name, (said[name],))},
        said.get("vulnerable") == "1",
        said.get("cursor"),
    )
