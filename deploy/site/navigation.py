"""In which order the pages stand. A test holds that every page of `docs/` is here."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIRST = "README.md"
SERVICES = ("intake", "routing", "sla", "reporting")
"""Each has a page of its API, which is written when the site is built."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """A heading of the navigation, and the pages below it, as paths in the repository without their suffix."""

    title: str
    pages: tuple[str, ...]


def chapters() -> tuple[Chapter, ...]:
    """All of them. A page that none names is in the last: it is on the site from its first day."""
    named = (
        Chapter("Use it", ("docs/pages", "docs/reporting", "docs/policy-packs")),
        Chapter("Run it", ("docs/install", "docs/configure", "docs/capacity", "docs/upgrade", "docs/backup")),
        Chapter("When something is wrong", ("docs/operations", "docs/runbooks/README")),
        Chapter("Keep it safe", ("docs/secure", "docs/privacy", "docs/security/threat-model", "docs/security/asvs")),
        Chapter("Build on it", ("docs/api", "docs/events")),
    )
    taken = {page for chapter in named for page in chapter.pages}
    others = (page for page in _in("docs") if page not in taken)
    return (*named, Chapter("Change it", ("CONTRIBUTING", *others, "docs/decisions/README")))


def below() -> Mapping[str, tuple[str, ...]]:
    """Pages that open below another one, by that one: there are many, and more to come."""
    return {
        "docs/runbooks/README": tuple(_in("docs/runbooks")),
        "docs/decisions/README": tuple(_in("docs/decisions")),
        "docs/api": tuple(f"docs/api/{name}" for name in SERVICES),
    }


def every() -> list[str]:
    """All pages but the first, as often as the navigation has them."""
    return [
        *(page for chapter in chapters() for page in chapter.pages),
        *(p for pages in below().values() for p in pages),
    ]


def _in(folder: str) -> Iterator[str]:
    return (f"{folder}/{path.stem}" for path in sorted((ROOT / folder).glob("*.md")) if path.stem != "README")
