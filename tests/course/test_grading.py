"""Marking: what a student wrote decides, and what goes wrong in one notebook stops no other."""

from __future__ import annotations

import csv
from pathlib import Path

import jupytext
import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell

from dann_lib.course import grading
from dann_lib.course.exercises import checking
from dann_lib.course.exercises.source import blanked
from dann_lib.errors import DannError

EXERCISE = '''
# %% [markdown]
# ### 9.{0} · Twice, number {0}

# %%
def twice_{0}(x):
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION

# %% tags=["example", "9.{0}"]
twice_{0}(1)

# %% tags=["self-check"]
checks.check_twice({0}, twice_{0})
'''
SOURCE = '''# %% [markdown]
# ## Exercises

# %%
from types import SimpleNamespace

from dann_lib.course.exercises import checking

@checking.self_check("9", solved="Twice.")
def check_twice(number, answer):
    yield answer(2) != 4 and f"{answer(2)} is not 4."

checks = SimpleNamespace(check_twice=check_twice)
''' + "".join(map(EXERCISE.format, range(1, 5)))

WRITTEN = "return x + x"
ENDLESS = "while True: print('round')"
GREEDY = "hog = b'x' * 10**9\n    while hog: pass"


@pytest.fixture
def submit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put a notebook into the class's folder; what stands where, instead of what the reader has to write."""
    (tmp_path / "09_x.py").write_text(SOURCE)
    monkeypatch.setattr(grading, "SOLUTIONS", tmp_path)
    monkeypatch.setattr(grading, "known_lessons", lambda: [tmp_path / "09_x.py"])
    grading._own_parts.cache_clear()

    def write(name: str, *answers: str, step: str = "step = 1", old: str = "") -> None:
        cells = [nbformat.v4.new_code_cell(step), *blanked(tmp_path / "09_x.py")]
        for cell in cells:
            for number, answer in enumerate(answers, start=1):
                if f"def twice_{number}(" in cell.source:
                    cell.source = cell.source.replace('raise NotImplementedError("write this part")', answer)
            if old and (cell.source.startswith(f"### {old}") or f"({old[-1]}, twice" in cell.source):
                cell.source = cell.source.replace("twice", "thrice").replace("Twice", "Thrice")
        path = tmp_path / "class" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(nbformat.v4.new_notebook(cells=cells), path)

    return write


def test_each_row_has_its_reason_and_stops_no_other(submit, tmp_path, capsys):
    submit("anna/homework.ipynb", WRITTEN, ENDLESS, GREEDY, "import os; os._exit(1)")
    submit("09_x-bert.ipynb")
    submit("09_x-carla.ipynb", "return 3 * x", "return (x", "raise ValueError('<b>')", WRITTEN)
    submit("dora_09_x.ipynb", "return step * x", WRITTEN, step="step = 2", old="9.3")
    whole = (tmp_path / "class/dora_09_x.ipynb").read_text()
    (tmp_path / "class/cut.ipynb").write_text(whole[: len(whole) // 2])
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "class/empty.ipynb")
    marks = grading.grade(tmp_path / "class", tmp_path / "out", seconds=4, gigabytes=0.5)
    found = {(mark.student, mark.exercise): (mark.state, mark.reason) for mark in marks}
    states = {student: [state for (name, number), (state, _) in found.items() if name == student and number]
              for student, _ in found}
    assert states == {
        "anna": ["solved", "not run", "not run", "not run"], "bert": ["blank"] * 4,
        "carla": ["wrong", "wrong", "wrong", "solved"], "dora": ["solved", "solved", "not run", "blank"],
        "cut": [], "empty": [],
    }
    said = {("anna", "9.2"): "more than 4 s", ("anna", "9.3"): "more than 0.5 GB", ("anna", "9.4"): "ended the kernel",
            ("carla", "9.1"): "6 is not 4", ("carla", "9.2"): "SyntaxError", ("carla", "9.3"): "ValueError: <b>",
            ("dora", "9.3"): "an older lesson?", ("cut", ""): "not a whole notebook", ("empty", ""): "no lesson"}
    assert not [row for row, words in said.items() if words not in found[row][1]], found
    page = (tmp_path / "out/grades.html").read_text()
    assert "ValueError: &lt;b&gt;" in page and "<b>" not in page
    with (tmp_path / "out/grades.csv").open(encoding="utf-8-sig") as file:
        assert [*csv.reader(file)] == [[*grading.Mark._fields], *map(list, marks)]
    assert "09_x-bert.ipynb: 9.1 blank, 9.2 blank" in capsys.readouterr().out


def test_a_name_is_no_formula_in_a_spreadsheet(tmp_path):
    names = ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "anna"]
    grading._write([grading.Mark(name, "x.ipynb", "02_stft", "2.1", "wrong", "=1") for name in names], tmp_path)
    with (tmp_path / "grades.csv").open(encoding="utf-8-sig") as file:
        found = [row[0] + row[-1] for row in csv.reader(file)]
    assert found[1:] == [*(f"'{name}'=1" for name in names[:-1]), "anna'=1"]


def test_no_notebook_is_said(tmp_path):
    with pytest.raises(DannError, match="there are no notebooks"):
        grading.grade(tmp_path)


def test_every_check_of_the_lessons_can_be_marked():
    """By the number of its exercise, as one expression, whatever it imports."""
    for path in sorted(checking.SOLUTIONS.glob("[0-9]*.py")):
        tasks = [cell.source for cell in jupytext.read(path).cells if cell.source.startswith("### ")]
        assert list(grading._own_parts(path.stem)) == ["", *(task[4:7] for task in tasks)]
        for number, cells in grading._own_parts(path.stem).items():
            compile(grading.SHOWN.format(grading._check(cells) or "None"), number, "exec")


def test_a_check_says_that_its_function_is_not_there(capsys):
    shell = InteractiveShell()
    shell.set_custom_exc((NameError,), checking.say_what_is_missing)
    shell.run_cell("from dann_lib.course.exercises import data\ndata.check_remix(remix)")
    said = capsys.readouterr().out
    assert "Exercise 1.4: nothing written yet. There is no remix yet" in said and "Traceback" not in said
    shell.run_cell("remix(data)")
    assert "Traceback" in capsys.readouterr().out, "of all other names, what Python says"
