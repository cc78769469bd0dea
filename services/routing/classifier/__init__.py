"""Classification and routing by rules in data. `load` reads and checks the registers; `Rulebook` decides.

The registers are TOML files beside this module; a bank may give a folder of its own (`REDRESS_ROUTING_REGISTERS`).
"""

from functools import cache
from pathlib import Path

from services.routing.classifier.decide import Classification, Routing, Rulebook, Spoke
from services.routing.classifier.registers import BadRegister, read

__all__ = ["BadRegister", "Classification", "Routing", "Rulebook", "Spoke", "load"]

OWN = Path(__file__).resolve().parent


@cache
def load(folder: Path = OWN) -> Rulebook:
    """The rulebook in `folder`, read and compiled once. Raises BadRegister, which names the file and the entry."""
    return Rulebook(read(folder))
