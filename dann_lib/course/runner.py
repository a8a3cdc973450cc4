"""The course: runs the lessons in order on fresh kernels and writes them as a book that works offline."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from joblib import cpu_count
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from tqdm import tqdm

from dann_lib.course.book import KEPT, build_book, python_environment
from dann_lib.course.exercises.source import write_exercises
from dann_lib.course.lesson_files import NOTEBOOKS, SOLUTIONS, Lesson, differs, read_lesson, stored_lesson, write_lesson
from dann_lib.errors import DannError
from dann_lib.files import data_folder

CELL_TIMEOUT_S = 1800
"""A cell that takes longer counts as failed."""

REPOSITORY = NOTEBOOKS.parent


def build(
    notebooks: Sequence[str | Path] | None = None, out: Path | None = None, write: bool = False, execute: bool = True,
    solutions: bool = True,
) -> int:
    """Run lessons from top to bottom, each on a fresh kernel, and write them as a book of HTML pages.

    The book of the course also has the solutions, as they are stored, and those lessons that are not run now.

    Args:
        notebooks: paths, or names such as `"03"` or `"03_unet"`; all lessons if `None`.
        out: folder of the pages; `data/course` if `None`.
        write: bring the exercises of each lesson up to date with its solutions, and store what ran without error as
            `.ipynb` beside its source, the solutions too.
        execute: run them; else the pages show what is stored.
        solutions: with their pages, and those of the answers to what the lessons ask.

    Returns:
        0, or 1 if a cell failed; the other lessons are run all the same.

    Raises:
        DannError: if there is no such notebook, or one cannot be read.
        OutputError: if the pages or notebooks cannot be written.
        KeyboardInterrupt: on Ctrl-C; the pages of the lessons that were finished are written.
    """
    sources = _find(notebooks)
    if write:  # the outputs of the solutions are the examples that a lesson shows
        solved = {source: source.parent / SOLUTIONS / source.name for source in sources}
        sources = [path for source in sources for path in (solved[source], source) if path.is_file()]
    lessons = {} if execute else {source: stored_lesson(source) for source in sources}
    try:
        if execute:
            asyncio.run(_run_all(sources, lessons, write))
    finally:
        done = [lessons[source] for source in sources if source in lessons]
        index = _write_pages(done, Path(out or data_folder() / "course"), solutions) if done else None
    if execute:
        _print_table(done)
    print(f"Open in a browser: {index}", flush=True)
    return int(any(lesson.error for lesson in done))


async def _run_all(sources: list[Path], lessons: dict[Path, Lesson], write: bool) -> None:
    """Put each lesson among `lessons` when it is done; two at a time, or one where they are stored."""
    free, variables = places(alone=write)

    async def take(source: Path, bar: tqdm) -> None:
        async with free:
            if write:
                write_exercises(source)
            if differs(source):
                bar.write(f"{source.stem}.ipynb has other text than {source.name}, which is what runs; to take over "
                          f"what was changed in Jupyter: jupytext --update --to py {source.stem}.ipynb")
            lessons[source] = lesson = await _run(source, bar, variables)
        if write and not lesson.error:
            write_lesson(lesson.notebook, source)
        result = f"FAILED\n      {lesson.error}" if lesson.error else "ok"
        bar.write(f"[{len(lessons)}/{len(sources)}] {source.stem} … {lesson.seconds:.0f} s {result}")

    with tqdm(desc="running the lessons", unit="cell", disable=None, leave=False) as bar:  # on a terminal alone
        await asyncio.gather(*(take(source, bar) for source in sources))


def _write_pages(lessons: list[Lesson], out: Path, solutions: bool) -> Path:
    """The book: of the whole course if these are lessons of it, else of these alone."""
    if not any(lesson.source.resolve().is_relative_to(NOTEBOOKS) for lesson in lessons):
        return build_book(lessons, out, whole=False, solutions=solutions)
    print("Writing the pages …", flush=True)
    newer = {lesson.page for lesson in lessons}
    stored = [stored_lesson(path) for path in (*known_lessons(), *sorted((NOTEBOOKS / SOLUTIONS).glob("*.py")))
              if path.with_suffix(".ipynb").is_file()]
    rest = [each for each in stored if each.page not in newer
            and (each.is_solution or not (out / KEPT / f"{each.page}.ipynb").is_file())]
    return build_book([*rest, *lessons], out, solutions=solutions)


def run_lesson(source: Path) -> Lesson:
    """Run a lesson, `.py` in percent format or `.ipynb`, on a fresh kernel of this Python, in the lesson's own folder.

    A lesson that failed has its outputs up to there.

    Raises:
        DannError: if the file cannot be read as a notebook.
    """
    return asyncio.run(_run(source, tqdm(disable=True), {}))


async def _run(source: Path, bar: tqdm, variables: dict[str, str]) -> Lesson:
    notebook, start = read_lesson(source), time.perf_counter()
    error = await _run_cells(notebook, source, bar, variables)
    return Lesson(source, notebook, time.perf_counter() - start, error)


async def _run_cells(notebook: NotebookNode, source: Path, bar: tqdm, variables: dict[str, str]) -> str:
    """Execute all cells in place; what went wrong, or nothing."""
    n_code, first = 0, "".join(cell.source for cell in notebook.cells[:1])
    try:
        async with started(notebook, source.parent, variables) as client:
            for index, cell in enumerate(notebook.cells):
                n_code, first = n_code + (cell.cell_type == "code" and bool(cell.source.strip())), cell.source
                await client.async_execute_cell(cell, index)
                bar.update()
    except CellExecutionError as error:
        reason = f"{error.ename}: {first_line(error.evalue)}"
    except CellTimeoutError:
        reason = f"took more than {CELL_TIMEOUT_S} s"
    except (DeadKernelError, RuntimeError) as error:
        reason = f"the kernel ended ({first_line(str(error))}); often there was too little memory"
    else:
        return ""
    return f"{source.stem}, cell [{n_code}] `{first_line(first)}`: {reason}"


@asynccontextmanager
async def started(notebook: NotebookNode, folder: Path, variables: Mapping[str, str],
                  kind: type[NotebookClient] = NotebookClient) -> AsyncIterator[NotebookClient]:
    """A client with a fresh kernel of this Python, whatever kernels are installed elsewhere; ended at last.

    Args:
        notebook: what it runs cells of.
        folder: where they run.
        variables: of the environment, beside those with which the kernel can import this package.
        kind: of client.
    """
    kernel = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
    client = kind(notebook, km=kernel, timeout=CELL_TIMEOUT_S, record_timing=False, coalesce_streams=True,
                  resources={"metadata": {"path": str(folder.resolve())}})
    client.reset_execution_trackers()
    # progress bars leave nothing in stored outputs
    environment = {**python_environment(), **variables, "TQDM_DISABLE": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    try:  # without nbclient's `setup_kernel`, which takes Ctrl-C over
        await client.async_start_new_kernel(env=environment, stderr=subprocess.DEVNULL)
        await client.async_start_new_kernel_client()
        yield client
    finally:
        if client.kc is not None:
            client.kc.stop_channels()
        if kernel.has_kernel:
            await kernel.shutdown_kernel(now=True)


def places(alone: bool = False) -> tuple[asyncio.Semaphore, dict[str, str]]:
    """For two kernels at a time, or one that is to be `alone`: their places, and variables that share the cores."""
    n_cores = cpu_count(only_physical_cores=True)  # PyTorch's own choice
    if alone or n_cores == 1:
        return asyncio.Semaphore(1), {}
    return asyncio.Semaphore(2), {"OMP_NUM_THREADS": str(n_cores // 2)}


def first_line(text: str) -> str:
    """The first line of a text, without space around it."""
    return str(text).strip().partition("\n")[0].strip()


def _find(notebooks: Sequence[str | Path] | None) -> list[Path]:
    """Sources of lessons, in the order of their names or as asked for; `DannError` where one is unknown."""
    known, chosen = known_lessons(), []
    if notebooks is None and not known:
        raise DannError(f"there are no lessons in {NOTEBOOKS}; clone the whole repository")
    for wanted in known if notebooks is None else notebooks:
        matches = [Path(wanted)] if Path(wanted).is_file() else [
            each for each in known if str(wanted).strip() and each.name.startswith(str(wanted))
        ]
        if len(matches) != 1:
            names = ", ".join(lesson.stem for lesson in known)
            raise DannError(f"{wanted} names {len(matches)} notebooks; name a file, or one of {names}")
        source = matches[0].with_suffix(".py")
        chosen.append(source if source.is_file() else matches[0])
    return chosen


def known_lessons() -> list[Path]:
    """The lessons of the course."""
    return sorted(NOTEBOOKS.glob("[0-9][0-9]_*.py")) or sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))


def _print_table(lessons: list[Lesson]) -> None:
    """Notebook, seconds, result of what was run."""
    width = max([len(lesson.page) for lesson in lessons], default=8)
    print(f"\n{'notebook':{width}}  seconds  result")
    for lesson in lessons:
        print(f"{lesson.page:{width}}  {lesson.seconds:7.1f}  {'FAILED' if lesson.error else 'ok'}")
    print(f"{'together':{width}}  {sum(lesson.seconds for lesson in lessons):7.1f}\n")
    for lesson in lessons:
        if lesson.error:
            print(f"FAILED {lesson.error}", file=sys.stderr)
