"""The policy packs: one TOML file for each version of each regulator's rules and of the bank's own standards, and the
escalation ladders in `ladders.toml`.

A pack is data, so that whoever knows the rule can read and correct it. `schema` says what a file may hold, `checks`
what must hang together, and `loader` reads them.
"""

from services.sla.packs.loader import FOLDER, PackError, load

__all__ = ["FOLDER", "PackError", "load"]
