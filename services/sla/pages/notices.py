"""What was or will be told of deadlines, to whom, and what has failed."""

from typing import Annotated, Any, Literal, get_args

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from services.sla.api.context import READERS
from services.sla.api.notices import Id
from services.sla.domain.notice import DIGEST, KINDS, TEST, NoticeNotFailed, State
from services.sla.pages.frame import refused, show, status_of
from services.sla.store import notices as store
from services.sla.store.notices import NoticeRow
from services.sla.usecases import notices as usecases
from shared import i18n
from shared.i18n import Translator
from shared.security.principal import Principal, Role
from shared.web import forms, pages
from shared.web.access import allow
from shared.web.app import ClockDep, Reading, Tx
from shared.web.forms import NOTHING, Filled
from shared.web.router import Router

router = Router(include_in_schema=False)
Reader = Annotated[Principal, Depends(allow(*READERS))]
_SENDERS = (Role.SUPERVISOR, Role.ADMIN)
FormSender = Annotated[Principal, Depends(allow(*_SENDERS, own_form=True))]
Before = Annotated[str | None, Query(pattern=r"^[0-9a-f-]{36}$")]
Code = Annotated[str, Query(max_length=64, pattern=r"^[A-Za-z0-9._-]*$")]
_SHOWN = 50
_SIGNS = {"waiting": "…", "joined": "…", "sent": "✓", "failed": "✕"}
_LOOKS = {"sent": "reached", "failed": "missed"}


@router.get("/notices", response_class=HTMLResponse)
async def notices(
    request: Request,
    me: Reader,
    session: Reading,
    state: Annotated[State | Literal[""], Query()] = "",
    department: Code = "",
    complaint: Code = "",
    cursor: Before = None,
) -> Response:
    """Notices, the newest first."""
    return await _page(request, session, me, state, department, complaint, cursor, NOTHING)


@router.post("/notices/{id}/retry", response_class=HTMLResponse)
async def retry(request: Request, id: Id, tx: Tx, now: ClockDep, by: FormSender) -> Response:
    """Send a failed notice again. Raises NoticeNotFound."""
    try:
        await usecases.retry(tx, id, actor=by.id, now=now())
    except NoticeNotFailed as error:
        filled = refused(pages.translator(request), "retry", {}, error)
        return await _page(request, tx, by, "failed", "", "", None, filled, status_of(error))
    return forms.back(request, "/notices", state="failed")


async def _page(
    request: Request,
    session: Reading,
    me: Principal,
    state: str,
    department: str,
    complaint: str,
    cursor: str | None,
    filled: Filled,
    status: int = 200,
) -> Response:
    t = pages.translator(request)
    asked = {"state": state, "department": department, "complaint_id": complaint}
    wanted = {name: value for name, value in asked.items() if value}
    found = await store.page(session, wanted, before=cursor, limit=_SHOWN + 1)
    departments = dict.fromkeys([*i18n.codes("department"), *([department] if department else [])])
    return show(
        request,
        "notices.html",
        "/notices",
        status,
        rows=[_row(t, one) for one in found[:_SHOWN]],
        following=found[_SHOWN - 1].id if len(found) > _SHOWN else None,
        first=cursor is None,
        state=state,
        department=department,
        complaint=complaint,
        states=[(code, t.label("notice_state", code)) for code in get_args(State)],
        departments=[(code, t.label("department", code)) for code in departments],
        may=me.has(*_SENDERS),
        filled=filled,
    )


def _row(t: Translator, one: NoticeRow) -> dict[str, Any]:
    known = (*KINDS, DIGEST, TEST)
    return {
        "id": one.id,
        "kind": t.label("notice_kind", one.kind) if one.kind in known else one.kind,
        "complaint_id": one.complaint_id,
        "reference": one.reference or one.complaint_id,
        "step": one.step,
        "level": one.level,
        "due_at": one.due_at,
        "at": one.at,
        "recipient_kind": one.recipient_kind,
        "recipient": one.recipient,
        "person": one.person,
        "via": one.via,
        "state": one.state,
        "sign": _SIGNS[one.state],
        "look": _LOOKS.get(one.state, ""),
        "attempts": one.attempts,
        "next_at": one.next_at,
        "settled_at": one.settled_at,
        "reason": one.reason,
        "digest_id": one.digest_id,
    }
