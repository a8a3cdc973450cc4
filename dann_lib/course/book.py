"""The course as a book of HTML pages: Sphinx and myst-nb on lessons that were run before.

The pages need no network: figures and sounds are inside them, equations are set by MathJax from a wheel. How they
look is in `notebooks/conf.py`, what the index and the ledger say in the templates beside it.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from inspect import ismodule
from pathlib import Path
from typing import Any

import nbformat
from jinja2 import Environment

import dann_lib
from dann_lib.course.lesson_files import NOTEBOOKS, SOLUTIONS, Lesson, cleaned
from dann_lib.errors import DannError
from dann_lib.files import atomic_write

KEPT = "notebooks"
"""Folder beside the pages with the lessons that they were made from."""

HIDDEN = ("dann_lib.__main__", "dann_lib.course.app")
"""Modules that are run, not imported."""

FOR_TEACHERS, CHECKS = "teaching.md", "dann_lib.course.exercises."
"""What a book without solutions has not: a text, and modules."""

_TO_SOLUTIONS = re.compile(r"\[Solutions[^]]*\]\(solutions/[^)]*\)(?:\s+·\s+)?|"
                           r"\s*Solutions are linked at the end of\s+the\s+lesson\.")
_ASKS = re.compile(r"\*\*(?:Predict|Before you|Count|Compute|Guess|Listen|Look)\b")


def build_book(lessons: Iterable[Lesson], out: Path, whole: bool = True, solutions: bool = True) -> Path:
    """Write lessons as HTML pages with an index, a search, and all that they need to be read offline; give the index.

    Args:
        lessons: with their outputs; nothing is executed.
        out: folder of the pages. Lessons that were written there before stay in the book.
        whole: with the texts of the course, the ledger of the claims and the reference of `dann_lib`.
        solutions: with the solutions among the lessons, and the answers to what lessons ask; else nothing leads there.

    Raises:
        OutputError: if the folder cannot be written.
        DannError: if a page cannot be made, or MathJax is not installed.
    """
    out = Path(out).resolve()
    for folder in () if solutions else (out / SOLUTIONS, out / KEPT / SOLUTIONS):
        shutil.rmtree(folder, ignore_errors=True)
    for lesson in lessons if solutions else [each for each in lessons if not each.is_solution]:
        notebook = _with_run(lesson, out)
        for cell in () if solutions else notebook.cells:
            cell.source = _TO_SOLUTIONS.sub("", cell.source)
        with atomic_write(out / KEPT / f"{lesson.page}.ipynb") as temporary:
            nbformat.write(notebook, temporary)
    with tempfile.TemporaryDirectory(prefix="dann-book-") as folder:
        sources, pages = Path(folder) / "sources", Path(folder) / "pages"
        shutil.copytree(out / KEPT, sources)
        for text in NOTEBOOKS.glob("*.md") if whole else ():
            kept = text.read_text(encoding="utf-8")
            if not solutions:
                kept = re.sub(rf"^.*\({FOR_TEACHERS}\).*\n", "", kept, flags=re.MULTILINE)
            if solutions or text.name != FOR_TEACHERS:
                (sources / text.name).write_text(kept, encoding="utf-8")
        _run_sphinx(sources, pages, out, [*["whole"] * whole, *["solutions"] * solutions])
        shutil.copytree(pages, out, ignore=shutil.ignore_patterns("_sources"), dirs_exist_ok=True)
    return out / "index.html"


def _with_run(lesson: Lesson, out: Path) -> nbformat.NotebookNode:
    """What the page is made from, with what is known of the run; a lesson that failed says so below its title.

    Code that JupyterLab folds (`source_hidden`) is folded there too, unless it is left out.
    """
    notebook = cleaned(lesson.notebook)
    for cell in notebook.cells:
        if cell.metadata.get("jupyter", {}).get("source_hidden"):
            cell.metadata.tags = [*cell.metadata.get("tags", []), "hide-input"]
    source = Path(os.path.relpath(lesson.source.resolve(), out)).as_posix()
    notebook.metadata["dann"] = {"source": source, "error": lesson.error, "seconds": lesson.seconds}
    if lesson.error:
        fence = ":::{admonition} This run stopped\n:class: error\n\n"
        notebook.cells.insert(1, nbformat.v4.new_markdown_cell(f"{fence}{lesson.error}\n:::", id="stopped"))
    return notebook


def _run_sphinx(sources: Path, pages: Path, out: Path, tags: Iterable[str]) -> None:
    """Make the pages, in a process of its own: Sphinx changes docutils for good. If it fails, say what it said."""
    command = [sys.executable, "-m", "sphinx", "-c", str(NOTEBOOKS), "-d", str(pages.with_name("doctrees")),
               "-q", "-A", f"out={out}", *(f"-t{tag}" for tag in tags), str(sources), str(pages)]
    done = subprocess.run(command, capture_output=True, text=True, env=python_environment())
    if done.stderr.strip():
        print(done.stderr.replace(f"{sources}{os.sep}", "").strip(), file=sys.stderr, flush=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        raise DannError(f"the pages could not be made (Sphinx ended with {done.returncode}): {last}")


def python_environment() -> dict[str, str]:
    """For another Python: variables with which it can import this package."""
    paths = [str(NOTEBOOKS.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def kept_lessons(out: Path) -> list[Lesson]:
    """The lessons of a folder of pages, in the order of their names."""
    lessons = []
    for path in (out / KEPT).rglob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        run = notebook.metadata["dann"]
        lessons.append(Lesson(Path(os.path.normpath(out / run["source"])), notebook, run["seconds"], run["error"]))
    return sorted(lessons, key=lambda lesson: lesson.page)


def fill_pages(sources: Path, lessons: list[Lesson], whole: bool, solutions: bool = True) -> None:
    """Write the pages that follow from others: the index, of a whole book also the ledger and the reference.

    Without solutions the reference does not have what checks the exercises, whose source tells the answers.

    Raises:
        DannError: if evidence of the ledger is missing.
    """
    _fill("index.md", sources / "index.md", lessons=lessons, time_of=_time, whole=whole, solutions=solutions)
    solved = {lesson.source.name for lesson in lessons if lesson.is_solution}
    for lesson in (each for each in lessons if each.source.name in solved and not each.is_solution):
        page = sources / SOLUTIONS / f"{lesson.source.stem[:2]}_answers.md"
        page.parent.mkdir(exist_ok=True)
        page.write_text(answers(lesson), encoding="utf-8")
    if whole:
        from dann_lib.reproduce.drawing import draw
        from dann_lib.reproduce.evidence import Evidence
        from dann_lib.reproduce.ledger import counts, ledger

        evidence = Evidence.stored()
        entries = ledger(evidence)
        pages = {lesson.page[:2]: lesson.page for lesson in lessons if not lesson.is_solution}
        words = {entry.figure: draw(evidence, entry.claim.figure).description
                 for entry in entries if entry.figure}
        _fill("ledger.md", sources / "ledger.md", entries=entries, counts=counts(entries), words=words, pages=pages)
        hidden = HIDDEN if solutions else (*HIDDEN, CHECKS)
        names = [each.name for each in pkgutil.walk_packages(dann_lib.__path__, "dann_lib.")
                 if not each.name.startswith(hidden)]
        modules = [name for name in names if name.count(".") == 1]
        _fill("api_index.rst", sources / "api" / "index.rst", modules=modules)
        for module in modules:
            package = importlib.import_module(module)
            handed_on = [name for name in getattr(package, "__all__", ()) if not ismodule(getattr(package, name))]
            parts = [name for name in names if name.startswith(f"{module}.")]
            _fill("api_module.rst", sources / "api" / f"{module}.rst", module=module, parts=parts, handed_on=handed_on)


def answers(lesson: Lesson) -> str:
    """What a lesson asks and what its run answers, as Markdown.

    Below each prediction stands what the cells after it show, of players and explorers the description, and what there
    is to notice.
    """
    parts, is_asked = [f"# Answers to lesson {lesson.title}"], False
    for cell in lesson.notebook.cells:
        if cell.source.startswith("## Exercises"):
            break
        for text in cell.source.split("\n\n") if cell.cell_type == "markdown" else ():
            asks, notices = _ASKS.search(text), text.startswith("*What to notice.*")
            if text.startswith("## ") or asks or notices:
                parts.append(text)
                is_asked = bool(asks)
        for output in cell.get("outputs", ()):
            data = output.get("data", {"text/plain": output.get("text", "")})
            text, page = data.get("text/markdown") or data.get("text/plain", ""), data.get("text/html", "")
            if text.startswith("Quick check. "):
                parts.append("**Quick check.**" + text.removeprefix("Quick check.").replace("\n", "\n\n", 1))
            elif is_asked and re.search("<img|<table", page) and not re.search("<iframe|<audio", page):
                page = re.sub(r"\n\s*", "\n", page)  # without empty lines it is not read as Markdown
                parts.append(f'<div class="cell_output"><div class="output text_html">{page}</div></div>')
            elif is_asked and "text/latex" not in data:  # which code has that is shown
                is_block = "\n" in text.strip() and "text/markdown" not in data
                parts.append(f"```text\n{text.rstrip()}\n```" if is_block else text)
    parts = [text for text, after in zip(parts, [*parts[1:], "## "], strict=True)
             if not (text.startswith("## ") and after.startswith("## "))]
    return re.sub(r"\]\((\d\d_\w+\.ipynb)", r"](../\1", "\n\n".join(parts))


def _fill(template: str, page: Path, **context: Any) -> None:
    environment = Environment(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    text = (NOTEBOOKS / f"{template}.j2").read_text(encoding="utf-8")
    page.parent.mkdir(exist_ok=True)
    page.write_text(environment.from_string(text).render(**context), encoding="utf-8")


def _time(lesson: Lesson) -> str:
    """`ran here in 40 s`, `ran here in 1.5 min`; where it did not run, what the lesson says that it needs."""
    if lesson.seconds is None:
        texts = "".join(cell.source for cell in lesson.notebook.cells[:1])
        found = re.search(r"\*\*What you need\*\*: (about [^,.(]+)", texts)
        return " ".join(found[1].split()) if found else ""
    is_short = lesson.seconds < 60
    return "ran here in " + (f"{lesson.seconds:.0f} s" if is_short else f"{lesson.seconds / 60:.1f} min")
