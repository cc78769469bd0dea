"""Gathers the pages as they are in the repository, adds the APIs, and has Sphinx make the site of them."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from deploy.site import openapi
from deploy.site.navigation import FIRST, ROOT, SERVICES, chapters

HERE = Path(__file__).resolve().parent
OUT = ROOT / "build" / "site"
_LINK = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?\)")


def build(out: Path = OUT) -> Path:
    """Write the site to `out` anew. Raises CalledProcessError when a page or link is wrong: Sphinx says which."""
    source = out.with_name(f"{out.name}-source")
    for folder in (source, out):
        shutil.rmtree(folder, ignore_errors=True)
    gather(source)
    for service in SERVICES:
        path = source / "docs" / "api" / f"{service}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(openapi.page(service, openapi.document(service)), encoding="utf-8")
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "-q", "-b", "html", "-j", "1"]
    subprocess.run([*command, str(source), str(out)], check=True, cwd=ROOT)
    for left in (".doctrees", ".buildinfo", "objects.inv"):
        shutil.rmtree(out / left, ignore_errors=True)
        (out / left).unlink(missing_ok=True) if (out / left).is_file() else None
    return out / "index.html"


def gather(source: Path) -> None:
    """The pages, what they link to, and Sphinx's settings, in the folder `source`. They lie as in the repository, so that links
    between them hold; README is the first page."""
    pages = [ROOT / FIRST, *(ROOT / f"{page}.md" for chapter in chapters() for page in chapter.pages)]
    for page in pages:
        if not page.exists():
            continue  # an API's, which is written afterwards
        there = source / page.relative_to(ROOT)
        there.parent.mkdir(parents=True, exist_ok=True)
        text = page.read_text(encoding="utf-8")
        for target in _files(page, text):
            (source / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / target, source / target)
        there.write_text(_to_index(text) if page.parent in (ROOT, ROOT / "docs") else text, encoding="utf-8")
    first = (source / FIRST).rename(source / "index.md")
    trees = "".join(
        f"\n```{{toctree}}\n:hidden:\n:caption: {chapter.title}\n\n" + "\n".join(chapter.pages) + "\n```\n"
        for chapter in chapters()
    )
    first.write_text(first.read_text(encoding="utf-8") + trees, encoding="utf-8")
    (source / "static").mkdir()
    shutil.copy(HERE / "conf.py", source)
    shutil.copy(HERE / "site.css", source / "static")
    shutil.copy(ROOT / "shared" / "web" / "static" / "mark.svg", source / "static")


def _files(page: Path, text: str) -> list[Path]:
    """What a page links to that is no page, as paths in the repository."""
    found = []
    for match in _LINK.finditer(text):
        if "://" not in match[2] and not match[2].endswith(".md") and (file := page.parent / match[2]).is_file():
            found.append(file.resolve().relative_to(ROOT))
    return found


def _to_index(text: str) -> str:
    """Links to the repository's README, not to that of a folder, lead to the first page."""
    return re.sub(r"(\]\((?:\.\./)*)README\.md(?=[#)])", r"\1index.md", text)
