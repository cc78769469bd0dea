"""What stands in the taxonomies' files."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, model_validator

from services.routing.classifier.registers import Code, Entry, Labels, Language

Kind = Annotated[str, Field(pattern=r"^[a-z][a-z_]{1,19}$")]
"""An axis of a taxonomy: `type`, `product`, `reason`, `cause`, ..."""
Confirmed = Literal["ok", "2nd", "?"]
"""How sure the entry is: read at its source; known at second hand; not known for certain."""
VersionId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,19}$")]

PROGRAMME = "programme"


class Term(Entry):
    """A code of one axis. `parent` is a code of the same axis; `of` are codes of the axis `product` under which it is
    offered (all when empty); `confirmed` is the version's unless given."""

    code: Code
    labels: Labels
    parent: Code | None = None
    of: tuple[Code, ...] = ()
    confirmed: Confirmed | None = None


class Version(Entry):
    """A taxonomy as it is in force from `effective_from` to `effective_to`, both inclusive; open where not given.

    `same_as` names the version whose terms are used for want of this one's own: then nothing translates exactly.
    """

    id: VersionId
    effective_from: date | None = None
    effective_to: date | None = None
    confirmed: Confirmed
    source: str = Field(min_length=1)
    remark: str | None = None
    same_as: VersionId | None = None
    terms: dict[Kind, tuple[Term, ...]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _in_order(self) -> "Version":
        if self.effective_from and self.effective_to and self.effective_to < self.effective_from:
            raise ValueError("it ends before it begins")
        if self.same_as is not None and self.terms:
            raise ValueError("it has terms of its own and borrows another's")
        return self

    def covers(self, day: date) -> bool:
        """Whether it is in force on `day`."""
        return (self.effective_from or date.min) <= day <= (self.effective_to or date.max)


class TaxonomyFile(Entry):
    """One taxonomy with all its versions. `official` is the language that its publisher worded it in: labels in the
    others are this project's translations."""

    name: Code
    labels: Labels
    official: Language
    publisher: str = Field(min_length=1)
    version: Annotated[tuple[Version, ...], Field(min_length=1)]


class Way(Entry):
    """What one of our codes becomes: `to`, the primary term, and `also`, others that may fit better in a single case;
    or none, for the reason that `note` gives. `by_product` is a better answer where our product is known."""

    code: Code
    to: Code | None = None
    also: tuple[Code, ...] = ()
    by_product: dict[Code, Code] = Field(default_factory=dict)
    exact: bool = False
    note: Labels | None = None

    @model_validator(mode="after")
    def _whole(self) -> "Way":
        if self.to is None and self.note is None:
            raise ValueError("it leads nowhere and has no note that says why")
        if self.to is None and (self.also or self.exact):
            raise ValueError("it leads nowhere, so it cannot be exact nor lead elsewhere as well")
        if self.exact and (self.also or self.by_product):
            raise ValueError("it cannot be exact and lead to more than one term")
        return self

    @property
    def targets(self) -> frozenset[str]:
        """Every code that it may lead to."""
        return frozenset({*self.also, *self.by_product.values(), *({self.to} if self.to else ())})


class Crosswalk(Entry):
    """From the axis `kind` of the programme's taxonomy to the axis `axis` of another, in the named versions of it."""

    id: str = Field(min_length=1, max_length=60)
    kind: Kind
    taxonomy: Code
    axis: Kind
    versions: Annotated[tuple[VersionId, ...], Field(min_length=1)]
    way: Annotated[tuple[Way, ...], Field(min_length=1)]


class Crosswalks(Entry):
    """The file `crosswalks.toml`."""

    crosswalk: tuple[Crosswalk, ...]
