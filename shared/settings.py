"""Settings from the environment (`REDRESS_*`), frozen. Each service adds its own in `services/<name>/settings.py`."""

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What every service needs to know. With nothing set, the embedded default."""

    model_config = SettingsConfigDict(env_prefix="REDRESS_", frozen=True, extra="ignore")

    home: Path = Field(Path(".redress"), description="Where the embedded default keeps its data")
    kafka: str | None = Field(None, description="Kafka's bootstrap servers; unset: the in-process bus")
    kafka_security: dict[str, Any] = Field({}, description="Further aiokafka options as JSON (security_protocol, ...)")
    timezone: str = Field("Asia/Hong_Kong", description="The bank's time zone, for days and for what people see")
    languages: tuple[str, ...] = ("zh-Hant", "zh-Hans", "en")
    bank_name: str = Field("Example Bank", min_length=1, description="The bank's name, at the head of its letters")
    oidc_issuer: str | None = Field(None, description="The staff directory's issuer; unset: no staff tokens")
    oidc_audience: str = "redress"
    oidc_jwks_url: str | None = Field(None, description="Where its keys are; unset: found by discovery")
    oidc_roles_claim: str = "roles"
    otlp_endpoint: str | None = Field(None, description="OTLP/HTTP base address; unset: no traces are exported")
    log_level: str = "INFO"
    retention_days: int = Field(90, ge=1, description="How long sent events stay in the outbox as its archive")
    max_parked: int = Field(1000, ge=1, description="Failing events a service parks before it stands still")
    max_body: int = Field(262_144, ge=1024, description="Largest request body in bytes")
    certificates: dict[str, Path] = Field(
        {}, description="Certificates (PEM) whose end is watched, by a name for people; as JSON"
    )
    worker_port: int | None = Field(None, description="Where a worker answers /health and /metrics; unset: nowhere")

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except Exception as error:
            raise ValueError(f"{value} is no IANA time zone") from error
        return value

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def embedded(self) -> bool:
        """Whether the in-process bus is used, so that all services share one process."""
        return self.kafka is None

    def watched_certificates(self) -> dict[str, Path]:
        """The certificates whose end is watched, by name; a service adds those that it shows itself."""
        return dict(self.certificates)

    def sqlite(self, service: str) -> str:
        return f"sqlite+aiosqlite:///{(self.home / f'{service}.db').absolute()}"
