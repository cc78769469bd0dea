"""What people call the fields of the forms of reporting's pages."""

from collections.abc import Mapping

from shared.errors import Invalid
from shared.i18n import Translator, mark
from shared.web import forms
from shared.web.forms import NOTHING, Filled, back, given, kept, model

__all__ = ["NAMES", "NOTHING", "Filled", "back", "failed", "given", "kept", "model"]

NAMES: Mapping[str, str] = {
    "title": mark("Title"),
    "figure": mark("Figure"),
    "about": mark("Of which complaints"),
    "baseline": mark("Baseline"),
    "target": mark("Target"),
    "period": mark("Measured over"),
    "starts_on": mark("Starts on"),
    "ends_on": mark("Ends on"),
    "due_on": mark("Due on"),
    "done_on": mark("Done on"),
    "day": mark("Day"),
    "status": mark("Status"),
    "owner_department": mark("Owner: department"),
    "owner_role": mark("Owner: role"),
    "budget": mark("Budget"),
    "currency": mark("Currency"),
    "note": mark("Note"),
    "link": mark("Link"),
    "kind": mark("Who is asked"),
    "opens_on": mark("Opens on"),
    "closes_on": mark("Closes on"),
    "invited": mark("How many are asked"),
    "ratings": mark("Ratings"),
    "words": mark("In words"),
    "channel": mark("How it came"),
    "department": mark("Department"),
    "branch": mark("Branch"),
    "language": mark("Language"),
    "occurred_on": mark("When it was"),
    "text": mark("What they did well"),
}
"""What people call the fields."""
# Where the form has one field and the API several.
_SHOWN_AT = {"dimension": "about", "code": "about", "direction": "target", "horizon": "ends_on", "comparable": "about"}
_SHOWN_AT |= {"started_on": "day", "ended_on": "day"}


def failed(t: Translator, form: str, values: Mapping[str, str], error: Invalid) -> Filled:
    """The form as it was sent, with what is wrong by field."""
    return forms.failed(t, form, values, error, _SHOWN_AT)
