"""Routing's settings."""

from pathlib import Path

from pydantic import Field

from services.routing.classifier import OWN
from shared.settings import Settings


class RoutingSettings(Settings):
    """Beside the common ones: where the data is, and the bank's own registers if it has them."""

    database_routing: str | None = None
    routing_registers: Path = Field(OWN, description="Folder with rules, routes, departments, products, taxonomy")
    routing_jurisdiction: str = Field("hk", description="Whose law holds for letters where a complaint names none")

    @property
    def database(self) -> str:
        return self.database_routing or self.sqlite("routing")
