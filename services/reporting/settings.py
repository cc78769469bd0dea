"""Reporting's settings."""

from pydantic import Field

from shared.settings import Settings


class ReportingSettings(Settings):
    """Beside the common ones: where the data is."""

    database_reporting: str | None = None
    default_jurisdiction: str = Field(
        "hk", min_length=2, max_length=64, description="Whose returns complaints that name no jurisdiction belong in"
    )

    @property
    def database(self) -> str:
        return self.database_reporting or self.sqlite("reporting")
