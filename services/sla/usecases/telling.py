"""The words of notices, in the reader's language. Nothing of the complainant is in them."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from services.sla.domain.notice import LISTED
from services.sla.gateways.channels import Message
from services.sla.store.base import NoticeRow
from shared.clock import rfc3339
from shared.i18n import Translator, mark, translator

LOCALE = Path(__file__).parent.parent / "locale"
_SUBJECTS = {
    "warned": mark("Deadline near: {step}, {reference}"),
    "missed": mark("Deadline missed: {step}, {reference}"),
    "escalated": mark("Escalated to you: {step}, {reference}"),
    "extended": mark("Deadline extended: {step}, {reference}"),
    "recalculated": mark("Deadline moved: {step}, {reference}"),
}
_LINES = {
    "warned": mark("{reference}: “{step}” is due by {due} and not yet done. Department: {department}."),
    "missed": mark("{reference}: “{step}” was due by {due} and is not done. Department: {department}."),
    "escalated": mark(
        "{reference}: “{step}” was due by {due} and is not done. It has come to {role} (level {level}). "
        "Department: {department}."
    ),
    "extended": mark("{reference}: “{step}” is now due by {due}. Department: {department}."),
    "recalculated": mark("{reference}: “{step}” is now due by {due}, since the holidays are published."),
}


def message(rows: Sequence[NoticeRow], *, zone: ZoneInfo, desk: str) -> Message:
    """One message of these notices, which are one recipient's, under the first one's id. `desk`: where cases are."""
    first = rows[0]
    t = _translator(first.language, zone)
    data = {"type": f"deadline.{first.kind}", "timestamp": rfc3339(first.at), "data": _data(first)}
    if len(rows) == 1:
        lines = [_line(first, t), _link(first, desk)]
        return Message(first.id, _said(t, _SUBJECTS[first.kind], first), lines, first.language, data)
    subject = t.ngettext("{n} deadline needs attention", "{n} deadlines need attention", len(rows))
    lines = [f"- {_line(row, t)} {_link(row, desk)}" for row in rows[:LISTED]]
    if len(rows) > LISTED:
        lines.append(t.ngettext("And {n} more.", "And {n} more.", len(rows) - LISTED))
    return Message(first.id, subject, lines, first.language, data)


def _line(row: NoticeRow, t: Translator) -> str:
    return _said(t, _LINES[row.kind], row)


def _said(t: Translator, text: str, row: NoticeRow) -> str:
    return t.gettext(
        text,
        step=t.label("step", row.step),
        reference=row.reference or row.complaint_id,
        due=_due(row.due_at, t),
        department=t.label("department", row.department) if row.department else t.gettext("none yet"),
        role=t.label("role", row.role) if row.role else "",
        level=row.level,
    )


def _due(at: datetime, t: Translator) -> str:
    """The day of a deadline that ends with its day, else day and time."""
    local = at.astimezone(t.zone)
    return t.date(at) if (local.hour, local.minute) == (23, 59) else t.datetime(at)


def _link(row: NoticeRow, desk: str) -> str:
    return f"{desk}/routing/v1/cases/{row.complaint_id}"


def _data(row: NoticeRow) -> dict[str, Any]:
    return {
        "complaint_id": row.complaint_id,
        "reference": row.reference,
        "step": row.step,
        "due_at": rfc3339(row.due_at),
        "department": row.department,
        "level": row.level or None,
        "role": row.role,
        "repeat": row.repeats,
    }


@lru_cache(maxsize=32)
def _translator(language: str, zone: ZoneInfo) -> Translator:
    return translator(language, zone, LOCALE)
