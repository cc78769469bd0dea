"""Intake's settings."""

from pathlib import Path
from typing import Literal

from limits import parse
from pydantic import Field, SecretStr, field_validator, model_validator

from services.intake.channels.email import Setup as MailSetup
from services.intake.domain.linking import WINDOW_DAYS
from services.intake.gateways.objects import Objects
from services.intake.listeners.mail import Listening
from services.intake.usecases.attachment import Files
from services.intake.usecases.complaint import Desk
from shared.clock import Clock
from shared.db import Database
from shared.security.crypto import MasterKeys, development_keys
from shared.settings import Settings


class IntakeSettings(Settings):
    """Beside the common ones: where the data is, the keys that seal it, the address that complainants see."""

    database_intake: str | None = None
    encryption_keys: SecretStr | None = Field(None, description="id:base64,id:base64; 32 bytes each, current first")
    pseudonym_key: SecretStr | None = Field(None, description="base64 of 32 bytes; never changes")
    public_url: str = Field("http://127.0.0.1:8000/intake", description="Intake's address as complainants see it")
    default_jurisdiction: str = Field(
        "hk", description="Whose rights hold for complaints of no jurisdiction, or one that rights.toml does not know"
    )
    rate_limit_forms: str = Field(
        "30/hour", description="Complaints that one address may send by the form without script, in each process"
    )
    rate_limit_searches: str = Field(
        "60/minute", description="Searches for persons by one key or member of staff, in each process"
    )
    form_proof_bits: int = Field(15, ge=0, le=24, description="Zeros that the form's proof of work begins with")
    form_file_max: int = Field(26_214_400, ge=1024, description="Largest file in bytes that the form takes")

    @field_validator("rate_limit_forms", "rate_limit_searches")
    @classmethod
    def _known_form_limit(cls, value: str) -> str:
        parse(value)
        return value

    link_window_days: int = Field(
        WINDOW_DAYS, ge=1, le=365, description="Complaints of one person this far apart may be reports of one matter"
    )
    attachments: str | None = Field(None, description="Address of an object store (s3://...); unset: a folder in home")
    attachment_max: int = Field(262_144_000, ge=1024, description="Largest file in bytes")
    scans_max: int = Field(
        1_073_741_824, ge=1024, description="Largest letter or branch form with its files in one request, in bytes"
    )
    scans_files: int = Field(50, ge=1, le=1000, description="Most files in such a request")
    clamav: str | None = Field(None, pattern=r"^[^\s]+:\d{1,5}$", description="clamd's host:port; unset: no scanner")

    smtp_host: str | None = Field(None, description="Mail server for what goes out; unset: such things wait")
    smtp_port: int = Field(587, ge=1, le=65535)
    smtp_tls: Literal["none", "starttls", "implicit"] = "starttls"
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_sender: str = Field(
        "complaints@redress.invalid", pattern=r"^[^@\s]+@[^@\s]+$", description="From whom it comes; answers go there"
    )
    sms_url: str | None = Field(None, description="SMS gateway's address; unset: such things wait")
    sms_key: SecretStr | None = Field(None, description="Its bearer token")
    sms_sender: str = "Redress"

    webhook_private: bool = Field(False, description="Let webhooks go to private addresses, and over plain http")
    complaint_retention_days: int | None = Field(
        None, ge=1, description="Days after closing until personal data is erased by itself; unset: it is kept"
    )

    mail_listen: str | None = Field(
        None, pattern=r"^[^\s:]+:\d{1,5}$|^\[[0-9a-fA-F:.]+\]:\d{1,5}$", description="host:port for mail; unset: none"
    )
    mail_protocol: Literal["smtp", "lmtp"] = "smtp"
    mail_hostname: str = Field("redress.invalid", min_length=1, description="The name by which the listener greets")
    mail_recipients: tuple[str, ...] = Field(
        (), description="Addresses (complaints@bank.example) or whole domains (@bank.example) that mail is taken for"
    )
    mail_max_size: int = Field(26_214_400, ge=1024, description="Largest mail in bytes")
    mail_connections: int = Field(20, ge=1, description="Mail connections at a time; further ones are put off")
    mail_tls_certificate: Path | None = Field(None, description="PEM file with the chain; with it, STARTTLS is offered")
    mail_tls_key: Path | None = Field(None, description="PEM file; unset: it is in the file of the certificate")
    mail_tls_required: bool = Field(False, description="Refuse mail that comes in the clear")
    mail_authserv_id: str | None = Field(
        None, description="Under which name the bank's own mail server writes Authentication-Results; unset: not read"
    )
    mail_automatic_senders: tuple[str, ...] = Field(
        (), description="Addresses or domains of systems whose automatic mail is a complaint (a portal, a form)"
    )
    mail_answered_per_hour: int = Field(
        5, ge=0, description="Complaints by mail of one sender answered automatically; further ones are only taken"
    )

    @model_validator(mode="after")
    def _mail_is_whole(self) -> "IntakeSettings":
        if self.mail_listen and not self.mail_recipients:
            raise ValueError("REDRESS_MAIL_LISTEN needs REDRESS_MAIL_RECIPIENTS: mail for nobody is refused")
        if self.mail_tls_required and not self.mail_tls_certificate:
            raise ValueError("REDRESS_MAIL_TLS_REQUIRED needs REDRESS_MAIL_TLS_CERTIFICATE")
        return self

    def mail_setup(self) -> MailSetup:
        return MailSetup(self.mail_authserv_id, self.mail_automatic_senders)

    def mail_listening(self) -> Listening | None:
        """Where mail comes in; None where it does not."""
        if self.mail_listen is None:
            return None
        host, _, port = self.mail_listen.rpartition(":")
        return Listening(
            host.strip("[]"),
            int(port),
            self.mail_protocol,
            self.mail_hostname,
            self.mail_recipients,
            self.mail_max_size,
            self.mail_connections,
            self.mail_tls_certificate,
            self.mail_tls_key,
            self.mail_tls_required,
        )

    def watched_certificates(self) -> dict[str, Path]:
        mine = {"mail": self.mail_tls_certificate} if self.mail_tls_certificate else {}
        return super().watched_certificates() | mine

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


def make_files(settings: IntakeSettings, db: Database, desk: Desk, clock: Clock) -> Files:
    """Where files are kept, as the settings say."""
    objects = Objects.at(settings.attachments, folder=settings.home / "attachments")
    return Files(db, desk.keys, objects, clock, most=settings.attachment_max, scanner=settings.clamav)
