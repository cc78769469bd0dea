"""The shapes of files."""

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class AttachmentOut(BaseModel):
    """A file. `state`: quarantined (not looked at yet), clean, infected, erased or gone. `url` opens a clean one for
    ten minutes. `size` in bytes; `sha256` in hex."""

    id: str
    name: str | None
    media_type: str
    size: int
    sha256: str
    state: str
    created_at: AwareDatetime
    url: str | None


class UploadOut(AttachmentOut):
    """`ticket` gives the file to a complaint (`attachments` of `POST /v1/complaints`), within a day."""

    ticket: str = Field(examples=["Nr_X7--98sV7AhUGXRAHYtaPaUvUiRcE"])


class AttachIn(BaseModel):
    """Tickets of uploads."""

    model_config = ConfigDict(extra="forbid")

    attachments: Annotated[list[Annotated[str, Field(max_length=100)]], Field(min_length=1, max_length=20)]


class AttachmentsOut(BaseModel):
    items: list[AttachmentOut]
