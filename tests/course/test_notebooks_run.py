"""The lessons run from top to bottom on a fresh kernel, with the outputs that are compared; a broken one fails."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from dann_lib.course import runner as course
from dann_lib.course.lesson_files import cleaned

FOLDER = Path(__file__).parents[2] / "notebooks"


def nbval(*notebooks: Path) -> subprocess.CompletedProcess[str]:
    """Run notebooks as tests, as a reader of the README would: `pytest --nbval-lax`."""
    paths = [str(course.REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]
    side_by_side = ["-n", "2", "--dist", "loadfile"] if len(notebooks) > 1 else []
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=500", "-v", "-p",
         "no:cacheprovider", *side_by_side, "-c", str(course.REPOSITORY / "pyproject.toml"), *map(str, notebooks)],
        cwd=course.REPOSITORY, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )


def test_the_lessons_run_and_give_their_checked_outputs(synthetic_root):
    done = nbval(*sorted(FOLDER.glob("[0-9][0-9]_*.ipynb")))
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "passed" in done.stdout and "failed" not in done.stdout.splitlines()[-1]


def test_a_second_run_changes_only_what_is_declared_to_change(synthetic_root):
    """Figures, sounds and numbers to the last digit, also of a network that the first run has trained."""
    first, second = (course.run_lesson(FOLDER / "07_listening.py") for _ in range(2))
    assert not first.error and not second.error
    for one, other in zip(cleaned(first.notebook).cells, cleaned(second.notebook).cells, strict=True):
        if one.cell_type == "code" and "nbval-ignore-output" not in one.metadata.get("tags", []):
            assert one.outputs == other.outputs, one.source


def excerpt_of_a_lesson() -> NotebookNode:
    """The first lesson up to its first compared output."""
    notebook = nbformat.read(FOLDER / "01_data.ipynb", as_version=4)
    last = next(index for index, cell in enumerate(notebook.cells)
                if "nbval-check-output" in cell.metadata.get("tags", []))
    return nbformat.v4.new_notebook(metadata=notebook.metadata, cells=notebook.cells[: last + 1])


def test_a_lesson_that_was_broken_is_noticed(tmp_path, synthetic_root):
    """In the cell with another output and in the one that raises, and nowhere else."""
    broken = excerpt_of_a_lesson()
    broken.cells[-1].outputs[0].text = "not what it gives\n"
    broken.cells.append(nbformat.v4.new_code_cell("raise RuntimeError('broken on purpose')"))
    nbformat.write(broken, tmp_path / "broken.ipynb")
    done = nbval(tmp_path / "broken.ipynb")
    assert done.returncode == 1
    results = re.findall(r"::Cell \d+ (PASSED|FAILED)", done.stdout)
    n_before = sum(cell.cell_type == "code" for cell in broken.cells) - 2
    assert n_before > 0 and results == [*n_before * ["PASSED"], "FAILED", "FAILED"], done.stdout[-3000:]
