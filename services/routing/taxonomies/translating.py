"""What a code is called in a taxonomy on a day. Pure functions of what was read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from services.routing.classifier.registers import Labels
from services.routing.taxonomies.model import PROGRAMME, Confirmed, Crosswalk, TaxonomyFile, Term, Version, Way
from services.routing.taxonomies.reading import Library, in_force


class NotInForce(LookupError):
    """There is no such taxonomy, or no version of it on that day."""


class NotMapped(LookupError):
    """The code is not one of ours, or no crosswalk leads from its kind to that taxonomy."""


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """A taxonomy as it is in force on a day."""

    about: TaxonomyFile
    version: Version

    @property
    def name(self) -> str:
        return self.about.name

    @property
    def provisional(self) -> bool:
        """Whether it uses an earlier version's terms because its own are not known."""
        return self.version.same_as is not None

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(self.version.terms)

    def terms(self, kind: str) -> tuple[Term, ...]:
        """The terms of one axis, in the publisher's order. Raises KeyError."""
        return self.version.terms[kind]

    def term(self, kind: str, code: str) -> Term:
        """Raises KeyError."""
        for term in self.version.terms[kind]:
            if term.code == code:
                return term
        raise KeyError(code)

    def confirmed(self, term: Term) -> Confirmed:
        """How sure `term` is."""
        return term.confirmed or self.version.confirmed


@dataclass(frozen=True, slots=True)
class Mapped:
    """`code` of the axis `axis`, None where that taxonomy has no term for it; `also`: terms that may fit better in a
    single case. `exact`: the two terms mean the same. `provisional`: the version's own terms are not known, an
    earlier one's stand in. `note` says what to mind."""

    code: str | None
    axis: str
    exact: bool
    note: Labels | None
    also: tuple[str, ...] = ()
    provisional: bool = False


class Taxonomies:
    """All taxonomies and crosswalks. Immutable."""

    def __init__(self, library: Library) -> None:
        self._taxonomies = library.taxonomies
        self._crosswalks: Mapping[tuple[str, str, str], Crosswalk] = {
            (c.kind, c.taxonomy, id): c for c in library.crosswalks for id in c.versions
        }
        self._ways: Mapping[tuple[str, str], Way] = {(c.id, w.code): w for c in library.crosswalks for w in c.way}

    @property
    def names(self) -> tuple[str, ...]:
        """The programme's own first."""
        return tuple(self._taxonomies)

    def versions(self, name: str) -> TaxonomyFile:
        """A taxonomy with all its versions. Raises NotInForce."""
        if name not in self._taxonomies:
            raise NotInForce(f"There is no taxonomy '{name}'.")
        return self._taxonomies[name]

    def on(self, name: str, day: date) -> Taxonomy:
        """The taxonomy as it is in force on `day`. Raises NotInForce."""
        about = self.versions(name)
        version = in_force(about, day)
        if version is None:
            raise NotInForce(f"No version of the taxonomy '{name}' is in force on {day}.")
        return Taxonomy(about, version)

    def translate(self, kind: str, code: str, *, to: str, on: date, product: str | None = None) -> Mapped:
        """What our `code` of the axis `kind` (`type`, `product`, `root_cause`) is in the taxonomy `to`.

        `product` is our product code, where known: some taxonomies word a complaint's issue by its product. Not exact
        where the version borrows its terms. Raises NotInForce, NotMapped.
        """
        target = self.on(to, on)
        if to == PROGRAMME:
            if all(term.code != code for term in target.version.terms.get(kind, ())):
                raise NotMapped(f"There is no {kind} '{code}'.")
            return Mapped(code, kind, exact=True, note=None)
        crosswalk = self._crosswalks.get((kind, to, target.version.id))
        if crosswalk is None:
            raise NotMapped(f"No crosswalk leads from {kind} to '{to}', version '{target.version.id}'.")
        way = self._ways.get((crosswalk.id, code))
        if way is None:
            raise NotMapped(f"No way leads from {kind} '{code}' to '{to}', version '{target.version.id}'.")
        found = way.by_product.get(product, way.to) if product else way.to
        also = tuple(c for c in ((way.to, *way.also) if way.to else way.also) if c != found)
        return Mapped(found, crosswalk.axis, way.exact and not target.provisional, way.note, also, target.provisional)
