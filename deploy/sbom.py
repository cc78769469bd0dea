"""The software bill of materials (CycloneDX 1.6, JSON) of what the services run on, from the lock file.

    python -m deploy.sbom > redress.cdx.json

Each package with its version, where it comes from, who needs it, and the licence that its own metadata names where it
is installed here. What no lock file holds (Python itself, the base image, PostgreSQL, Kafka) is not in it.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from shared import __version__

LOCK = Path(__file__).resolve().parent.parent / "requirements" / "run.lock"
_PINNED = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?==(?P<version>[^\s;\\]+)(?P<marker>[^\\]*)")
_OURS = "redress"
_CLASSIFIER = "License :: "


@dataclass(slots=True)
class Locked:
    """A package of a lock file. `needed_by`: names of packages, ours among them where we ask for it ourselves."""

    name: str
    version: str
    marker: str
    needed_by: list[str] = field(default_factory=list)


def locked(text: str) -> list[Locked]:
    """What a lock file pins. Raises ValueError where a package has no hash: what is installed could be anything."""
    found: list[Locked] = []
    hashed = True
    for line in text.splitlines():
        if pinned := _PINNED.match(line):
            if not hashed:
                raise ValueError(f"{found[-1].name} has no hash")
            found.append(Locked(_normal(pinned["name"]), pinned["version"], pinned["marker"].strip(" ;")))
            hashed = False
        elif line.startswith("    --hash=sha256:"):
            hashed = True
        elif found and line.lstrip().startswith("#"):
            who = line.lstrip(" #").removeprefix("via").strip()
            if who and not who.startswith("-c"):
                found[-1].needed_by.append(_OURS if who.startswith("-r") else _normal(who))
    if not hashed:
        raise ValueError(f"{found[-1].name} has no hash")
    return found


def licences(name: str) -> list[str]:
    """What the installed package `name` says of its licence: an SPDX expression, or words. Empty where it is not
    installed, or says nothing."""
    try:
        told = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return []
    if expression := told.get_all("License-Expression"):
        return expression
    classified = [c for c in told.get_all("Classifier") or [] if c.startswith(_CLASSIFIER)]
    names = [c.rpartition(" :: ")[2] for c in classified if not c.endswith("OSI Approved")]
    words = "".join(told.get_all("License") or []).strip().splitlines()
    return names or words[:1]


def bom(text: str) -> Bom:
    """The bill of the packages pinned in `text`, a lock file."""
    made = Bom(serial_number=uuid5(NAMESPACE_URL, text))  # the same lock, the same number
    root = Component(type=ComponentType.APPLICATION, name=_OURS, version=__version__, bom_ref=_OURS)
    made.metadata.component = root
    packages = locked(text)
    components = {one.name: _component(one) for one in packages}
    for component in components.values():
        made.components.add(component)
    needs: dict[str, list[Component]] = {}
    for one in packages:
        for who in one.needed_by:
            needs.setdefault(who, []).append(components[one.name])
    made.register_dependency(root, needs.pop(_OURS, []))
    for name, component in components.items():
        made.register_dependency(component, needs.get(name, []))
    return made


def _component(one: Locked) -> Component:
    purl = PackageURL("pypi", name=one.name, version=one.version)
    return Component(
        type=ComponentType.LIBRARY,
        name=one.name,
        version=one.version,
        purl=purl,
        bom_ref=purl.to_string(),
        licenses=list(_licences(one.name)),
    )


def _licences(name: str) -> Iterator[LicenseExpression | DisjunctiveLicense]:
    told = licences(name)
    if len(told) == 1 and re.fullmatch(r"[A-Za-z0-9.+-]+(?: (?:AND|OR|WITH) [A-Za-z0-9.+-]+)*", told[0]):
        yield LicenseExpression(told[0])
        return
    yield from (DisjunctiveLicense(name=words) for words in told)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.stdout.write(JsonV1Dot6(bom(LOCK.read_text())).output_as_string(indent=2) + "\n")
