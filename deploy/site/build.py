"""Gathers the pages as they are in the repository, adds the APIs, and has Sphinx make the site of them."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from deploy.site import openapi
from deploy.site.navigation import FIRST, ROOT, SERVICES, below, chapters, every

HERE = Path(__file__).resolve().parent
OUT = ROOT / "build" / "site"
_LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)\s]*)?\)")
_TO_README = re.compile(r"(\]\((?:\.\./)*)README\.md(?=[#)])")


def build(out: Path = OUT) -> Path:
    """Write the site to `out` anew; its first page. Raises CalledProcessError when a page or link is wrong: Sphinx says
    which."""
    source = out.with_name(f"{out.name}-source")
    for folder in (source, out):
        shutil.rmtree(folder, ignore_errors=True)
    gather(source)
    for service in SERVICES:
        path = source / "docs" / "api" / f"{service}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(openapi.page(service, openapi.document(service)), encoding="utf-8")
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "-q", "-b", "html"]
    left = out.with_name(f"{out.name}-doctrees")
    subprocess.run([*command, "-d", str(left), str(source), str(out)], check=True, cwd=ROOT)
    for folder in (left, source):
        shutil.rmtree(folder)
    return out / "index.html"


def gather(source: Path) -> None:
    """The pages, what they link to, and Sphinx's settings, in the folder `source`. They lie as in the repository, so
    that links between them hold; README is the first page."""
    under = below()
    for name in [FIRST.removesuffix(".md"), *every()]:
        page = ROOT / f"{name}.md"
        if not page.exists():
            continue  # an API's, which is written afterwards
        text = page.read_text(encoding="utf-8")
        for target in _files(page, text):
            (source / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / target, source / target)
        if page.parent in (ROOT, ROOT / "docs"):  # elsewhere README.md is that of the folder
            text = _TO_README.sub(r"\1index.md", text)
        if name in under:
            text += _tree([f"/{one}" for one in under[name]], hidden=name == "docs/runbooks/README")
        if page == ROOT / FIRST:
            text += "".join(_tree([f"/{one}" for one in c.pages], hidden=True, caption=c.title) for c in chapters())
            page = ROOT / "index.md"
        there = source / page.relative_to(ROOT)
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_text(text, encoding="utf-8")
    (source / "static").mkdir()
    shutil.copy(HERE / "conf.py", source)
    shutil.copy(HERE / "site.css", source / "static")
    shutil.copy(ROOT / "shared" / "web" / "static" / "mark.svg", source / "static")


def _tree(pages: list[str], *, hidden: bool, caption: str = "") -> str:
    """What makes Sphinx put pages below this one; `hidden`: without a list on the page itself."""
    options = [*([":hidden:"] if hidden else [":maxdepth: 1"]), *([f":caption: {caption}"] if caption else [])]
    return "\n".join(["", "```{toctree}", *options, "", *pages, "```", ""])


def _files(page: Path, text: str) -> Iterator[PurePosixPath]:
    """What a page links to that is no page, by its path in the repository."""
    for target in _LINK.findall(text):
        if "://" not in target and not target.endswith(".md") and (file := page.parent / target).is_file():
            yield PurePosixPath(file.resolve().relative_to(ROOT).as_posix())
