"""Who is calling, and what they may do. Default deny: no role and no scope means nothing."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """Staff roles. `agent` takes complaints in; `officer` handles them; `supervisor` heads a department; `manager` sees
    figures; `auditor` reads everything and changes nothing; `admin` runs the desk."""

    AGENT = "agent"
    OFFICER = "officer"
    SUPERVISOR = "supervisor"
    MANAGER = "manager"
    AUDITOR = "auditor"
    ADMIN = "admin"


STAFF = frozenset(Role)


class Scope(StrEnum):
    """What a system's key may do."""

    WRITE = "complaints:write"
    READ = "complaints:read"
    IMPORT = "complaints:import"


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller. `id` names a key or a person in the bank's directory and goes into the audit trail.

    `channels` are those a key may post for; empty for staff. `branch` and `departments` are where a person works, as
    the bank's directory says; what is unset there is left to routing's register of officers.
    """

    id: str
    roles: frozenset[Role] = frozenset()
    scopes: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    key_id: str | None = None
    branch: str | None = None
    departments: frozenset[str] = frozenset()

    def has(self, *wanted: str) -> bool:
        """Whether any of `wanted`, roles or scopes, is held."""
        return any(w in self.roles or w in self.scopes for w in wanted)
