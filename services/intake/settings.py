"""Intake's settings."""

from pydantic import Field, SecretStr

from shared.security.crypto import MasterKeys, development_keys
from shared.settings import Settings


class IntakeSettings(Settings):
    """Beside the common ones: where the data is, the keys that seal it, the address that complainants see."""

    database_intake: str | None = None
    encryption_keys: SecretStr | None = Field(None, description="id:base64,id:base64; 32 bytes each, current first")
    pseudonym_key: SecretStr | None = Field(None, description="base64 of 32 bytes; never changes")
    public_url: str = Field("http://127.0.0.1:8000/intake", description="Intake's address as complainants see it")

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
