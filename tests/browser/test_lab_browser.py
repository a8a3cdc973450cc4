"""JupyterLab as a reader has it: every lesson runs, nothing is said in the console, what is stored plays again."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

REPOSITORY = Path(__file__).parents[2]
LESSONS = sorted(path.stem for path in (REPOSITORY / "notebooks").glob("[0-9][0-9]_*.ipynb"))
RUN_MS = 400_000
READY = "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """A server on copies of the lessons; its address, and the folder that it shows."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(REPOSITORY / "notebooks", folder / "notebooks")
    shutil.copytree(REPOSITORY / "data" / "reference", folder / "data" / "reference")
    settings = folder / "settings"
    environment = {**os.environ, "JUPYTER_CONFIG_DIR": str(settings), "JUPYTER_DATA_DIR": str(settings),
                   "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "2"}
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0",
               "--IdentityProvider.token=", "--ServerApp.password=", f"--ServerApp.root_dir={folder}",
               "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--LabApp.news_url=", "--LabApp.expose_app_in_browser=True"]
    log = folder / "log.txt"
    with open(log, "w") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, env=environment, cwd=folder)
    try:
        yield _address(server, log), folder
    finally:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(20)


def _address(server: subprocess.Popen, log: Path) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        found = re.search(r"(http://127\.0\.0\.1:\d+)/lab", log.read_text())
        if found:
            with contextlib.suppress(OSError), urllib.request.urlopen(found.group(1) + "/api/status"):
                return found.group(1)
        time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")


class Lab:
    """A notebook that is open in a browser.

    Attributes:
        page: of the browser.
        said: errors of the console.
    """

    def __init__(self, page: Any, address: str, path: str) -> None:
        self.page, self.said = page, []
        page.set_default_timeout(RUN_MS)
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("console", lambda message: self.said.append(message.text) if message.type == "error" else None)
        page.goto(f"{address}/lab/tree/{path}?reset")
        page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=60_000)
        self.page.wait_for_function(READY, timeout=60_000)

    def command(self, name: str) -> None:
        """Run a command of JupyterLab, the one behind an entry of its menus; returns when it is done."""
        self.page.evaluate(f"window.jupyterapp.commands.execute('{name}')")

    def run_all(self) -> None:
        self.command("notebook:run-all-cells")

    def save(self) -> None:
        self.command("docmanager:save")


@pytest.fixture
def open_notebook(chromium, lab) -> Iterator[Any]:
    contexts = []

    def opened(path: str) -> Lab:
        context = chromium.new_context(viewport={"width": 1400, "height": 1000})
        contexts.append(context)
        return Lab(context.new_page(), lab[0], path)

    yield opened
    for context in contexts:
        context.close()


def complaints(said: list[str]) -> list[str]:
    """What the console says about the page, without what JupyterLab says of itself."""
    own = ("favicon", "Failed to load resource", "/api/", "Service worker")
    return [line for line in said if not any(word in line for word in own)]


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_runs_from_top_to_bottom(open_notebook, lab, name, synthetic_root):
    notebook = open_notebook(f"notebooks/{name}.ipynb")
    notebook.run_all()
    notebook.save()
    stored = nbformat.read(lab[1] / "notebooks" / f"{name}.ipynb", as_version=4)
    code = [cell for cell in stored.cells if cell.cell_type == "code" and cell.source.strip()]
    assert all(cell.execution_count for cell in code), "a cell was not run"
    errors = [output for cell in code for output in cell.outputs if output.output_type == "error"]
    assert not errors, errors
    assert not complaints(notebook.said)
