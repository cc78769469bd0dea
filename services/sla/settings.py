"""SLA's settings."""

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from shared.settings import Settings


class SlaSettings(Settings):
    """Beside the common ones: where the data is, the bank's own packs and calendars, how imported history is
    treated."""

    database_sla: str | None = None
    default_pack: str = Field("hk-hkma", description="The pack for complaints of unknown or no jurisdiction")
    sla_packs: Path | None = Field(None, description="Folder of the bank's own packs, beside those that are shipped")
    sla_calendars: Path | None = Field(
        None, description="File that closes or opens days, changes working hours, and confirms holidays"
    )
    sla_subscribers: Path | None = Field(
        None, description="File that names the webhooks and chat rooms that are told of deadlines"
    )
    desk_url: str = Field("http://127.0.0.1:8000", description="The desk's address as staff see it, for links")
    sla_sender: str = Field(
        "deadlines@redress.invalid", pattern=r"^[^@\s]+@[^@\s]+$", description="From whom staff get mail of deadlines"
    )
    smtp_host: str | None = Field(None, description="Mail server for what goes out; unset: such things wait")
    smtp_port: int = Field(587, ge=1, le=65535)
    smtp_tls: Literal["none", "starttls", "implicit"] = "starttls"
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    webhook_private: bool = Field(False, description="Let webhooks go to private addresses, and over plain http")
    historic_grace: float = Field(
        60, ge=0, le=86_400, description="Seconds that lapsed deadlines of imported history wait for their casework"
    )

    @property
    def database(self) -> str:
        return self.database_sla or self.sqlite("sla")

    @property
    def grace(self) -> timedelta:
        return timedelta(seconds=self.historic_grace)
