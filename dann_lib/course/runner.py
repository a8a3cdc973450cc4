"""The course: runs the lessons in order on fresh kernels and writes them as a book that works offline.

In short:

    build()                     # all lessons → data/course/index.html
    build(["05"], write=True)   # one lesson, and store it with its outputs beside its source
    build(execute=False)        # the pages alone, from the lessons as they are stored
"""

from __future__ import annotations

import asyncio
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from jupyter_core.utils import ensure_event_loop
from nbformat import NotebookNode

from dann_lib.course.book import KEPT, build_book
from dann_lib.course.exercises.source import write_exercises
from dann_lib.course.lesson_files import (
    NOTEBOOKS,
    SOLUTIONS,
    Lesson,
    differs,
    read_lesson,
    stored_lesson,
    write_lesson,
)
from dann_lib.errors import DannError
from dann_lib.files import data_folder

CELL_TIMEOUT_S = 1800
"""A cell that takes longer counts as failed."""

REPOSITORY = NOTEBOOKS.parent


def build(
    notebooks: Sequence[str | Path] | None = None, out: Path | None = None, write: bool = False, execute: bool = True
) -> int:
    """Run lessons from top to bottom, each on a fresh kernel, and write them as a book of HTML pages.

    The book of the course also has the solutions, as they are stored, and those lessons that are not run now.

    Args:
        notebooks: paths, or names such as `"03"` or `"03_unet"`; all lessons if `None`.
        out: folder of the pages; `data/course` if `None`.
        write: bring the exercises of each lesson up to date with its solutions, and store what ran without error as
            `.ipynb` beside its source, the solutions too.
        execute: run them; else the pages show what is stored.

    Returns:
        0, or 1 if a cell failed; the other lessons are run all the same.

    Raises:
        DannError: if there is no such notebook, or one cannot be read.
        OutputError: if the pages or notebooks cannot be written.
        KeyboardInterrupt: on Ctrl-C; the pages of the lessons that were finished are written.
    """
    out = Path(out or data_folder() / "course")
    sources = [each for source in _find(notebooks) for each in (_with_solutions(source) if write else [source])]
    lessons: list[Lesson] = []
    try:
        for number, source in enumerate(sources, start=1):
            lessons.append(_take(source, f"[{number}/{len(sources)}] {source.stem}", write) if execute
                           else stored_lesson(source))
    finally:
        index = _write_pages(lessons, out) if lessons else None
    _print_table(lessons, index)
    return int(any(lesson.error for lesson in lessons))


def _take(source: Path, title: str, write: bool) -> Lesson:
    """Run a lesson, and store it if that is wanted and it did not fail."""
    if write:
        write_exercises(source)
    lesson = run_lesson(source, _Progress(title))
    if write and not lesson.error:
        write_lesson(lesson.notebook, source)
    return lesson


def _with_solutions(source: Path) -> list[Path]:
    """A lesson, after its solutions: their outputs are the examples that the lesson shows."""
    solutions = source.parent / SOLUTIONS / source.name
    return [solutions, source] if solutions.is_file() else [source]


def _write_pages(lessons: list[Lesson], out: Path) -> Path:
    """The book: of the whole course if these are lessons of it, else of these alone."""
    ours = any(lesson.source.resolve().is_relative_to(NOTEBOOKS) for lesson in lessons)
    if not ours:
        return build_book(lessons, out, whole=False)
    print("Writing the pages …", flush=True)
    newer = {lesson.page for lesson in lessons}
    stored = [stored_lesson(path) for path in (*_known(), *sorted((NOTEBOOKS / SOLUTIONS).glob("*.py")))
              if path.with_suffix(".ipynb").is_file()]
    rest = [each for each in stored if each.page not in newer
            and (each.is_solution or not (out / KEPT / f"{each.page}.ipynb").is_file())]
    return build_book([*rest, *lessons], out)


def run_lesson(source: Path, progress: _Progress | None = None) -> Lesson:
    """Run one lesson on a fresh kernel of this Python, in the lesson's own folder.

    Args:
        source: a `.py` in percent format, or an `.ipynb`.
        progress: shows which cell is running.

    Returns:
        The lesson; of one that failed, with the outputs up to there.

    Raises:
        DannError: if the file cannot be read as a notebook.
    """
    notebook = read_lesson(source)
    progress = progress or _Progress(source.stem, quiet=True)
    if differs(source):
        progress.note(f"{source.stem}.ipynb has other text than {source.name}, which is what runs; "
                      f"to take over what was changed in Jupyter: jupytext --update --to py {source.stem}.ipynb")
    start = time.perf_counter()
    error = _run_cells(notebook, source, progress)
    lesson = Lesson(source, notebook, time.perf_counter() - start, error)
    progress.end(f"{lesson.seconds:.0f} s {'FAILED' if error else 'ok'}")
    if error:
        progress.note(error)
    return lesson


def _run_cells(notebook: NotebookNode, source: Path, progress: _Progress) -> str:
    """Execute all cells in place; what went wrong, or nothing."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    client = NotebookClient(
        notebook, km=_kernel_manager(), timeout=CELL_TIMEOUT_S, record_timing=False, coalesce_streams=True,
        resources={"metadata": {"path": str(source.parent.resolve())}},
    )
    client.owns_km = True
    client.reset_execution_trackers()
    n_code = 0
    cell = notebook.cells[0] if notebook.cells else None
    try:
        with client.setup_kernel(env=_environment(), stderr=subprocess.DEVNULL), _nothing_left_waiting():
            for index, cell in enumerate(notebook.cells):
                n_code += cell.cell_type == "code" and bool(cell.source.strip())
                progress.step(index + 1, len(notebook.cells))
                client.execute_cell(cell, index)
    except CellExecutionError as error:
        return f"{_where(source, cell, n_code)}: {error.ename}: {_first_line(error.evalue)}"
    except CellTimeoutError:
        return f"{_where(source, cell, n_code)}: took more than {CELL_TIMEOUT_S} s"
    except (DeadKernelError, RuntimeError) as error:
        return (f"{_where(source, cell, n_code)}: the kernel ended ({_first_line(str(error))}); "
                "often there was too little memory")
    return ""


@contextmanager
def _nothing_left_waiting() -> Iterator[None]:
    """On Ctrl-C end what still waits for an answer of the kernel; it would complain later that the kernel is gone."""
    try:
        yield
    except KeyboardInterrupt:
        loop = ensure_event_loop()
        waiting = asyncio.all_tasks(loop)
        for task in waiting:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*waiting, return_exceptions=True))
        raise


def _kernel_manager() -> object:
    """A kernel of the Python that runs this, whatever kernels are installed elsewhere."""
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    class ThisPython(KernelSpecManager):
        """Looks into no folder, so that only `ipykernel`'s own kernel of `sys.executable` is left."""

        def _kernel_dirs_default(self) -> list[str]:
            return []

    return AsyncKernelManager(kernel_name="python3", kernel_spec_manager=ThisPython())


def _environment() -> dict[str, str]:
    """For the kernel: this package can be imported, progress bars leave nothing in stored outputs."""
    paths = [str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "TQDM_DISABLE": "1",
            "PYDEVD_DISABLE_FILE_VALIDATION": "1"}


def _where(source: Path, cell: NotebookNode | None, number: int) -> str:
    """The notebook, the number of the code cell as Jupyter shows it, and its first line."""
    first = _first_line(cell.source) if cell is not None else ""
    return f"{source.stem}, cell [{number}] `{first}`"


def _first_line(text: str) -> str:
    lines = [line for line in str(text).strip().splitlines() if line.strip()]
    return lines[0].strip() if lines else ""


def _find(notebooks: Sequence[str | Path] | None) -> list[Path]:
    """Sources of lessons, in the order of their names or as asked for.

    Raises:
        DannError: if there are none, or one is unknown.
    """
    known = _known()
    if notebooks is None:
        if not known:
            raise DannError(f"there are no lessons in {NOTEBOOKS}; clone the whole repository")
        return known
    chosen = []
    for wanted in notebooks:
        path = Path(wanted)
        matches = [path] if path.is_file() else [
            lesson for lesson in known if str(wanted).strip() and lesson.name.startswith(str(wanted))
        ]
        if len(matches) != 1:
            names = ", ".join(lesson.stem for lesson in known)
            raise DannError(f"{wanted} names {len(matches)} notebooks; name a file, or one of {names}")
        source = matches[0].with_suffix(".py")
        chosen.append(source if source.is_file() else matches[0])
    return chosen


def _known() -> list[Path]:
    """The lessons of the course."""
    return sorted(NOTEBOOKS.glob("[0-9][0-9]_*.py")) or sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))


def _print_table(lessons: list[Lesson], index: Path | None) -> None:
    """Notebook, seconds, result of what was run; then the path to open."""
    if all(math.isnan(lesson.seconds) for lesson in lessons):
        print(f"Open in a browser: {index}", flush=True)
        return
    width = max([len(lesson.page) for lesson in lessons], default=8)
    print(f"\n{'notebook':{width}}  seconds  result")
    for lesson in lessons:
        print(f"{lesson.page:{width}}  {lesson.seconds:7.1f}  {'FAILED' if lesson.error else 'ok'}")
    print(f"{'together':{width}}  {sum(lesson.seconds for lesson in lessons):7.1f}")
    for lesson in lessons:
        if lesson.error:
            print(f"FAILED {lesson.error}", file=sys.stderr)
    print(f"\nOpen in a browser: {index}", flush=True)


class _Progress:
    """One line a notebook; on a terminal it also counts cells."""

    def __init__(self, title: str, quiet: bool = False) -> None:
        self.title, self.quiet = title, quiet
        self.live = sys.stdout.isatty() and not quiet
        self.begun = False

    def step(self, cell: int, n_cells: int) -> None:
        if self.live:
            print(f"\r{self.title} … cell {cell} of {n_cells} ", end="", flush=True)
        elif not self.begun and not self.quiet:
            print(f"{self.title} … ", end="", flush=True)
        self.begun = True

    def end(self, text: str) -> None:
        if not self.quiet:
            print(f"\r\x1b[K{self.title} … {text}" if self.live else text, flush=True)

    def note(self, text: str) -> None:
        if not self.quiet:
            print(f"      {text}", flush=True)
