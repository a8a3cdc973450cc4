"""What several test files need: the embedded corpus and the real songs."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest_plugins = ["browser"]

if "PYTEST_XDIST_WORKER" in os.environ:  # tests side by side: threads that wait for each other would only spin
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    os.environ.setdefault("LOKY_MAX_CPU_COUNT", "1")  # the other processors have the other tests

LONG = ("test_notebooks_run", "test_book_browser", "test_reproduce", "test_runner", "test_explore_sound_browser",
        "test_player_browser", "test_lab_browser", "test_training", "test_synthetic")

SLOW = ("test_lesson_", "test_exercises", "test_cli", "test_campaign", "test_own_song")
"""Beginnings of more names of files that `make check` leaves out: they run lessons or commands, or train."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take long, so that two workers end together.

    The first of them trains the networks of the lessons, and the one in JupyterLab, much later, finds them trained.
    """
    places = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path.stem, len(LONG)))
    for item in items:
        if (item.path.stem in places or item.path.stem.startswith(SLOW) or "browser" in item.path.stem
                or "chromium" in getattr(item, "fixturenames", ())):
            item.add_marker("slow")


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """Let child processes be interrupted, also where the tests were started in the background."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def no_loop(request: pytest.FixtureRequest) -> Iterator[None]:
    """Begin without an event loop: playwright leaves its own running in the thread of the tests."""
    running = asyncio._get_running_loop()
    if "chromium" not in request.fixturenames:
        asyncio._set_running_loop(None)
    yield
    asyncio._set_running_loop(running)


@pytest.fixture(scope="session")
def synthetic_root() -> Path:
    """Return the embedded corpus in its usual place; rendered by the first test that asks, if need be."""
    from dann_lib.synthetic import make_corpus

    return make_corpus(progress=False)


@pytest.fixture(scope="session")
def musdb_path() -> Path:
    """Return a folder of real songs: MUSDB18, or its 7-s excerpts."""
    stated = os.environ.get("MUSDB_PATH")
    if not stated:
        pytest.skip("MUSDB_PATH is not set: no real songs to test with")
    if not Path(stated).is_dir():
        pytest.skip(f"MUSDB_PATH is {stated}, which is no folder: no real songs to test with")
    return Path(stated)
