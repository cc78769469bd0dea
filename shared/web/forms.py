"""Forms of pages: what was filled in, checked by the models of the API, and what is wrong with it in words.

A route reads `await given(request)`, makes the API's own model of it by `model(...)`, calls the use case, and goes
`back(...)`; on Invalid it draws the page again with `failed(...)`, status 422, and nothing that was typed is lost.
Templates draw the fields with `fields.html`, which wants in the context `filled` (a `Filled`), `names` (what people
call the fields) and `kept`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlencode

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.responses import RedirectResponse, Response

from shared.errors import FieldError, Invalid
from shared.i18n import Translator
from shared.web.access import FORM_TOKEN
from shared.web.pages import root_of

Model = TypeVar("Model", bound=BaseModel)
FLAW = "flaw"
"""The kind of label under which the codes of errors are words."""


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
    """What people filled into a form, without what they left empty. Line breaks are as they are everywhere else."""
    form = await request.form(max_files=0, max_fields=100)
    found = {name: value.replace("\r\n", "\n").strip() for name, value in form.items() if isinstance(value, str)}
    found.pop(FORM_TOKEN, None)
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


def failed(
    t: Translator, form: str, values: Mapping[str, str], error: Invalid, shown_at: Mapping[str, str] | None = None
) -> Filled:
    """The form as it was sent, with what is wrong by field. `shown_at`: the form's field of an API's field, where they
    differ."""
    wrong: dict[str, str] = {}
    for one in error.errors or (FieldError("/", error.detail),):
        name = one.pointer.lstrip("/").partition("/")[0]
        said = t.label(FLAW, one.code)
        wrong.setdefault(
            (shown_at or {}).get(name, name), said if said != one.code else t.gettext("This value cannot be taken.")
        )
    return Filled(form, values, wrong)


def back(request: Request, path: str, part: str = "", **parameters: str) -> Response:
    """To the page `path` of this service, which says that it was kept, at its `part`."""
    query = urlencode({**parameters, "kept": "1"})
    return RedirectResponse(f"{root_of(request)}{path}?{query}{'#' + part if part else ''}", 303)


def kept(request: Request) -> bool:
    return request.query_params.get("kept") == "1"
