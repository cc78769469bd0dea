"""Settings from the environment (`REDRESS_*`), frozen. Each service adds its own in `services/<name>/settings.py`."""

from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

from limits import parse
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared import tls
from shared.security.sessions import SessionKeys, development_keys


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
    oidc_branch_claim: str = "branch"
    oidc_departments_claim: str = "departments"
    oidc_client_id: str | None = Field(None, description="Our name at the directory; unset: no signing in through it")
    oidc_client_secret: SecretStr | None = Field(None, description="Our secret there; unset: a public client")
    oidc_scopes: str = "openid"
    session_keys: SecretStr | None = Field(
        None, description="id:base64,... of 32 bytes each, the current one first; unset: nobody signs in to pages"
    )
    trusted_proxies: tuple[str, ...] = Field(
        (), description="Networks of the proxies in front, whose X-Forwarded-For is believed"
    )
    session_hours: float = Field(12, gt=0, le=24, description="The longest that a session lasts")
    session_idle_minutes: float = Field(30, gt=0, description="A session ends when nothing was done for so long")
    sign_in_limit: str = Field("20/minute", description="How often one address may try to sign in")
    otlp_endpoint: str | None = Field(None, description="OTLP/HTTP base address; unset: no traces are exported")
    log_level: str = "INFO"
    retention_days: int = Field(90, ge=1, description="How long sent events stay in the outbox as its archive")
    max_parked: int = Field(1000, ge=1, description="Failing events a service parks before it stands still")
    max_body: int = Field(262_144, ge=1024, description="Largest request body in bytes")
    rate_limit_callers: str = Field(
        "120000/minute", description="What one key or member of staff may send to what writes, in each process"
    )
    rate_limit_addresses: str = Field(
        "600/minute", description="What one address may send to what is open to all, in each process"
    )
    rate_limit_readers: str = Field(
        "6000/minute", description="Pages open to all that one address may read, in each process"
    )
    tls_ca: Path | None = Field(
        None, description="PEM file of the authorities that servers and clients must be of; unset: the machine's own"
    )
    tls_certificate: Path | None = Field(
        None, description="PEM file with the chain: who this process is, to both sides"
    )
    tls_key: Path | None = Field(None, description="PEM file; unset: it is in the file of the certificate")
    http_tls: Literal["off", "server", "mutual"] = Field(
        "off", description="Serve https; mutual: only to who shows a certificate of REDRESS_TLS_CA"
    )
    kafka_tls: Literal["off", "verify-ca", "verify-full"] = Field(
        "off", description="TLS to Kafka: the broker's certificate is checked, with verify-full its name as well"
    )
    database_tls: Literal["off", "verify-ca", "verify-full"] = Field(
        "off", description="TLS to PostgreSQL, likewise; off: as the database's address says"
    )
    certificates: dict[str, Path] = Field(
        {}, description="Certificates (PEM) whose end is watched, by a name for people; as JSON"
    )
    drain_seconds: float = Field(
        0,
        ge=0,
        le=60,
        description="How long a process that is told to stop serves on, not ready, so that proxies notice",
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

    @field_validator("rate_limit_callers", "rate_limit_addresses", "rate_limit_readers")
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

    @field_validator("session_keys")
    @classmethod
    def _usable_session_keys(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            SessionKeys.parse(value.get_secret_value())
        return value

    @property
    def sealing(self) -> SessionKeys | None:
        """What seals sessions; made in `home` by the embedded default alone."""
        if self.session_keys is not None:
            return SessionKeys.parse(self.session_keys.get_secret_value())
        return development_keys(self.home / "session-keys") if self.embedded else None

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if self.http_tls != "off" and self.tls_certificate is None:
            raise ValueError("REDRESS_HTTP_TLS needs REDRESS_TLS_CERTIFICATE")
        if self.http_tls == "mutual" and self.tls_ca is None:
            raise ValueError("REDRESS_HTTP_TLS=mutual needs REDRESS_TLS_CA: whose certificates clients must show")
        if self.tls_key is not None and self.tls_certificate is None:
            raise ValueError("REDRESS_TLS_KEY needs REDRESS_TLS_CERTIFICATE")
        return self

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def embedded(self) -> bool:
        """Whether the in-process bus is used, so that all services share one process."""
        return self.kafka is None

    def watched_certificates(self) -> dict[str, Path]:
        """The certificates whose end is watched, by name; a service adds those that it alone shows."""
        own = {"tls": self.tls_certificate} if self.tls_certificate else {}
        return own | self.certificates

    def sqlite(self, service: str) -> str:
        return f"sqlite+aiosqlite:///{(self.home / f'{service}.db').absolute()}"

    def client_tls(self, *, names: bool = True) -> tls.Context:
        """For connections that this process opens; `names`: whether the other side bears its name. Raises OSError."""
        return tls.client(ca=self.tls_ca, certificate=self.tls_certificate, key=self.tls_key, names=names)

    def server_tls(self) -> tls.Context | None:
        """For the HTTP server of this process; None: plain http. Raises OSError."""
        if self.http_tls == "off" or self.tls_certificate is None:
            return None
        ca = self.tls_ca if self.http_tls == "mutual" else None
        return tls.server(certificate=self.tls_certificate, key=self.tls_key, ca=ca)

    def postgres_tls(self) -> tls.Context | None:
        """For connections to PostgreSQL; None: as its address says. Raises OSError."""
        return None if self.database_tls == "off" else self.client_tls(names=self.database_tls == "verify-full")

    def kafka_options(self) -> dict[str, Any]:
        """What aiokafka's clients are to be given beside the bootstrap servers. Raises OSError."""
        if self.kafka_tls == "off":
            return self.kafka_security
        protocol = "SASL_SSL" if "sasl_mechanism" in self.kafka_security else "SSL"
        context = self.client_tls(names=self.kafka_tls == "verify-full")
        return {**self.kafka_security, "security_protocol": protocol, "ssl_context": context}
