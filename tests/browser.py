"""A browser for the tests: Debian's Chromium, driven by playwright; without either the tests are skipped."""

from __future__ import annotations

import base64
import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_MS = 600_000  # a busy machine is slow, and no defect


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A running browser that plays sound without being asked by a gesture."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: no browser test")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("there is no Chromium on the PATH: no browser test")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"])
        new_context = browser.new_context

        def patient(**options: Any) -> Any:
            context = new_context(**options)
            context.set_default_timeout(PATIENCE_MS)
            return context

        browser.new_context = patient
        yield browser
        browser.close()


def module_url(name: str) -> str:
    """The address of a module whose default export is what each module of the player's bundle exports, by its name."""
    from dann_lib.player.frame import bundle  # here: all tests load this file, few need the player

    code = bundle(name) + "export default modules;"
    return f"data:text/javascript;base64,{base64.b64encode(code.encode()).decode()}"


@contextlib.contextmanager
def opening(chromium: Any, folder: Path) -> Iterator[Any]:
    """Open HTML as a page of the file system, offline; errors of the page fail the test. `before` is run first."""
    contexts, errors = [], []

    def open_html(content: str, width: int = 900, before: str = "", **options: Any) -> Any:
        path = folder / f"page-{len(contexts)}.html"
        head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Test</title>'
        body = f'<!doctype html><html lang="en"><head>{head}</head><body>{content}</body></html>'
        path.write_text(body, encoding="utf-8")
        context = chromium.new_context(viewport={"width": width, "height": 1000}, offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.add_init_script(before)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto(path.as_uri())
        return page

    yield open_html
    for context in contexts:
        context.close()
    assert not errors, errors


@pytest.fixture
def open_page(chromium, tmp_path: Path) -> Iterator[Any]:
    """See `opening`; for a page of one test."""
    with opening(chromium, tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def share_page(chromium, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """See `opening`; for a page that several tests look at."""
    with opening(chromium, tmp_path_factory.mktemp("shared")) as opened:
        yield opened
