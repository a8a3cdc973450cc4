"""Exercises marked: the checks of many notebooks, each on a kernel of its own, with limits of time and memory.

Of a notebook runs what its exercises need: the lesson's own preparation, the cells below each exercise's heading,
and the lesson's own check of it, whose outcome comes back as data. Only an answer that uses more, such as an import
of a step, makes the whole notebook run. What goes wrong is a row of the table, and stops nothing else.
"""

from __future__ import annotations

import asyncio
import csv
import dataclasses
import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import nbformat
import psutil
from jinja2 import Environment
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
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

Parts = dict[str, list[NotebookNode]]
"""An exercise's number → its cells, the heading first; under "" what stands before the first."""


@dataclass(frozen=True)
class Limits:
    """What an exercise may take: seconds, and GB of memory (10⁹ bytes)."""

    seconds: float = 60
    gigabytes: float = 4


@dataclass(frozen=True)
class Mark:
    """A row of the table.

    Attributes:
        student: folder of the notebook, or what its name has beside the lesson's.
        notebook: its path in the class's folder.
        lesson: such as "02_stft"; empty if it is none.
        exercise: such as "2.1"; empty where none could be marked.
        state: "solved", "wrong", "blank" or "not run".
        reason: what is wrong, or why it was not run.
    """

    student: str
    notebook: str
    lesson: str
    exercise: str
    state: str
    reason: str


def grade(folder: Path | None = None, out: Path | None = None, limits: Limits | None = None) -> list[Mark]:
    """Mark the notebooks of a class, or a reader's own lessons, and write `grades.csv` and `grades.html`.

    It runs the code that is written in them: the limits stop what does not end, not what means harm.

    Args:
        folder: of notebooks, also in folders of it; the lessons of this course if `None`.
        out: folder of the tables; `data/grades` if `None`.
        limits: of each exercise.

    Raises:
        DannError: if there are no notebooks.
        OutputError: if the tables cannot be written.
        KeyboardInterrupt: on Ctrl-C; the tables of the notebooks that were finished are written.
    """
    root = Path(folder or NOTEBOOKS)
    paths = [each.with_suffix(".ipynb") for each in known_lessons()] if folder is None else sorted(
        each for each in root.rglob("*.ipynb") if not each.relative_to(root).as_posix().startswith(".")
        and "/." not in each.relative_to(root).as_posix())
    if not paths:
        raise DannError(f"there are no notebooks (.ipynb) in {root}; name the folder that holds them")
    marks: dict[Path, list[Mark]] = {}
    try:
        asyncio.run(_mark_all(paths, root, limits or Limits(), marks))
    finally:
        done = [mark for path in paths for mark in marks.get(path, ())]
        _write(done, Path(out or data_folder() / "grades"))
    return done


def _write(marks: list[Mark], out: Path) -> None:
    """Both tables, and on the terminal a line for each notebook."""
    with atomic_write(out / "grades.csv") as temporary, temporary.open("w", newline="", encoding="utf-8-sig") as file:
        rows = csv.writer(file)
        rows.writerows([[each.name for each in dataclasses.fields(Mark)], *map(dataclasses.astuple, marks)])
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
        (NOTEBOOKS / "grades.html.j2").read_text(encoding="utf-8"))
    with atomic_write(out / "grades.html") as temporary:
        temporary.write_text(template.render(marks=marks), encoding="utf-8")
    for notebook, rows in groupby(marks, lambda mark: mark.notebook):
        print(f"{notebook}: " + ", ".join(f"{mark.exercise} {mark.state}" if mark.exercise else
                                          f"{mark.state}, {mark.reason}" for mark in rows))
    print(f"Open in a browser: {out / 'grades.html'}; for a spreadsheet: {out / 'grades.csv'}", flush=True)


async def _mark_all(paths: list[Path], folder: Path, limits: Limits, marks: dict[Path, list[Mark]]) -> None:
    free, variables = places()

    async def take(path: Path, bar: tqdm) -> None:
        async with free:
            lesson, found = "", {}
            try:
                cells = _cells(path)
                lesson = _lesson_of(cells, path.stem)
                found = await _outcomes(lesson, _parts(cells), limits, variables)
            except Exception as error:  # whatever a file is, it stops no other
                found = {"": ("not run", first_line(str(error))[:300])}
            about = (_student(path, folder, lesson), path.relative_to(folder).as_posix(), lesson)
            marks[path] = [Mark(*about, number, *outcome) for number, outcome in found.items()]
            bar.update()

    with tqdm(total=len(paths), desc="marking", unit="notebook", disable=None, leave=False) as bar:
        await asyncio.gather(*(take(path, bar) for path in paths))


def _cells(path: Path) -> list[NotebookNode]:
    if path.stat().st_size > LARGEST_BYTES:
        raise DannError(f"the file has {path.stat().st_size / 1e6:.0f} MB; clear its outputs and save it again")
    try:
        return stored_lesson(path).notebook.cells
    except Exception as error:
        cause = first_line(str(error.__cause__ or error))
        raise DannError(f"the file is no notebook, or not whole ({cause[:120]})") from error


def _lesson_of(cells: list[NotebookNode], name: str) -> str:
    """By the examples of its exercises, else by its exercises' numbers, else by the file's name."""
    text = "\n".join(cell.source for cell in cells)
    known = {path.stem: path.stem[:2].lstrip("0") for path in known_lessons()}
    for lesson, number in known.items():
        if f'exercises.aim("{lesson}"' in text or re.search(rf"^### {number}\.1 · ", text, re.MULTILINE):
            return lesson
    for lesson in known:
        if lesson in name:
            return lesson
    raise DannError("this is no lesson of the course")


def _student(path: Path, folder: Path, lesson: str) -> str:
    inside = path.relative_to(folder).parts
    if len(inside) > 1:
        return inside[0]
    return re.sub(r"^[\W_]+|[\W_]+$", "", path.stem.replace(lesson, "")) or path.stem


def _parts(cells: Sequence[NotebookNode]) -> Parts:
    parts, number = {"": []}, ""
    for cell in cells:
        if cell.cell_type == "markdown" and (found := re.match(r"### (\d\.\d) · ", cell.source)):
            number = found[1]
        parts.setdefault(number, []).append(cell)
    return parts


@cache
def _own_parts(lesson: str) -> Parts:
    """The exercises as the lesson has them, blank."""
    return _parts(blanked(SOLUTIONS / f"{lesson}.py"))


def _code(cells: Sequence[NotebookNode]) -> list[str]:
    """Code of what a reader writes: without checks, and without examples, some of which take long."""
    return [cell.source.strip() for cell in cells if cell.cell_type == "code" and cell.source.strip()
            and not {"example", "self-check"} & set(cell.metadata.get("tags", ()))
            and not cell.source.startswith("exercises.aim(")]


def _check(cells: Sequence[NotebookNode]) -> str:
    return next((cell.source.strip() for cell in cells if "self-check" in cell.metadata.get("tags", ())), "")


async def _outcomes(
    lesson: str, parts: Parts, limits: Limits, variables: Mapping[str, str]
) -> dict[str, tuple[str, str]]:
    """Number of each exercise that has a check → its state and the reason."""
    own = {number: cells for number, cells in _own_parts(lesson).items() if number == "" or _check(cells)}
    outcomes = {}
    for number in filter(None, own):
        if not _is_there(own[number], parts.get(number, ())):
            outcomes[number] = "not run", "the notebook has another exercise here, or none: an older lesson?"
        elif set(_code(parts[number])) <= set(_code(own[number])):
            outcomes[number] = "blank", ""
    if len(outcomes) < len(own) - 1:
        before, untouched = _code(own[""]), dict(outcomes)
        outcomes |= await _run(before, own, parts, untouched, limits, variables)
        if any("NameError" in reason for _, reason in outcomes.values()):
            before = _code(parts[""])
            outcomes |= await _run(before, own, parts, untouched, limits, variables)
    return {number: outcomes[number] for number in filter(None, own)}


def _is_there(own: list[NotebookNode], found: Sequence[NotebookNode]) -> bool:
    """Whether a notebook has this exercise: its title or its check, word for word."""
    same_title = found and first_line(found[0].source) == first_line(own[0].source)
    return bool(same_title or _check(own) in {cell.source.strip() for cell in found})


class _Listener(NotebookClient):
    """Keeps what marking needs of the outputs, so that one that prints without an end fills no memory."""

    def output(self, outs: list[NotebookNode], msg: dict[str, Any], *where: Any) -> NotebookNode | None:
        """What failed, and the outcomes of checks; nothing else."""
        kept = msg["msg_type"] == "error" or OUTCOME in msg["content"].get("data", {})
        return super().output(outs, msg, *where) if kept else None


async def _run(
    before: list[str], own: Parts, parts: Parts, known: Mapping[str, tuple[str, str]], limits: Limits,
    variables: Mapping[str, str],
) -> dict[str, tuple[str, str]]:
    """Outcomes of the exercises that are not `known`. One that ends the kernel is left out, and the rest run again."""
    outcomes, left_out = dict(known), {number for number in own if number not in parts}
    while len(outcomes) < len(own) - 1:
        number, over = "", []
        try:
            with tempfile.TemporaryDirectory(prefix="dann-grade-", ignore_cleanup_errors=True) as folder:
                async with started(nbformat.v4.new_notebook(), Path(folder), variables, _Listener) as client:
                    watch = asyncio.create_task(_watch(client, limits.gigabytes, over))
                    try:
                        await _execute(client, before, 5 * limits.seconds)
                        for number in (each for each in own if each and each not in left_out):
                            checks = [] if number in outcomes else [SHOWN.format(_check(own[number]))]
                            cells = await _execute(client, [*_code(parts[number]), *checks], limits.seconds)
                            outcomes.setdefault(number, _outcome(cells))
                    finally:
                        watch.cancel()
        except (CellTimeoutError, DeadKernelError, RuntimeError) as error:
            reason = (f"it took more than {limits.gigabytes:g} GB of memory" if over else
                      f"it took more than {limits.seconds:g} s" if isinstance(error, CellTimeoutError) else
                      "it ended the kernel")
            if not number:
                return {each: ("not run", f"above the exercises, {reason}") for each in own if each} | outcomes
            outcomes.setdefault(number, ("not run", f"stopped: {reason}"))
            left_out.add(number)
    return outcomes


async def _execute(client: NotebookClient, code: list[str], seconds: float) -> list[NotebookNode]:
    """Run cells one after the other, those after an error too; `CellTimeoutError` after `seconds` for all of them."""
    client.allow_errors, client.nb.cells, end = True, [*map(nbformat.v4.new_code_cell, code)], time.monotonic() + seconds
    for index, cell in enumerate(client.nb.cells):
        client.timeout = max(1, round(end - time.monotonic()))
        await client.async_execute_cell(cell, index)
    return client.nb.cells


async def _watch(client: NotebookClient, gigabytes: float, over: list[bool]) -> None:
    """End a kernel that takes too much memory; at last all that it started."""
    family = [psutil.Process(client.km.provisioner.process.pid)]
    try:
        while sum(map(_bytes, family)) <= gigabytes * 1e9:
            await asyncio.sleep(0.05)
            family[1:] = family[0].children(recursive=True)
        over.append(True)
    finally:
        for each in family:
            with suppress(psutil.Error):
                each.kill()


def _bytes(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        return process.memory_info().rss
    return 0


def _outcome(cells: list[NotebookNode]) -> tuple[str, str]:
    """State and reason, from an exercise's cells, the check last; an error of a cell is the reason of what it lacks."""
    outputs = [output for cell in cells for output in cell.outputs]
    errors = [f"{each.ename}: {first_line(each.evalue)}" for each in outputs if each.output_type == "error"]
    for output in outputs:
        if OUTCOME in output.get("data", {}):
            found = output.data[OUTCOME]
            return found["state"], "" if found["state"] == "blank" else found["text"]
    return "wrong", errors[0][:300] if errors else "the check gave no answer"
