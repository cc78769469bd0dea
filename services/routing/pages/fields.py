"""The fields of a step's form, and the step that the API knows made of them."""

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from services.routing.api.cases import StepIn
from services.routing.domain.machine import Verb
from shared.errors import FieldError, Invalid
from shared.i18n import mark
from shared.web import forms

WORDS: Mapping[Verb, str] = {
    Verb.NOTE: "note",
    Verb.ADVISE: "answer",
    Verb.CONSULT: "question",
    Verb.REQUEST_INFORMATION: "question",
    Verb.TRIAGE: "reason",
    Verb.TRANSFER: "reason",
    Verb.RETURN: "reason",
    Verb.REOPEN: "reason",
    Verb.REFER: "reason",
    Verb.PROPOSE: "why",
}
"""What the API calls `text` is something else in each form."""
NAMES: Mapping[str, str] = {
    "note": mark("Note"),
    "answer": mark("Answer"),
    "question": mark("Question"),
    "reason": mark("Reason"),
    "why": mark("Why, for whoever approves"),
    "at": mark("When it happened, if earlier"),
    "what": mark("Which response"),
    "via": mark("How it reached the complainant"),
    "rights_told": mark("It names the right to go further"),
    "outcome": mark("Outcome"),
    "root_cause": mark("Root cause"),
    "amount": mark("Amount"),
    "currency": mark("Currency"),
    "no_redress_reason": mark("Why nothing is paid"),
    "category": mark("Type"),
    "product": mark("Product"),
    "severity": mark("Severity"),
    "department": mark("Department"),
    "about": mark("Staff whom the complaint is about"),
    "assignee": mark("Officer"),
    "reply_by": mark("Answer wanted by"),
    "kind": mark("Kind of letter"),
    "language": mark("Language"),
    "explanation": mark("Explanation for the complainant"),
    "adr_body": mark("Out-of-court body and its address"),
    "term_passed": mark("The time for the final response is over"),
    "body": mark("Text of the letter"),
}
SHOWN_AT: Mapping[str, str] = {"redress": "amount", "final": "what"}
_AS_THEY_ARE = ("via", "outcome", "root_cause", "no_redress_reason", "category", "product", "severity", "department")


def step(verb: Verb, given: Mapping[str, str], zone: ZoneInfo) -> StepIn:
    """The step of a form. Raises Invalid."""
    values: dict[str, Any] = {name: given[name] for name in (*_AS_THEY_ARE, "assignee", "consult_id") if name in given}
    if (words := WORDS.get(verb)) is not None:
        values["text"] = given.get(words)
    if verb is Verb.RESPOND:
        values["final"] = given.get("what") != "holding"
    if verb in (Verb.RESPOND, Verb.DELIVER) and "rights_told" in given:
        values["rights_told"] = True
    if "amount" in given:  # the currency is always chosen, so alone it says nothing
        values["redress"] = {"value": given["amount"].replace(",", ""), "currency": given.get("currency", "").upper()}
    if "about" in given:
        values["about"] = [one.strip() for one in given["about"].replace("\n", ",").split(",") if one.strip()]
    if "at" in given:
        values["at"] = _moment(given["at"], zone)
    if "reply_by" in given:
        values["reply_by"] = datetime.combine(day(given["reply_by"], "reply_by"), time(23, 59, 59), zone)
    return forms.model(StepIn, values)


def day(text: str, name: str) -> date:
    """A day as a browser's field sends it. Raises Invalid."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Invalid(errors=(FieldError(f"/{name}", "is no day", "day"),)) from None


def _moment(text: str, zone: ZoneInfo) -> datetime:
    """A time on the bank's clocks. Raises Invalid."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone)
    except ValueError:
        raise Invalid(errors=(FieldError("/at", "is no time", "day"),)) from None
