"""Several clocks on one complaint, each a ledger

Until now a complaint had one clock, and its row held what was known of the complaint too. Clocks that run get the
ledger that they would have had: their start, and the steps that were taken. They were counted in calendar days, for
which any calendar of their time zone is right.

Revises: 0002
"""

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from shared.clock import rfc3339
from shared.db import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_PLAIN = "plain-0003"
_FACTS = (
    "complaint_id", "received_at", "jurisdiction", "imported", "department", "routed_at", "assignee", "assigned_at",
    "acknowledged_at", "responded_at", "final_response_at", "resolved_at", "withdrawn_at", "closed_at",
    "last_closed_at", "governs_from",
)  # fmt: skip
_NEW_FACTS: dict[str, Any] = {
    "reference": sa.String(40), "channel": sa.String(100), "branch": sa.String(200), "product": sa.String(200),
    "category": sa.String(100), "severity": sa.String(20), "classified_at": UtcDateTime(),
    "referred_by": sa.String(100), "imposed_due_at": UtcDateTime(), "first_contact_at": UtcDateTime(),
    "last_final_response_at": UtcDateTime(), "upheld_at": UtcDateTime(), "reopened_at": UtcDateTime(),
    "review_opened_at": UtcDateTime(), "waiting_since": UtcDateTime(),
}  # fmt: skip
_INDEXES = {
    "step_next": (["next_at"], "next_at IS NOT NULL"),
    "step_open": (["act_by", "clock_id", "name"], "met_at IS NULL AND historic IS {false} AND ended IS {false}"),
    "step_escalated": (
        ["told_at", "clock_id"],
        "met_at IS NULL AND historic IS {false} AND ended IS {false} AND rung > 0",
    ),
    "step_provisional": (["clock_id"], "provisional IS {true} AND met_at IS NULL"),
}
_PAGE = 1000


def upgrade() -> None:
    _clear_the_way()
    _create_complaint()
    op.execute(f"INSERT INTO complaint ({', '.join(_FACTS)}) SELECT {', '.join(_FACTS)} FROM clock_0002")  # noqa: S608
    op.execute("UPDATE complaint SET last_final_response_at = final_response_at")
    _create_clock()
    _create_step()
    _create_rest()
    _carry_over()
    op.drop_table("step_0002")
    op.drop_table("clock_0002")


def _clear_the_way() -> None:
    for index, table in (("step_next", "step"), ("step_open", "step"), ("step_state", "step")):
        op.drop_index(index, table)
    op.drop_index("ix_clock_department", "clock")
    op.rename_table("step", "step_0002")
    op.rename_table("clock", "clock_0002")
    if op.get_bind().dialect.name == "postgresql":  # there indexes keep their names when a table gets another one
        for name in ("step_pkey", "clock_pkey", "clock_clock_id_key"):
            op.execute(f"ALTER INDEX {name} RENAME TO {name}_0002")


def _moment(name: str, *, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, UtcDateTime(), nullable=nullable)


def _create_complaint() -> None:
    op.create_table(
        "complaint",
        sa.Column("complaint_id", sa.String(64), primary_key=True),
        _moment("received_at"),
        sa.Column("jurisdiction", sa.String(100)),
        sa.Column("imported", sa.Boolean(), nullable=False),
        sa.Column("department", sa.String(100)),
        sa.Column("assignee", sa.String(200)),
        *(_moment(n) for n in _FACTS if n.endswith("_at") and n != "received_at"),
        _moment("governs_from"),
        *(sa.Column(name, kind, nullable=True) for name, kind in _NEW_FACTS.items()),
    )
    op.create_index("ix_complaint_department", "complaint", ["department"])


def _create_clock() -> None:
    op.create_table(
        "clock",
        sa.Column("clock_id", sa.String(36), primary_key=True),
        sa.Column("complaint_id", sa.String(64), sa.ForeignKey("complaint.complaint_id"), nullable=False),
        sa.Column("pack", sa.String(40), nullable=False),
        sa.Column("pack_version", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("is_primary", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("zone", sa.String(64), nullable=False),
        _moment("opened_at", nullable=False),
        _moment("start", nullable=False),
        sa.Column("calendar", sa.String(64), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("pauses", sa.Text(), nullable=False),
        _moment("ended_at"),
    )
    op.create_index("ix_clock_complaint_id", "clock", ["complaint_id"])


def _create_step() -> None:
    op.create_table(
        "step",
        sa.Column("clock_id", sa.String(36), sa.ForeignKey("clock.clock_id"), primary_key=True),
        sa.Column("name", sa.String(24), primary_key=True),
        sa.Column("complaint_id", sa.String(64), nullable=False),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.Column("unit", sa.String(20), nullable=False),
        sa.Column("count_from", sa.String(20), nullable=False),
        _moment("since", nullable=False),
        _moment("due_at", nullable=False),
        sa.Column("provisional", sa.Boolean(), nullable=False),
        sa.Column("extended_to", sa.Date()),
        _moment("cap"),
        _moment("met_at"),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("article", sa.Text(), nullable=False),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("watching", sa.Text(), nullable=False),
        _moment("next_at"),
        _moment("act_by", nullable=False),
        sa.Column("historic", sa.Boolean(), nullable=False),
        sa.Column("warned", sa.Integer(), nullable=False),
        _moment("warned_at"),
        _moment("missed_at"),
        sa.Column("rung", sa.Integer(), nullable=False),
        sa.Column("repeats", sa.Integer(), nullable=False),
        _moment("escalated_at"),
        _moment("told_at"),
        _moment("answered_at"),
        sa.Column("answered_by", sa.String(200)),
        sa.Column("held", sa.Integer(), nullable=False),
        sa.Column("ended", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
    )
    op.create_index("ix_step_complaint_id", "step", ["complaint_id"])
    op.create_index("step_state", "step", ["state", "complaint_id", "name"])
    sqlite = op.get_bind().dialect.name == "sqlite"
    words = {"true": "1", "false": "0"} if sqlite else {"true": "true", "false": "false"}
    for name, (columns, where) in _INDEXES.items():
        condition = sa.text(where.format(**words))
        op.create_index(name, "step", columns, postgresql_where=condition, sqlite_where=condition)


def _create_rest() -> None:
    op.create_table(
        "entry",
        sa.Column("clock_id", sa.String(36), primary_key=True),
        sa.Column("seq", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(12), nullable=False),
        _moment("at", nullable=False),
        _moment("recorded_at", nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("calendar", sa.String(64), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
    )
    op.create_table(
        "calendar_edition",
        sa.Column("version", sa.String(64), primary_key=True),
        sa.Column("calendar", sa.String(40), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        _moment("first_used_at", nullable=False),
    )
    op.create_table(
        "handling",
        sa.Column("department", sa.String(100), primary_key=True),
        sa.Column("category", sa.String(100), primary_key=True),
        sa.Column("bucket", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("count", sa.Integer(), nullable=False),
    )
    op.create_table(
        "feed",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("hash", sa.String(64), nullable=False, unique=True),
        sa.Column("department", sa.String(100), nullable=False),
        sa.Column("created_by", sa.String(200), nullable=False),
        _moment("created_at", nullable=False),
        _moment("revoked_at"),
    )


def _carry_over() -> None:
    bind = op.get_bind()
    meta = sa.MetaData()
    names = ("clock_0002", "step_0002", "clock", "step", "entry", "calendar_edition")
    meta.reflect(bind, only=names)
    old_clock, old_step, clock, step, entry, edition = (_typed(meta.tables[n]) for n in names)
    editions: dict[str, str] = {}
    for heads in _pages(bind, old_clock):
        ids = [h["complaint_id"] for h in heads]
        rows = bind.execute(sa.select(old_step).where(old_step.c.complaint_id.in_(ids))).mappings().all()
        steps: dict[str, list[Any]] = {}
        for row in sorted(rows, key=lambda r: r["due_at"]):
            steps.setdefault(row["complaint_id"], []).append(row)
        for head in heads:
            version = editions.setdefault(head["zone"], f"{_PLAIN}-{len(editions)}")
            _carry(bind, head, steps.get(head["complaint_id"], []), version, clock, step, entry)
    for zone, version in editions.items():
        first = bind.execute(sa.select(sa.func.min(old_clock.c.opened_at))).scalar_one()
        content = json.dumps(_plain_calendar(zone, version))
        kept = {"version": version, "calendar": "plain", "content": content, "first_used_at": first}
        bind.execute(edition.insert().values(kept))


def _typed(table: sa.Table) -> sa.Table:
    """With our own type for moments, which a reflected table does not have."""
    for column in table.columns:
        if isinstance(column.type, sa.DateTime):
            column.type = UtcDateTime()
    return table


def _pages(bind: sa.Connection, old: sa.Table) -> Iterator[Any]:
    after = ""
    while True:
        query = sa.select(old).where(old.c.clock_id.is_not(None), old.c.complaint_id > after)
        heads = bind.execute(query.order_by(old.c.complaint_id).limit(_PAGE)).mappings().all()
        if not heads:
            return
        yield heads
        after = heads[-1]["complaint_id"]


def _carry(
    bind: sa.Connection, head: Any, steps: list[Any], version: str, clock: sa.Table, step: sa.Table, entry: sa.Table
) -> None:
    start = min(m for m in (head["received_at"], head["governs_from"]) if m is not None)
    met = [s for s in steps if s["met_at"] is not None]
    values = {n: head[n] for n in ("clock_id", "complaint_id", "pack", "pack_version", "zone", "opened_at")}
    values |= {"kind": "regulatory", "is_primary": True, "reason": head["pack_reason"], "start": start}
    bind.execute(clock.insert().values(values | {"calendar": version, "seq": 1 + len(met), "pauses": "[]"}))
    limits = {s["name"]: [s["length"], s["unit"], s["count_from"]] for s in steps}
    begun = {"kind": "started", "at": start, "reason": head["pack"]}
    entries = [begun | {"detail": {"start": rfc3339(start), "steps": limits}}]
    for s in met:
        detail = {"step": s["name"], "met_at": rfc3339(s["met_at"])}
        entries.append({"kind": "met", "at": s["met_at"], "reason": "casework", "detail": detail})
    for seq, one in enumerate(entries, 1):
        row = one | {"clock_id": head["clock_id"], "seq": seq, "actor": "system:sla", "calendar": version}
        row |= {"recorded_at": max(one["at"], head["opened_at"]), "detail": json.dumps(one["detail"])}
        bind.execute(entry.insert().values(row))
    for s in steps:
        bind.execute(step.insert().values(_step(s, head, start)))


def _step(s: Any, head: Any, start: Any) -> dict[str, Any]:
    same = (
        "name", "complaint_id", "length", "unit", "count_from", "due_at", "met_at", "source", "article", "confirmed",
        "effective_from", "next_at", "historic", "warned_at", "missed_at", "escalated_at", "state",
    )  # fmt: skip
    warn = []
    if s["warn_at"] is not None:
        warn = [[None, (s["due_at"] - s["warn_at"]).total_seconds()]]
    ladder = None
    if s["escalation_level"] is not None:
        rungs = [[s["escalation_level"], s["escalation_role"], 0, None]]
        ladder = {"id": "before-0003", "rungs": rungs, "repeat": None, "patience": 86_400}
    return {
        **{n: s[n] for n in same},
        "clock_id": head["clock_id"],
        "since": start,
        "provisional": False,
        "watching": json.dumps({"warn": warn, "ladder": ladder, "breach": True}),
        "act_by": s["due_at"],
        "warned": int(s["warned_at"] is not None),
        "rung": int(s["escalated_at"] is not None),
        "repeats": 0,
        "told_at": s["escalated_at"],
        "held": 0,
        "ended": False,
    }


def _plain_calendar(zone: str, version: str) -> dict[str, Any]:
    """Without holidays, which calendar days do not ask for."""
    hours = [["09:00-17:30"]] * 5 + [[], []]
    return {
        "id": "plain", "version": version, "zone": zone, "weekend": [5, 6], "closed": {}, "opened": {}, "hours": hours,
        "confirmed_to": "2040-12-31",
    }  # fmt: skip


def downgrade() -> None:
    """The tables as they were, with the primary clocks and the three steps that were known then."""
    for name in ("feed", "handling", "calendar_edition", "entry"):
        op.drop_table(name)
    bind = op.get_bind()
    if bind.dialect.name == "postgresql":
        for name in ("step_pkey", "clock_pkey"):
            op.execute(f"ALTER INDEX {name} RENAME TO {name}_0003")
    for name in (*_INDEXES, "step_state", "ix_step_complaint_id"):
        op.drop_index(name, "step")
    op.drop_index("ix_clock_complaint_id", "clock")
    op.drop_index("ix_complaint_department", "complaint")
    op.rename_table("step", "step_0003")
    op.rename_table("clock", "clock_0003")
    _create_old()
    facts = ", ".join(_FACTS)
    header = "clock_id, pack, pack_version, reason, zone, opened_at"
    op.execute(
        f"INSERT INTO clock ({facts}, clock_id, pack, pack_version, pack_reason, zone, opened_at) "  # noqa: S608
        f"SELECT {', '.join('complaint.' + f for f in _FACTS)}, {header} FROM complaint "
        "LEFT JOIN clock_0003 ON clock_0003.complaint_id = complaint.complaint_id AND is_primary"
    )
    same = (
        "name, length, unit, count_from, source, article, confirmed, effective_from, due_at, next_at, historic, state"
    )
    same += ", warned_at, missed_at, escalated_at, met_at"
    op.execute(
        f"INSERT INTO step (complaint_id, {same}) SELECT clock_0003.complaint_id, {same} FROM step_0003 "  # noqa: S608
        "JOIN clock_0003 ON clock_0003.clock_id = step_0003.clock_id AND is_primary "
        "WHERE name IN ('acknowledge', 'interim', 'final')"
    )
    op.drop_table("step_0003")
    op.drop_table("clock_0003")
    op.drop_table("complaint")


def _create_old() -> None:
    op.create_table(
        "clock",
        sa.Column("complaint_id", sa.String(64), primary_key=True),
        _moment("received_at"),
        sa.Column("jurisdiction", sa.String(100)),
        sa.Column("imported", sa.Boolean(), nullable=False),
        sa.Column("department", sa.String(100)),
        sa.Column("assignee", sa.String(200)),
        *(_moment(n) for n in _FACTS if n.endswith("_at") and n != "received_at"),
        _moment("governs_from"),
        sa.Column("clock_id", sa.String(36), unique=True),
        sa.Column("pack", sa.String(40)),
        sa.Column("pack_version", sa.String(40)),
        sa.Column("pack_reason", sa.Text()),
        sa.Column("zone", sa.String(64)),
        _moment("opened_at"),
    )
    op.create_index("ix_clock_department", "clock", ["department"])
    op.create_table(
        "step",
        sa.Column("complaint_id", sa.String(64), sa.ForeignKey("clock.complaint_id"), primary_key=True),
        sa.Column("name", sa.String(20), primary_key=True),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.Column("unit", sa.String(20), nullable=False),
        sa.Column("count_from", sa.String(20), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("article", sa.Text(), nullable=False),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("escalation_level", sa.Integer()),
        sa.Column("escalation_role", sa.String(20)),
        _moment("due_at", nullable=False),
        _moment("warn_at"),
        _moment("next_at"),
        sa.Column("historic", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        *(_moment(n) for n in ("warned_at", "missed_at", "escalated_at", "met_at")),
    )
    sqlite = op.get_bind().dialect.name == "sqlite"
    acts = sa.text("next_at IS NOT NULL")
    opened = sa.text(f"met_at IS NULL AND historic IS {'0' if sqlite else 'false'}")
    op.create_index("step_next", "step", ["next_at"], postgresql_where=acts, sqlite_where=acts)
    columns = ["due_at", "complaint_id", "name"]
    op.create_index("step_open", "step", columns, postgresql_where=opened, sqlite_where=opened)
    op.create_index("step_state", "step", ["state", "complaint_id", "name"])
