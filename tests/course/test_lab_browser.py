"""JupyterLab as a reader has it: lessons run and show what they hold, the console is silent, the panel works."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
import soundfile
from playing import play_for_a_moment
from serving import REPOSITORY, arguments_of, serving

from dann_lib import player

LESSONS = sorted(path.stem for path in (REPOSITORY / "notebooks").glob("[0-9][0-9]_*.ipynb"))
MAKE = """import numpy as np
from dann_lib import player
noise = 0.1 * np.random.default_rng(0).standard_normal((2, 4 * 8820))
true, yours = {"vocals": noise[0], "drums": noise[1]}, {"vocals": noise[1], "drums": noise[0]}
frame = player.stems({"true": true, "yours": yours}, noise.sum(0), description="Two noises to compare.")"""
READY = "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
ALL_SHOWN = """(count) => {
    const frames = [...document.querySelectorAll(".jp-Notebook iframe[srcdoc]")];
    const roots = frames.map((frame) => frame.contentDocument?.getElementById("root"));
    return frames.length === count && roots.every((root) => root && !root.textContent.startsWith("Loading"));
}"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """A server on trusted copies of the lessons; its address, and the folder that it shows."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(REPOSITORY / "notebooks", folder / "notebooks")
    shutil.copytree(REPOSITORY / "data" / "reference", folder / "data" / "reference")
    settings = {"JUPYTER_CONFIG_DIR": str(folder / "settings"), "JUPYTER_DATA_DIR": str(folder / "settings")}
    lessons = [str(folder / "notebooks" / f"{name}.ipynb") for name in LESSONS]
    subprocess.run([sys.executable, "-m", "jupyter", "trust", *lessons], check=True, capture_output=True,
                   env={**os.environ, **settings})
    command = ["-m", "jupyter", "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0",
               "--IdentityProvider.token=", "--ServerApp.password=", f"--ServerApp.root_dir={folder}",
               "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--LabApp.news_url=",
               "--LabApp.expose_app_in_browser=True"]
    with serving(command, folder / "log.txt", folder, **settings) as address:
        yield address, folder


def test_it_opens_lesson_1_and_lists_each_lesson_once(tmp_path):
    """As the Makefile starts it; what it is asked here a browser asks as well."""
    command = [*arguments_of("lab"), "--no-browser", "--allow-root", "--ip=127.0.0.1",
               "--port=0", "--IdentityProvider.token="]
    with serving(command, tmp_path / "log.txt", REPOSITORY, JUPYTER_CONFIG_DIR=str(tmp_path)) as address:
        with urllib.request.urlopen(address) as opened:
            assert opened.url == f"{address}/lab/tree/01_data.ipynb"
        with urllib.request.urlopen(f"{address}/api/contents") as listed:
            names = [entry["name"] for entry in json.load(listed)["content"]]
    assert {name for name in names if name[0].isdigit()} == {f"{lesson}.ipynb" for lesson in LESSONS}
    assert all(name.endswith((".ipynb", ".md")) or "." not in name for name in names), names


class Lab:
    """JupyterLab in a browser, one page for all tests.

    Attributes:
        page: of the browser.
        said: errors of its console.
    """

    def __init__(self, page: Any, address: str) -> None:
        self.page, self.said = page, []
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("console", lambda message: self.said.append(message.text) if message.type == "error" else None)
        page.goto(f"{address}/lab?reset")
        page.wait_for_function("window.jupyterapp !== undefined")
        page.evaluate("window.jupyterapp.restored")

    def command(self, name: str, **options: Any) -> None:
        """Run a command of JupyterLab, the one behind an entry of its menus; returns when it is done."""
        self.page.evaluate("([name, options]) => jupyterapp.commands.execute(name, options).then(() => null)",
                           [name, options])

    def open(self, path: str) -> None:
        """Open a notebook, with a kernel that has run nothing."""
        self.command("docmanager:open", path=path, factory="Notebook")
        self.page.locator(".jp-Notebook .jp-Cell").first.wait_for()
        self.page.wait_for_function(READY)

    def run_all(self) -> None:
        self.command("notebook:run-all-cells")

    def save(self) -> None:
        self.command("docmanager:save")

    def close(self) -> None:
        """Close the notebook, and tell its kernel to end."""
        self.page.evaluate("""() => {
            const notebook = jupyterapp.shell.currentWidget;
            void notebook.sessionContext.shutdown();
            notebook.context.model.dirty = false;
            notebook.close();
        }""")


@pytest.fixture(scope="module")
def window(chromium, lab) -> Iterator[Lab]:
    """JupyterLab in a browser."""
    context = chromium.new_context(viewport={"width": 1400, "height": 1000})
    yield Lab(context.new_page(), lab[0])
    context.close()


@pytest.fixture
def open_notebook(window) -> Iterator[Any]:
    """Open a notebook, which is closed at the end of the test; the console has to stay silent."""
    window.said.clear()

    def opened(path: str) -> Lab:
        window.open(path)
        return window

    yield opened
    said = complaints(window.said)
    window.close()
    assert not said


def complaints(said: list[str]) -> list[str]:
    """What the console says about the page, without what JupyterLab says of itself."""
    own = ("favicon", "Failed to load resource", "/api/", "Service worker")
    return [line for line in said if not any(word in line for word in own)]


@pytest.mark.parametrize("name", LESSONS)
def test_a_stored_lesson_shows_and_plays_all_it_holds_without_being_run(open_notebook, lab, name):
    """Opened with a kernel that has run nothing, in a notebook that the reader trusts."""
    path = f"notebooks/{name}.ipynb"
    n_frames = sum("<iframe" in "".join(output.get("data", {}).get("text/html", ""))
                   for cell in nbformat.read(lab[1] / path, as_version=4).cells for output in cell.get("outputs", []))
    page = open_notebook(path).page
    page.wait_for_function(ALL_SHOWN, arg=n_frames)
    assert page.locator("iframe[srcdoc]").get_by_text("cannot be shown").count() == 0
    player = page.locator('iframe[srcdoc*="stems.js"]').first
    if player.count():
        player.scroll_into_view_if_needed()
        play_for_a_moment(player.element_handle().content_frame())


def test_a_lesson_runs_from_top_to_bottom(open_notebook, lab, synthetic_root):
    notebook = open_notebook("notebooks/01_data.ipynb")
    notebook.run_all()
    notebook.save()
    stored = nbformat.read(lab[1] / "notebooks" / "01_data.ipynb", as_version=4)
    code = [cell for cell in stored.cells if cell.cell_type == "code" and cell.source.strip()]
    assert all(cell.execution_count for cell in code), "a cell was not run"
    errors = [output for cell in code for output in cell.outputs if output.output_type == "error"]
    assert not errors, errors


def write(folder, name: str, *cells: str) -> str:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, folder / "notebooks" / name)
    return f"notebooks/{name}"


def test_a_live_player_works_in_the_notebooks_page(lab, open_notebook):
    notebook = open_notebook(write(lab[1], "live.ipynb", MAKE + "\nframe.live()"))
    notebook.command("notebook:run-cell-and-select-next")
    player = notebook.page.locator(".jp-OutputArea .dann")
    player.locator(".stems-row").first.wait_for()
    assert player.locator("xpath=..").get_by_text("Two noises to compare.").is_visible()
    cells = notebook.page.locator(".jp-Notebook .jp-Cell").count()
    for key in ("1", "b", "ArrowRight", "d", "d", "Shift+M"):
        player.press(key)
    position = "(value) => document.querySelector('.dann [role=slider]').ariaValueNow === value"
    notebook.page.wait_for_function(position, arg="1.0")
    assert player.get_by_role("radio", name="yours").is_checked()
    assert notebook.page.locator(".jp-Notebook .jp-Cell").count() == cells, "a key of the player changed the notebook"
    notebook.command("apputils:change-theme", theme="JupyterLab Dark")
    notebook.page.wait_for_function(
        "getComputedStyle(document.querySelector('.dann')).backgroundColor === 'rgb(22, 25, 29)'")


def test_figures_turn_dark_with_the_page(lab, open_notebook):
    code = "from dann_lib import figures\nfigures.bars({'a': 1}, 'dB')"
    notebook = open_notebook(write(lab[1], "figure.ipynb", code))
    notebook.command("notebook:run-cell-and-select-next")
    notebook.page.locator(".dann-lines img").wait_for()
    for theme, expected in (("Dark", "invert(0.896) hue-rotate(180deg)"), ("Light", "invert(0) hue-rotate(0deg)")):
        notebook.command("apputils:change-theme", theme=f"JupyterLab {theme}")
        notebook.page.wait_for_function("expected => getComputedStyle(document.querySelector('.dann-lines img'))"
                                        ".filter === expected", arg=expected)


def test_in_a_notebook_that_is_not_trusted_the_description_is_read(lab, open_notebook):
    path = lab[1] / "notebooks" / write(lab[1], "stored.ipynb", "frame").removeprefix("notebooks/")
    notebook = nbformat.read(path, as_version=4)
    scope: dict = {}
    exec(MAKE, scope)
    assert isinstance(scope["frame"], player.Frame)
    data = {"text/html": scope["frame"]._repr_html_(), "text/plain": repr(scope["frame"])}
    notebook.cells[0].outputs = [nbformat.v4.new_output("execute_result", data, execution_count=1)]
    nbformat.write(notebook, path)
    shown = open_notebook("notebooks/stored.ipynb")
    output = shown.page.locator(".jp-OutputArea-output")
    output.get_by_text("Two noises to compare.").wait_for()
    assert output.locator("iframe").count() == 0
    assert "the notebook is trusted" in output.inner_text()
    shown.command("notebook:run-all-cells")


@pytest.fixture(scope="module")
def own_song(window) -> Any:
    """The page with the panel for a song of one's own, just run."""
    window.open("notebooks/own_song.ipynb")
    window.run_all()
    window.page.get_by_role("button", name="Choose a song").wait_for()
    return window.page


@pytest.fixture
def panel(window, own_song) -> Iterator[Any]:
    """One panel for all tests: whatever one of them hands over, it goes on with the next."""
    window.said.clear()
    yield own_song
    assert not complaints(window.said)


def hand_over(page: Any, path: Path) -> None:
    """Choose a file as a reader does."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a song").click()
    chooser.value.set_files(path)


def noise(path: Path) -> Path:
    soundfile.write(path, np.random.default_rng(0).uniform(-0.3, 0.3, (3 * 22_050, 2)), 22_050)
    return path


def separated(page: Any, name: str) -> None:
    """Wait for the stems of this song: those of the song before may still be there."""
    page.get_by_text("separated in").filter(has_text=f"/{name}").wait_for()


def test_a_song_is_separated_played_and_downloaded(panel, tmp_path):
    hand_over(panel, noise(tmp_path / "tune.wav"))
    separated(panel, "tune")
    play_for_a_moment(panel.locator("figure iframe").element_handle().content_frame())
    with panel.expect_download() as download:
        panel.get_by_role("button", name=re.compile("Download drums")).click()
    assert download.value.suggested_filename == "tune - drums.wav"
    stem, rate = soundfile.read(download.value.path())
    assert stem.shape == (3 * 22_050, 2) and rate == 22_050


def test_a_file_of_this_computer_can_be_named(panel, tmp_path):
    letters = tmp_path / "letter.mp3"
    letters.write_bytes(b"no sound at all" * 1000)
    for path in (letters, noise(tmp_path / "named.wav")):
        panel.get_by_placeholder("path on this computer").fill(str(path))
        panel.get_by_role("button", name="Separate this file").click()
        if path == letters:
            panel.get_by_role("alert").filter(has_text="letter.mp3 is no audio").wait_for()
    separated(panel, "named")


def test_a_song_can_be_dropped_also_after_one_that_was_cancelled_while_it_arrived(panel, tmp_path):
    """The first one never ends: its second piece does not come."""
    panel.locator(".dann-drop").evaluate("""(zone) => {
        const slice = (from) => from ? { arrayBuffer: () => new Promise(() => {}) } : new Blob(["x".repeat(1000)]);
        const files = [{ name: "endless.wav", size: 2e6, slice }];
        zone.dispatchEvent(Object.assign(new Event("drop"), { dataTransfer: { files } }));
    }""")
    panel.get_by_text("Receiving endless.wav").wait_for()
    panel.get_by_role("button", name="Cancel").click()
    panel.get_by_text("Cancelled. Nothing was kept.").wait_for()
    data = base64.b64encode(noise(tmp_path / "dropped.wav").read_bytes()).decode()
    dropped = panel.evaluate_handle("""(data) => {
        const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
        const transfer = new DataTransfer();
        transfer.items.add(new File([bytes], "dropped.wav"));
        return transfer;
    }""", data)
    panel.locator(".dann-drop").dispatch_event("drop", {"dataTransfer": dropped})
    separated(panel, "dropped")


def test_a_file_of_60_mb_arrives(panel, tmp_path):
    """It is silent, so that it need not be separated: the panel says so when it has read all of it."""
    path = tmp_path / "long silence.wav"
    with soundfile.SoundFile(path, "w", 44_100, 2) as file:
        for _ in range(6):
            file.write(np.zeros((2_500_000, 2), np.int16))
    assert path.stat().st_size >= 60e6
    hand_over(panel, path)
    panel.get_by_role("alert").filter(has_text="long silence.wav is silent").wait_for()
