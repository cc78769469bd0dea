"""SLA's tables.

Two kinds of transaction meet in these tables: consumers (and people), who bring facts, and engines, who do what is due.
A consumer locks its complaints in order of their ids, then their clocks and steps, and waits; an engine takes only
steps that nobody holds, and waits for nobody. So neither blocks the other for good, and each sees what the other has
done. On SQLite the one write transaction does the same.
"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Column, Date, ForeignKey, Index, MetaData, String, Table, Text
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel

from shared.db import SystemTables, UtcDateTime

metadata = MetaData()
tables = SystemTables(metadata)


class Base(SQLModel):
    metadata = metadata


def moment(*, nullable: bool = True) -> Any:
    return Field(None, sa_column=Column(UtcDateTime, nullable=nullable))


def text(*, nullable: bool = False) -> Any:
    return Field(None, sa_column=Column(Text, nullable=nullable))


class ComplaintRow(Base, table=True):
    """One complaint: what is known of it, from whichever event came first. See `domain.facts.Facts`."""

    __tablename__ = "complaint"

    complaint_id: str = Field(primary_key=True, max_length=64)
    received_at: datetime | None = moment()
    reference: str | None = Field(None, max_length=40)
    jurisdiction: str | None = Field(None, max_length=100)
    channel: str | None = Field(None, max_length=100)
    branch: str | None = Field(None, max_length=200)
    product: str | None = Field(None, max_length=200)
    category: str | None = Field(None, max_length=100)
    severity: str | None = Field(None, max_length=20)
    classified_at: datetime | None = moment()
    referred_by: str | None = Field(None, max_length=100)
    imposed_due_at: datetime | None = moment()
    imported: bool
    department: str | None = Field(None, max_length=100, index=True)
    routed_at: datetime | None = moment()
    assignee: str | None = Field(None, max_length=200)
    assigned_at: datetime | None = moment()
    first_contact_at: datetime | None = moment()
    acknowledged_at: datetime | None = moment()
    responded_at: datetime | None = moment()
    final_response_at: datetime | None = moment()
    last_final_response_at: datetime | None = moment()
    resolved_at: datetime | None = moment()
    upheld_at: datetime | None = moment()
    withdrawn_at: datetime | None = moment()
    closed_at: datetime | None = moment()
    last_closed_at: datetime | None = moment()
    reopened_at: datetime | None = moment()
    review_opened_at: datetime | None = moment()
    waiting_since: datetime | None = moment()
    governs_from: datetime | None = moment()


class ClockRow(Base, table=True):
    """One clock of a complaint. `pauses`: JSON, [[since, until or null], ...]. See `domain.clock.Clock`."""

    __tablename__ = "clock"

    clock_id: str = Field(primary_key=True, max_length=36)
    complaint_id: str = Field(
        sa_column=Column(String(64), ForeignKey("complaint.complaint_id"), nullable=False, index=True)
    )
    pack: str = Field(max_length=40)
    pack_version: str = Field(max_length=40)
    kind: str = Field(max_length=12)
    is_primary: bool
    reason: str = text()
    zone: str = Field(max_length=64)
    opened_at: datetime = moment(nullable=False)
    start: datetime = moment(nullable=False)
    calendar: str = Field(max_length=64)
    seq: int
    pauses: str = text()
    ended_at: datetime | None = moment()


class StepRow(Base, table=True):
    """One deadline, with a copy of its rule, so that it stays explained whatever becomes of the pack.

    `watching`: JSON of the rule's warnings, ladder and whether a miss is a breach. `next_at`: see `domain.clock.Step`.
    `act_by`: when work must begin at the latest, as long as such complaints usually take. `state` repeats what the
    other columns say, for queries.
    """

    __tablename__ = "step"

    clock_id: str = Field(sa_column=Column(String(36), ForeignKey("clock.clock_id"), primary_key=True))
    name: str = Field(primary_key=True, max_length=24)
    complaint_id: str = Field(max_length=64, index=True)
    length: int
    unit: str = Field(max_length=20)
    count_from: str = Field(max_length=20)
    since: datetime = moment(nullable=False)
    due_at: datetime = moment(nullable=False)
    provisional: bool
    extended_to: date | None = Field(None, sa_column=Column(Date))
    cap: datetime | None = moment()
    met_at: datetime | None = moment()
    source: str = text()
    article: str = text()
    confirmed: bool
    effective_from: date = Field(sa_column=Column(Date, nullable=False))
    watching: str = text()
    next_at: datetime | None = moment()
    act_by: datetime = moment(nullable=False)
    historic: bool
    warned: int
    warned_at: datetime | None = moment()
    missed_at: datetime | None = moment()
    rung: int
    repeats: int
    escalated_at: datetime | None = moment()
    told_at: datetime | None = moment()
    answered_at: datetime | None = moment()
    answered_by: str | None = Field(None, max_length=200)
    held: int
    ended: bool
    state: str = Field(max_length=10)


class EntryRow(Base, table=True):
    """A row of a clock's ledger; only ever added. See `domain.ledger.Entry`."""

    __tablename__ = "entry"

    clock_id: str = Field(primary_key=True, max_length=36)
    seq: int = Field(primary_key=True)
    kind: str = Field(max_length=12)
    at: datetime = moment(nullable=False)
    recorded_at: datetime = moment(nullable=False)
    actor: str = Field(max_length=200)
    reason: str = text()
    calendar: str = Field(max_length=64)
    detail: str = text()


class EditionRow(Base, table=True):
    """A calendar as it was when deadlines were first counted with it, whole, so that they can be counted again."""

    __tablename__ = "calendar_edition"

    version: str = Field(primary_key=True, max_length=64)
    calendar: str = Field(max_length=40)
    content: str = text()
    first_used_at: datetime = moment(nullable=False)


class HandlingRow(Base, table=True):
    """How many complaints of a department and type took how long to their final response. `bucket`: see
    `domain.handling`."""

    __tablename__ = "handling"

    department: str = Field(primary_key=True, max_length=100)
    category: str = Field(primary_key=True, max_length=100)
    bucket: int = Field(primary_key=True)
    count: int


COMPLAINT: Table = metadata.tables["complaint"]
CLOCK: Table = metadata.tables["clock"]
STEP: Table = metadata.tables["step"]
ENTRY: Table = metadata.tables["entry"]
EDITION: Table = metadata.tables["calendar_edition"]
HANDLING: Table = metadata.tables["handling"]

_acts = STEP.c.next_at.is_not(None)
as_due = (STEP.c.next_at, STEP.c.complaint_id, STEP.c.due_at)
Index("step_next", *as_due, postgresql_where=_acts, sqlite_where=_acts)
open_step = STEP.c.met_at.is_(None) & STEP.c.historic.is_(False) & STEP.c.ended.is_(False)
Index("step_open", STEP.c.act_by, STEP.c.clock_id, STEP.c.name, postgresql_where=open_step, sqlite_where=open_step)
Index("step_due", STEP.c.due_at, STEP.c.clock_id, STEP.c.name, postgresql_where=open_step, sqlite_where=open_step)
Index("step_state", STEP.c.state, STEP.c.complaint_id, STEP.c.name)
escalated = open_step & (STEP.c.rung > 0)
Index("step_escalated", STEP.c.told_at, STEP.c.clock_id, postgresql_where=escalated, sqlite_where=escalated)
_provisional = STEP.c.provisional.is_(True) & STEP.c.met_at.is_(None)
Index("step_provisional", STEP.c.clock_id, postgresql_where=_provisional, sqlite_where=_provisional)

# For compliance checks: they hold what may have broken a rule, and nothing else.
LATE = "name = 'final' AND state IN ('missed', 'met_late') AND extended_to IS NULL AND historic = false"
UNTOLD = "missed_at IS NOT NULL AND rung = 0 AND historic = false"
EXTENDED, PAUSED = "kind = 'extended'", "kind = 'paused'"
for _name, _columns, _where in (
    ("step_late", (STEP.c.due_at, STEP.c.clock_id), LATE),
    ("step_untold", (STEP.c.missed_at, STEP.c.clock_id, STEP.c.name), UNTOLD),
    ("entry_extended", (ENTRY.c.recorded_at, ENTRY.c.clock_id, ENTRY.c.seq, ENTRY.c.reason), EXTENDED),
    ("entry_paused", (ENTRY.c.at, ENTRY.c.clock_id, ENTRY.c.seq), PAUSED),
):
    Index(_name, *_columns, postgresql_where=sql(_where), sqlite_where=sql(_where))


class FeedRow(Base, table=True):
    """A department's calendar, readable by whoever has the secret of which `hash` is kept."""

    __tablename__ = "feed"

    id: str = Field(primary_key=True, max_length=36)
    hash: str = Field(max_length=64, unique=True)
    department: str = Field(max_length=100)
    created_by: str = Field(max_length=200)
    created_at: datetime = moment(nullable=False)
    revoked_at: datetime | None = moment()


FEED: Table = metadata.tables["feed"]


class ConfirmationRow(Base, table=True):
    """That somebody of the bank stands by one edition of a policy pack or calendar, named by its content: what is
    changed later is another edition, and unconfirmed. `kind`: pack or calendar. Only ever added."""

    __tablename__ = "confirmation"

    kind: str = Field(primary_key=True, max_length=10)
    name: str = Field(primary_key=True, max_length=40)
    edition: str = Field(primary_key=True, max_length=64)
    by: str = Field(max_length=200)
    at: datetime = moment(nullable=False)
    note: str = text()


CONFIRMATION: Table = metadata.tables["confirmation"]
