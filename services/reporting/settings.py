"""Reporting's settings."""

from shared.settings import Settings


class ReportingSettings(Settings):
    """Beside the common ones: where the data is."""

    database_reporting: str | None = None

    @property
    def database(self) -> str:
        return self.database_reporting or self.sqlite("reporting")
