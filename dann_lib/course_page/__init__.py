"""The lessons as HTML pages that work from the file system, without network."""

from __future__ import annotations

import html
import importlib.metadata
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

from dann_lib.errors import DannError
from dann_lib.files import atomic_write
from dann_lib.lesson_files import cleaned

MATHJAX = "mathjax.js"
"""File beside the pages that sets the equations."""

_TEMPLATES = Path(__file__).parent


@dataclass(frozen=True)
class Page:
    """A lesson to be written as a page.

    Attributes:
        name: of its file, without suffix.
        notebook: with outputs.
        source: the file that it was read from; relative links start there.
        seconds: how long it took to run.
        error: what failed; empty if nothing did.
    """

    name: str
    notebook: NotebookNode
    source: Path
    seconds: float
    error: str = ""

    @property
    def title(self) -> str:
        """The first-level heading."""
        found = re.search(r"^# +(.+)$", self._first_text, re.MULTILINE)
        return found.group(1).strip() if found else self.name

    @property
    def result(self) -> str:
        """The sentence below the heading, as Markdown: what the reader knows in the end."""
        found = re.search(r"^# +[^\n]+\n+((?:(?!#|\n\n).)+)", self._first_text, re.MULTILINE | re.DOTALL)
        return found.group(1).strip() if found else ""

    @property
    def _first_text(self) -> str:
        texts = [cell.source for cell in self.notebook.cells if cell.cell_type == "markdown"]
        return texts[0] if texts else ""


def write_pages(pages: Sequence[Page], out: Path) -> Path:
    """Write lessons as HTML, with an index and what they need to be read offline.

    Args:
        pages: the lessons, in order.
        out: folder of the pages; others in it are left alone.

    Returns:
        The index.

    Raises:
        OutputError: if the folder cannot be written.
        DannError: if MathJax is not installed.
    """
    out = Path(out)
    with atomic_write(out / MATHJAX) as temporary:
        shutil.copyfile(find_mathjax(), temporary)
    for number, page in enumerate(pages):
        before = pages[number - 1] if number else None
        after = pages[number + 1] if number + 1 < len(pages) else None
        with atomic_write(out / f"{page.name}.html") as temporary:
            temporary.write_text(_lesson_html(page, before, after, pages, out), encoding="utf-8")
    with atomic_write(out / "index.html") as temporary:
        temporary.write_text(_index_html(pages), encoding="utf-8")
    return out / "index.html"


def find_mathjax() -> Path:
    """MathJax 3 in one file, from the wheel `sphinx-mathjax-offline`.

    Raises:
        DannError: if it is not installed.
    """
    try:
        files = importlib.metadata.files("sphinx-mathjax-offline") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "tex-svg.js":
            return Path(file.locate())
    raise DannError("MathJax, which sets the equations, is missing; run: pip install sphinx-mathjax-offline")


def _lesson_html(page: Page, before: Page | None, after: Page | None, pages: Sequence[Page], out: Path) -> str:
    from nbconvert import HTMLExporter

    template = (_TEMPLATES / "lesson.html.j2").read_text(encoding="utf-8")
    exporter = HTMLExporter(template_name="lab", raw_template=template, embed_images=True)
    resources = {
        "metadata": {"name": page.title, "path": str(page.source.parent)}, "mathjax_file": MATHJAX,
        "navigation": _navigation(before, after), "error": html.escape(page.error),
    }
    body, _ = exporter.from_notebook_node(cleaned(page.notebook), resources=resources)
    return _rewrite_links(body, page.source.parent, {other.name for other in pages}, out)


def _index_html(pages: Sequence[Page]) -> str:
    from jinja2 import Environment
    from nbconvert.filters.markdown import markdown2html

    template = (_TEMPLATES / "index.html.j2").read_text(encoding="utf-8")
    rows = [
        {"name": page.name, "title": _inline(markdown2html(page.title)), "result": _inline(markdown2html(page.result)),
         "seconds": f"{page.seconds:.0f}", "error": page.error}
        for page in pages
    ]
    return Environment(autoescape=True).from_string(template).render(lessons=rows, mathjax_file=MATHJAX)


def _inline(paragraph: str) -> object:
    from markupsafe import Markup

    return Markup(re.sub(r"^<p>|</p>$", "", paragraph.strip()))


def _navigation(before: Page | None, after: Page | None) -> str:
    nothing = "<span></span>"
    links = [
        f'<a href="{before.name}.html" rel="prev">← {html.escape(before.title)}</a>' if before else nothing,
        '<a href="index.html">All lessons</a>',
        f'<a href="{after.name}.html" rel="next">{html.escape(after.title)} →</a>' if after else nothing,
    ]
    return f'<nav class="lessons" aria-label="Lessons">{"".join(links)}</nav>'


def _rewrite_links(body: str, folder: Path, names: set[str], out: Path) -> str:
    """Links between lessons lead to pages; links to other files lead to where those are."""

    def target(match: re.Match[str]) -> str:
        link = match.group(2)
        path, mark, anchor = link.partition("#")
        if not path or "://" in link or link.startswith(("mailto:", "data:")) or path.endswith(".html"):
            return match.group(0)
        if path.endswith((".ipynb", ".py")) and Path(path).stem in names:
            return f'{match.group(1)}"{Path(path).stem}.html{mark}{anchor}"'
        there = os.path.relpath((folder / path).resolve(), out.resolve())
        return f'{match.group(1)}"{Path(there).as_posix()}{mark}{anchor}"'

    return re.sub(r'(<a\b[^>]*?\bhref=)"([^"]*)"', target, body)
