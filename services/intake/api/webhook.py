"""Routes for webhooks: a key manages its own."""

from typing import Annotated, Any

from fastapi import Depends, Query, Request

from services.intake.api.taking import actor
from services.intake.domain.webhook import WebhookGone
from services.intake.schemas.webhook import (
    DeliveriesOut,
    DeliveryOut,
    NewWebhookOut,
    SecretOut,
    WebhookIn,
    WebhookOut,
    WebhooksOut,
)
from services.intake.store import caller as store
from services.intake.usecases import webhook as usecases
from shared.addresses import AddressRefused
from shared.errors import NotFound
from shared.security.principal import Principal, Scope
from shared.web.access import allow
from shared.web.app import ClockDep, Reading, Tx
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1", tags=["webhooks"])
# a channel's key is told no more than it may read
Caller = Annotated[Principal, Depends(allow(Scope.READ))]


def _own(principal: Principal) -> usecases.Hand:
    return usecases.Hand(actor(principal), actor(principal))


@router.post("/webhooks", status_code=201, response_model=NewWebhookOut, responses=documented(AddressRefused))
async def create(body: WebhookIn, request: Request, tx: Tx, clock: ClockDep, principal: Caller) -> dict[str, Any]:
    """Be told of what becomes of this key's complaints. Each message is signed as Standard Webhooks has it, and
    repeated for 24 hours until it is answered with a 2xx; 410 switches the webhook off."""
    state = request.app.state
    made, secret = usecases.create(
        tx,
        state.desk.keys,
        body.url,
        body.events,
        owner=actor(principal),
        channels=sorted(principal.channels),
        private=state.settings.webhook_private,
        now=clock(),
    )
    return usecases.webhook_view(made) | {"secret": secret}


@router.get("/webhooks", response_model=WebhooksOut, responses=documented())
async def list_webhooks(tx: Reading, principal: Caller) -> dict[str, Any]:
    """This key's webhooks."""
    return {"items": [usecases.webhook_view(one) for one in await store.webhooks_of(tx, actor(principal))]}


@router.get("/webhooks/{id}", response_model=WebhookOut, responses=documented(NotFound))
async def read(id: str, tx: Reading, principal: Caller) -> dict[str, Any]:
    """One webhook."""
    return usecases.webhook_view(await usecases.find(tx, id, hand=_own(principal)))


@router.delete("/webhooks/{id}", status_code=204, responses=documented(NotFound))
async def delete(id: str, tx: Tx, clock: ClockDep, principal: Caller) -> None:
    """Switch a webhook off. What waits for it is not sent; its log stays."""
    await usecases.switch_off(tx, id, hand=_own(principal), now=clock())


@router.post("/webhooks/{id}/rotate", response_model=SecretOut, responses=documented(NotFound, WebhookGone))
async def rotate(id: str, request: Request, tx: Tx, clock: ClockDep, principal: Caller) -> dict[str, str]:
    """A new secret, with which everything from now on is signed."""
    keys = request.app.state.desk.keys
    return {"secret": await usecases.rotate(tx, keys, id, hand=_own(principal), now=clock())}


@router.post(
    "/webhooks/{id}/test", status_code=202, response_model=DeliveryOut, responses=documented(NotFound, WebhookGone)
)
async def test(id: str, tx: Tx, clock: ClockDep, principal: Caller) -> dict[str, Any]:
    """Send a message that tells of nothing, to see that it arrives."""
    return usecases.delivery_view(await usecases.test(tx, id, hand=_own(principal), now=clock()))


@router.get("/webhooks/{id}/deliveries", response_model=DeliveriesOut, responses=documented(NotFound))
async def deliveries(
    id: str,
    tx: Reading,
    principal: Caller,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str, Query(max_length=36)] = "",
) -> dict[str, Any]:
    """What was sent to a webhook and how it fared, the newest first."""
    await usecases.find(tx, id, hand=_own(principal))
    found = await store.deliveries(tx, id, cursor or None, limit + 1)
    more = found[limit - 1].id if len(found) > limit else None
    return {"items": [usecases.delivery_view(one) for one in found[:limit]], "next": more}


@router.post(
    "/deliveries/{id}/replay", status_code=202, response_model=DeliveryOut, responses=documented(NotFound, WebhookGone)
)
async def replay(id: str, tx: Tx, clock: ClockDep, principal: Caller) -> dict[str, Any]:
    """Send a message again, under its own id."""
    return usecases.delivery_view(await usecases.replay(tx, id, hand=_own(principal), now=clock()))
