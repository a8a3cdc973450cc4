"""The lessons run from top to bottom on a fresh kernel, with the outputs that are compared; a broken one fails."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat

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


def test_a_notebook_that_was_broken_is_noticed(tmp_path):
    """In the cell with another output and in the one that raises, and nowhere else."""
    new = nbformat.v4
    cells = [new.new_code_cell("x = 1"), new.new_code_cell("print(x)", metadata={"tags": ["nbval-check-output"]}),
             new.new_code_cell("raise RuntimeError('broken on purpose')")]
    cells[1].outputs = [new.new_output("stream", name="stdout", text="not what it gives\n")]
    cells[1].execution_count = 2
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new.new_notebook(metadata=kernel, cells=cells), tmp_path / "broken.ipynb")
    done = nbval(tmp_path / "broken.ipynb")
    assert done.returncode == 1
    assert re.findall(r"::Cell \d+ (PASSED|FAILED)", done.stdout) == ["PASSED", "FAILED", "FAILED"], done.stdout[-3000:]
