"""SLA's settings."""

from datetime import timedelta
from pathlib import Path

from pydantic import Field

from shared.settings import Settings


class SlaSettings(Settings):
    """Beside the common ones: where the data is, the bank's own packs and calendars, how imported history is treated."""

    database_sla: str | None = None
    default_pack: str = Field("hk-hkma", description="The pack for complaints of unknown or no jurisdiction")
    sla_packs: Path | None = Field(None, description="Folder of the bank's own packs, beside those that are shipped")
    sla_calendars: Path | None = Field(
        None, description="File that closes or opens days, changes working hours, and confirms holidays"
    )
    historic_grace: float = Field(
        60, ge=0, le=86_400, description="Seconds that lapsed deadlines of imported history wait for their casework"
    )

    @property
    def database(self) -> str:
        return self.database_sla or self.sqlite("sla")

    @property
    def grace(self) -> timedelta:
        return timedelta(seconds=self.historic_grace)
