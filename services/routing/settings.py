"""Routing's settings."""

from pathlib import Path

from pydantic import Field

from services.routing.classifier import OWN
from services.routing.letters import load as load_letters
from services.routing.usecases.letters import Desk
from shared.settings import Settings


class RoutingSettings(Settings):
    """Beside the common ones: where the data is, and the bank's own registers if it has them."""

    database_routing: str | None = None
    routing_registers: Path = Field(OWN, description="Folder with rules, routes, departments, products, taxonomy")
    routing_jurisdiction: str = Field("hk", description="Whose law holds for letters where a complaint names none")

    @property
    def letter_desk(self) -> Desk:
        """What letters need of the bank."""
        return Desk(load_letters(), self.bank_name, self.zone, self.routing_jurisdiction)

    @property
    def database(self) -> str:
        return self.database_routing or self.sqlite("routing")
