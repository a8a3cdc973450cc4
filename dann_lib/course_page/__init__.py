"""The lessons as HTML pages that work from the file system, without network."""

from __future__ import annotations

import html
import importlib.metadata
import json
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from nbformat import NotebookNode

from dann_lib.errors import DannError
from dann_lib.files import atomic_write
from dann_lib.lesson_files import cleaned

MATHJAX = "mathjax.js"
"""File beside the pages that sets the equations."""

ENTRIES = "lessons.json"
"""File beside the pages with the lines of the index."""

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
    def entry(self) -> Entry:
        """Its line in the index, from the first cell: heading, and the sentence below it."""
        texts = [cell.source for cell in self.notebook.cells if cell.cell_type == "markdown"]
        found = re.search(r"^# +([^\n]+)(?:\n+((?:(?!#|\n\n).)+))?", "".join(texts[:1]), re.MULTILINE | re.DOTALL)
        title, result = found.groups() if found else (self.name, "")
        return Entry(self.name, title.strip(), (result or "").strip(), round(self.seconds, 1), self.error)


class Entry(NamedTuple):
    """A line of the index: name of the page, title and result as Markdown, seconds, what failed."""

    name: str
    title: str
    result: str
    seconds: float
    error: str


def write_pages(pages: Sequence[Page], out: Path) -> Path:
    """Write lessons as HTML, with an index and what they need to be read offline.

    Args:
        pages: the lessons.
        out: folder of the pages; lessons that were written there before stay in the index.

    Returns:
        The index.

    Raises:
        OutputError: if the folder cannot be written.
        DannError: if MathJax is not installed.
    """
    out = Path(out)
    with atomic_write(out / MATHJAX) as temporary:
        shutil.copyfile(find_mathjax(), temporary)
    entries = _entries(pages, out)
    for page in pages:
        with atomic_write(out / f"{page.name}.html") as temporary:
            temporary.write_text(_lesson_html(page, entries, out), encoding="utf-8")
    with atomic_write(out / ENTRIES) as temporary:
        temporary.write_text(json.dumps(entries, indent=1), encoding="utf-8")
    with atomic_write(out / "index.html") as temporary:
        temporary.write_text(_index_html(entries), encoding="utf-8")
    return out / "index.html"


def _entries(pages: Sequence[Page], out: Path) -> list[Entry]:
    """Lines of the index in the order of names, with those of earlier runs whose pages are still there."""
    try:
        known = [Entry(*row) for row in json.loads((out / ENTRIES).read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        known = []
    entries = {entry.name: entry for entry in known if (out / f"{entry.name}.html").is_file()}
    entries |= {page.name: page.entry for page in pages}
    return [entries[name] for name in sorted(entries)]


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


def _lesson_html(page: Page, entries: Sequence[Entry], out: Path) -> str:
    from nbconvert import HTMLExporter

    template = (_TEMPLATES / "lesson.html.j2").read_text(encoding="utf-8")
    exporter = HTMLExporter(template_name="lab", raw_template=template, embed_images=True)
    resources = {
        "metadata": {"name": page.entry.title, "path": str(page.source.parent)}, "mathjax_file": MATHJAX,
        "navigation": _navigation(page.name, entries), "error": html.escape(page.error),
    }
    body, _ = exporter.from_notebook_node(cleaned(page.notebook), resources=resources)
    return _rewrite_links(body, page.source.parent, {entry.name for entry in entries}, out)


def _index_html(entries: Sequence[Entry]) -> str:
    from jinja2 import Environment
    from nbconvert.filters.markdown import markdown2html

    template = (_TEMPLATES / "index.html.j2").read_text(encoding="utf-8")
    rows = [
        {"name": entry.name, "title": _inline(markdown2html(entry.title)),
         "result": _inline(markdown2html(entry.result)), "seconds": f"{entry.seconds:.0f}", "error": entry.error}
        for entry in entries
    ]
    return Environment(autoescape=True).from_string(template).render(lessons=rows, mathjax_file=MATHJAX)


def _inline(paragraph: str) -> object:
    from markupsafe import Markup

    return Markup(re.sub(r"^<p>|</p>$", "", paragraph.strip()))


def _navigation(name: str, entries: Sequence[Entry]) -> str:
    place = [entry.name for entry in entries].index(name)
    before = entries[place - 1] if place else None
    after = entries[place + 1] if place + 1 < len(entries) else None
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
