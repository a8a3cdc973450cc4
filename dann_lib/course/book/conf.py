"""Settings of Sphinx for the book of the course."""

from __future__ import annotations

import importlib.metadata
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dann_lib.course.lesson_files import SOLUTIONS
from dann_lib.errors import DannError

if TYPE_CHECKING:
    from sphinx.application import Sphinx

MATHJAX = "tex-svg.js"
"""MathJax 3 in one file, with its fonts."""


def find_mathjax() -> Path:
    """The file that sets the equations, from the wheel `sphinx-mathjax-offline`.

    Raises:
        DannError: if it is not installed.
    """
    try:
        files = importlib.metadata.files("sphinx-mathjax-offline") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == MATHJAX:
            return Path(file.locate())
    raise DannError("MathJax, which sets the equations, is missing; run: pip install sphinx-mathjax-offline")


project = "How machines separate a song into its instruments"
html_title = project
language = "en"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
suppress_warnings = ["config.cache", "ref.python"]  # two modules may have a class of the same name

# Lessons and texts
nb_execution_mode = "off"
nb_render_markdown_format = "myst"
nb_ipywidgets_js: dict[str, dict[str, str]] = {}
nb_merge_streams = True
myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# API reference: `name` in a docstring is code, and a link where it is known
default_role = "py:obj"
add_module_names = False
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints_format = "short"
napoleon_use_ivar = True
napoleon_use_rtype = False
viewcode_line_numbers = True

# Equations: also in the HTML output of cells
myst_update_mathjax = False
mathjax_path = MATHJAX
mathjax3_config = {
    "tex": {"inlineMath": [["\\(", "\\)"], ["$", "$"]], "tags": "none"},
    "options": {"processHtmlClass": "tex2jax_process|mathjax_process|math|text_html"},
    "svg": {"fontCache": "local"},
}

# Pages
html_theme = "pydata_sphinx_theme"
html_theme_options = {
    "logo": {"text": "How machines separate a song", "image_light": "logo.svg", "image_dark": "logo.svg"},
    "navbar_center": [],
    "navbar_end": ["theme-switcher"],
    "navbar_persistent": ["search-button"],
    "search_bar_text": "Search the course",
    "article_header_start": [],
    "secondary_sidebar_items": ["page-toc", "notebook-link"],
    "show_toc_level": 2,
    "footer_start": [],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"**": ["course-nav.html"]}
html_static_path = ["static", str(find_mathjax())]
html_css_files = ["book.css"]
html_favicon = "static/logo.svg"
templates_path = ["templates"]
html_copy_source = False
html_show_sourcelink = False
html_context = {"default_mode": "auto"}
html_show_copyright = False
html_use_index = False
html_domain_indices = False
html_show_search_summary = False  # it is fetched, which a page from the file system must not do


def setup(app: Sphinx) -> None:
    """Leave out of the reference what says nothing; give every page the contents of the book; import the modules."""
    app.connect("autodoc-skip-member", _skip)
    app.connect("html-page-context", _give_contents, priority=900)
    if app.tags.has("whole"):
        from dann_lib.course.book.api import documented_modules

        documented_modules()  # imports them once, for all processes that read


def _skip(app: Sphinx, what: str, name: str, thing: object, skip: bool, options: Any) -> bool | None:
    """Fields of named tuples, which their class describes."""
    return True if (getattr(thing, "__doc__", None) or "").startswith("Alias for field number") else None


def _give_contents(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: object) -> None:
    """The contents for `course-nav.html`; the theme's own take a fifth of a second for each page."""
    parts = _parts(app)
    context["course_contents"] = [(caption, [_entry(app, name, page) for name in names]) for caption, names in parts]


@lru_cache(maxsize=1)
def _parts(app: Sphinx) -> list[tuple[str, list[str]]]:
    """The tables of contents on the index: caption, and names of pages."""
    from sphinx.addnodes import toctree

    tables = app.env.get_doctree(app.config.root_doc).findall(toctree)
    return [(table["caption"], [name for _, name in table["entries"]]) for table in tables]


def _entry(app: Sphinx, name: str, page: str) -> dict[str, Any]:
    """A line of the contents as `page` shows it: with the pages below it if that is one of them."""
    title = app.env.titles[name].astext()
    below = app.env.toctree_includes.get(name, [])
    inside = page in (name, *below) or (bool(below) and page.startswith("_modules"))
    return {
        "page": name, "is_here": name == page, "below": [_entry(app, each, page) for each in below] if inside else [],
        "title": title.partition(" · ")[0] if name.startswith(SOLUTIONS) else title,
    }
