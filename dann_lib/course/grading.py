"""Exercises marked: the checks of many notebooks, each on a kernel of its own, with limits of time and memory.

Of a notebook runs what its exercises need: the lesson's own preparation, the cells below each exercise's heading,
and the lesson's own check of it, whose outcome comes back as data. Only an answer that uses more, such as an import
of a step, makes the whole notebook run. What goes wrong is a row of the table, and stops nothing else.
"""

from __future__ import annotations

import asyncio
import csv
import re
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from jinja2 import Environment
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook
from tqdm import tqdm

from dann_lib.course.exercises.checking import SOLUTIONS
from dann_lib.course.exercises.source import blanked
from dann_lib.course.lesson_files import NOTEBOOKS, stored_lesson
from dann_lib.course.runner import first_line, known_lessons, places, started
from dann_lib.errors import DannError
from dann_lib.files import atomic_write, data_folder

OUTCOME = "application/vnd.dann.outcome+json"
SHOWN = f"__import__('IPython').display.display({{{{{OUTCOME!r}: vars({{}})}}}}, raw=True)"
LARGEST_BYTES = 50_000_000
"""A larger file is not read."""

_Parts = dict[str, list[NotebookNode]]
"""An exercise's number → its cells, the heading first; under "" what stands before the first."""


class Mark(NamedTuple):
    """A row of the table: an exercise of a notebook, or a notebook that cannot be marked."""

    student: str
    """The folder, or what the file's name has beside the lesson's."""
    notebook: str
    lesson: str
    exercise: str
    state: str
    """"solved", "wrong", "blank" or "not run"."""
    reason: str


def grade(folder: Path | None, out: Path | None = None, seconds: float = 60, gigabytes: float = 4) -> list[Mark]:
    """Mark the notebooks of a class, or a reader's own lessons; write and give the table, as CSV and as HTML.

    It runs the code that is written in them: the limits stop what does not end, not what means harm.

    Args:
        folder: of notebooks, also in folders of it; the lessons of this course if `None`.
        out: folder of `grades.csv` and `grades.html`; `data/grades` if `None`.
        seconds: that an exercise may take.
        gigabytes: of memory that a notebook may take.

    Raises:
        DannError: if there are no notebooks.
        OutputError: if the tables cannot be written.
        KeyboardInterrupt: on Ctrl-C; the tables of the notebooks that were finished are written.
    """
    root = Path(folder or NOTEBOOKS)
    paths = sorted(each for each in root.rglob("*.ipynb") if "/." not in f"/{each.relative_to(root).as_posix()}")
    paths = paths if folder else [each.with_suffix(".ipynb") for each in known_lessons()]
    if not paths:
        raise DannError(f"there are no notebooks (.ipynb) in {root}; name the folder that holds them")
    marks: dict[Path, list[Mark]] = {}
    try:
        asyncio.run(_mark_all(paths, root, marks, (seconds, gigabytes)))
    finally:
        done = [mark for path in paths for mark in marks.get(path, ())]
        _write(done, Path(out or data_folder() / "grades"))
    return done


async def _mark_all(paths: list[Path], root: Path, marks: dict[Path, list[Mark]], limits: tuple[float, float]) -> None:
    free, variables = places()

    async def take(path: Path) -> None:
        lesson, found = "", {}
        async with free:
            try:
                cells = _cells(path)
                lesson = _lesson_of(cells, path.stem)
                found = await _Marking(_own_parts(lesson), _parts(cells), *limits, variables).outcomes()
            except Exception as error:  # whatever a file is, it stops no other
                found = {"": ("not run", first_line(str(error))[:300])}
        inside, names = path.relative_to(root), "|".join(each.stem for each in known_lessons())
        student = inside.parts[0] if len(inside.parts) > 1 else re.sub(rf"[\W_]*({names})[\W_]*", "", path.stem)
        marks[path] = [Mark(student or path.stem, inside.as_posix(), lesson, *each) for each in
                       ((number, *outcome) for number, outcome in found.items())]
        bar.update()

    with tqdm(total=len(paths), desc="marking", unit="notebook", disable=None, leave=False) as bar:
        await asyncio.gather(*map(take, paths))


def _write(marks: list[Mark], out: Path) -> None:
    """Both tables, and on the terminal a line for each notebook."""
    with atomic_write(out / "grades.csv") as temporary, temporary.open("w", newline="", encoding="utf-8-sig") as file:
        cells = ([re.sub(r"^(?=[=+@\t\r-])", "'", text) for text in mark] for mark in marks)  # text, and no formula
        csv.writer(file).writerows([Mark._fields, *cells])
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
        (NOTEBOOKS / "grades.html.j2").read_text(encoding="utf-8"))
    with atomic_write(out / "grades.html") as temporary:
        temporary.write_text(template.render(marks=marks), encoding="utf-8")
    for notebook, rows in groupby(marks, lambda mark: mark.notebook):
        print(f"{notebook}:", ", ".join(f"{row.exercise} {row.state}" if row.exercise else row.reason for row in rows))
    print(f"Open in a browser: {out / 'grades.html'}; for a spreadsheet: {out / 'grades.csv'}", flush=True)


def _cells(path: Path) -> list[NotebookNode]:
    if path.stat().st_size > LARGEST_BYTES:
        raise DannError(f"the file has {path.stat().st_size / 1e6:.0f} MB; clear its outputs and save it again")
    try:
        return stored_lesson(path).notebook.cells
    except Exception as error:
        raise DannError("the file cannot be read, or is not a whole notebook") from error


def _lesson_of(cells: list[NotebookNode], name: str) -> str:
    """By an example or the first heading of its exercises, else by the file's name."""
    text = "\n".join(cell.source for cell in cells)
    known = {path.stem: rf'exercises\.aim\("{path.stem}"|^### {int(path.stem[:2])}\.1 · ' for path in known_lessons()}
    by_text = [lesson for lesson, marks in known.items() if re.search(marks, text, re.MULTILINE)]
    for lesson in by_text or [lesson for lesson in known if lesson in name]:
        return lesson
    raise DannError("this is no lesson of the course")


def _parts(cells: Sequence[NotebookNode]) -> _Parts:
    parts, number = {"": []}, ""
    for cell in cells:
        if cell.cell_type == "markdown" and (found := re.match(r"### (\d\.\d) · ", cell.source)):
            number = found[1]
        parts.setdefault(number, []).append(cell)
    return parts


@cache
def _own_parts(lesson: str) -> _Parts:
    """The exercises that have a check, as the lesson has them, blank, and what stands before them."""
    parts = _parts(blanked(SOLUTIONS / f"{lesson}.py"))
    return {number: cells for number, cells in parts.items() if not number or _check(cells)}


def _check(cells: Sequence[NotebookNode]) -> str:
    return next((cell.source.strip() for cell in cells if "self-check" in cell.metadata.get("tags", ())), "")


def _code(cells: Sequence[NotebookNode]) -> list[str]:
    """Code of what a reader writes: without checks, and without examples, some of which take long."""
    return [cell.source.strip() for cell in cells if cell.cell_type == "code" and cell.source.strip()
            and not {"example", "self-check"} & set(cell.metadata.get("tags", ()))]


class _Listener(NotebookClient):
    """Keeps what marking needs of the outputs, so that one that prints without an end fills no memory."""

    def output(self, outs: list[NotebookNode], msg: dict[str, Any], *where: Any) -> NotebookNode | None:
        """What failed, and the outcomes of checks; nothing else."""
        kept = msg["msg_type"] == "error" or OUTCOME in msg["content"].get("data", {})
        return super().output(outs, msg, *where) if kept else None


@dataclass
class _Marking:
    """A notebook of a lesson, to be marked."""

    own: _Parts
    parts: _Parts
    seconds: float
    gigabytes: float
    variables: Mapping[str, str]

    async def outcomes(self) -> dict[str, tuple[str, str]]:
        """Number of each exercise → its state and the reason."""
        known = {}
        for number in filter(None, self.own):
            own, found = self.own[number], self.parts.get(number)
            sources = [cell.source.strip() for cell in found or ()]
            if not found or (first_line(sources[0]) != first_line(own[0].source) and _check(own) not in sources):
                known[number] = "not run", "another exercise stands here, or none: an older lesson?"
            elif set(_code(found)) <= set(_code(own)):
                known[number] = "blank", ""
        outcomes = await self._run(_code(self.own[""]), known)
        if any("NameError" in reason for _, reason in outcomes.values()):
            outcomes = await self._run(_code(self.parts[""]), known)
        return {number: outcomes[number] for number in filter(None, self.own)}

    async def _run(self, before: list[str], known: Mapping[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
        """One that ends the kernel is left out, and the rest run again."""
        outcomes, left = dict(known), [number for number in self.own if number and number in self.parts]
        while len(outcomes) < len(self.own) - 1:
            number, over = "", threading.Event()
            try:
                with tempfile.TemporaryDirectory(prefix="dann-grade-", ignore_cleanup_errors=True) as folder:
                    async with started(new_notebook(), Path(folder), self.variables, _Listener) as client:
                        with _watched(client.km.provisioner.process.pid, self.gigabytes, over):
                            await _execute(client, before, 5 * self.seconds)
                            for number in tuple(left):
                                checks = [] if number in outcomes else [SHOWN.format(_check(self.own[number]))]
                                cells = await _execute(client, [*_code(self.parts[number]), *checks], self.seconds)
                                outcomes.setdefault(number, _outcome(cells))
            except (CellTimeoutError, DeadKernelError, RuntimeError) as error:
                reason = (f"stopped: it took more than {self.gigabytes:g} GB of memory" if over.is_set() else
                          f"stopped: it took more than {self.seconds:g} s" if isinstance(error, CellTimeoutError) else
                          "it ended the kernel")
                if not number:
                    return {**dict.fromkeys(self.own, ("not run", f"above the exercises: {reason}")), **outcomes}
                outcomes.setdefault(number, ("not run", reason))
                left.remove(number)
        return outcomes


async def _execute(client: NotebookClient, code: list[str], seconds: float) -> list[NotebookNode]:
    """Run cells one after the other, those after an error too; `CellTimeoutError` after `seconds` for all of them."""
    client.allow_errors, client.nb.cells = True, [*map(new_code_cell, code)]
    end = time.monotonic() + seconds
    for index, cell in enumerate(client.nb.cells):
        client.timeout = max(1, round(end - time.monotonic()))
        await client.async_execute_cell(cell, index)
    return client.nb.cells


@contextmanager
def _watched(pid: int, gigabytes: float, over: threading.Event) -> Iterator[None]:
    """End a process that takes too much memory; at last all that it started. A thread, as prints fill the loop."""
    family, done = [psutil.Process(pid)], threading.Event()

    def look() -> None:
        ended = False
        while not ended:
            ended = done.wait(0.05)  # and a last time at the end: on a busy machine a limit of time can come first
            with suppress(psutil.Error):
                family[1:] = family[0].children(recursive=True)
                if sum(each.memory_info().rss for each in family) > gigabytes * 1e9:
                    over.set()
                    family[0].kill()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        for each in family:
            with suppress(psutil.Error):
                each.kill()


def _outcome(cells: list[NotebookNode]) -> tuple[str, str]:
    """State and reason, from an exercise's cells, the check last; if that has no answer, their first error."""
    outputs = [output for cell in cells for output in cell.outputs]
    for found in (each.data[OUTCOME] for each in outputs if OUTCOME in each.get("data", {})):
        return found["state"], "" if found["state"] == "blank" else found["text"]
    errors = [re.sub(r"\(\d+\.py, ", "(", f"{each.ename}: {first_line(each.evalue)}")[:300] for each in outputs]
    return "wrong", next(iter(errors), "its check gave no answer")
