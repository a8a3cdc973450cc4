"""Links of lessons and texts, so that they hold in the pages: to pages, to source code, to files and pictures."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from dann_lib.course.lesson_files import Lesson
from dann_lib.files import output_errors

FILES = "files"
"""Folder beside the pages with copies of the files that they link to."""

_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")


class Links:
    """Where the targets of relative links are in the book.

    Attributes:
        modules: names of the modules that have a page with their source code.
    """

    def __init__(self, repository: Path, stage: Path, out: Path) -> None:
        """Know no page yet.

        Args:
            repository: root of the files that keep their path among the copied files.
            stage: folder that Sphinx reads.
            out: folder of the pages.
        """
        self.repository, self.stage, self.out = repository, stage, out
        self.modules: set[str] = set()
        self._pages: dict[Path, str] = {}

    def add(self, source: Path, page: str) -> None:
        """Make a source known, whatever its suffix, as the page (a path in `stage`) that it becomes."""
        self._pages[source.resolve().with_suffix("")] = page

    def rewrite(self, text: str, folder: Path, page: str) -> str:
        """Markdown whose relative links hold in the book.

        Args:
            text: Markdown.
            folder: where relative links start in the text.
            page: the page it will stand on, such as `solutions/01_data`.

        Returns:
            The same; links to what does not exist are left as they are.
        """
        return _LINK.sub(lambda match: self._link(match, folder, Path(page).parent), text)

    def rewrite_notebook(self, lesson: Lesson) -> NotebookNode:
        """A copy of a lesson, with a note on what failed; links in texts and in Markdown outputs hold in the book."""
        notebook = nbformat.from_dict(lesson.notebook)
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = self.rewrite(cell.source, lesson.source.parent, lesson.page)
            for output in cell.get("outputs", []):
                data = output.get("data", {})
                if "text/markdown" in data:
                    data["text/markdown"] = self.rewrite(data["text/markdown"], lesson.source.parent, lesson.page)
        if lesson.error:
            fence = ":::{admonition} This run stopped\n:class: error\n\n"
            notebook.cells.insert(1, nbformat.v4.new_markdown_cell(f"{fence}{lesson.error}\n:::"))
        return notebook

    def _link(self, match: re.Match[str], folder: Path, page_folder: Path) -> str:
        picture, text, target = match.groups()
        path, mark, anchor = target.partition("#")
        if not path or ":" in path or path.startswith("/"):
            return match.group(0)
        there = (folder / path).resolve()
        if there.with_suffix("") in self._pages and there.suffix in (".py", ".ipynb", ".md"):
            return f"[{text}]({_relative(self._pages[there.with_suffix('')], page_folder)}{mark}{anchor})"
        if not there.exists():
            return match.group(0)
        if picture:
            return f"![{text}]({_relative(there, self.stage / page_folder)})"
        if there.is_dir():
            address = _relative(there, self.out / page_folder)
        else:
            address = _relative(self._code_page(there) or self._copy(there), page_folder)
        return f'<a href="{address}{mark}{anchor}">{text}</a>'

    def _code_page(self, file: Path) -> str | None:
        """The page with the source code of a module."""
        if file.suffix != ".py" or not file.is_relative_to(self.repository):
            return None
        parts = file.relative_to(self.repository).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        return f"_modules/{name.replace('.', '/')}.html" if name in self.modules else None

    def _copy(self, file: Path) -> str:
        """Put a file beside the pages; its path there."""
        inside = file.is_relative_to(self.repository)
        name = f"{FILES}/{file.relative_to(self.repository).as_posix() if inside else file.name}"
        with output_errors(self.out / name):
            (self.out / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, self.out / name)
        return name


def _relative(target: Path | str, folder: Path) -> str:
    return Path(os.path.relpath(target, folder)).as_posix()
