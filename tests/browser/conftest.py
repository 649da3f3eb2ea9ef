"""A real browser on the real stack, on which the main job has run."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from onex.demo.driver import addresses_of
from onex.demo.stages import OPERATOR, Speakers
from tests.support.stack import Stack

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIETLY = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--explicitly-allowed-ports=10080",  # Amanda's port, which browsers refuse; a stack of a test may be given it
)
PASSWORD = "onex-demo"
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 360, "height": 800}
PATIENCE_MILLISECONDS = 30_000
SLOW = 900
AXE = "axe-core@4.10.3"

Visit = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of these need the whole stack, which may take minutes to come up."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.stack)
            item.add_marker(pytest.mark.timeout(SLOW))


def missing(what: str) -> NoReturn:
    """Skip with a loud line; on the build machine nothing may be missing."""
    sentence = f"BROWSER TESTS DID NOT RUN: {what}"
    if os.environ.get("CI") == "true":
        pytest.fail(sentence)
    pytest.skip(sentence)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        missing("no Chromium is installed (Debian: apt-get install chromium)")
    expect.set_options(timeout=PATIENCE_MILLISECONDS)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=list(QUIETLY))
        yield started
        started.close()


@pytest.fixture(scope="session")
def portal(browser: Browser, stack: Stack, main_job: str) -> str:
    """The portal's address, once the main job has run."""
    assert main_job
    return stack.running.url("portal")


@pytest.fixture(scope="session")
def speakers(stack: Stack, main_job: str) -> Iterator[Speakers]:
    """Who may speak to the services besides, once the main job has run."""
    assert main_job
    with closing(addresses_of(stack.running)) as addresses:
        yield Speakers(addresses)


@pytest.fixture(scope="session")
def colleague(speakers: Speakers) -> str:
    """A second person of the registry, since nobody approves alone; the name to sign in with."""
    name = "registry-2"
    speakers[OPERATOR].put("portal", f"/users/{name}", {"roles": ["registry"], "owns": {}, "password": PASSWORD})
    return name


@pytest.fixture
def visit(browser: Browser, portal: str) -> Iterator[Visit]:
    """Open a browser at the portal as somebody, in a language, at a width; whatever it complains of fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def opened(who: str = "", language: str = "en", size: dict[str, int] = WIDE) -> Page:
        context = browser.new_context(base_url=portal, viewport=size, bypass_csp=False)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        context.add_cookies([{"name": "language", "value": language, "url": portal}])
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
        if who:
            sign_in(page, who)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [one for one in complaints if not is_an_answer(one)] == []


def is_an_answer(complaint: str) -> bool:
    """Chromium also complains of every answer of 4xx and 5xx, which a test about them wants."""
    return complaint.startswith("Failed to load resource: the server responded with a status of")


def sign_in(page: Page, who: str) -> None:
    page.goto("/sign-in")
    page.locator("input[name=name]").fill(who)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("form.stack button").click()
    page.locator("header .person").wait_for()


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The accessibility checker axe-core, fetched through npm for these tests alone."""
    npm = shutil.which("npm")
    if npm is None:
        missing("npm is not here to fetch axe-core with")
    folder = tmp_path_factory.mktemp("axe")
    fetched = subprocess.run(
        [str(npm), "pack", "--silent", AXE], cwd=folder, capture_output=True, timeout=120, check=False
    )
    archives = list(folder.glob("*.tgz"))
    if fetched.returncode or not archives:
        missing("axe-core could not be fetched through npm")
    with tarfile.open(archives[0]) as archive:
        script = archive.extractfile("package/axe.min.js")
        assert script is not None
        return script.read().decode()


def is_accessible(page: Page, axe: str) -> None:
    """The page that is open, by axe's rules."""
    page.evaluate(axe)  # not a script of the page: its own policy stays in force
    found = page.evaluate("axe.run({resultTypes: ['violations']})")
    assert len(found["passes"]) > 5
    assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == [], page.url


def fits_every_screen(page: Page) -> None:
    """The page that is open, in both languages and at both widths."""
    for language, size in itertools.product(("zh", "en"), (WIDE, NARROW)):
        page.context.add_cookies([{"name": "language", "value": language, "url": page.url}])
        page.set_viewport_size({"width": size["width"], "height": size["height"]})
        page.reload()
        too_wide = page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
        assert too_wide <= 0, f"{page.url} in {language} at {size['width']}"
        expect(page.locator("h1")).to_have_count(1)
