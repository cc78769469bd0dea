"""Forms of pages: what was filled in, checked by the models of the API, and what is wrong with it in words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlencode

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.responses import RedirectResponse, Response

from shared.errors import FieldError, Invalid
from shared.i18n import Translator, mark
from shared.web.pages import root_of

Model = TypeVar("Model", bound=BaseModel)
FLAW = "flaw"
"""The kind of label under which the codes of errors are words."""
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


@dataclass(frozen=True, slots=True)
class Filled:
    """What the page's form `form` was filled in with, and by field what is wrong with it, in words."""

    form: str = ""
    given: Mapping[str, str] = field(default_factory=dict)
    wrong: Mapping[str, str] = field(default_factory=dict)

    def value(self, form: str, name: str, otherwise: str = "") -> str:
        return self.given.get(name, otherwise) if form == self.form else otherwise

    def error(self, form: str, name: str) -> str:
        return self.wrong.get(name, "") if form == self.form else ""


NOTHING = Filled()


async def given(request: Request) -> dict[str, str]:
    """What a form sends, without what is left empty. Line breaks are as they are everywhere else."""
    form = await request.form(max_files=0, max_fields=100)
    found = {name: value.replace("\r\n", "\n").strip() for name, value in form.items() if isinstance(value, str)}
    return {name: value for name, value in found.items() if value}


def model(kind: type[Model], values: Mapping[str, Any]) -> Model:
    """`values` as the API takes them. Raises Invalid."""
    try:
        return kind.model_validate({name: value for name, value in values.items() if value is not None})
    except ValidationError as error:
        raise Invalid(
            errors=tuple(
                FieldError("/" + "/".join(map(str, one["loc"])), "is not as it should be", one["type"])
                for one in error.errors(include_url=False, include_context=False, include_input=False)
            )
        ) from None


def failed(t: Translator, form: str, values: Mapping[str, str], error: Invalid) -> Filled:
    """The form as it was sent, with what is wrong by field."""
    wrong: dict[str, str] = {}
    for one in error.errors or (FieldError("/", error.detail),):
        name = one.pointer.lstrip("/").partition("/")[0]
        said = t.label(FLAW, one.code)
        wrong.setdefault(
            _SHOWN_AT.get(name, name), said if said != one.code else t.gettext("This value cannot be taken.")
        )
    return Filled(form, values, wrong)


def back(request: Request, path: str, part: str = "", **parameters: str) -> Response:
    """To the page `path` of this service, which says that it was kept, at its `part`."""
    query = urlencode({**parameters, "kept": "1"})
    return RedirectResponse(f"{root_of(request)}{path}?{query}{'#' + part if part else ''}", 303)


def kept(request: Request) -> bool:
    return request.query_params.get("kept") == "1"
