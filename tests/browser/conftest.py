"""What the tests in a browser share: how it is started, and patience."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from deploy.infra.install import find_chromium

_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

expect.set_options(timeout=60_000)  # how long it takes says more about the other core than about the page


@pytest.fixture(scope="module")  # no longer: while it is open, no test can run an event loop of its own
def chromium() -> Iterator[Browser]:
    """One browser for all tests of a file; each opens contexts of its own."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=str(find_chromium()), args=_FLAGS)
        yield found
        found.close()


_LANGUAGE = re.compile(r"[\[-](zh-Hant|zh-Hans|en)[\]-]")
_KEPT = 5  # has no divisor with the numbers of languages and widths, so that neighbours differ


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of what is looked at in every language and width, every fifth look, so that CI stays short; each test keeps some,
    and over the tests all languages and widths come. `LOOK=all` looks at everything, before a release."""
    if os.environ.get("LOOK") == "all":
        return
    seen: Counter[str] = Counter()
    kept, left = [], []
    for item in items:
        if not _LANGUAGE.search(item.name) or Path(item.path).parent != Path(__file__).parent:
            kept.append(item)
            continue
        name = item.nodeid.partition("[")[0]
        offset = len(name) % _KEPT  # tests begin at different languages
        number, seen[name] = seen[name], seen[name] + 1
        (kept if (number - offset) % _KEPT == 0 or number == 0 else left).append(item)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept
