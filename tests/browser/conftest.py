"""What the tests in a browser share: how it is started, and patience."""

from collections.abc import Iterator

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
