"""The policy packs: one TOML file for each version of each regulator's rules or of the bank's own standards, and the
loader that checks them.

A pack is data, so that whoever knows the rule can read and correct it. `schema` says what a file may hold.
"""

from services.sla.packs.loader import FOLDER, PackError, load

__all__ = ["FOLDER", "PackError", "load"]
