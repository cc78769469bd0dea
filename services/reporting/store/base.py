"""The tables of the read model."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, Text
from sqlmodel import Field, SQLModel

from shared.db import SystemTables, UtcDateTime

metadata = MetaData()
BIGINT = BigInteger().with_variant(Integer(), "sqlite")


class Base(SQLModel):
    metadata = metadata


tables = SystemTables(metadata)


def _day() -> Any:
    return Field(None)


def _code(length: int = 64) -> Any:
    return Field(max_length=length)


class ReadModel(Base, table=True):
    """One row: which `slot` of the tables below is read, and which is being built beside it, if one is.

    `stale`: the figures lack what only replaying the events can tell, as after an upgrade.
    """

    __tablename__ = "read_model"

    id: int = Field(primary_key=True)
    live: int
    building: int | None = None
    began_at: datetime | None = Field(None, sa_type=UtcDateTime)
    stale: bool = False


class ComplaintFact(Base, table=True):
    """One row a complaint and slot: the fact (`known`, `domain.fact`), and where it counts (`domain.place`)."""

    __tablename__ = "fact"
    __table_args__ = (
        Index("fact_day", "slot", "day", "complaint_id"),
        Index("fact_customer", "slot", "customer_ref"),
    )

    slot: int = Field(primary_key=True)
    complaint_id: str = Field(primary_key=True, max_length=64)
    known: str = Field(sa_column=Column(Text, nullable=False))
    reference: str | None = Field(None, max_length=40)
    received_at: datetime | None = Field(None, sa_type=UtcDateTime)
    customer_ref: str | None = Field(None, max_length=64)
    day: date | None = _day()
    acknowledged_day: date | None = _day()
    responded_day: date | None = _day()
    resolved_day: date | None = _day()
    closed_day: date | None = _day()
    reopened_day: date | None = _day()
    disputed_day: date | None = _day()
    rated_day: date | None = _day()
    channel: str = _code()
    category: str = _code()
    product: str = _code()
    department: str = _code()
    branch: str = _code()
    severity: str = _code(20)
    language: str = _code(35)
    jurisdiction: str = _code()
    outcome: str = _code(20)
    root_cause: str = _code()
    state: str = _code(10)
    vulnerable: str = _code(3)
    repeat: str = _code(3)
    to_acknowledge: int | None = None
    to_respond: int | None = None
    to_close: int | None = None
    redress: int | None = Field(None, sa_column=Column(BIGINT))
    currency: str | None = Field(None, max_length=3)
    overall: int | None = None
    staff: int | None = None
    product_rating: int | None = None
    handling: int | None = None
    assignee: str | None = Field(None, max_length=100)
    status: str = _code(20)


facts: Table = ComplaintFact.__table__  # type: ignore[attr-defined]
Index(
    "fact_open",
    facts.c.slot,
    facts.c.department,
    facts.c.assignee,
    postgresql_where=facts.c.state == "open",
    sqlite_where=facts.c.state == "open",
)
for _name in ("closed_day", "responded_day", "resolved_day"):
    _column = facts.c[_name]
    _set = _column.is_not(None)
    Index(f"fact_{_name}", facts.c.slot, _column, postgresql_where=_set, sqlite_where=_set)


class DeadlineFact(Base, table=True):
    """One row for each deadline of a complaint; see `domain.fact.Deadline`."""

    __tablename__ = "deadline_fact"
    __table_args__ = {"sqlite_with_rowid": False}

    slot: int = Field(primary_key=True)
    complaint_id: str = Field(primary_key=True, max_length=64)
    key: str = Field(primary_key=True, max_length=120)
    step: str = _code(30)
    rule: str = _code()
    kind: str = _code(20)
    is_primary: bool
    result: str = _code(20)


class Tally(Base, table=True):
    """How many are in one cell (`domain.place.Cell`)."""

    __tablename__ = "tally"
    __table_args__ = {"sqlite_with_rowid": False}

    slot: int = Field(primary_key=True)
    series: str = Field(primary_key=True, max_length=160)
    day: date = Field(primary_key=True)
    code: str = Field(primary_key=True, max_length=160)
    count: int = Field(sa_column=Column(BIGINT, nullable=False))


class Customer(Base, table=True):
    """Who has complained, by the keyed hash that stands for a person: a row to lock, so that two complaints of one
    person that arrive at the same moment know of each other."""

    __tablename__ = "customer"

    customer_ref: str = Field(primary_key=True, max_length=64)


class ComplaintText(Base, table=True):
    """What a complaint says, redacted as its event is: the first words, to be shown as an example, and its terms
    (`domain.theme`), by which new themes are found. Kept for some months; gone as soon as the complaint is erased."""

    __tablename__ = "complaint_text"
    __table_args__ = (Index("complaint_text_day", "day"),)

    complaint_id: str = Field(primary_key=True, max_length=64)
    day: date
    excerpt: str = Field(sa_column=Column(Text, nullable=False))
    terms: str = Field(sa_column=Column(Text, nullable=False))


def _table(model: type[SQLModel]) -> Table:
    found: Table = model.__table__  # type: ignore[attr-defined]
    return found


read_model, deadlines, counters = _table(ReadModel), _table(DeadlineFact), _table(Tally)
customers, texts = _table(Customer), _table(ComplaintText)
