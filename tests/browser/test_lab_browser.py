"""JupyterLab as a reader has it: every lesson runs, nothing is said in the console, what is stored plays again."""

from __future__ import annotations

import base64
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
import numpy as np
import pytest
import soundfile

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
                   "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0",
               "--IdentityProvider.token=", "--ServerApp.password=", f"--ServerApp.root_dir={folder}",
               "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--LabApp.news_url=",
               "--LabApp.expose_app_in_browser=True"]
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


@pytest.fixture(scope="module")
def window(chromium) -> Iterator[Any]:
    """One for all tests: it keeps the files of JupyterLab."""
    context = chromium.new_context(viewport={"width": 1400, "height": 1000})
    yield context
    context.close()


@pytest.fixture
def open_notebook(window, lab) -> Iterator[Any]:
    """Open a notebook in a tab of its own; its kernel is told to end with the test."""
    opened = []

    def open_one(path: str) -> Lab:
        opened.append(Lab(window.new_page(), lab[0], path))
        return opened[-1]

    yield open_one
    for notebook in opened:
        notebook.page.evaluate("void window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        notebook.page.wait_for_timeout(100)
        notebook.page.close()


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


def test_a_stored_lesson_plays_without_being_run(open_notebook, lab):
    """Reopened, with a new kernel that has run nothing, in a notebook that the reader trusts."""
    path = "notebooks/reopened.ipynb"
    shutil.copy(REPOSITORY / "notebooks" / "01_data.ipynb", lab[1] / path)
    environment = {**os.environ, "JUPYTER_DATA_DIR": str(lab[1] / "settings")}
    subprocess.run([sys.executable, "-m", "jupyter", "trust", str(lab[1] / path)], check=True, env=environment,
                   capture_output=True)
    notebook = open_notebook(path)
    frame = notebook.page.locator('iframe[srcdoc*="stems"]').first
    frame.scroll_into_view_if_needed()
    player = frame.content_frame
    player.get_by_role("button", name="Play").click()
    position = player.get_by_role("slider", name="Position")
    before = float(position.get_attribute("aria-valuenow"))
    notebook.page.wait_for_timeout(700)
    assert float(position.get_attribute("aria-valuenow")) > before, "the position advances"
    player.get_by_role("button", name="Pause").click()
    assert not complaints(notebook.said)


@pytest.fixture(scope="module")
def own_song(window, lab) -> Lab:
    """The notebook with the panel for a song of one's own, just run."""
    notebook = Lab(window.new_page(), lab[0], "notebooks/own_song.ipynb")
    notebook.run_all()
    notebook.page.get_by_role("button", name="Choose a song").wait_for()
    return notebook


@pytest.fixture
def panel(own_song) -> Iterator[Any]:
    """One panel for all tests: whatever one of them hands over, it goes on with the next."""
    yield own_song.page
    assert not complaints(own_song.said)


def hand_over(page: Any, path: Path) -> None:
    """Choose a file as a reader does."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a song").click()
    chooser.value.set_files(path)


def noise(path: Path, seconds: float = 3.0) -> Path:
    samples = np.random.default_rng(0).uniform(-0.3, 0.3, (int(seconds * 22_050), 2))
    soundfile.write(path, samples, 22_050)
    return path


def test_a_song_is_separated_played_and_downloaded(panel, lab, tmp_path):
    hand_over(panel, noise(tmp_path / "tune.wav"))
    panel.get_by_text("separated in").wait_for()
    player = panel.frame_locator("figure iframe")
    player.get_by_role("button", name="Play").wait_for()
    with panel.expect_download() as download:
        panel.get_by_role("button", name=re.compile("Download drums")).click()
    assert download.value.suggested_filename == "tune - drums.wav"
    stem, rate = soundfile.read(download.value.path())
    assert stem.shape == (3 * 22_050, 2) and rate == 22_050


def test_a_song_can_be_dropped(panel, tmp_path):
    data = base64.b64encode(noise(tmp_path / "dropped.wav").read_bytes()).decode()
    dropped = panel.evaluate_handle("""(data) => {
        const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
        const transfer = new DataTransfer();
        transfer.items.add(new File([bytes], "dropped.wav"));
        return transfer;
    }""", data)
    panel.locator(".dann-drop").dispatch_event("drop", {"dataTransfer": dropped})
    panel.get_by_text("separated in").wait_for()
    panel.get_by_role("button", name="Download drums").wait_for()
    assert "dropped" in panel.get_by_text("separated in").inner_text()


def test_files_that_are_no_songs_get_a_sentence_and_the_panel_goes_on(panel, tmp_path):
    letters = tmp_path / "letter.mp3"
    letters.write_bytes(b"no sound at all" * 1000)
    hand_over(panel, letters)
    panel.get_by_role("alert").filter(has_text="letter.mp3 is no audio").wait_for()
    empty = tmp_path / "empty.wav"
    empty.touch()
    hand_over(panel, empty)
    panel.get_by_role("alert").filter(has_text="empty.wav is empty").wait_for()
    hand_over(panel, noise(tmp_path / "good.wav"))
    panel.get_by_text("separated in").wait_for()


def test_a_file_of_200_mb_arrives(panel, tmp_path):
    """It is silent, so that it need not be separated: the panel says so when it has read all of it."""
    path = tmp_path / "long silence.wav"
    with soundfile.SoundFile(path, "w", 44_100, 2) as file:
        for _ in range(20):
            file.write(np.zeros((2_500_000, 2), np.int16))
    assert path.stat().st_size > 200e6
    hand_over(panel, path)
    panel.get_by_text("Receiving").wait_for()
    panel.get_by_role("alert").filter(has_text="long silence.wav is silent").wait_for()


def test_cancelling_a_file_that_arrives_leaves_the_panel_ready(panel, tmp_path):
    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", 44_100, 2) as file:
        for _ in range(20):
            file.write(np.full((2_500_000, 2), 1000, np.int16))
    hand_over(panel, path)
    panel.get_by_text("Receiving").wait_for()
    panel.get_by_role("button", name="Cancel").click()
    panel.get_by_text("Cancelled. Nothing was kept.").wait_for()
    hand_over(panel, noise(tmp_path / "good.wav"))
    panel.get_by_text("separated in").wait_for()
