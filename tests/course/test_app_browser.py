"""The panel as an app (`make app`): a page of this machine alone, that separates a song."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def address(chromium, tmp_path_factory) -> Iterator[str]:
    """Of the app, started as the Makefile starts it, on a free port."""
    recipe = subprocess.run(["make", "--dry-run", "--old-file=.venv/.installed", "VENV=.venv", "app"], cwd=REPOSITORY,
                            capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]})
    command = shlex.split(recipe.stdout.splitlines()[-1])[1:]
    log = tmp_path_factory.mktemp("app") / "log.txt"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with open(log, "w") as output:
        server = subprocess.Popen([sys.executable, *command, f"--port={port}", "--no-browser"], stdout=output,
                                  stderr=output, cwd=REPOSITORY, env={**os.environ, "PYTHONPATH": str(REPOSITORY)})
    try:
        yield _address(server, log)
    finally:
        server.terminate()
        server.wait(20)


def _address(server: subprocess.Popen, log: Path) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        found = re.search(r"http://[^\s/]+:\d+", log.read_text())
        if found:
            with contextlib.suppress(OSError), urllib.request.urlopen(found.group(0) + "/voila/static/"):
                pass
            return found.group(0)
        time.sleep(0.2)
    raise RuntimeError(f"the app did not start:\n{log.read_text()[-2000:]}")


def test_a_song_is_separated_on_a_page_that_only_this_machine_serves(chromium, address, tmp_path):
    assert address.startswith(("http://127.0.0.1:", "http://localhost:"))
    path = tmp_path / "tune.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.3, 0.3, (3 * 22_050, 2)), 22_050)
    context = chromium.new_context()
    asked = []

    def answer(route: object) -> None:
        inside = route.request.url.startswith((address, "blob:", "data:"))
        asked.extend([] if inside else [route.request.url])
        route.continue_() if inside else route.abort()

    context.route("**/*", answer)
    page = context.new_page()
    page.goto(address)
    with page.expect_file_chooser(timeout=60_000) as chooser:
        page.get_by_role("button", name="Choose a song").click(timeout=60_000)
    chooser.value.set_files(path)
    page.get_by_text("separated in").wait_for(timeout=60_000)
    page.get_by_role("button", name=re.compile("Download vocals")).wait_for()
    assert page.get_by_text("In [").count() == 0, "no code is shown"
    context.close()
    assert not asked, asked
