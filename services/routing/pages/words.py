"""Codes of routing in the words of whoever reads: registers, people, time left, history, why it was classified so."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import orjson

from services.routing.classifier import Rulebook
from services.routing.domain.deadlines import nearness
from shared import i18n
from shared.i18n import Translator

MARKS = {"overdue": "✕", "today": "!", "soon": "◔", "ahead": "○", "standing": "‖", "none": "–"}
"""Tells how near a deadline is without colour; the words beside it are what is read out."""


class Names:
    """What the bank's registers call their codes, in one language; a code that they do not know stays as it is."""

    def __init__(self, t: Translator, book: Rulebook) -> None:
        registers = book.registers
        self._t = t
        self._known: dict[str, dict[str, str]] = {
            "department": self._labels(registers.departments),
            "product": self._labels(registers.products),
            "category": self._labels(registers.taxonomy.category),
            "root_cause": self._labels(registers.taxonomy.root_cause),
            "no_redress_reason": self._labels(registers.taxonomy.no_redress),
        }

    def _labels(self, entries: Iterable[Any]) -> dict[str, str]:
        name = self._t.language.replace("-", "_").lower()
        return {one.code: getattr(one.labels, name) for one in entries}

    def of(self, kind: str, code: str | None) -> str:
        """What a code is called; of no code a dash."""
        if code is None or code == "":
            return "–"
        known = self._known.get(kind)
        return known.get(code, code) if known is not None else self._t.label(kind, code)

    def choices(self, kind: str, *codes: str) -> list[tuple[str, str]]:
        """Codes with their names, for people to choose from: those of a register, or `codes`."""
        found = codes or tuple(self._known.get(kind, ())) or i18n.codes(kind)
        return [(code, self.of(kind, code)) for code in found]


class Moments:
    """Times as a `Translator` writes them, each day of them written once: in a long list that is half of the work."""

    def __init__(self, t: Translator) -> None:
        self._t = t
        self._days: dict[date, str] = {}

    def __call__(self, moment: datetime) -> str:
        here = moment.astimezone(self._t.zone)
        day = here.date()
        if (written := self._days.get(day)) is None:
            written = self._days[day] = self._t.date(day)
        return f"{written} {here:%H:%M}"


@dataclass(frozen=True, slots=True)
class Left:
    """How much time is left: `level` is also a class of the style sheet."""

    level: str
    mark: str
    text: str
    due_at: datetime | None = None
    step: str | None = None


def time_left(t: Translator, due_at: datetime | None, step: str | None, now: datetime) -> Left:
    """The time left until the next deadline."""
    if due_at is None:
        if step is None:
            return Left("none", MARKS["none"], t.gettext("Nothing is due"))
        return Left("standing", MARKS["standing"], t.gettext("The clock stands still"), None, step)
    level = nearness(due_at, now)
    minutes = int(abs((due_at - now).total_seconds()) // 60)
    late = level == "overdue"
    if minutes < 60:
        text = (
            t.ngettext("Overdue by {n} minute", "Overdue by {n} minutes", minutes)
            if late
            else t.ngettext("{n} minute left", "{n} minutes left", minutes)
        )
    elif minutes < 48 * 60:
        hours = minutes // 60
        text = (
            t.ngettext("Overdue by {n} hour", "Overdue by {n} hours", hours)
            if late
            else t.ngettext("{n} hour left", "{n} hours left", hours)
        )
    else:
        days = minutes // (24 * 60)
        text = (
            t.ngettext("Overdue by {n} day", "Overdue by {n} days", days)
            if late
            else t.ngettext("{n} day left", "{n} days left", days)
        )
    return Left(level, MARKS[level], text, due_at, step)


def person(t: Translator, id: str | None, me: str) -> str:
    """Somebody who works here: a subject of the bank's directory, or the name of a key."""
    if id is None:
        return "–"
    if id == me:
        return t.gettext("You")
    return {"system": t.gettext("The desk"), "complainant": t.gettext("The complainant")}.get(
        id, id.removeprefix("key:")
    )


def decision(t: Translator, names: Names, said: Mapping[str, Any] | None) -> list[tuple[str, str]] | None:
    """A decision as pairs of what and how, from its plain form (`decision_view`)."""
    if said is None:
        return None
    redress = said.get("redress")
    paid = i18n.money(Decimal(redress["value"]), redress["currency"], t.language) if redress else None
    found = [
        (t.gettext("Outcome"), names.of("outcome", said["outcome"])),
        (t.gettext("Root cause"), names.of("root_cause", said["root_cause"])),
        (t.gettext("Redress"), paid or t.gettext("Nothing is paid")),
    ]
    if not redress:
        found.append((t.gettext("Why nothing is paid"), names.of("no_redress_reason", said["no_redress_reason"])))
    return found


_LIKELY = 0.05
_CHANGED = ("department", "assignee", "category", "severity")


def line(t: Translator, names: Names, row: Any, me: str) -> dict[str, Any]:
    """A line of a case's history."""
    detail: Mapping[str, Any] = orjson.loads(row.detail)
    changed: Mapping[str, Any] = detail.get("changed", {})
    notes = []
    for name in _CHANGED:
        if name in changed:
            before, after = (person(t, one, me) if name == "assignee" else names.of(name, one) for one in changed[name])
            notes.append(
                t.gettext("{what}: {after}, before {before}", what=t.label("fact", name), before=before, after=after)
            )
    for name in ("proposed", "decision"):
        if changed.get(name) and changed[name][1]:
            said = decision(t, names, orjson.loads(changed[name][1]))
            notes += [f"{what}: {how}" for what, how in said or ()]
    if "kind" in detail:
        notes.append(t.label("letter", detail["kind"]))
    if detail.get("verb"):
        notes.append(t.label("verb", detail["verb"]))
    if row.kind == "amended" and detail.get("vulnerable"):
        notes.append(t.gettext("The complainant is in a vulnerable situation"))
    return {
        "id": row.id,
        "what": t.label("history", row.kind),
        "who": person(t, row.actor, me),
        "at": row.at,
        "text": row.text,
        "notes": notes,
    }


def explanation(t: Translator, names: Names, book: Rulebook, row: Any) -> list[str]:
    """Why a case was classified so, in sentences."""
    told: Mapping[str, Any] = orjson.loads(row.explanation)
    rules = {rule.id: rule for rule in book.registers.rules.rule}
    said = []
    if row.decided_by == "person" and row.confidence >= 1:
        said.append(t.gettext("A person has read it and said what it is."))
    elif row.decided_by == "person":
        said.append(t.gettext("Neither the rules nor the model were sure; a person has to say what it is."))
    elif row.decided_by == "model":
        said.append(t.gettext("The model decided: it is sure by {share}.", share=t.percent(row.confidence)))
    else:
        said.append(t.gettext("The rules decided: they are sure by {share}.", share=t.percent(row.confidence)))
    heard: dict[str, list[str]] = {}
    for one in told.get("rules", ()):
        rule = rules.get(one["id"])
        means = [names.of("category", rule.category)] if rule is not None and rule.category else []
        means += [t.label("severity", rule.severity)] if rule is not None and rule.severity else []
        heard.setdefault(", ".join(means), []).extend(_heard(t, word) for word in one["words"])
    for meaning, words in heard.items():
        if meaning:
            said.append(t.gettext("Found “{words}”, which means: {means}.", words=", ".join(words), means=meaning))
        else:
            said.append(t.gettext("Found “{words}”, which helps to choose the department.", words=", ".join(words)))
    if row.decided_by == "model" and (weighed := [one["text"] for one in told.get("model", ())[:5]]):
        said.append(t.gettext("What weighed most with the model: {words}.", words=", ".join(weighed)))
    chances = {code: min(chance, 0.99) for code, chance in told.get("chances", {}).items() if chance >= _LIKELY}
    if row.decided_by != "rules" and chances:
        listed = ", ".join(f"{names.of('category', code)} {t.percent(chance)}" for code, chance in chances.items())
        said.append(t.gettext("What the model thinks likely: {chances}.", chances=listed))
    said += [t.label("signal", code) for code in told.get("signals", ())]
    if further := [code for code in told.get("further", ()) if code != row.category]:
        said.append(
            t.gettext("It is also about: {types}.", types=", ".join(names.of("category", code) for code in further))
        )
    return said


def _heard(t: Translator, word: str) -> str:
    return t.label("channel", word.removeprefix("channel=")) if word.startswith("channel=") else word.rstrip("*")
