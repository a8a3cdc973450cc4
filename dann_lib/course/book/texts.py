"""The index of the book, and the texts beside the lessons."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dann_lib.course.lesson_files import Lesson

TEXTS = ("syllabus", "glossary", "teaching", "citing", "contributing")
"""Texts in `notebooks/`, in the order of the book; any other text follows."""

HOME = "index"
"""Text in `notebooks/` that opens the index."""


def read_texts(folder: Path) -> dict[str, Path]:
    """The texts that there are, by name, in the order of the book.

    Args:
        folder: of the lessons.
    """
    found = {path.stem: path for path in sorted(folder.glob("*.md"))}
    return {name: found[name] for name in (*TEXTS, *found) if name in found}


def index_page(lessons: Sequence[Lesson], pages: Sequence[str], home: str = "") -> str:
    """The first page: what the course is, the lessons with their results, how to listen, where the rest is.

    Args:
        lessons: in order, solutions among them.
        pages: names of the other pages, in order.
        home: Markdown that opens the page; a title and a paragraph if empty.

    Returns:
        MyST Markdown with the tables of contents of the whole book.
    """
    from jinja2 import Environment

    template = (Path(__file__).parent / "index.md.j2").read_text(encoding="utf-8")
    environment = Environment(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    return environment.from_string(template).render(
        home=home.strip(),
        lessons=[_line(lesson) for lesson in lessons if not lesson.is_solution],
        solutions=[lesson.page for lesson in lessons if lesson.is_solution],
        texts=[page.removesuffix(".md") for page in pages
               if page.endswith(".md") and page not in ("ledger.md", f"{HOME}.md")],
        has_ledger="ledger.md" in pages, has_api="api/index.rst" in pages,
    )


def _line(lesson: Lesson) -> dict[str, Any]:
    """What the index says about a lesson."""
    number, dot, title = lesson.title.partition(" · ")
    return {"page": lesson.page, "number": number if dot else "", "title": title if dot else lesson.title,
            "result": lesson.result, "time": _time(lesson), "error": lesson.error}


def _time(lesson: Lesson) -> str:
    """`ran here in 40 s`, `ran here in 1.5 min`; where it did not run, what the lesson says that it needs."""
    if math.isnan(lesson.seconds):
        texts = "".join(cell.source for cell in lesson.notebook.cells[:1])
        found = re.search(r"\*\*What you need\*\*: (about [^,.(]+)", texts)
        return " ".join(found[1].split()) if found else ""
    is_short = lesson.seconds < 60
    return "ran here in " + (f"{lesson.seconds:.0f} s" if is_short else f"{lesson.seconds / 60:.1f} min")
