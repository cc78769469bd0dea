"""The transaction boundary. Nobody else commits.

`Database.transaction()` is one unit of work: the state, the events (outbox) and the audit entries of a use case are
written together and committed before it returns. `GroupCommit` does the same for many requests at once.
"""

from shared.db.database import Database, is_outage
from shared.db.group import GroupCommit, is_duplicate
from shared.db.pending import Pending, pending
from shared.db.tables import SystemTables, UtcDateTime

__all__ = ["Database", "GroupCommit", "Pending", "SystemTables", "UtcDateTime", "is_duplicate", "is_outage", "pending"]
