"""The stem player in JupyterLab: with Python behind it, and in a notebook that is not trusted."""

from __future__ import annotations

import nbformat
from test_lab_browser import complaints, lab, open_notebook, window  # noqa: F401

MAKE = """import numpy as np
from dann_lib import player
noise = 0.1 * np.random.default_rng(0).standard_normal((2, 4 * 8820))
true, yours = {"vocals": noise[0], "drums": noise[1]}, {"vocals": noise[1], "drums": noise[0]}
frame = player.stems({"true": true, "yours": yours}, noise.sum(0), description="Two noises to compare.")"""


def write(folder, name: str, *cells: str) -> str:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, folder / "notebooks" / name)
    return f"notebooks/{name}"


def test_python_follows_the_live_player_and_leads_it(lab, open_notebook):  # noqa: F811
    path = write(lab[1], "live.ipynb", MAKE + "\nwidget = frame.live()\nwidget",
                 "print(widget.variant, widget.solo, widget.position)\nwidget.variant = 'true'\nwidget.position = 3.0")
    notebook = open_notebook(path)
    notebook.command("notebook:run-cell-and-select-next")
    player = notebook.page.locator(".jp-OutputArea .dann")
    player.locator(".stems-row").first.wait_for()
    assert player.locator("xpath=..").get_by_text("Two noises to compare.").is_visible()
    cells = notebook.page.locator(".jp-Notebook .jp-Cell").count()
    player.page.set_default_timeout(60_000)
    for key in ("1", "b", "ArrowRight", "d", "d", "Shift+M"):
        player.press(key)
    assert notebook.page.locator(".jp-Notebook .jp-Cell").count() == cells, "a key of the player changed the notebook"
    notebook.page.locator(".jp-Cell").last.click()
    notebook.command("notebook:run-cell")
    output = notebook.page.locator(".jp-Cell").last.locator(".jp-OutputArea-output")
    output.wait_for()
    assert output.inner_text().strip() == "yours ['vocals'] 1"
    notebook.page.wait_for_function("document.querySelector('.dann [role=slider]').ariaValueNow === '3.0'")
    assert player.get_by_role("radio", name="true").is_checked()
    notebook.page.evaluate("window.jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab Dark' })")
    notebook.page.wait_for_function(
        "getComputedStyle(document.querySelector('.dann')).backgroundColor === 'rgb(22, 25, 29)'")
    assert not complaints(notebook.said)


def test_in_a_notebook_that_is_not_trusted_the_description_is_read(lab, open_notebook):  # noqa: F811
    from dann_lib import player

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
    assert not complaints(shown.said)
