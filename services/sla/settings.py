"""SLA's settings."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from services.sla import calendars, packs
from services.sla.calendars.sources import Source, sources
from services.sla.domain.notice import Rules, Setup
from services.sla.domain.policy import Policies
from services.sla.domain.post import DUTY, Post
from services.sla.gateways.ways import Means
from services.sla.usecases.sending import Sender
from shared.clock import Clock
from shared.db import Database
from shared.outbound import Outbound
from shared.security.crypto import MasterKeys, development_keys
from shared.settings import Settings
from shared.smtp import Send, smtp


class SlaSettings(Settings):
    """Beside the common ones: where the data is, the bank's own packs and calendars, how imported history is treated,
    by which ways notices go, when, and who is told when nobody else can be."""

    database_sla: str | None = None
    default_pack: str = Field("hk-hkma", description="The pack for complaints of unknown or no jurisdiction")
    sla_packs: Path | None = Field(None, description="Folder of the bank's own packs, beside those that are shipped")
    sla_calendars: Path | None = Field(
        None, description="File that closes or opens days, changes working hours, and confirms holidays"
    )
    historic_grace: float = Field(
        60, ge=0, le=86_400, description="Seconds that lapsed deadlines of imported history wait for their casework"
    )
    encryption_keys: SecretStr | None = Field(None, description="id:base64,id:base64; 32 bytes each, current first")
    pseudonym_key: SecretStr | None = Field(None, description="base64 of 32 bytes; never changes")
    smtp_host: str | None = Field(None, description="Mail server for what goes out; unset: such things wait")
    smtp_port: int = Field(587, ge=1, le=65535)
    smtp_tls: Literal["none", "starttls", "implicit"] = "starttls"
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    notice_sender: str = Field(
        "deadlines@redress.invalid", pattern=r"^[^@\s]+@[^@\s]+$", description="From whom staff's notices come"
    )
    notice_window: float = Field(300, ge=0, le=86_400, description="Seconds for which notices are gathered into one")
    notice_urgent_level: int = Field(
        3, ge=1, description="Escalations of this level and above go at once, at night too"
    )
    notice_listed: int = Field(20, ge=1, le=200, description="Notices that one message lists; it counts the others")
    notice_secret_overlap: float = Field(
        86_400, ge=0, le=2_592_000, description="Seconds for which a replaced signing secret goes on signing"
    )
    notice_retention_days: int = Field(365, ge=1, description="How long what was sent or has failed stays in the log")
    case_url: str = Field(
        "http://127.0.0.1:8000/routing/v1/cases/{complaint_id}", description="Where staff find a case"
    )
    duty_person: str = Field(DUTY, min_length=1, max_length=200, description="Who is reached when nobody else can be")
    duty_email: str | None = Field(
        None, pattern=r"^[^@\s]+@[^@\s]+$", description="The last resort's mailbox; also for posts without an address"
    )
    webhook_private: bool = Field(False, description="Let webhooks go to private addresses, and over plain http")

    @field_validator("case_url")
    @classmethod
    def _names_the_case(cls, value: str) -> str:
        if "{complaint_id}" not in value:
            raise ValueError("REDRESS_CASE_URL must hold {complaint_id}")
        return value

    def notice_setup(self) -> Setup:
        rules = Rules(timedelta(seconds=self.notice_window), self.notice_urgent_level, self.notice_listed)
        duty = Post(DUTY, DUTY, holder=self.duty_person, email=self.duty_email)
        return Setup(self.zone, self.languages[0], duty, rules)

    def notice_keys(self) -> MasterKeys | None:
        """The keys that seal subscriptions; the embedded default makes its own. None where they are needed and not set:
        then there can be no subscriptions. Raises ValueError where they are no keys."""
        if self.encryption_keys and self.pseudonym_key:
            return MasterKeys.parse(
                self.encryption_keys.get_secret_value(), pseudonym_key=self.pseudonym_key.get_secret_value()
            )
        if not self.embedded or self.database_sla:
            return None
        return development_keys(self.home / "encryption-keys.json")

    def notice_mail(self) -> Send | None:
        if self.smtp_host is None:
            return None
        password = self.smtp_password.get_secret_value() if self.smtp_password else None
        return smtp(
            self.smtp_host,
            self.smtp_port,
            sender=self.notice_sender,
            username=self.smtp_username,
            password=password,
            tls=self.smtp_tls,
        )

    @property
    def database(self) -> str:
        return self.database_sla or self.sqlite("sla")

    @property
    def grace(self) -> timedelta:
        return timedelta(seconds=self.historic_grace)

    def policies(self) -> Policies:
        """The packs that are shipped and the bank's own. Raises PackError, CalendarError."""
        return packs.load(self.default_pack, calendars=calendars.load(self.sla_calendars), own=self.sla_packs)

    def calendar_sources(self) -> Mapping[str, Source]:
        """Where the days of each calendar come from; after `policies`, which says what is wrong with the files."""
        return sources(self.sla_calendars)


def sender(db: Database, settings: SlaSettings, clock: Clock, *, means: Means | None = None) -> Sender:
    """What sends notices, for a timer: `Timer("notices", 1, sender(...).run_once)`. `means` are those of the settings
    unless given."""
    means = means or Means(settings.notice_mail(), Outbound(private=settings.webhook_private))
    keys, setup = settings.notice_keys(), settings.notice_setup()
    return Sender(db, clock, means, setup, keys=keys, case_url=settings.case_url)
