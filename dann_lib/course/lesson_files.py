"""Lessons as files: the text in `.py` (percent format), and the same with outputs in `.ipynb`."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import jupytext
import nbformat
from jupytext.combine import combine_inputs_with_outputs
from jupytext.compare import NotebookDifference, compare_notebooks
from nbformat import NotebookNode

from dann_lib.errors import DannError
from dann_lib.files import atomic_write

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
"""Folder of the lessons."""

FORMAT = "py:percent"
SOLUTIONS = "solutions"
"""Folder of the solutions, beside the lessons."""

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


@dataclass(frozen=True)
class Lesson:
    """A lesson with its outputs.

    Attributes:
        source: its `.py`, or its `.ipynb` where there is no other; relative links start there.
        notebook: with outputs, up to the cell that failed.
        seconds: from the start of the kernel to its end; `None` if it was not run here.
        error: what failed and where; empty if nothing did.
    """

    source: Path
    notebook: NotebookNode
    seconds: float | None = None
    error: str = ""

    @property
    def is_solution(self) -> bool:
        """Whether it is the solutions of a lesson, which lie in a folder of their own."""
        return self.source.parent.name == SOLUTIONS

    @property
    def page(self) -> str:
        """Its page in the book, without suffix: `03_unet`, `solutions/03_unet`."""
        return f"{SOLUTIONS}/{self.source.stem}" if self.is_solution else self.source.stem

    @property
    def title(self) -> str:
        """Its first heading, as Markdown."""
        return self._opening[0]

    @property
    def result(self) -> str:
        """What the reader holds at the end, as Markdown: the paragraph below the first heading."""
        return self._opening[1]

    @property
    def _opening(self) -> tuple[str, str]:
        first = next((cell.source for cell in self.notebook.cells if cell.cell_type == "markdown"), "")
        found = re.search(r"^# +([^\n]+)(?:\n+((?:(?!#|\n\n).)+))?", first, re.MULTILINE | re.DOTALL)
        title, result = found.groups() if found else (self.source.stem, None)
        return title.strip(), " ".join((result or "").split())


def stored_lesson(source: Path) -> Lesson:
    """A lesson, given as `.py` or `.ipynb`, with the outputs of the run that was stored.

    Raises:
        DannError: if there is no `.ipynb`, or it is no notebook.
    """
    path = Path(source).with_suffix(".ipynb")
    if not path.is_file():
        raise DannError(f"{path} does not exist; run the lesson once: python -m dann_lib course --write {source}")
    return Lesson(Path(source), _read(path))


def read_lesson(source: Path) -> NotebookNode:
    """Read a lesson, `.py` in percent format or `.ipynb`, without outputs.

    The identities of cells come from the `.ipynb` where there is one, so that they stay the same.

    Raises:
        DannError: if it is no notebook.
    """
    source = Path(source)
    notebook, stored = _read(source), source.with_suffix(".ipynb")
    known = _read(stored) if stored.is_file() else nbformat.v4.new_notebook()
    if source.suffix == ".py" and known.cells:
        notebook = combine_inputs_with_outputs(notebook, known, fmt=FORMAT)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    _name_cells(notebook, {cell.get("id") for cell in known.cells}, source.stem)
    return notebook


def _read(path: Path) -> NotebookNode:
    try:
        return jupytext.read(path)
    except (OSError, ValueError, nbformat.ValidationError) as error:
        raise DannError(f"{path} cannot be read as a notebook ({error}); restore it") from error


def write_lesson(notebook: NotebookNode, source: Path) -> None:
    """Store a lesson that was run as `.ipynb` beside its source, without what changes from run to run.

    Raises:
        OutputError: if it cannot be written.
    """
    with atomic_write(source.with_suffix(".ipynb")) as temporary:
        nbformat.write(cleaned(notebook), temporary)


def differs(source: Path) -> bool:
    """Whether a lesson's `.py` and its `.ipynb` have different text."""
    stored = source.with_suffix(".ipynb")
    if source.suffix != ".py" or not stored.is_file():
        return False
    try:
        compare_notebooks(jupytext.read(stored), jupytext.read(source), fmt=FORMAT)
    except (NotebookDifference, ValueError, nbformat.ValidationError):
        return True
    return False


def cleaned(notebook: NotebookNode) -> NotebookNode:
    """A copy without widgets, which show nothing without a kernel, progress bars, times, versions."""
    copy = nbformat.from_dict(notebook)
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    copy.metadata = nbformat.from_dict({"kernelspec": copy.metadata.get("kernelspec", kernel)})
    copy.nbformat, copy.nbformat_minor = 4, 5
    for cell in copy.cells:
        kept = {key: cell.metadata[key] for key in ("tags", "jupyter") if cell.metadata.get(key)}
        cell.metadata = nbformat.from_dict(kept)
        if cell.cell_type == "code":
            cell.outputs = [each for each in cell.outputs if WIDGET_VIEW not in each.get("data", {})
                            and not (each.get("name") == "stderr" and re.search(r"\d+%\|", each.text))]
    return copy


def _name_cells(notebook: NotebookNode, known: set[str], name: str) -> None:
    """Give cells that are not `known` an identity that follows from their text, so that no two runs differ."""
    used: set[str] = set()
    for cell in notebook.cells:
        if cell.get("id") not in known - used:
            texts = (f"{name}\n{cell.cell_type}\n{cell.source}\n{attempt}" for attempt in count())
            hashes = (hashlib.sha256(text.encode()).hexdigest()[:8] for text in texts)
            cell.id = next(identity for identity in hashes if identity not in used)
        used.add(cell.id)
