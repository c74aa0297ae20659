"""A real browser for pages, where there is one."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def find_chromium() -> str | None:
    """Return the path of a Chromium; ``CHROMIUM`` names one that is elsewhere."""
    given = os.environ.get("CHROMIUM", "")
    return next(filter(None, map(shutil.which, filter(None, (given, *NAMES)))), None)


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start a headless Chromium; the test is skipped where none is installed."""
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium: install it, for example with apt-get install chromium")
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="no Playwright: pip install 'pytest-raq[dev]'"
    )
    with playwright.sync_playwright() as driver:
        # Containers and root have no sandbox of their own to give.
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Watched:
    """A page of a browser that remembers what went wrong in it and what it asked for."""

    def __init__(self, browser: Browser, **context: object) -> None:
        self.context = browser.new_context(**context)
        self.page: Page = self.context.new_page()
        self.messages: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))
        self.page.on("dialog", lambda dialog: self.messages.append(dialog.message))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def open(self, path: Path) -> Page:
        self.page.goto(path.as_uri())
        return self.page

    def close(self) -> None:
        self.context.close()
