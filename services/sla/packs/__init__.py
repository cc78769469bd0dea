"""The policy packs: one TOML file for each version of each jurisdiction's rules, and the loader that checks them.

A pack is data, so that whoever knows the rule can read and correct it. `loader` says what a file may hold.
"""

from services.sla.packs.loader import FOLDER, PackError, load

__all__ = ["FOLDER", "PackError", "load"]
