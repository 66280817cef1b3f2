"""Pages in headless Chromium: what goes wrong while one is open, and whether everybody can read it.

Playwright drives the Chromium of the system (Debian's package), and axe-core, which axe-playwright-python brings, looks
the page over. Where one of the three is missing, tests that open a page are skipped; `.ci/run` installs what it needs.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest

WIDE, NARROW = 1280, 400
"""Widths of a desk's screen and of a phone's, in CSS pixels."""

_NAMES = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True)
class Opened:
    """A page in its own private window. `problems` grows while it is open: errors, dialogs, requests to elsewhere."""

    page: Any
    problems: list[str] = field(default_factory=list)

    def unfold(self) -> None:
        """Open everything that folds, so that it is looked at too."""
        self.page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")

    def faults(self) -> list[str]:
        """What is wrong with the page as it stands: it scrolls sideways; axe-core's serious and critical findings."""
        from axe_playwright_python.sync_playwright import Axe

        width, room = self.page.evaluate("(e => [e.scrollWidth, e.clientWidth])(document.documentElement)")
        sideways = [f"{width} pixels wide where there are {room}"] if width > room else []
        found = Axe().run(self.page).response["violations"]
        return sideways + [
            f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]}"
            for one in found
            if one["impact"] in ("serious", "critical")
        ]


OpenPage = Callable[..., Opened]
"""`open_page(url, width=WIDE)`."""


@pytest.fixture(scope="module")
def open_page() -> Iterator[OpenPage]:
    """Open pages in one Chromium.

    It lives as long as a module's tests and not longer: while Playwright is open, its event loop runs in this thread
    and no other test could start one.
    """
    sync = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed (`make test` installs it)")
    pytest.importorskip("axe_playwright_python", reason="axe-core is not installed (`make test` installs it)")
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.skip("Chromium is not installed (on Debian: apt-get install chromium)")
    with sync.sync_playwright() as playwright, _browser(playwright, program) as browser:
        yield lambda url, width=WIDE: _open(browser, url, width)


@contextmanager
def _browser(playwright: Any, program: str) -> Iterator[Any]:
    quiet = ["--disable-background-networking", "--disable-gpu"]
    browser = playwright.chromium.launch(executable_path=program, args=quiet)
    try:
        yield browser
    finally:
        browser.close()


def _open(browser: Any, url: str, width: int) -> Opened:
    page = browser.new_page(viewport={"width": width, "height": 900})
    opened = Opened(page)

    def note(problem: str) -> None:
        opened.problems.append(problem)

    page.on("console", lambda said: note(f"console: {said.text}") if said.type == "error" else None)
    page.on("pageerror", lambda error: note(f"error: {error}"))
    page.on("dialog", lambda dialog: (note(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("request", lambda request: note(f"request: {request.url}") if goes_elsewhere(request.url, url) else None)
    page.goto(url)
    return opened


def goes_elsewhere(asked: str, url: str) -> bool:
    """Whether a request goes anywhere but to where the page itself is from; of a file, to any other file."""
    to, own = urlsplit(asked), urlsplit(url)
    if to.scheme in ("data", "blob", "about"):
        return False
    if own.scheme == "file":
        return (to.scheme, to.path) != (own.scheme, own.path)
    return (to.scheme, to.netloc) != (own.scheme, own.netloc)
