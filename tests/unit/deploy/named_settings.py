"""What the files for deployments are held against: the settings that there are, and what a secret is called."""

import re

from services.intake.settings import IntakeSettings
from services.reporting.settings import ReportingSettings
from services.routing.settings import RoutingSettings
from services.sla.settings import SlaSettings
from shared.settings import Settings

CLASSES: dict[str, type[Settings]] = {
    "intake": IntakeSettings,
    "routing": RoutingSettings,
    "sla": SlaSettings,
    "reporting": ReportingSettings,
}
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|KEYS?$|_KEY_|DATABASE_")


def names(of: type[Settings]) -> set[str]:
    return {f"REDRESS_{name.upper()}" for name in of.model_fields}


COMMON = names(Settings)
OF_SERVICE = {service: names(of) for service, of in CLASSES.items()}
EVERY = COMMON.union(*OF_SERVICE.values())
