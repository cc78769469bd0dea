"""What notices say, in the reader's language and on the reader's clocks.

A reference, a step, a deadline, a department, and where the case is: nothing of the complainant, and nothing that
anybody wrote.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from services.sla.domain.notice import TEST
from services.sla.store.notices import NoticeRow
from shared.i18n import LANGUAGES, Translator, mark, translator

LOCALE = Path(__file__).parents[1] / "locale"
_REASONS = {
    "holder": mark("You are told of this in your post: {role}."),
    "deputy": mark("You are told of this because you stand in for the post: {role}."),
    "fallback": mark("You are told of this because nobody could be reached in the post that it is meant for."),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line; `link` is what it is about."""

    text: str
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A message in words. `open_case` is what a link to a case is called."""

    subject: str
    lines: tuple[Line, ...]
    open_case: str

    def plain(self) -> str:
        """As plain text, each link on a line of its own so that no reader's program breaks it."""
        parts = [f"{line.text}\n{line.link}" if line.link else line.text for line in self.lines]
        return "\n".join(parts) + "\n"


class Writer:
    """Writes for one reader. `case_url` leads to a case, with `{complaint_id}` in it."""

    def __init__(self, language: str, zone: ZoneInfo, case_url: str) -> None:
        # a language that the bank has given up must not keep anybody from being told
        self._t = _translator(language if language in LANGUAGES else "en", zone)
        self._case_url = case_url

    def one(self, row: NoticeRow) -> Told:
        """A notice by itself."""
        t = self._t
        open_case = t.gettext("Open the case")
        subject = self.subject(row)
        if row.kind == TEST:
            text = t.gettext("This message tests whether notices arrive. Nothing needs to be done.")
            return Told(subject, (Line(text),), open_case)
        lines = [t.gettext("Complaint: {value}", value=_called(row))]
        if row.step:
            lines.append(t.gettext("Step: {value}", value=t.label("step", row.step)))
        if row.due_at:
            lines.append(t.gettext("Deadline: {value}", value=self._when(row.due_at)))
        if row.was_due_at:
            lines.append(t.gettext("Deadline before: {value}", value=self._when(row.was_due_at)))
        if row.department:
            lines.append(t.gettext("Department: {value}", value=t.label("department", row.department)))
        if row.branch:
            lines.append(t.gettext("Branch: {value}", value=row.branch))
        if row.kind == "escalation" and row.level is not None:
            lines.append(t.gettext("Escalation level: {value}", value=t.number(row.level)))
        if row.via in _REASONS:
            lines.append(t.gettext(_REASONS[row.via], role=t.label("post", row.role or "")))
        return Told(subject, (*map(Line, lines), Line(open_case, self.link(row))), open_case)

    def several(self, rows: Sequence[NoticeRow], count: int, *, urgent: bool) -> Told:
        """`count` notices in one message, of which `rows` are listed."""
        t = self._t
        if urgent:
            subject = t.ngettext("Urgent: {n} notice about deadlines", "Urgent: {n} notices about deadlines", count)
        else:
            subject = t.ngettext("{n} notice about deadlines", "{n} notices about deadlines", count)
        lines = [Line(self.subject(row), self.link(row)) for row in rows]
        if count > len(rows):
            lines.append(Line(t.ngettext("and {n} more", "and {n} more", count - len(rows))))
        return Told(subject, tuple(lines), t.gettext("Open the case"))

    def subject(self, row: NoticeRow) -> str:
        """A notice in one line."""
        t = self._t
        values = {
            "reference": _called(row),
            "step": t.label("step", row.step or ""),
            "due": self._when(row.due_at) if row.due_at else "",
        }
        match row.kind:
            case "warning":
                return t.gettext("Reminder: {step} of complaint {reference} is due by {due}", **values)
            case "missed":
                return t.gettext("Missed: {step} of complaint {reference} was due by {due}", **values)
            case "escalation":
                text = mark("Escalated to level {level}: {step} of complaint {reference}, deadline {due}")
                return t.gettext(text, **values, level=t.number(row.level or 0))
            case "extension_decided" if row.granted is False:
                return t.gettext("Extension refused: {step} of complaint {reference} stays due by {due}", **values)
            case "extension_decided":
                return t.gettext("Extended: {step} of complaint {reference} is now due by {due}", **values)
            case "recalculated":
                return t.gettext("Recalculated: {step} of complaint {reference} is now due by {due}", **values)
            case _:
                return t.gettext("Test of notices")

    def link(self, row: NoticeRow) -> str | None:
        return self._case_url.replace("{complaint_id}", row.complaint_id) if row.complaint_id else None

    def _when(self, moment: datetime) -> str:
        offset = moment.astimezone(self._t.zone).strftime("%z")
        return self._t.gettext(
            "{time} (UTC{offset})", time=self._t.datetime(moment), offset=f"{offset[:3]}:{offset[3:5]}"
        )


@lru_cache(maxsize=256)
def _translator(language: str, zone: ZoneInfo) -> Translator:
    return translator(language, zone, LOCALE)


def _called(row: NoticeRow) -> str:
    return row.reference or row.complaint_id or ""
