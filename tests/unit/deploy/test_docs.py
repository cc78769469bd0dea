"""What the documentation names is there: pages, headings, `make` targets, `redress` commands, settings; and every page
can be found on the site. Links to other hosts are not followed: CI has no network."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import typer
from markdown_it import MarkdownIt
from markdown_it.token import Token

from deploy.cli.main import app
from deploy.configure import PAGE as SETTINGS
from deploy.site import navigation
from tests.unit.deploy.named_settings import EVERY

ROOT = navigation.ROOT
FAULTS = ROOT / "tests" / "chaos" / "scale.py"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
IDS = [str(page.relative_to(ROOT)) for page in PAGES]
_MAKE = re.compile(r"\bmake ((?:[A-Z]+=\S* )*)([a-z][a-z-]*)")
_REDRESS = re.compile(r"(?:^|[\s/`(])redress (?:--env \S+ )?([a-z][a-z-]*)(?: ([a-z][a-z-]*))?", re.MULTILINE)
_SETTING = re.compile(r"\bREDRESS_[A-Z]+(?:_[A-Z]+)*(?:_\*|_(?=[^A-Z*]|$))?")


def _tokens(text: str) -> Iterator[Token]:
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        yield token
        yield from token.children or ()


def _slug(heading: str) -> str:
    """The anchor that GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@cache
def _anchors(page: Path) -> frozenset[str]:
    tokens = MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))
    headings = [tokens[i + 1] for i, token in enumerate(tokens) if token.type == "heading_open"]
    return frozenset(_slug("".join(t.content for t in h.children or ())) for h in headings)


def _dead(page: Path, text: str) -> list[str]:
    """The links of `text`, as it would stand in `page`, that lead nowhere."""
    found = []
    for token in _tokens(text):
        link = str(token.attrGet("href") or token.attrGet("src") or "")
        if not link or re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        inside = target.is_relative_to(ROOT) and target.exists()
        if not inside or (anchor and (target.suffix != ".md" or anchor not in _anchors(target))):
            found.append(link)
    return found


def _code(text: str) -> Iterator[str]:
    for token in _tokens(text):
        if token.type in ("fence", "code_block", "code_inline"):
            yield token.content


@cache
def _targets() -> frozenset[str]:
    return frozenset(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@cache
def _commands() -> Mapping[str, Any]:
    commands: Mapping[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    return commands


def _unknown(text: str) -> list[str]:
    """The `make` targets and `redress` commands that `text` names as code and that do not exist."""
    found = []
    for code in _code(text):
        found += [f"make {target}" for _, target in _MAKE.findall(code) if target not in _targets()]
        for first, second in _REDRESS.findall(code):
            below = getattr(_commands().get(first), "commands", None)
            if first not in _commands() or (below and second and second not in below):
                found.append(f"redress {first} {second}".strip())
    return found


@cache
def _tools_settings() -> frozenset[str]:
    """What is read by tools, not by services."""
    return frozenset(re.findall(r"\bREDRESS_\w+\b", SETTINGS.read_text().partition("## For tools")[2]))


def _no_settings(text: str) -> list[str]:
    """The settings that `text` names and that there are not; `REDRESS_SMTP_*` and `REDRESS_SMTP_` stand for several."""
    known = EVERY | _tools_settings() | set(re.findall(r"\bREDRESS_\w+\b", FAULTS.read_text()))
    found = []
    for name in _SETTING.findall(text):
        begins = name.rstrip("*")
        if not (any(k.startswith(begins) for k in known) if begins.endswith("_") else begins in known):
            found.append(name)
    return found


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert _dead(page, page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_command_and_setting_that_is_named_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert _unknown(text) == []
    assert _no_settings(text) == []


def test_what_is_not_there_is_found() -> None:
    page = ROOT / "docs" / "install.md"
    good = "[a](upgrade.md) [b](../README.md#start-it) [c](https://bank.example/x.md) [d](#on-kubernetes)"
    dead = ["nothing.md", "upgrade.md#nothing", "#nothing", "../../outside.md", "../pyproject.toml#x"]
    assert _dead(page, good) == []
    assert _dead(page, good + " ".join(f"[x]({link})" for link in dead)) == dead
    assert (
        _unknown("`make up` and `PORT=1 make demo`, make no mistake; `redress --env F keys create x`, `redress up`")
        == []
    )
    assert _unknown("`make nothing`\n\n```sh\nredress nothing\n.venv/bin/redress keys forge x\n```") == [
        "make nothing", "redress nothing", "redress keys forge"
    ]  # fmt: skip
    assert _no_settings("REDRESS_HOME, REDRESS_OIDC_*, `REDRESS_OIDC_ISSUER`") == []
    assert _no_settings("REDRESS_HOMES, `REDRESS_NOTHING_*`") == ["REDRESS_HOMES", "REDRESS_NOTHING_*"]


def test_every_page_is_in_the_navigation_once() -> None:
    listed = navigation.every()
    assert len(set(listed)) == len(listed)
    written = {f"docs/api/{service}" for service in navigation.SERVICES}
    there = {str(page.relative_to(ROOT).with_suffix("")) for page in PAGES} - {"README"}
    assert set(listed) - written == there


def test_what_the_code_reads_from_the_environment_is_documented() -> None:
    named = set()
    for folder in ("deploy", "services", "shared"):
        for path in (ROOT / folder).rglob("*.py"):
            named |= set(re.findall(r"environ(?:\.get\(|\[)\s*[\"'](REDRESS_[A-Z_]+)[\"']", path.read_text()))
    assert named
    assert named <= EVERY | _tools_settings()
    assert not [name for name in _tools_settings() - EVERY if name not in named and not _is_read(name)]


def _is_read(name: str) -> bool:
    return any(f'"{name}"' in path.read_text() for path in (ROOT / "deploy").rglob("*.py"))
