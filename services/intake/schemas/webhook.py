"""The shapes of webhooks."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.intake.domain.webhook import EVENTS
from services.intake.schemas.complaint import Text

EventCode = Literal[
    "complaint.received",
    "complaint.routed",
    "complaint.assigned",
    "complaint.acknowledged",
    "complaint.responded",
    "complaint.resolved",
    "complaint.closed",
    "complaint.escalated",
    "complaint.withdrawn",
    "complaint.message_added",
    "complaint.notified",
]
assert set(EVENTS) == set(EventCode.__args__)  # type: ignore[attr-defined]


class WebhookIn(BaseModel):
    """Where to tell, and of what. Without `events`: of everything."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"url": "https://bank.example/complaints", "events": ["complaint.resolved", "complaint.closed"]}
            ]
        },
    )

    url: Annotated[Text, Field(min_length=1, max_length=500)]
    events: Annotated[list[EventCode], Field(max_length=len(EVENTS))] = []


class WebhookOut(BaseModel):
    """A webhook. `channels`: of whose complaints it is told, those of the key that made it; empty for all."""

    id: str
    url: str
    events: list[str]
    channels: list[str]
    created_at: AwareDatetime
    disabled_at: AwareDatetime | None


class NewWebhookOut(WebhookOut):
    """`secret` verifies the signatures (Standard Webhooks) and is shown this once."""

    secret: str


class SecretOut(BaseModel):
    secret: str


class WebhooksOut(BaseModel):
    items: list[WebhookOut]


class DeliveryOut(BaseModel):
    """One message to a webhook. `id` is its `webhook-id`, the same at every attempt. `state`: waiting, delivered or
    failed."""

    id: str
    type: str
    complaint_id: str | None
    state: str
    attempts: int
    created_at: AwareDatetime
    next_at: AwareDatetime | None
    settled_at: AwareDatetime | None
    last_status: int | None
    last_error: str | None


class DeliveriesOut(BaseModel):
    """The log, the newest first."""

    items: list[DeliveryOut]
    next: str | None
