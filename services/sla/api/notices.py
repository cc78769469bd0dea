"""What staff were told of deadlines, and whether it arrived."""

from typing import Annotated, Literal

from fastapi import Depends, Path, Query
from pydantic import BaseModel, Field

from services.sla.api.context import NEXT, READERS, Department, PageSize
from services.sla.api.schemas import CODE, Moment, PageOut
from services.sla.store import notices as store
from services.sla.store.base import NoticeRow
from services.sla.usecases import notices
from services.sla.usecases.notices import NoticeNotFound
from shared.security.principal import Principal, Role
from shared.web.access import allow
from shared.web.app import ClockDep, Reading, Tx
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1/notices", tags=["notices"])
_READ = [Depends(allow(*READERS))]
NoticeId = Annotated[str, Path(pattern=CODE)]
State = Literal["waiting", "sent", "failed", "unaddressed"]


class NoticeOut(BaseModel):
    """Something that one recipient was to be told. Addresses are left out: `recipient` is `person` or a subscriber."""

    id: str = Field(description="The receiving side sees it, the same at every attempt")
    kind: str
    complaint_id: str
    reference: str | None
    step: str
    due_at: Moment
    at: Moment
    department: str | None
    level: int
    recipient: str
    person: str | None
    format: str
    language: str
    urgent: bool
    state: State
    attempts: int
    next_at: Moment | None
    message_id: str | None = Field(description="The notice under whose id it went out, with others")
    settled_at: Moment | None
    reason: str | None


class AttemptOut(BaseModel):
    attempt: int
    at: Moment
    notices: int = Field(description="How many were in the message")
    outcome: str
    reason: str | None


class AttemptsOut(BaseModel):
    items: list[AttemptOut]


@router.get("", dependencies=_READ, responses=documented())
async def listed(
    session: Reading,
    state: State | None = None,
    complaint_id: Annotated[str | None, Query(pattern=CODE)] = None,
    department: Department = None,
    limit: PageSize = 50,
    cursor: Annotated[str | None, Query(pattern=CODE, description=NEXT)] = None,
) -> PageOut[NoticeOut]:
    """Notices, the newest first."""
    found = await store.page(
        session, state=state, complaint_id=complaint_id, department=department, before=cursor, limit=limit + 1
    )
    following = found[limit - 1].id if len(found) > limit else None
    return PageOut[NoticeOut](items=[_out(row) for row in found[:limit]], next=following)


@router.get("/{notice_id}/attempts", dependencies=_READ, responses=documented(NoticeNotFound))
async def attempts(notice_id: NoticeId, session: Reading) -> AttemptsOut:
    """Each try at the message in which a notice went out."""
    row = await session.get(NoticeRow, notice_id)
    if row is None:
        raise NoticeNotFound
    plain = ("attempt", "at", "notices", "outcome", "reason")
    rows = await store.attempts(session, row.message_id or row.id)
    return AttemptsOut(items=[AttemptOut(**{name: getattr(r, name) for name in plain}) for r in rows])


@router.post("/{notice_id}/retry", responses=documented(NoticeNotFound))
async def retry(
    notice_id: NoticeId, tx: Tx, by: Annotated[Principal, Depends(allow(Role.ADMIN, Role.SUPERVISOR))], now: ClockDep
) -> NoticeOut:
    """Send a notice again, under its own id."""
    return _out(await notices.retry(tx, notice_id, by=by, now=now()))


def _out(row: NoticeRow) -> NoticeOut:
    plain = [name for name in NoticeOut.model_fields if name != "recipient"]
    recipient = "person" if row.recipient.startswith("post:") else row.recipient
    return NoticeOut(recipient=recipient, **{name: getattr(row, name) for name in plain})
