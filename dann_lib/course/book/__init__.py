"""The course as a book of HTML pages: Sphinx and myst-nb on lessons that were run before.

    build_book(lessons, out)                  # lessons, texts, ledger and API reference
    build_book(lessons, out, whole=False)     # the lessons alone, in seconds

The pages need no network: figures and sounds are inside them, equations are set by MathJax from a wheel.
"""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import nbformat

from dann_lib.course.book.api import api_pages, documented_modules
from dann_lib.course.book.links import Links
from dann_lib.course.book.texts import HOME, index_page, read_texts
from dann_lib.course.lesson_files import Lesson, cleaned
from dann_lib.errors import DannError
from dann_lib.files import atomic_write

NOTEBOOKS = "notebooks"
"""Folder beside the pages with the lessons that they were made from."""

_FOLDER = Path(__file__).parent
_REPOSITORY = _FOLDER.parents[2]


def build_book(lessons: Iterable[Lesson], out: Path, whole: bool = True) -> Path:
    """Write lessons as HTML pages with an index, a search, and all that they need to be read offline.

    Args:
        lessons: with their outputs; nothing is executed.
        out: folder of the pages. Lessons that were written there before stay in the book.
        whole: with the texts of the course, the ledger of the claims and the reference of `dann_lib`.

    Returns:
        The index.

    Raises:
        OutputError: if the folder cannot be written.
        DannError: if a page cannot be made, or MathJax is not installed.
    """
    out = Path(out).resolve()
    for lesson in lessons:
        _keep(lesson, out)
    with tempfile.TemporaryDirectory(prefix="dann-book-") as folder:
        stage, pages = Path(folder) / "sources", Path(folder) / "pages"
        _write_sources(_kept(out), stage, out, whole)
        _run_sphinx(stage, pages, whole)
        shutil.copytree(pages, out, ignore=shutil.ignore_patterns("_sources"), dirs_exist_ok=True)
    return out / "index.html"


def kept_pages(out: Path) -> set[str]:
    """Lessons that were written to a folder of pages before, by the names of their pages."""
    return {lesson.page for lesson in _kept(Path(out))}


def _keep(lesson: Lesson, out: Path) -> None:
    """Store what the page is made from, so that a later build can make it again."""
    notebook = cleaned(lesson.notebook)
    source = Path(os.path.relpath(lesson.source.resolve(), out)).as_posix()
    notebook.metadata["dann"] = {"source": source, "error": lesson.error}
    if not math.isnan(lesson.seconds):
        notebook.metadata["dann"]["seconds"] = round(lesson.seconds, 1)
    with atomic_write(out / NOTEBOOKS / f"{lesson.page}.ipynb") as temporary:
        nbformat.write(notebook, temporary)


def _kept(out: Path) -> list[Lesson]:
    """The lessons of a folder of pages, in the order of their names."""
    lessons = []
    for path in sorted((out / NOTEBOOKS).rglob("*.ipynb")):
        try:
            notebook = nbformat.read(path, as_version=4)
            about = notebook.metadata["dann"]
        except (OSError, ValueError, KeyError, nbformat.ValidationError):
            continue
        source = Path(os.path.normpath(out / about["source"]))
        lessons.append(Lesson(source, notebook, about.get("seconds", float("nan")), about["error"]))
    return sorted(lessons, key=lambda lesson: lesson.page)


def _write_sources(lessons: list[Lesson], stage: Path, out: Path, whole: bool) -> None:
    """Everything that Sphinx reads, in one folder, with links that hold there."""
    folder = _REPOSITORY / "notebooks"
    texts = read_texts(folder) if whole else {}
    links = Links(_REPOSITORY, stage, out)
    for lesson in lessons:
        links.add(lesson.source, f"{lesson.page}.ipynb")
    for name, path in texts.items():
        links.add(path, f"{name}.md")
    pages: dict[str, str] = {}
    if whole:
        from dann_lib.course.book.ledger_page import ledger_page

        reference = api_pages()
        links.modules = documented_modules()
        pages = {f"{name}.md": path.read_text(encoding="utf-8") for name, path in texts.items()}
        pages["ledger.md"] = ledger_page(lessons)
        pages = {page: links.rewrite(text, folder, page) for page, text in pages.items()} | reference
    pages["index.md"] = index_page(lessons, list(pages), pages.get(f"{HOME}.md", ""))
    for lesson in lessons:
        pages[f"{lesson.page}.ipynb"] = nbformat.writes(links.rewrite_notebook(lesson))
    for page, text in pages.items():
        (stage / page).parent.mkdir(parents=True, exist_ok=True)
        (stage / page).write_text(text, encoding="utf-8")


def _run_sphinx(stage: Path, out: Path, whole: bool) -> None:
    """Make the pages, in a process of its own: Sphinx changes docutils for good.

    Raises:
        DannError: if it fails, with what it said.
    """
    jobs = str(min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1))
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-c", str(_FOLDER), "-d", str(stage.parent / "doctrees"),
               "-q", "-j", jobs, *(["-t", "whole"] if whole else []), str(stage), str(out)]
    paths = os.pathsep.join([str(_REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths})
    if done.stderr.strip():
        print(done.stderr.replace(f"{stage}{os.sep}", "").strip(), file=sys.stderr, flush=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        raise DannError(f"the pages could not be made (Sphinx ended with {done.returncode}): {last}")
