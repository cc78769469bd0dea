"""Intake's settings."""

from ipaddress import ip_network

from limits import parse
from pydantic import Field, SecretStr, field_validator

from services.intake.domain.linking import WINDOW_DAYS
from shared.security.crypto import MasterKeys, development_keys
from shared.settings import Settings


class IntakeSettings(Settings):
    """Beside the common ones: where the data is, the keys that seal it, the address that complainants see."""

    database_intake: str | None = None
    encryption_keys: SecretStr | None = Field(None, description="id:base64,id:base64; 32 bytes each, current first")
    pseudonym_key: SecretStr | None = Field(None, description="base64 of 32 bytes; never changes")
    public_url: str = Field("http://127.0.0.1:8000/intake", description="Intake's address as complainants see it")
    rate_limit_callers: str = Field(
        "120000/minute", description="What one key or member of staff may send to what writes, in each process"
    )
    rate_limit_addresses: str = Field(
        "600/minute", description="What one address may send to what is open to all, in each process"
    )
    trusted_proxies: tuple[str, ...] = Field(
        (), description="Networks of the proxies in front, whose X-Forwarded-For is believed"
    )

    @field_validator("rate_limit_callers", "rate_limit_addresses")
    @classmethod
    def _known_limit(cls, value: str) -> str:
        parse(value)
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _known_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ip_network(network, strict=False)
        return value

    link_window_days: int = Field(
        WINDOW_DAYS, ge=1, le=365, description="Complaints of one person this far apart may be reports of one matter"
    )
    complaint_retention_days: int | None = Field(
        None, ge=1, description="Days after closing until personal data is erased by itself; unset: it is kept"
    )

    @property
    def database(self) -> str:
        return self.database_intake or self.sqlite("intake")

    def master_keys(self) -> MasterKeys:
        """The keys from the environment; the embedded default makes its own. Raises ValueError where they are needed
        and not set, or are no keys."""
        if self.encryption_keys and self.pseudonym_key:
            return MasterKeys.parse(
                self.encryption_keys.get_secret_value(), pseudonym_key=self.pseudonym_key.get_secret_value()
            )
        if not self.embedded or self.database_intake:
            raise ValueError("REDRESS_ENCRYPTION_KEYS and REDRESS_PSEUDONYM_KEY must be set")
        return development_keys(self.home / "encryption-keys.json")
