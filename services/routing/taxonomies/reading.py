"""Reads the taxonomies and checks them against one another and against the registers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from services.routing.classifier import registers as own
from services.routing.classifier.registers import BadRegister, known, parse, unique
from services.routing.taxonomies.model import PROGRAMME, Crosswalk, Crosswalks, TaxonomyFile, Term, Version

CROSSWALKS = "crosswalks.toml"
MUST_LEAD = ("type", "product")
"""Axes of the programme's taxonomy of which every code must lead to every other taxonomy (types not to a version that
lists nothing but products)."""


@dataclass(frozen=True, slots=True)
class Library:
    """All that was read, checked: taxonomies by name, the programme's first, versions with their terms filled in."""

    taxonomies: Mapping[str, TaxonomyFile]
    crosswalks: tuple[Crosswalk, ...]


def read(folder: Path, registers: Path) -> Library:
    """The taxonomies of `folder`, overlaid by `registers`/taxonomies, with our own terms from `registers`.

    Raises BadRegister.
    """
    files = {path.name: path for place in (folder, registers / "taxonomies") for path in sorted(place.glob("*.toml"))}
    crosswalks = parse(files.pop(CROSSWALKS, folder / CROSSWALKS), Crosswalks).crosswalk
    programme = f"{PROGRAMME}.toml"
    first = parse(files.pop(programme, folder / programme), TaxonomyFile)
    found = {PROGRAMME: _with_our_terms(first, own.read(registers))}
    for file, path in files.items():
        taxonomy = parse(path, TaxonomyFile)
        if file != f"{taxonomy.name}.toml":
            raise BadRegister(f"{file}: it is named '{taxonomy.name}', which belongs in {taxonomy.name}.toml")
        found[taxonomy.name] = taxonomy
    for taxonomy in found.values():
        _check(taxonomy)
    found = {name: _borrowed(taxonomy) for name, taxonomy in found.items()}
    _check_crosswalks(crosswalks, found)
    return Library(found, crosswalks)


def _with_our_terms(programme: TaxonomyFile, registers: own.Registers) -> TaxonomyFile:
    """Every version gets the codes that routing decides by; the file itself must name none."""
    lists: Mapping[str, Iterable[own.Term | own.Product]] = {
        "type": registers.taxonomy.category,
        "root_cause": registers.taxonomy.root_cause,
        "no_redress": registers.taxonomy.no_redress,
        "product": registers.products,
    }
    terms = {kind: tuple(Term(code=t.code, labels=t.labels) for t in those) for kind, those in lists.items()}
    if programme.name != PROGRAMME:
        raise BadRegister(f"{PROGRAMME}.toml: its name is '{PROGRAMME}', not '{programme.name}'")
    for version in programme.version:
        if version.terms or version.same_as:
            where = f"{PROGRAMME}.toml: version '{version.id}'"
            raise BadRegister(f"{where}: its terms stand in taxonomy.toml and products.toml of the registers, not here")
    return programme.model_copy(
        update={"version": tuple(v.model_copy(update={"terms": terms}) for v in programme.version)}
    )


def _check(taxonomy: TaxonomyFile) -> None:
    file = f"{taxonomy.name}.toml"
    ids = unique(file, "version", [v.id for v in taxonomy.version])
    before: Version | None = None
    for version in taxonomy.version:
        where = f"{file}: version '{version.id}'"
        if before is not None:
            _follows(where, before, version)
        before = version
        if version.same_as is not None:
            known(where, "version", {version.same_as} - {version.id}, ids)
            if not next(v.terms for v in taxonomy.version if v.id == version.same_as):
                raise BadRegister(f"{where}: version '{version.same_as}', whose terms it uses, has none of its own")
        elif not version.terms:
            raise BadRegister(f"{where}: it has no terms")
        products = {t.code for t in version.terms.get("product", ())}
        for kind, terms in version.terms.items():
            codes = unique(f"{where}", kind, [t.code for t in terms])
            for term in terms:
                known(f"{where}: {kind} '{term.code}'", "parent", {term.parent} - {None}, codes - {term.code})
                known(f"{where}: {kind} '{term.code}'", "product", term.of, products)


def _follows(where: str, before: Version, version: Version) -> None:
    """Versions stand in order of time, without a gap or a day that two of them claim."""
    if before.effective_to is None or version.effective_from is None:
        raise BadRegister(f"{where}: it overlaps version '{before.id}', which has no end, or has no beginning itself")
    if version.effective_from <= before.effective_to:
        raise BadRegister(f"{where}: it overlaps version '{before.id}', which ends on {before.effective_to}")
    if version.effective_from != before.effective_to + timedelta(days=1):
        raise BadRegister(f"{where}: no version is in force from {before.effective_to} to {version.effective_from}")


def _borrowed(taxonomy: TaxonomyFile) -> TaxonomyFile:
    terms = {v.id: v.terms for v in taxonomy.version}
    filled = (v.model_copy(update={"terms": terms[v.same_as]}) if v.same_as else v for v in taxonomy.version)
    return taxonomy.model_copy(update={"version": tuple(filled)})


def _check_crosswalks(crosswalks: tuple[Crosswalk, ...], taxonomies: Mapping[str, TaxonomyFile]) -> None:
    unique(CROSSWALKS, "crosswalk", [c.id for c in crosswalks])
    ours = taxonomies[PROGRAMME].version[-1].terms
    claimed: set[tuple[str, str, str]] = set()
    for crosswalk in crosswalks:
        where = f"{CROSSWALKS}: crosswalk '{crosswalk.id}'"
        known(where, "taxonomy", {crosswalk.taxonomy}, set(taxonomies) - {PROGRAMME})
        known(where, "kind", {crosswalk.kind}, set(ours))
        versions = {v.id: v for v in taxonomies[crosswalk.taxonomy].version}
        known(where, "version", crosswalk.versions, set(versions))
        for id in crosswalk.versions:
            key = (crosswalk.kind, crosswalk.taxonomy, id)
            if key in claimed:
                raise BadRegister(f"{where}: another leads from {crosswalk.kind} to version '{id}' already")
            claimed.add(key)
            known(where, "axis", {crosswalk.axis}, set(versions[id].terms))
            _check_ways(where, crosswalk, versions[id], ours)
        codes = unique(where, "code", [w.code for w in crosswalk.way])
        known(where, crosswalk.kind, codes, {t.code for t in ours[crosswalk.kind]})
        if crosswalk.kind in MUST_LEAD:
            for term in ours[crosswalk.kind]:
                if term.code not in codes:
                    raise BadRegister(f"{where}: {crosswalk.kind} '{term.code}' leads nowhere")
    for name, taxonomy in taxonomies.items():
        for version in taxonomy.version if name != PROGRAMME else ():
            for kind in MUST_LEAD if set(version.terms) != {"product"} else ("product",):
                if (kind, name, version.id) not in claimed:
                    raise BadRegister(f"{CROSSWALKS}: none leads from {kind} to '{name}', version '{version.id}'")
    _check_products(crosswalks, taxonomies)


def _check_products(crosswalks: tuple[Crosswalk, ...], taxonomies: Mapping[str, TaxonomyFile]) -> None:
    """What a way answers for one of our products must be offered under what that product becomes."""
    becomes = {
        (c.taxonomy, id, way.code): way.targets
        for c in crosswalks
        if c.kind == "product"
        for id in c.versions
        for way in c.way
    }
    for c in crosswalks:
        for version in taxonomies[c.taxonomy].version if c.kind != "product" else ():
            offered = {t.code: set(t.of) for t in version.terms.get(c.axis, ())} if version.id in c.versions else {}
            for way in c.way if offered else ():
                for product, code in way.by_product.items():
                    if offered[code] and offered[code].isdisjoint(becomes[c.taxonomy, version.id, product]):
                        where = f"{CROSSWALKS}: crosswalk '{c.id}': '{way.code}'"
                        raise BadRegister(f"{where}: '{code}' is not offered under what product '{product}' becomes")


def _check_ways(where: str, crosswalk: Crosswalk, version: Version, ours: Mapping[str, tuple[Term, ...]]) -> None:
    terms = {t.code: t for t in version.terms[crosswalk.axis]}
    products = {t.code for t in ours["product"]}
    for way in crosswalk.way:
        entry = f"{where}: '{way.code}'"
        known(entry, f"{crosswalk.axis} of version '{version.id}'", way.targets, set(terms))
        known(entry, "product", way.by_product, products)
        if way.to in way.also:
            raise BadRegister(f"{entry}: '{way.to}' is its primary term and a further one")


def in_force(taxonomy: TaxonomyFile, day: date) -> Version | None:
    """The version in force on `day`."""
    return next((v for v in taxonomy.version if v.covers(day)), None)
