"""Where intake's tables are gathered."""

from sqlalchemy import Index, MetaData, text
from sqlmodel import SQLModel

from shared.db import SystemTables

metadata = MetaData()
tables = SystemTables(metadata)
READS = """action IN ('complaint.read', 'messages.read', 'letters.read', 'letter.read', 'letter.printed',
'files.read', 'vulnerability.read', 'subject_access.exported', 'dispatch.read')"""
"""Audit entries of somebody having looked at personal data; as the index says it, so that queries find that."""
Index("audit_reads", tables.audit.c.at, tables.audit.c.actor, sqlite_where=text(READS), postgresql_where=text(READS))


class Base(SQLModel):
    metadata = metadata
