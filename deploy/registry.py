"""The four services, as those who run them need to see them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from services.intake import app as intake_app
from services.intake import store as intake_store
from services.intake import worker as intake_worker
from services.intake.settings import IntakeSettings
from services.reporting import app as reporting_app
from services.reporting import store as reporting_store
from services.reporting import worker as reporting_worker
from services.reporting.settings import ReportingSettings
from services.routing import app as routing_app
from services.routing import store as routing_store
from services.routing import worker as routing_worker
from services.routing.settings import RoutingSettings
from services.sla import app as sla_app
from services.sla import store as sla_store
from services.sla import worker as sla_worker
from services.sla.settings import SlaSettings
from shared import migrations
from shared.db import Database, SystemTables
from shared.settings import Settings
from shared.worker import Worker

_SERVICES = Path(__file__).resolve().parent.parent / "services"


@dataclass(frozen=True, slots=True)
class Service:
    """One service and how to make its parts. `settings` is its class; its instances have `database`, an address."""

    name: str
    settings: Callable[..., Any]
    tables: SystemTables
    app: Callable[..., FastAPI]
    worker: Callable[..., Worker]

    @property
    def migrations(self) -> Path:
        return _SERVICES / self.name / "migrations"

    def database(self, settings: Settings) -> Database:
        return Database(self.name, self.url(settings), self.tables, tls=settings.postgres_tls())

    @staticmethod
    def url(settings: Any) -> str:
        return str(settings.database)

    def migrate(self, settings: Settings) -> None:
        """Bring the service's database up to date. Blocking."""
        migrations.migrate(self.migrations, self.url(settings), tls=settings.postgres_tls())


SERVICES = {
    s.name: s
    for s in (
        Service("intake", IntakeSettings, intake_store.tables, intake_app.create_app, intake_worker.create_worker),
        Service("routing", RoutingSettings, routing_store.tables, routing_app.create_app, routing_worker.create_worker),
        Service("sla", SlaSettings, sla_store.tables, sla_app.create_app, sla_worker.create_worker),
        Service(
            "reporting",
            ReportingSettings,
            reporting_store.tables,
            reporting_app.create_app,
            reporting_worker.create_worker,
        ),
    )
}
