"""Routes of notices and of those who subscribe to them."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import Depends, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.sla import store_notices as store
from services.sla import store_subscriptions
from services.sla.domain.notice import (
    Filter,
    Format,
    Kind,
    NoSecret,
    NoticeNotFailed,
    NoticeNotFound,
    SubscriptionNotFound,
    SubscriptionOff,
)
from services.sla.usecases import notices as usecases
from services.sla.usecases import subscriptions
from services.sla.usecases.subscriptions import KeysMissing, SecretUnfit, Wanted
from shared.addresses import AddressRefused
from shared.errors import FieldError, Invalid
from shared.security.principal import Principal, Role
from shared.web.access import allow
from shared.web.app import ClockDep, Reading, Tx
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1")
Reader = Annotated[Principal, Depends(allow(Role.OFFICER, Role.SUPERVISOR, Role.MANAGER, Role.AUDITOR, Role.ADMIN))]
Supervisor = Annotated[Principal, Depends(allow(Role.SUPERVISOR, Role.ADMIN))]
Looker = Annotated[Principal, Depends(allow(Role.ADMIN, Role.AUDITOR))]
Admin = Annotated[Principal, Depends(allow(Role.ADMIN))]
Id = Annotated[str, Path(pattern=r"^[0-9a-f-]{36}$")]
_CODE = r"^[A-Za-z0-9._-]{1,64}$"
PageSize = Annotated[int, Query(ge=1, le=200, description="How many items a page has at most")]
Cursor = Annotated[str | None, Query(pattern=r"^[0-9a-f-]{36}$", description="`next` of the page before")]
Secret = Annotated[
    str, Field(max_length=100, examples=["whsec_" + "A" * 32], description="The receiver's own; missing: made here")
]


class LanguageUnknown(Invalid):
    """The bank does not offer this language."""

    code = "language_unknown"


class NoticeOut(BaseModel):
    """One thing told to one recipient. `kind` digest: a message that lists others, which name it in `digest_id` and are
    `joined` until it is sent or has failed. `attempts` counts since it was last sent again by hand."""

    id: str
    kind: str
    complaint_id: str | None
    reference: str | None
    step: str | None
    level: int | None
    due_at: AwareDatetime | None
    was_due_at: AwareDatetime | None
    granted: bool | None
    department: str | None
    branch: str | None
    at: AwareDatetime = Field(description="When what it tells of happened")
    recipient_kind: Literal["post", "webhook", "chat"]
    recipient: str = Field(description="The post's or subscription's id")
    person: str | None
    via: str | None
    role: str | None
    language: str
    urgent: bool
    state: Literal["waiting", "joined", "sent", "failed"]
    attempts: int
    not_before: AwareDatetime = Field(description="The end of the window or of the reader's quiet hours")
    next_at: AwareDatetime | None
    settled_at: AwareDatetime | None
    reason: str | None
    digest_id: str | None


class AttemptOut(BaseModel):
    at: AwareDatetime
    outcome: Literal["sent", "later", "never"]
    reason: str | None


class NoticeLogOut(NoticeOut):
    """With its delivery log, the latest attempts first."""

    log: list[AttemptOut]


class NoticePage(BaseModel):
    items: list[NoticeOut]
    next: str | None = Field(description="The cursor of the next page; null on the last")


class SubscriptionIn(BaseModel):
    """Who wants to hear. Without `format`: a webhook, signed as Standard Webhooks has it; with it: a chat's incoming
    webhook. Without `departments` or `kinds`: of all; with empty `kinds`: only of what posts that name it are told."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"url": "https://bank.example/deadlines", "name": "Operations", "kinds": ["missed", "escalation"]},
                {"url": "https://hooks.slack.com/services/T0/B0/x", "name": "Cards", "format": "slack"},
            ]
        },
    )

    url: Annotated[str, Field(min_length=1, max_length=1000)]
    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
    format: Format | None = None
    language: Annotated[str, Field(max_length=10, description="Missing: the bank's first")] | None = None
    departments: Annotated[list[Annotated[str, Field(pattern=_CODE)]], Field(max_length=100)] | None = None
    kinds: Annotated[list[Kind], Field(max_length=5)] | None = None
    minimum_level: Annotated[int, Field(ge=0, le=100, description="Of escalations, only from this level on")] = 0
    secret: Secret | None = None

    def wanted(self, languages: tuple[str, ...]) -> Wanted:
        language = self.language or languages[0]
        if language not in languages:
            wrong = FieldError("/language", f"is none of {', '.join(languages)}", LanguageUnknown.code)
            raise LanguageUnknown(errors=(wrong,))
        departments, kinds = (None if s is None else frozenset(s) for s in (self.departments, self.kinds))
        wanted = Filter(departments, kinds, self.minimum_level)
        return Wanted(self.url, self.name, self.format, language, wanted, self.secret)


class SubscriptionOut(BaseModel):
    """A subscription. Of a chat's `address` only the host is shown: whoever knows the rest may write into it."""

    id: str
    kind: Literal["webhook", "chat"]
    format: Format | None
    name: str
    address: str
    language: str
    departments: list[str] | None
    kinds: list[str] | None
    minimum_level: int
    created_by: str
    created_at: AwareDatetime
    disabled_at: AwareDatetime | None


class NewSubscriptionOut(SubscriptionOut):
    """`secret` verifies the signatures (Standard Webhooks) and is shown this once; null for a chat."""

    secret: str | None


class SubscriptionPage(BaseModel):
    items: list[SubscriptionOut]
    next: str | None = Field(description="The cursor of the next page; null on the last")


class RotateIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    secret: Secret | None = None


class RotatedOut(BaseModel):
    """`secret` signs from now on and is shown this once; those before it sign as well until `old_until`."""

    secret: str
    old_until: AwareDatetime


@router.get("/notices", tags=["notices"], response_model=NoticePage, responses=documented())
async def notices(
    session: Reading,
    _: Reader,
    state: Literal["waiting", "joined", "sent", "failed"] | None = None,
    kind: Kind | Literal["digest", "test"] | None = None,
    complaint: Annotated[str | None, Query(pattern=_CODE)] = None,
    department: Annotated[str | None, Query(pattern=_CODE)] = None,
    recipient: Annotated[str | None, Query(pattern=_CODE, description="A post's or subscription's id")] = None,
    digest: Annotated[str | None, Query(pattern=_CODE, description="Those that went in this message")] = None,
    limit: PageSize = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """What was or will be told, the newest first; `state=failed` is what somebody must see to."""
    asked = {"state": state, "kind": kind, "complaint_id": complaint, "department": department}
    asked |= {"recipient": recipient, "digest_id": digest}
    wanted = {name: value for name, value in asked.items() if value is not None}
    found = await store.page(session, wanted, before=cursor, limit=limit + 1)
    more = found[limit - 1].id if len(found) > limit else None
    return {"items": [usecases.view(one) for one in found[:limit]], "next": more}


@router.get("/notices/{id}", tags=["notices"], response_model=NoticeLogOut, responses=documented(NoticeNotFound))
async def notice(id: Id, session: Reading, _: Reader) -> dict[str, Any]:
    """One notice with its delivery log; of one that went in a digest, the digest's."""
    one = await usecases.find(session, id)
    log = await store.attempts_of(session, one.digest_id or id, 100)
    return usecases.view(one) | {"log": [usecases.attempt_view(attempt) for attempt in log]}


@router.post(
    "/notices/{id}/retry",
    tags=["notices"],
    response_model=NoticeOut,
    responses=documented(NoticeNotFound, NoticeNotFailed),
)
async def retry(id: Id, tx: Tx, clock: ClockDep, principal: Supervisor) -> dict[str, Any]:
    """Try a failed notice again from the beginning, under its own id; one that went in a digest, the whole digest."""
    return usecases.view(await usecases.retry(tx, id, actor=principal.id, now=clock()))


@router.post(
    "/subscriptions",
    tags=["subscriptions"],
    status_code=201,
    response_model=NewSubscriptionOut,
    responses=documented(AddressRefused, SecretUnfit, NoSecret, LanguageUnknown, KeysMissing),
)
async def subscribe(
    body: SubscriptionIn, request: Request, tx: Tx, clock: ClockDep, principal: Admin
) -> dict[str, Any]:
    """Have a system or a chat told of deadlines. What is not answered with a 2xx is repeated for three days; 410
    switches the subscription off."""
    state = request.app.state
    made, secret = subscriptions.create(
        tx,
        state.notice_keys,
        body.wanted(state.settings.languages),
        private=state.settings.webhook_private,
        actor=principal.id,
        now=clock(),
    )
    return subscriptions.view(made) | {"secret": secret}


@router.get("/subscriptions", tags=["subscriptions"], response_model=SubscriptionPage, responses=documented())
async def list_subscriptions(
    session: Reading, _: Looker, limit: PageSize = 50, cursor: Cursor = None
) -> dict[str, Any]:
    """Subscriptions, the newest first, those switched off among them."""
    found = await store_subscriptions.page(session, before=cursor, limit=limit + 1)
    more = found[limit - 1].id if len(found) > limit else None
    return {"items": [subscriptions.view(one) for one in found[:limit]], "next": more}


@router.get(
    "/subscriptions/{id}",
    tags=["subscriptions"],
    response_model=SubscriptionOut,
    responses=documented(SubscriptionNotFound),
)
async def subscription(id: Id, session: Reading, _: Looker) -> dict[str, Any]:
    """One subscription."""
    return subscriptions.view(await subscriptions.find(session, id))


@router.delete(
    "/subscriptions/{id}", tags=["subscriptions"], status_code=204, responses=documented(SubscriptionNotFound)
)
async def unsubscribe(id: Id, tx: Tx, clock: ClockDep, principal: Admin) -> None:
    """Switch a subscription off. What waits for it is not sent; its log stays."""
    await subscriptions.switch_off(tx, id, actor=principal.id, now=clock())


@router.post(
    "/subscriptions/{id}/rotate",
    tags=["subscriptions"],
    response_model=RotatedOut,
    responses=documented(SubscriptionNotFound, SubscriptionOff, NoSecret, SecretUnfit, KeysMissing),
)
async def rotate(
    id: Id, request: Request, tx: Tx, clock: ClockDep, principal: Admin, body: RotateIn | None = None
) -> dict[str, Any]:
    """A new signing secret. The old ones go on signing beside it for a while, so that the receiver can change over."""
    state = request.app.state
    secret, until = await subscriptions.rotate(
        tx,
        state.notice_keys,
        id,
        overlap=timedelta(seconds=state.settings.notice_secret_overlap),
        secret=body.secret if body else None,
        actor=principal.id,
        now=clock(),
    )
    return {"secret": secret, "old_until": until}


@router.post(
    "/subscriptions/{id}/test",
    tags=["subscriptions"],
    status_code=202,
    response_model=NoticeOut,
    responses=documented(SubscriptionNotFound, SubscriptionOff),
)
async def test(id: Id, tx: Tx, clock: ClockDep, principal: Admin) -> dict[str, Any]:
    """Send a notice that tells of nothing, to see that it arrives."""
    return usecases.view(await subscriptions.test(tx, id, actor=principal.id, now=clock()))
