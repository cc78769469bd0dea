"""Classification and routing by rules in data and a model. `load` reads and checks the registers; `Rulebook` decides;
`Current` is the one in use.

The registers are TOML files beside this module; a bank may give a folder of its own (`REDRESS_ROUTING_REGISTERS`).
"""

from functools import cache
from pathlib import Path

from services.routing.classifier.current import Current
from services.routing.classifier.decide import Classification, Facts, Rulebook, Spoke
from services.routing.classifier.model import Model
from services.routing.classifier.model import read as read_model
from services.routing.classifier.registers import BadRegister, read
from services.routing.classifier.table import Routing

__all__ = ["BadRegister", "Classification", "Current", "Facts", "Routing", "Rulebook", "Spoke", "load", "shipped"]

OWN = Path(__file__).resolve().parent


@cache
def load(folder: Path = OWN) -> Rulebook:
    """The rulebook in `folder` with the starter model, read once. Raises BadRegister, which names file and entry."""
    return Rulebook(read(folder), shipped())


@cache
def shipped() -> Model:
    """The model that the project ships, trained on texts that the project makes up (`starter/`)."""
    return read_model(OWN / "starter" / "model.npz")
