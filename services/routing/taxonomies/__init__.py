"""Taxonomies of complaints as data, and the ways from one to another.

`load()` reads and checks them; then `.on(name, day)` is a taxonomy as it stood on a day, and `.translate(...)` says
what one of our codes is called in it. The desk's own taxonomy is `programme`: its types, root causes, reasons for no
redress and products are those of the registers that routing decides by (`classifier/taxonomy.toml`,
`classifier/products.toml`, or the bank's own folder), so there is one list of each. The others (`jrt_0169`, `fca`,
`cfpb`) are for returns.
"""

from functools import cache
from pathlib import Path

from services.routing.classifier import OWN as REGISTERS
from services.routing.taxonomies.model import Confirmed, Kind, Term, Version
from services.routing.taxonomies.reading import read
from services.routing.taxonomies.translating import Mapped, NotInForce, NotMapped, Taxonomies, Taxonomy

__all__ = [
    "OWN",
    "Confirmed",
    "Kind",
    "Mapped",
    "NotInForce",
    "NotMapped",
    "Taxonomies",
    "Taxonomy",
    "Term",
    "Version",
    "load",
]

OWN = Path(__file__).resolve().parent / "data"


@cache
def load(registers: Path = REGISTERS) -> Taxonomies:
    """All taxonomies, read and checked once. `registers` is the folder that the classifier uses; a file in its
    sub-folder `taxonomies/` takes the place of ours of the same name, or adds a taxonomy.

    Raises BadRegister, which names the file and the entry.
    """
    return Taxonomies(read(OWN, registers))
