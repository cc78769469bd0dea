"""In which order the pages stand. A test holds that every page of `docs/` is here."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIRST = "README.md"


@dataclass(frozen=True, slots=True)
class Chapter:
    """A heading of the navigation, and the pages below it, as paths in the repository without their suffix."""

    title: str
    pages: tuple[str, ...]


def chapters() -> tuple[Chapter, ...]:
    """All of them. Runbooks and decisions come in the order of their folders: there are many, and more to come."""
    return (
        Chapter("Use it", ("docs/pages", "docs/reporting", "docs/policy-packs")),
        Chapter("Run it", ("docs/install", "docs/configure", "docs/capacity", "docs/upgrade", "docs/backup")),
        Chapter("When something is wrong", ("docs/operations", "docs/runbooks/README", *_in("docs/runbooks"))),
        Chapter("Keep it safe", ("docs/secure", "docs/privacy", "docs/security/threat-model", "docs/security/asvs")),
        Chapter("Build on it", ("docs/api", *(f"docs/api/{name}" for name in SERVICES), "docs/events")),
        Chapter("Change it", ("CONTRIBUTING", *_others(), *_in("docs/decisions"))),
    )


SERVICES = ("intake", "routing", "sla", "reporting")
"""Each has a page of its API, which is written when the site is built."""
_NAMED = frozenset(
    "api backup capacity configure events install operations pages policy-packs privacy reporting secure upgrade".split()
)


def _in(folder: str) -> Iterator[str]:
    return (f"{folder}/{path.stem}" for path in sorted((ROOT / folder).glob("*.md")) if path.stem != "README")


def _others() -> Iterator[str]:
    """Pages that no chapter names yet: a new one is on the site from its first day."""
    return (f"docs/{path.stem}" for path in sorted((ROOT / "docs").glob("*.md")) if path.stem not in _NAMED)
