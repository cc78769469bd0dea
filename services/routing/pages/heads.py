"""What the pages of those who head departments share: tabs, names, whose department is shown, refusals in words."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import Depends, Query, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from services.routing.classifier import Rulebook
from services.routing.domain.case import Decision
from services.routing.pages.words import person
from services.routing.store.staff import Officer
from shared import i18n
from shared.errors import Conflict, FieldError, Forbidden, Invalid, NotFound, RedressError
from shared.i18n import Translator, mark
from shared.security.principal import Principal, Role
from shared.web import forms, pages
from shared.web.access import allow
from shared.web.forms import Filled

LEADERS = (Role.SUPERVISOR, Role.MANAGER)
LEADS = (*LEADERS, Role.AUDITOR)
SORTERS = (Role.SUPERVISOR, Role.AUDITOR)
"""Who may read narratives here: a manager may not."""
TABLE = (Role.SUPERVISOR, Role.ADMIN, Role.AUDITOR)
INCIDENTS = (*LEADS, Role.OFFICER)
KEEPERS = (Role.SUPERVISOR, Role.ADMIN)
PEOPLE = (*KEEPERS, Role.MANAGER, Role.AUDITOR)
_TABS = (
    ("/supervision", mark("Supervision"), LEADS),
    ("/triage", mark("Triage"), SORTERS),
    ("/rules", mark("Rules"), TABLE),
    ("/incidents", mark("Incidents"), INCIDENTS),
    ("/people", mark("People"), PEOPLE),
)
Leader = Annotated[Principal, Depends(allow(*LEADERS, own_form=True))]
Department = Annotated[str | None, Query(max_length=40, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""None: the reader's own, if the register knows it; "all": all."""
ALL = "all"
OTHER = "-"  # where a refusal concerns no field


class Names:
    """What the bank's registers call their codes, in one language; a code that they do not know stays as it is."""

    def __init__(self, t: Translator, book: Rulebook) -> None:
        registers, language = book.registers, t.language.replace("-", "_").lower()
        kinds: Mapping[str, Iterable[Any]] = {
            "department": registers.departments,
            "product": registers.products,
            "category": registers.taxonomy.category,
            "root_cause": registers.taxonomy.root_cause,
            "no_redress_reason": registers.taxonomy.no_redress,
        }
        self._t = t
        self._known = {k: {o.code: str(getattr(o.labels, language)) for o in found} for k, found in kinds.items()}

    def of(self, kind: str, code: str | None) -> str:
        """What a code is called; of no code a dash."""
        if not code:
            return "–"
        known = self._known.get(kind)
        return self._t.label(kind, code) if known is None else known.get(code, code)

    def choices(self, kind: str, codes: Iterable[str] = ()) -> list[tuple[str, str]]:
        """Codes with their names, for people to choose from: those of a register, or `codes`."""
        return [(code, self.of(kind, code)) for code in (codes or self._known.get(kind, ()))]


def show(request: Request, template: str, tab: str, book: Rulebook, status: int = 200, **context: Any) -> Response:
    """One of these pages, under the tab `tab` of those that its reader may open."""
    reader, t = pages.me(request), pages.translator(request)
    tabs = [
        {"path": path, "text": t.gettext(text), "current": path == tab}
        for path, text, roles in _TABS
        if reader is not None and reader.has(*roles)
    ]
    shared: dict[str, Any] = {"filled": forms.NOTHING, "kept": forms.kept(request), "names": FIELDS, "tabs": tabs}
    return pages.render(
        request,
        template,
        status,
        **{**shared, "called": Names(t, book).of, "person": lambda id: person(t, id, ""), **context},
    )


async def own_department(tx: AsyncSession, principal: Principal, asked: str | None) -> str | None:
    """The department that is shown; None: all. Without a wish it is the reader's own."""
    if asked:
        return None if asked == ALL else asked
    known = await tx.get(Officer, principal.id)
    return known.department if known else None


def decided(t: Translator, names: Names, said: Decision) -> dict[str, str]:
    """A decision in words."""
    redress = said.redress
    return {
        "outcome": names.of("outcome", said.outcome),
        "root_cause": names.of("root_cause", said.root_cause),
        "redress": i18n.money(Decimal(redress.value), redress.currency, t.language) if redress else "",
        "why_none": names.of("no_redress_reason", said.no_redress_reason) if said.no_redress_reason else "",
    }


def refusal(t: Translator, error: RedressError) -> str:
    """Why something was refused, in words."""
    return refusal_of(t, error.code)


def refusal_of(t: Translator, code: str) -> str:
    """The same by an error's code, as results keep it."""
    said = t.label("refusal", code)
    return said if said != code else t.gettext("This cannot be done.")


def refused(t: Translator, form: str, values: Mapping[str, str], error: RedressError) -> Filled:
    """The form as it was sent, with why it was refused: by field, or in one sentence."""
    if isinstance(error, Invalid) and error.errors:
        return forms.failed(t, form, values, error, SHOWN_AT)
    return Filled(form, values, {OTHER: refusal(t, error)})


def status_of(error: RedressError) -> int:
    """The status of a page that says so."""
    by_family = ((NotFound, 404), (Conflict, 409), (Forbidden, 403))
    return next((status for family, status in by_family if isinstance(error, family)), 422)


def local_time(text: str, zone: ZoneInfo, name: str) -> datetime:
    """What a field of kind datetime-local holds, in the bank's time zone. Raises Invalid."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(errors=(FieldError(f"/{name}", "is no time", "day"),)) from None
    return found.replace(tzinfo=zone) if found.tzinfo is None else found


def plain(values: Mapping[str, str], name: str) -> str:
    """What our own form brings along of an address; nothing where it cannot be one."""
    found = values.get(name, "")
    return found if len(found) <= 100 and found.isprintable() else ""


def only(values: Mapping[str, str], *names: str) -> dict[str, Any]:
    """Those of the fields that were filled in."""
    return {name: values[name] for name in names if name in values}


def whole_number(text: str, name: str) -> int:
    """A number that our own form brings along. Raises Invalid."""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Invalid(errors=(FieldError(f"/{name}", "is no number", "int_parsing"),))
    return int(text)


FIELDS: Mapping[str, str] = {
    "text": mark("Reason or words"),
    "narrative": mark("What the complainant wrote"),
    "channel": mark("Channel"),
    "product": mark("Product"),
    "category": mark("Category"),
    "department": mark("Department"),
    "branch": mark("Branch"),
    "amount": mark("Amount"),
    "currency": mark("Currency"),
    "title": mark("Title"),
    "complaints": mark("Complaints"),
    "what": mark("What is to be done"),
    "who": mark("Who does it"),
    "by": mark("By when"),
    "findings": mark("Findings"),
    "verb": mark("Step"),
    "outcome": mark("Outcome"),
    "root_cause": mark("Root cause"),
    "no_redress_reason": mark("Why nothing is paid"),
    "redress": mark("Redress"),
    "via": mark("How it reached them"),
    "assignee": mark("Officer"),
    "kind": mark("Kind of letter"),
    "explanation": mark("What it is to explain"),
    "reply_by": mark("Answer by"),
    "officer": mark("Officer's id in the directory"),
    "languages": mark("Languages"),
    "categories": mark("Categories"),
    "products": mark("Products"),
    "most_open": mark("Most open cases"),
    "first": mark("First day away"),
    "last": mark("Last day away"),
}
"""What people call the fields."""
SHOWN_AT = {"currency": "redress", "value": "redress"}
