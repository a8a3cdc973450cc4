"""Task and solution from one source: `notebooks/solutions/NN_name.py`, which gives the lesson its exercises.

In the source, what the reader has to write stands between `### BEGIN SOLUTION` and `### END SOLUTION`, inside a
function or class. Cells with the tags "example" and the exercise's number hold one expression, the output to
aim at; cells with the tag "self-check" call a check.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from dann_lib.course.exercises.checking import SOLUTIONS
from dann_lib.errors import DannError
from dann_lib.files import atomic_write

BLANK = 'raise NotImplementedError("write this part")'
"""What stands in a lesson where the source has a solution."""

FIRST, AFTER = "## Exercises", "## Recap"
"""How the cell begins with which the exercises start, and the one before which they end."""

FORMAT = {
    "extension": ".py", "format_name": "percent",
    "notebook_metadata_filter": "kernelspec,-all", "cell_metadata_filter": "tags,jupyter,-all",
}
"""How a lesson's `.py` is written, so that reading and writing it changes nothing."""

_REGION = re.compile(r"^([ \t]*)### BEGIN SOLUTION\n.*?^[ \t]*### END SOLUTION", re.DOTALL | re.MULTILINE)


def write_exercises(lesson: Path) -> bool:
    """Bring the exercises of a lesson's `.py` up to date with its solutions; whether that changed the file.

    Raises:
        DannError: if lesson or solutions lack the headings, or a solution stands where none can be taken out.
    """
    source = SOLUTIONS / lesson.name
    if not source.is_file() or source == lesson.resolve():
        return False
    notebook = jupytext.read(lesson)
    start, end = _place(notebook, FIRST, lesson), _place(notebook, AFTER, lesson)
    notebook.cells[start:end] = blanked(source)
    notebook.metadata.pop("jupytext", None)
    before, after = lesson.read_text(encoding="utf-8"), jupytext.writes(notebook, fmt=FORMAT)
    if before == after:
        return False
    with atomic_write(lesson) as temporary:
        temporary.write_text(after, encoding="utf-8")
    return True


def blanked(source: Path) -> list[NotebookNode]:
    """The cells of an exercise source such as `notebooks/solutions/02_stft.py` from the heading on, without solutions.

    Raises:
        DannError: as `write_exercises`.
    """
    notebook = jupytext.read(source)
    cells = notebook.cells[_place(notebook, FIRST, source):]
    for cell in cells:
        tags = cell.metadata.get("tags", [])
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        if cell.cell_type == "code":
            text = _REGION.sub(lambda region: region.group(1) + BLANK, cell.source)
            if "### BEGIN" in text or "### END" in text or re.search(rf"^{re.escape(BLANK)}", text, re.MULTILINE):
                raise DannError(f"{source}: a solution is not closed, or not inside a function:\n{cell.source}")
            cell.source = _wrapped(text, tags, source) if "example" in tags else text
    return cells


def _wrapped(text: str, tags: list[str], source: Path) -> str:
    """An expression as the argument of `exercises.aim`, which also shows the output of the solution."""
    number = next((tag for tag in tags if re.fullmatch(r"\d\.\d", tag)), None)
    statements = ast.parse(text).body
    if number is None or len(statements) != 1 or not isinstance(statements[0], ast.Expr):
        raise DannError(f"{source}: an example is one expression, with the exercise's number as a tag:\n{text}")
    inner = text.strip().replace("\n", "\n    ")
    return f'exercises.aim("{source.stem}", "{number}", lambda: (\n    {inner}\n))'


def _place(notebook: NotebookNode, heading: str, source: Path) -> int:
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown" and cell.source.startswith(heading):
            return index
    raise DannError(f"{source} has no Markdown cell that begins with “{heading}”; start one there")
