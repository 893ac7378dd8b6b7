"""A real browser before a real stack. Skipped where there is no Chromium: CI installs Debian's.

Run apart, with `make browser`: the browser's driver keeps an event loop of its own for the whole session.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.browser.printers import BIG, HOSTILE, PIPELINE
from tests.browser.site import Site, run_site
from tests.database import Server

CHROMIUM = os.environ.get("HOWDAH_TEST_CHROMIUM") or shutil.which("chromium")
PATIENCE_MILLISECONDS = 20_000


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A browser; HOWDAH_TEST_CHROMIUM names its program, otherwise it is `chromium`."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium: install it, or name its program in HOWDAH_TEST_CHROMIUM")
    expect.set_options(timeout=PATIENCE_MILLISECONDS)
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def site(server: Server) -> Iterator[Site]:
    """A stack with a finished run, of which the jobs `big` and `hostile` have logs that are packed."""
    with server.create_database() as database, run_site(database) as running:
        files = {".howdah.yml": PIPELINE, "big.py": BIG, "hostile.py": HOSTILE}
        pipeline, run_id = running.run(files, "app")
        assert pipeline.await_end(run_id) == "failed"
        for key in ("big", "hostile"):
            running.jobs[key] = pipeline.job(run_id, key)["id"]
            running.await_packed(running.jobs[key])
        yield running


@pytest.fixture(scope="session")
def session_state(browser: Browser, site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the browser keeps of somebody who has signed in."""
    file = tmp_path_factory.mktemp("browser") / "state.json"
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{site.url}/login")
    page.get_by_label("API token").fill(site.token)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{site.url}/runs")
    context.storage_state(path=file)
    context.close()
    return file


class Desk:
    """Opens pages of somebody who is signed in, and hears what their scripts complain of."""

    def __init__(self, browser: Browser, state: Path) -> None:
        self._browser = browser
        self._state = state
        self._contexts: list[BrowserContext] = []
        self.complaints: list[str] = []

    def page(self, **settings: Any) -> Page:
        """Open a page of 1280 by 900 points, unless `settings` say otherwise."""
        settings.setdefault("viewport", {"width": 1280, "height": 900})
        context = self._browser.new_context(storage_state=self._state, **settings)
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        self._contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._hear)
        return page

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def close(self) -> None:
        """Close all pages."""
        for context in self._contexts:
            context.close()


@pytest.fixture
def desk(browser: Browser, session_state: Path) -> Iterator[Desk]:
    """Pages for a test; no script may fail, and none may want what the policy forbids."""
    opened = Desk(browser, session_state)
    yield opened
    opened.close()
    assert opened.complaints == []
