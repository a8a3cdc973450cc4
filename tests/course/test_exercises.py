"""Exercises: every solution solves, every blank fails only where the reader has to write, and both are one text."""

from __future__ import annotations

import html
import re
from functools import cache
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import numpy as np
import pytest
import torch
from lesson_code import FOLDER, run_cell
from nbformat import NotebookNode

from dann_lib.course.exercises import Aim, Outcome, aim, checking
from dann_lib.course.exercises.checking import Mistakes, ask, self_check, wrong_value
from dann_lib.course.exercises.source import BLANK, blanked, write_exercises
from dann_lib.errors import DannError

SOLUTIONS = sorted(path.stem for path in (FOLDER / "solutions").glob("[0-9][0-9]_*.py"))

each_lesson = pytest.mark.parametrize("name", SOLUTIONS)


def solved_cells(name: str) -> list[NotebookNode]:
    cells = jupytext.read(FOLDER / "solutions" / f"{name}.py").cells
    first = next(index for index, cell in enumerate(cells) if cell.source.startswith("## Exercises"))
    return cells[first:]


def outcomes(cells: list[NotebookNode], name: str) -> list[Any]:
    """Values of all code cells, run one after another in one namespace."""
    namespace: dict[str, Any] = {}
    return [run_cell(cell, namespace, f"<{name}>") for cell in cells if cell.cell_type == "code"]


def test_every_lesson_has_solutions():
    assert sorted(path.stem for path in FOLDER.glob("[0-9][0-9]_*.py")) == SOLUTIONS


@cache
def solved(name: str) -> list[Any]:
    """What the code cells of the solutions give; two tests look at it."""
    return outcomes(solved_cells(name), name)


@each_lesson
def test_every_solution_solves(name, synthetic_root):
    checks = [value for value in solved(name) if isinstance(value, Outcome)]
    assert len(checks) >= 3
    assert {check.state for check in checks} == {"solved"}, [str(check) for check in checks]


@each_lesson
def test_every_blank_fails_only_where_the_reader_has_to_write(name, synthetic_root):
    cells = blanked(FOLDER / "solutions" / f"{name}.py")
    values = outcomes(cells, name)
    checks = [value for value in values if isinstance(value, Outcome)]
    assert len(checks) >= 3
    assert {check.state for check in checks} == {"blank"}, [str(check) for check in checks]
    aims = [value for value in values if isinstance(value, Aim)]
    assert len(aims) == len(checks)
    assert all(each.yours is None and each.example for each in aims)


@each_lesson
def test_an_exercise_has_all_its_parts(name):
    cells = solved_cells(name)
    tasks = [cell.source for cell in cells if cell.cell_type == "markdown" and cell.source.startswith("### ")]
    numbers = [re.match(r"### (\d\.\d) · ", task).group(1) for task in tasks]
    assert numbers == [f"{int(name[:2])}.{place}" for place in range(1, len(tasks) + 1)]
    assert "warm-up" in tasks[0].lower() and "open end" in tasks[-1].lower()
    assert all("<summary>Hint</summary>" in task for task in tasks if "open end" not in task.lower())
    code = [cell for cell in cells if cell.cell_type == "code"]
    for tag in ("example", "self-check"):
        assert len([cell for cell in code if tag in cell.metadata.get("tags", [])]) >= 3, tag
    assert all(len(cell.source.splitlines()) <= 25 for cell in code)


@each_lesson
def test_lesson_and_solutions_are_one_source(name):
    cells = jupytext.read(FOLDER / f"{name}.py").cells
    first = next(index for index, cell in enumerate(cells) if cell.source.startswith("## Exercises"))
    expected = blanked(FOLDER / "solutions" / f"{name}.py")
    found = cells[first: first + len(expected)]
    assert [cell.source for cell in found] == [cell.source for cell in expected], (
        f"run: python -m dann_lib course --write {name}")
    assert cells[first + len(expected)].source.startswith("## Recap")
    assert sum(BLANK in cell.source for cell in found) >= 3


@each_lesson
def test_a_stored_example_is_that_of_the_solution(name, synthetic_root):
    """Text and tables to the letter; pictures and sounds can differ between machines."""
    cells = [cell for cell in solved_cells(name) if cell.cell_type == "code"]
    for cell, value in zip(cells, solved(name), strict=True):
        tags = cell.metadata.get("tags", [])
        if "example" in tags and "nbval-check-output" in tags:
            number = next(tag for tag in tags if re.fullmatch(r"\d\.\d", tag))
            stored = checking._stored_example(name, number)
            maker = getattr(value, "_repr_html_", None)
            assert stored == (maker() if maker else f"<pre>{html.escape(repr(value))}</pre>"), number


def double(values: list[float]) -> list[float]:
    return [2 * value for value in values]


@self_check("0.1", solved="Twice.")
def check_double(answer: Any) -> Mistakes:
    yield wrong_value(ask(answer, [1.0, 2.0]), [2.0, 4.0], "{found[0]} is not twice the input; {true[0]} is.", {
        "That is one number.": 0.0, "Did you square?": [1.0, 4.0]}, shape="as many numbers go in.")


@pytest.mark.parametrize(("answer", "words"), [
    (lambda values: values.append(3.0), "<lambda> gives nothing back; end it with “return …”"),
    (lambda values: 2.0, "That is one number."),
    (lambda values: np.ones((2, 3)), "The result has shape (2, 3); as many numbers go in."),
    (lambda values: torch.tensor(values, requires_grad=True) ** 2, "Did you square?"),
    (lambda values: values, "1.0 is not twice the input; 2.0 is."),
    (lambda values: values / 2, "Your code stops with TypeError"),
])
def test_a_self_check_explains_the_first_mistake(answer, words):
    outcome = check_double(answer)
    assert outcome.state == "wrong" and words in outcome.text


def test_a_self_check_tells_blank_and_solved_apart():
    def blank(values: list[float]) -> list[float]:
        raise NotImplementedError("write this part")

    assert check_double(blank).state == "blank"
    assert check_double(double) == Outcome("0.1", "solved", "Twice.")


def test_an_outcome_is_readable_without_colour_and_safe():
    page = Outcome("1.1", "wrong", "a < b")._repr_html_()
    assert "Exercise 1.1: not yet." in page and "a &lt; b" in page


def test_the_aim_shows_the_example_and_then_yours(tmp_path, monkeypatch):
    output = nbformat.v4.new_output("execute_result", {"text/plain": "<42>"}, execution_count=1)
    cell = nbformat.v4.new_code_cell("6 * 7", outputs=[output], metadata={"tags": ["example", "9.1"]})
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "09_x.ipynb")
    monkeypatch.setattr(checking, "SOLUTIONS", tmp_path)
    checking._stored_example.cache_clear()

    def blank() -> int:
        raise NotImplementedError

    assert aim("09_x", "9.1", blank)._repr_html_().count("&lt;42&gt;") == 1
    assert "Yours</strong><pre>41</pre>" in aim("09_x", "9.1", lambda: 41)._repr_html_()
    with pytest.raises(LookupError, match="no stored example of exercise 9.2"):
        aim("09_x", "9.2", blank)


SOURCE = '''# %% [markdown]
# # Solutions

# %% [markdown]
# ## Exercises

# %%
def twice(x: int) -> int:
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION

# %% tags=["example", "9.1"]
twice(21)
'''


def test_solutions_are_taken_out_and_examples_wrapped(tmp_path):
    source = tmp_path / "09_x.py"
    source.write_text(SOURCE)
    _, code, example = blanked(source)
    assert code.source == f"def twice(x: int) -> int:\n    {BLANK}"
    assert example.source == 'exercises.aim("09_x", "9.1", lambda: (\n    twice(21)\n))'
    source.write_text(SOURCE.replace("    ### END SOLUTION\n", ""))
    with pytest.raises(DannError, match="not closed"):
        blanked(source)


def test_writing_exercises_twice_changes_nothing(tmp_path, monkeypatch):
    from dann_lib.course.exercises import source as module

    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / "09_x.py").write_text(SOURCE)
    lesson = tmp_path / "09_x.py"
    lesson.write_text("# %% [markdown]\n# # Lesson\n\n# %% [markdown]\n# ## Exercises\n\n# %% [markdown]\n# ## Recap\n")
    monkeypatch.setattr(module, "SOLUTIONS", tmp_path / "solutions")
    assert write_exercises(lesson) is True
    assert BLANK in lesson.read_text() and "return 2 * x" not in lesson.read_text()
    assert write_exercises(lesson) is False
    assert write_exercises(Path(tmp_path / "08_none.py")) is False
