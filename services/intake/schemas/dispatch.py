"""The shapes of what goes out to complainants."""

from pydantic import AwareDatetime, BaseModel


class DispatchOut(BaseModel):
    """Something meant for a complainant. `state`: waiting, sent, failed (a person must see to it, for `reason`),
    settled (one has) or cancelled."""

    id: str
    complaint_id: str
    kind: str
    via: str
    language: str
    origin: str | None
    state: str
    attempts: int
    created_at: AwareDatetime
    next_at: AwareDatetime | None
    settled_at: AwareDatetime | None
    reason: str | None


class OpenedDispatchOut(DispatchOut):
    """With its words and to whom; None where no address is known."""

    to: str | None
    subject: str
    text: str


class DispatchesOut(BaseModel):
    """The newest first."""

    items: list[DispatchOut]
    next: str | None
