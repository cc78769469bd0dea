"""What changes in the queue, told to open pages within a second or two."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
from fastapi import Request
from starlette.responses import Response

from services.routing import store
from services.routing.pages import wish
from services.routing.pages.queue import Reader
from services.routing.pages.wish import Wish
from shared.clock import Clock
from shared.db import Database
from shared.web.live import Live, stream
from shared.web.router import Router

router = Router(include_in_schema=False)
_MOST = 500
_AGAIN = timedelta(seconds=3)  # a commit may become visible a little after its own time


@dataclass(frozen=True, slots=True)
class Change:
    """A case that has changed, with all departments and officers whom it belongs to or did before."""

    complaint_id: str
    departments: frozenset[str]
    officers: frozenset[str]


class Watch:
    """Looks for what has changed since the last look."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db, self._clock = db, clock
        self._seen: int | None = None
        self._moved: dict[str, datetime] = {}

    async def look(self) -> list[Change] | None:
        """The changes, None when there are none. The first look after a pause sees none: pages were just drawn."""
        now = self._clock()
        async with self._db.reading() as session:
            head = await store.queue.head(session)
            if self._seen is None or head - self._seen > 10 * _MOST:  # too far behind to tell one by one
                self._seen, before = head, self._seen
                return None if before is None else []
            found: dict[str, tuple[set[str], set[str]]] = {}
            if head > self._seen:
                done = await store.queue.done_since(session, self._seen, _MOST)
                for _, id, detail in done:
                    self._note(found, id, orjson.loads(detail).get("changed", {}))
                self._seen = done[-1][0] if len(done) == _MOST else head
            for id in await store.queue.moved_since(session, now - _AGAIN, _MOST):
                if self._moved.get(id, now) <= now - _AGAIN or id not in self._moved:
                    self._moved[id] = now
                    self._note(found, id, {})
            self._moved = {id: at for id, at in self._moved.items() if at > now - 2 * _AGAIN}
            if not found:
                return None
            owners = await store.queue.owners(session, list(found))
        changes = []
        for id, (departments, officers) in found.items():
            department, assignee = owners.get(id, ("", None))
            departments |= {department}
            officers |= {assignee} if assignee else set()
            changes.append(Change(id, frozenset(departments), frozenset(officers)))
        return changes

    @staticmethod
    def _note(found: dict[str, tuple[set[str], set[str]]], id: str, changed: dict[str, list[str | None]]) -> None:
        departments, officers = found.setdefault(id, (set(), set()))
        departments.update(code for code in changed.get("department", ()) if code)
        officers.update(one for one in changed.get("assignee", ()) if one)


def _live(request: Request) -> Live[list[Change]]:
    """The one watch of this process."""
    state = request.app.state
    found: Live[list[Change]] | None = getattr(state, "live_queue", None)
    if found is None:
        found = state.live_queue = Live(Watch(state.db, state.clock).look)
    return found


@router.get("/queue/live", response_class=Response)
async def live(request: Request, principal: Reader) -> Response:
    """Server-sent events `change` whenever the queue so filtered may look different. They hold no more than how many
    cases it concerns: the page asks for its list anew."""
    watch = _live(request)
    watch.check_room()
    db: Database = request.app.state.db
    async with db.reading() as session:
        wanted = await wish.read(session, request, principal)
    return stream(watch.listen(), _of(wanted))


def _of(wanted: Wish) -> Callable[[list[Change]], str | None]:
    def say(changes: list[Change]) -> str | None:
        if not changes:
            return "0"  # many: look anew
        mine = [one for one in changes if _concerns(wanted, one)]
        return str(len(mine)) if mine else None

    return say


def _concerns(wanted: Wish, change: Change) -> bool:
    if wanted.tab == "mine":
        return wanted.me in change.officers
    return wanted.departments is None or not change.departments.isdisjoint(wanted.departments)
