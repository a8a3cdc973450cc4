"""The course command: what it runs, says and writes."""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import jupytext
import nbformat
import pytest

from dann_lib.course import runner as course
from dann_lib.course.lesson_files import cleaned, differs, read_lesson, write_lesson
from dann_lib.errors import DannError

HEADER = """# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

"""
GOOD = HEADER + r"""# %% [markdown]
# # Add one and one
#
# At the end you know that $1 + 1 = 2$.
#
# Next: [the other](02_bad.ipynb), [a module](../module.py), [a site](https://example.org/)
#
# $$\text{SDR} = 10 \log_{10} \left( \frac{\|s\|^2}{\|e\|^2} \right) \quad (5)$$

# %% tags=["nbval-check-output"]
import os
from pathlib import Path

print(1 + 1, Path.cwd().name)

# %%
import numpy as np

from dann_lib import figures, player

tone = 0.3 * np.sin(np.arange(8820) / 5)
player.audio(tone, title="a tone")

# %%
figures.waveforms({"vocals": tone})

# %%
from ipywidgets import interact
from tqdm.auto import tqdm

interact(lambda level: print(level), level=(0, 5))
for _ in tqdm(range(3)):
    pass
"""
BAD = HEADER + """# %% [markdown]
# # Divide by nothing
#
# It fails.

# %%
before = "what came before"
print(before)

# %%
# the failing cell
1 / 0

# %%
print("never reached")
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> argparse.Namespace:
    """A course of a lesson that runs and one that fails."""
    root = tmp_path_factory.mktemp("course")
    folder, out = root / "lessons", root / "pages"
    folder.mkdir()
    good, bad = folder / "01_good.py", folder / "02_bad.py"
    good.write_text(GOOD)
    bad.write_text(BAD)
    (root / "module.py").write_text("answer = 42")
    command = [sys.executable, "-m", "dann_lib", "course", "--write", "--out", str(out), str(bad), str(good)]
    # The kernel has to be that of this Python, whatever is installed in the user's folders.
    other = root / "jupyter" / "kernels" / "python3"
    other.mkdir(parents=True)
    (other / "kernel.json").write_text('{"argv": ["/no/such/python"], "display_name": "x", "language": "python"}')
    environment = {**os.environ, "JUPYTER_PATH": str(root / "jupyter"), "JUPYTER_DATA_DIR": str(root / "jupyter")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=course.REPOSITORY)
    return argparse.Namespace(out=out, folder=folder, good=good, bad=bad, done=done)


def test_a_failing_cell_makes_the_command_fail_and_is_named(built):
    assert built.done.returncode == 1
    assert "02_bad, cell [2] `# the failing cell`: ZeroDivisionError: division by zero" in built.done.stdout
    assert "FAILED" in built.done.stderr


def test_the_other_lessons_still_run(built):
    lines = built.done.stdout.splitlines()
    assert any(re.fullmatch(r"\[1/2\] 02_bad … \d+ s FAILED", line) for line in lines)
    assert any(re.fullmatch(r"\[2/2\] 01_good … \d+ s ok", line) for line in lines)
    assert any(re.fullmatch(r"01_good +[\d.]+  ok", line) for line in lines)
    assert any(re.fullmatch(r"02_bad +[\d.]+  FAILED", line) for line in lines)
    assert lines[-1] == f"Open in a browser: {built.out / 'index.html'}"


def test_a_failed_lesson_is_a_page_but_not_stored(built):
    page = (built.out / "02_bad.html").read_text()
    assert "what came before" in page
    assert "This run stopped" in page and "ZeroDivisionError" in page
    assert not built.bad.with_suffix(".ipynb").exists()


def test_the_index_lists_all_with_result_and_seconds(built):
    index = (built.out / "index.html").read_text()
    assert re.search(r'href="01_good.html"><span class="std std-doc">Add one and one</span></a>', index)
    assert re.search(r"At the end you know that <span [^>]*>\\\(1 \+ 1 = 2\\\)</span>", index)
    assert re.search(r'href="02_bad.html"><span class="std std-doc">Divide by nothing</span></a>', index)
    assert len(re.findall(r"ran here in \d+ s", index)) == 2
    assert "ZeroDivisionError" in index


def test_pages_need_no_network(built):
    for page in built.out.glob("*.html"):
        text = re.sub(r"data:[^\"']*", "", page.read_text())
        tags = re.findall(r"<(?:script|link|img|audio|source|iframe|video)\b[^>]*>", text)
        assert tags
        for tag in tags:
            for address in re.findall(r"\b(?:src|href)=[\"']?([^\"'\s>]+)", tag):
                file = address.partition("?")[0].partition("#")[0]
                assert not file or (built.out / file).is_file(), f"{page.name}: {address[:80]}"
            assert "http" not in tag, tag[:200]


def test_nothing_is_left_beside_the_pages(built):
    assert {path.name for path in built.out.parent.iterdir()} == {"lessons", "pages", "module.py", "jupyter"}


def test_mathjax_lies_beside_the_pages(built):
    script = built.out / "_static" / "tex-svg.js"
    assert b"MathJax" in script.read_bytes() and script.stat().st_size > 1_000_000, "with its fonts"
    assert "_static/tex-svg.js" in (built.out / "01_good.html").read_text()


def test_figures_and_sounds_are_inside_and_a_widget_leaves_nothing(built):
    page = (built.out / "01_good.html").read_text()
    assert 'src="data:image/png;base64,' in page and 'src="data:audio/mpeg;base64,' in page
    assert "interactive(children" not in page and "widget-view" not in page


def test_links_lead_to_pages_and_files(built):
    page = (built.out / "01_good.html").read_text()
    assert 'href="02_bad.html"' in page
    assert 'href="https://example.org/"' in page
    link = re.search(r'href="([^"]+module\.py)"', page).group(1)
    assert (built.out / link).read_text() == "answer = 42", "a copy, so that the pages can be moved"


def test_pages_lead_to_each_other(built):
    first, second = ((built.out / f"{name}.html").read_text() for name in ("01_good", "02_bad"))
    assert re.search(r'rel="next" [^>]*href="02_bad.html"', first)
    assert re.search(r'rel="prev" [^>]*href="01_good.html"', second) and 'rel="next"' not in second
    assert 'href="index.html"' in first and 'href="index.html"' in second


def test_the_stored_notebook_is_its_source_with_outputs(built):
    stored = built.good.with_suffix(".ipynb")
    notebook = nbformat.read(stored, as_version=4)
    nbformat.validate(notebook)
    assert [cell.source for cell in notebook.cells] == [cell.source for cell in jupytext.reads(GOOD, "py").cells]
    assert notebook.metadata == {"kernelspec": jupytext.reads(GOOD, "py").metadata["kernelspec"]}
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [1, 2, 3, 4]
    assert code[0].outputs[0].text == "2 lessons\n"
    assert code[-1].outputs == []
    assert not differs(built.good)


def test_storing_twice_gives_the_same_file(built):
    stored = built.good.with_suffix(".ipynb")
    before = stored.read_bytes()
    asyncio.run(course._run_all([built.good], {}, write=True))
    assert stored.read_bytes() == before


def test_what_was_changed_in_jupyter_is_told_before_it_is_replaced(tmp_path, capsys):
    source = tmp_path / "01_here.py"
    source.write_text(GOOD)
    mine = read_lesson(source)
    mine.cells[0].source += "\n\nA sentence of mine."
    write_lesson(mine, source)
    source.write_text(BAD)
    asyncio.run(course._run_all([source], {}, write=True))
    told = capsys.readouterr().out
    assert told.index("01_here.ipynb has other text") < told.index("[1/1] 01_here")
    assert "A sentence of mine." in source.with_suffix(".ipynb").read_text(), "a run that fails replaces nothing"


def test_running_one_lesson_keeps_the_others_in_the_index(built, tmp_path):
    shutil.copytree(built.out, tmp_path / "pages")
    assert course.build([built.good], tmp_path / "pages") == 0
    index = (tmp_path / "pages" / "index.html").read_text()
    assert 'href="01_good.html"' in index and 'href="02_bad.html"' in index
    assert 'href="02_bad.html"' in (tmp_path / "pages" / "01_good.html").read_text()


def test_cells_keep_their_identity_when_others_are_added(tmp_path):
    source = tmp_path / "01.py"
    source.write_text(GOOD)
    first = read_lesson(source)
    write_lesson(first, source)
    source.write_text(GOOD.replace("# %%\nimport numpy", '# %%\nprint("a new cell")\n\n# %%\nimport numpy'))
    assert differs(source)
    second = read_lesson(source)
    ids = [cell.id for cell in second.cells]
    assert len(set(ids)) == len(ids) == len(first.cells) + 1
    assert [cell.id for cell in second.cells if "new cell" not in cell.source] == [cell.id for cell in first.cells]


def test_what_changes_from_run_to_run_is_not_stored():
    bar = nbformat.v4.new_output("stream", name="stderr", text="training:  40%|####      | 4/10 [00:01<00:02]")
    text = nbformat.v4.new_output("stream", name="stdout", text="kept")
    cell = nbformat.v4.new_code_cell("x", outputs=[bar, text], metadata={"execution": {"start": "now"}, "tags": ["a"]})
    state = {"application/vnd.jupyter.widget-state+json": {}}
    versions = {"name": "python", "version": "3"}
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": state, "language_info": versions})
    result = cleaned(notebook)
    assert set(result.metadata) == {"kernelspec"}
    assert result.cells[0].metadata == {"tags": ["a"]}
    assert [output.get("text") for output in result.cells[0].outputs] == ["kept"]


def test_an_unknown_lesson_is_named(tmp_path):
    with pytest.raises(DannError, match="99 names 0 notebooks"):
        course.build(["99"], tmp_path)


def test_interrupting_leaves_the_finished_pages_and_no_kernel(tmp_path):
    good, slow = tmp_path / "01_quick.py", tmp_path / "02_slow.py"
    good.write_text(BAD.replace("1 / 0", "1 / 1"))
    slow.write_text(BAD.replace("1 / 0", f'import os, time, pathlib\npathlib.Path("{tmp_path}/pid").write_text('
                                         'str(os.getpid()))\ntime.sleep(600)'))
    command = [sys.executable, "-m", "dann_lib", "course", "--out", str(tmp_path / "out"), str(good), str(slow)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               cwd=course.REPOSITORY)
    assert next(line for line in process.stdout if "01_quick" in line).endswith("ok\n")
    deadline = time.monotonic() + 600
    while not (tmp_path / "pid").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 130
    assert "interrupted" in errors and "Traceback" not in errors
    assert (tmp_path / "out" / "01_quick.html").exists()
    kernel = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        for _ in range(6000):
            os.kill(kernel, 0)
            time.sleep(0.1)
