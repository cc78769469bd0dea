"""Taxonomies: the bank's own and the regulators', as they are in force on a day, and the way from one to the other."""

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import Depends, Path, Request
from pydantic import BaseModel

from services.routing.classifier.registers import Labels
from services.routing.taxonomies import NotInForce, NotMapped, Taxonomies, Taxonomy, Version
from services.routing.taxonomies.model import PROGRAMME
from shared.errors import NotFound
from shared.security.principal import Principal, Role
from shared.web.access import allow
from shared.web.app import ClockDep
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1/taxonomies", tags=["taxonomies"])
_READERS = (Role.OFFICER, Role.SUPERVISOR, Role.MANAGER, Role.AUDITOR, Role.ADMIN)
_KINDS = ("type", "product", "root_cause")
Reader = Annotated[Principal, Depends(allow(*_READERS))]
Name = Annotated[str, Path(max_length=40, pattern=r"^[a-z][a-z0-9_]*$")]


class TaxonomyNotFound(NotFound):
    """There is no such taxonomy, or no version of it is in force on that day."""


def _taxonomies(request: Request) -> Taxonomies:
    found: Taxonomies = request.app.state.taxonomies
    return found


Known = Annotated[Taxonomies, Depends(_taxonomies)]


class VersionOut(BaseModel):
    """A version, in force from the first to the last day, both included. `confirmed`: read at its source (`ok`), known
    at second hand (`2nd`), or not known for certain (`?`)."""

    id: str
    effective_from: date | None
    effective_to: date | None
    confirmed: Literal["ok", "2nd", "?"]
    source: str
    remark: str | None


class AboutOut(BaseModel):
    """A taxonomy and its versions. `official` is the language that its publisher worded it in."""

    name: str
    labels: dict[str, str]
    publisher: str
    official: str
    versions: list[VersionOut]


class TermOut(BaseModel):
    code: str
    labels: dict[str, str]
    parent: str | None
    of: list[str]
    confirmed: Literal["ok", "2nd", "?"]


class WayOut(BaseModel):
    """What one of the bank's own codes is called there: `to`, null where nothing fits (`note` says why); `also`: terms
    that may fit better in a single case; `exact`: both mean the same."""

    kind: str
    code: str
    axis: str
    to: str | None
    also: list[str]
    exact: bool
    note: dict[str, str] | None


class TaxonomyOut(BaseModel):
    """A taxonomy on a day. `terms`: axis -> its terms in the publisher's order. `provisional`: this version's own terms
    are not known, an earlier one's stand in."""

    name: str
    labels: dict[str, str]
    version: VersionOut
    provisional: bool
    terms: dict[str, list[TermOut]]
    crosswalk: list[WayOut]


@router.get("", response_model=list[AboutOut], responses=documented())
async def listed(known: Known, _: Reader) -> list[dict[str, Any]]:
    """The taxonomies, the bank's own first."""
    files = [known.versions(name) for name in known.names]
    return [
        {
            "name": one.name,
            "labels": _labels(one.labels),
            "publisher": one.publisher,
            "official": one.official,
            "versions": [_version(version) for version in one.version],
        }
        for one in files
    ]


@router.get("/{name}", response_model=TaxonomyOut, responses=documented(TaxonomyNotFound))
async def on_a_day(name: Name, known: Known, clock: ClockDep, _: Reader, on: date | None = None) -> dict[str, Any]:
    """A taxonomy as it is in force on a day (today), and what the bank's own codes are called in it."""
    day = on or clock().date()
    try:
        found = known.on(name, day)
    except NotInForce as error:
        raise TaxonomyNotFound(str(error)) from None
    return {
        "name": name,
        "labels": _labels(found.about.labels),
        "version": _version(found.version),
        "provisional": found.provisional,
        "terms": {kind: [_term(found, term) for term in found.terms(kind)] for kind in found.kinds},
        "crosswalk": _crosswalk(known, name, day),
    }


def _crosswalk(known: Taxonomies, name: str, day: date) -> list[dict[str, Any]]:
    if name == PROGRAMME:
        return []
    ways: list[dict[str, Any]] = []
    own = known.on(PROGRAMME, day)
    for kind in _KINDS:
        for term in own.terms(kind):
            try:
                found = known.translate(kind, term.code, to=name, on=day)
            except NotMapped:
                continue
            ways.append(
                {
                    "kind": kind,
                    "code": term.code,
                    "axis": found.axis,
                    "to": found.code,
                    "also": list(found.also),
                    "exact": found.exact,
                    "note": _labels(found.note) if found.note else None,
                }
            )
    return ways


def _term(taxonomy: Taxonomy, term: Any) -> dict[str, Any]:
    return {
        "code": term.code,
        "labels": _labels(term.labels),
        "parent": term.parent,
        "of": list(term.of),
        "confirmed": taxonomy.confirmed(term),
    }


def _version(version: Version) -> dict[str, Any]:
    return version.model_dump(include={"id", "effective_from", "effective_to", "confirmed", "source", "remark"})


def _labels(labels: Labels) -> dict[str, str]:
    found: dict[str, str] = labels.model_dump(by_alias=True)
    return found
