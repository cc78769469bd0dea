"""The runbook pages of `docs/runbooks/`, for people who look at them at the desk."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "runbooks"
_NAME = re.compile(r"[a-z][a-z-]*\Z")


@dataclass(frozen=True, slots=True)
class Runbook:
    """A page: its first heading, and what is under it, as HTML."""

    name: str
    title: str
    body: Markup


@cache
def runbook(name: str) -> Runbook | None:
    """The page `name`; None where there is none."""
    path = FOLDER / f"{name}.md"
    if not _NAME.match(name) or not path.is_file():
        return None
    title, _, text = path.read_text().partition("\n")
    html = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    # ours, written as Markdown without HTML; links between the pages lose their suffix
    return Runbook(name, title.removeprefix("# ").strip(), Markup(re.sub(r'href="([a-z-]+)\.md"', r'href="\1"', html)))  # noqa: S704


@cache
def names() -> tuple[str, ...]:
    """Every page but the index, by name."""
    return tuple(sorted(p.stem for p in FOLDER.glob("*.md") if p.stem != "README"))
